// A retired device's last word: that it wiped its keys, signed with each of them before it did. Every signature is checked with the public key
// that we certified; the statement is kept as it came, as the evidence of the end of its keys.

import { TouchmarkError } from '../../core/errors.ts'
import {
  parseSignedWipeStatement,
  parseWipeStatement,
  type SignedWipeStatement,
} from '../../core/messages/wipe-statement.ts'
import { parseCertificate } from '../../core/pki/certificate.ts'
import { keyAlgorithm, signatureAlgorithm } from '../../crypto/algorithms.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import { checkSignatureWith } from '../../crypto/verify.ts'
import type { KeyId } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import type { DeviceContact } from './device-contact.ts'
import type { DeviceKey } from './device-key.ts'
import { endKeys } from './end-keys.ts'

export interface AcceptWipePorts {
  readonly store: Store
  readonly clock: Clock
}

/**
 * Takes in the octets of a signed wipe statement; answers the keys that count as destroyed by it. A key that is named and has not signed
 * stays as it is, and so does one that is known as compromised: whoever stole it could have signed too. Keys that we never certified for
 * this device (one that was still waiting, one of another maker) are none of ours to end, and passed over. One wrong signature refuses the
 * whole. Throws `message.malformed`, `message.too_large`, `device.not_retired`, `wipe.other_device`, `wipe.signature_missing`,
 * `wipe.key_not_named`, `wipe.signature_invalid`.
 */
export async function acceptWipe(
  octets: Uint8Array,
  { device }: DeviceContact,
  { store, clock }: AcceptWipePorts,
): Promise<KeyId[]> {
  const signed = parseSignedWipeStatement(octets)
  const statement = parseWipeStatement(signed.statement)
  if (device.state !== 'retired' && device.state !== 'destroyed') {
    throw new TouchmarkError('device.not_retired', 'conflict', `The device is ${device.state}.`, {
      evidence: { deviceId: device.id },
      next: 'Keys end with the device: touchmark device retire SERIAL',
    })
  }
  if (statement.model !== device.model || statement.serialNumber !== device.serialNumber) {
    throw new TouchmarkError('wipe.other_device', 'forbidden', 'The statement speaks of another device.')
  }
  checkWhoSigned(signed, statement.keys)
  const keys = new Map<string, DeviceKey>((await store.read.keysOfDevice(device.id)).map(key => [key.id, key]))
  const publicKeys = await publicKeysOf(device, store)
  const wiped: KeyId[] = []
  for (const { keyId: id, signature } of signed.signatures) {
    const key = keys.get(id)
    const publicKey = key && publicKeys.get(key.id)
    if (!key || !publicKey) continue
    if (!isSignedBy(key, publicKey, signed.statement, signature)) throw signatureInvalid(id)
    if (key.state !== 'compromised') wiped.push(key.id)
  }
  if (wiped.length === 0) return []
  const evidence = {
    sha256: sha256Hex(octets),
    deviceId: device.id,
    kind: 'wipe',
    bytes: octets,
    at: clock.now(),
  } as const
  return endKeys(device.id, wiped, evidence, { kind: 'device', id: device.id }, { store, clock })
}

/** At least one signature, each by a key that the statement names, and none twice. */
function checkWhoSigned({ signatures }: SignedWipeStatement, named: readonly string[]): void {
  if (signatures.length === 0) {
    throw new TouchmarkError('wipe.signature_missing', 'malformed', 'Nobody signed the statement.')
  }
  const signers = signatures.map(({ keyId }) => keyId)
  if (new Set(signers).size !== signers.length || signers.some(id => !named.includes(id))) {
    throw new TouchmarkError(
      'wipe.key_not_named',
      'malformed',
      'Each key that signs is named in the statement, and signs once.',
    )
  }
}

/** From the certificates that we issued: the registry knows a key by its digest only. */
async function publicKeysOf({ id }: DeviceContact['device'], { read }: Store): Promise<ReadonlyMap<KeyId, Uint8Array>> {
  const publicKeys = new Map<KeyId, Uint8Array>()
  for (const { keyId, der } of await read.certificatesOfDevice(id)) {
    if (!publicKeys.has(keyId)) publicKeys.set(keyId, parseCertificate(new Uint8Array(der)).subjectPublicKeyInfo.raw)
  }
  return publicKeys
}

function isSignedBy({ algorithm }: DeviceKey, spki: Uint8Array, statement: Uint8Array, signature: Uint8Array): boolean {
  const row = signatureAlgorithm(keyAlgorithm(algorithm).signatureAlgorithms[0])
  return checkSignatureWith(spki, row, statement, signature) === 'valid'
}

function signatureInvalid(keyId: string): TouchmarkError {
  return new TouchmarkError('wipe.signature_invalid', 'forbidden', 'A signature of the statement does not verify.', {
    evidence: { keyId },
    next: 'Sign the octets of the statement with the first algorithm that is named for the key.',
  })
}
