// Input for batches: distinct P-256 keys, made before anything is measured.
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { encodeCertificationRequestInfo } from '../../src/core/pki/csr.ts'
import { ATTRIBUTE, encodeName } from '../../src/core/pki/name.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'
import { signatureAlgorithm } from '../../src/crypto/algorithms.ts'
import type { FactoryUnit } from '../../src/domain/factory/unit.ts'

const ECDSA = signatureAlgorithm('ecdsa-with-SHA256')

export interface DeviceKeyPair {
  readonly privateKey: KeyObject
  readonly spki: Uint8Array<ArrayBuffer>
}

export function makeKeyPair(): DeviceKeyPair {
  const pair = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
  return {
    privateKey: createPrivateKey({ key: pair.privateKey, type: 'pkcs8', format: 'der' }),
    spki: new Uint8Array(pair.publicKey),
  }
}

export function makeCsr(key: DeviceKeyPair, serialNumber: string): Uint8Array<ArrayBuffer> {
  const info = encodeCertificationRequestInfo({
    subject: encodeName([[{ type: ATTRIBUTE.serialNumber, value: serialNumber }]]),
    subjectPublicKeyInfo: key.spki,
  })
  return encodeSigned(info, ECDSA.algorithmIdentifier, sign('sha256', info, key.privateKey))
}

const MODEL = 'bench'

export function publicKeyUnit(line: number): FactoryUnit {
  const { publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
  return {
    line,
    model: MODEL,
    serialNumber: serial(line),
    key: { kind: 'public_key', spki: new Uint8Array(publicKey) },
  }
}

export function csrUnit(line: number): FactoryUnit {
  const serialNumber = `C${serial(line)}`
  return { line, model: MODEL, serialNumber, key: { kind: 'csr', der: makeCsr(makeKeyPair(), serialNumber) } }
}

function serial(line: number): string {
  return `SN${String(line).padStart(8, '0')}`
}
