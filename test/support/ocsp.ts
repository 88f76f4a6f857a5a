// An OCSP responder over a test instance, and the requests that ask it.
import assert from 'node:assert/strict'
import type { Extension } from '../../src/core/pki/extension.ts'
import { extension } from '../../src/core/pki/extensions.ts'
import {
  type BasicOcspResponse,
  encodeCertId,
  encodeOcspRequest,
  encodeTbsRequest,
  parseOcspResponse,
} from '../../src/core/pki/ocsp.ts'
import { encodeNonce, OCSP_OID } from '../../src/core/pki/ocsp-extensions.ts'
import { sha1, sha256, sha384 } from '../../src/crypto/digest.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import type { StoreReader } from '../../src/domain/ports.ts'
import type { OcspQuestion } from '../../src/domain/revocation/ocsp-question.ts'
import { OcspResponders } from '../../src/domain/revocation/ocsp-responders.ts'
import { OcspService } from '../../src/domain/revocation/ocsp-service.ts'
import type { TestInstance } from './instance.ts'

export const CERT_ID_HASHES = {
  sha1: { oid: '1.3.14.3.2.26', hash: sha1 },
  sha256: { oid: '2.16.840.1.101.3.4.2.1', hash: sha256 },
  sha384: { oid: '2.16.840.1.101.3.4.2.2', hash: sha384 },
} as const

export interface TestResponder {
  readonly service: OcspService
  readonly responders: OcspResponders
  /** What the clients were not told of `tryLater`. */
  readonly failures: { readonly question: OcspQuestion; readonly thrown: unknown }[]
  /** Moves the clock that never goes back, in milliseconds. */
  readonly elapse: (milliseconds: number) => void
}

export interface ResponderOptions {
  readonly read?: (read: StoreReader) => StoreReader
  readonly presignedOctets?: number
}

/** Its signers are there; nothing that was signed before is given until it has followed the log once. */
export async function testResponder(instance: TestInstance, options: ResponderOptions = {}): Promise<TestResponder> {
  const responders = new OcspResponders(instance)
  await responders.refresh()
  const failures: TestResponder['failures'] = []
  let elapsed = 0
  const { read = same => same, presignedOctets } = options
  const service = new OcspService({
    read: read(instance.store.read),
    clock: instance.clock,
    elapsed: () => elapsed,
    responders,
    soon: work => void setImmediate(work),
    onFailure: (question, thrown) => failures.push({ question, thrown }),
    ...(presignedOctets === undefined ? {} : { presignedOctets }),
  })
  return { service, responders, failures, elapse: milliseconds => (elapsed += milliseconds) }
}

export async function certId(
  instance: TestInstance,
  record: Pick<CertificateRecord, 'authorityId' | 'serialNumber'>,
  name: keyof typeof CERT_ID_HASHES = 'sha1',
): Promise<Uint8Array> {
  const issuer = await instance.authorities.certificate(record.authorityId)
  const { oid, hash } = CERT_ID_HASHES[name]
  return encodeCertId({
    hashAlgorithm: oid,
    issuerNameHash: hash(issuer.subject.raw),
    issuerKeyHash: hash(issuer.subjectPublicKeyInfo.publicKey),
    serialNumber: record.serialNumber,
  })
}

export interface AskOptions {
  readonly nonce?: Uint8Array
  readonly extensions?: readonly Extension[]
  readonly single?: readonly Extension[]
}

/** The octets of a request for these. */
export function ask(
  certIds: readonly Uint8Array[],
  { nonce, extensions = [], single = [] }: AskOptions = {},
): Uint8Array {
  const nonces = nonce ? [extension(OCSP_OID.nonce, false, encodeNonce(nonce))] : []
  const requests = certIds.map(each => ({ certId: each, extensions: single }))
  return encodeOcspRequest(encodeTbsRequest({ requests, extensions: [...nonces, ...extensions] }))
}

/** The content of a successful answer. */
export function basicOf(der: Uint8Array): BasicOcspResponse {
  const { basic, responseStatus } = parseOcspResponse(der)
  assert.ok(basic, responseStatus)
  return basic
}
