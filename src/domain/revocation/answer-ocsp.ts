// Answer an OCSP request (RFC 6960, RFC 9654 nonce, RFC 5019 for caches): live from the registry, signed by the delegated responder of
// the authority that the request names. One message is signed by one responder, so a message about certificates of several
// authorities is refused as `unauthorized`.

import type { Bytes } from '../../core/bytes/bytes.ts'
import { equalBytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import { extension } from '../../core/pki/extensions.ts'
import {
  type CertId,
  type CertStatus,
  encodeOcspError,
  encodeOcspResponse,
  encodeTbsResponseData,
  type OcspError,
  parseOcspRequest,
} from '../../core/pki/ocsp.ts'
import { encodeNonce, OCSP_OID } from '../../core/pki/ocsp-extensions.ts'
import { sha1, sha256 } from '../../crypto/digest.ts'
import type { Signer } from '../../crypto/signer.ts'
import { verifyOwnSignature } from '../ca/sign.ts'
import { type AuthorityId, serialNumber, type UnixSeconds } from '../ids.ts'
import type { Clock, StoreReader } from '../ports.ts'

/** Who answers for one authority. */
export interface OcspResponder {
  readonly authorityId: AuthorityId
  /** The authority's own certificate: what a CertID hashes. */
  readonly authority: Certificate
  /** The delegated signer's certificate (RFC 6960 §4.2.2.2). */
  readonly certificate: Certificate
  readonly signer: Signer
}

export interface OcspPorts {
  readonly read: StoreReader
  readonly clock: Clock
  /** The responders that can sign now, one for each online authority. */
  responders(): Promise<readonly OcspResponder[]>
}

export interface OcspAnswer {
  readonly der: Bytes
  /** How long a cache may keep it: `undefined` for errors and for answers that carry a nonce (RFC 5019 §6.2). */
  readonly cacheable: { readonly thisUpdate: UnixSeconds; readonly nextUpdate: UnixSeconds } | undefined
  readonly outcome: 'successful' | OcspError
}

/** How long an answer may be relied on. A revocation reaches those who ask again at once, and caches within this time. */
export const OCSP_VALIDITY_SECONDS = 3600

const SHA1 = '1.3.14.3.2.26'
const SHA256 = '2.16.840.1.101.3.4.2.1'

/** Answers any octets: what cannot be parsed gets `malformedRequest`, whom we do not answer for gets `unauthorized`. */
export async function answerOcsp(der: Uint8Array, ports: OcspPorts): Promise<OcspAnswer> {
  let request: ReturnType<typeof parseOcspRequest>
  try {
    request = parseOcspRequest(der)
  } catch (thrown) {
    if (thrown instanceof TouchmarkError && thrown.kind === 'malformed') return refusal('malformedRequest')
    throw thrown
  }
  const responders = await ports.responders()
  const index = indexOf(responders)
  const responder = index.find(request.requests[0]!.certId)
  if (!responder || request.requests.some(single => index.find(single.certId) !== responder))
    return refusal('unauthorized')

  const thisUpdate = ports.clock.now()
  if (thisUpdate > responder.certificate.notAfter) return refusal('tryLater')
  const nextUpdate = Math.min(thisUpdate + OCSP_VALIDITY_SECONDS, responder.certificate.notAfter)
  const responses = await Promise.all(
    request.requests.map(async ({ certId }) => ({
      certId: certId.raw,
      status: await statusOf(responder.authorityId, certId, ports.read),
      thisUpdate,
      nextUpdate,
    })),
  )
  const tbs = encodeTbsResponseData({
    responderId: { kind: 'byKey', keyHash: sha1(responder.certificate.subjectPublicKeyInfo.publicKey) },
    producedAt: thisUpdate,
    responses,
    extensions: request.nonce ? [extension(OCSP_OID.nonce, false, encodeNonce(request.nonce))] : [],
  })
  const signature = await responder.signer.sign(tbs)
  verifyOwnSignature(responder.signer, tbs, signature)
  const answer = encodeOcspResponse({
    tbs,
    signatureAlgorithm: responder.signer.algorithm.algorithmIdentifier,
    signature,
    certificates: [responder.certificate.raw],
  })
  return { der: answer, cacheable: request.nonce ? undefined : { thisUpdate, nextUpdate }, outcome: 'successful' }
}

/** A serial number that this authority never issued is `unknown`, never `good` (RFC 6960 §2.2). */
async function statusOf(authorityId: AuthorityId, certId: CertId, read: StoreReader): Promise<CertStatus> {
  const record = await read.certificate(authorityId, serialNumber(certId.serialNumber))
  if (!record) return { kind: 'unknown' }
  switch (record.status.kind) {
    case 'good':
      return { kind: 'good' }
    case 'held':
      return { kind: 'revoked', revocationTime: record.status.at, reason: 'certificateHold' }
    case 'revoked':
      return { kind: 'revoked', revocationTime: record.status.at, reason: record.status.reason }
    default:
      return record.status satisfies never
  }
}

function refusal(outcome: OcspError): OcspAnswer {
  return { der: encodeOcspError(outcome), cacheable: undefined, outcome }
}

interface ResponderIndex {
  find(certId: CertId): OcspResponder | undefined
}

const indexes = new WeakMap<readonly OcspResponder[], ResponderIndex>()

/** CertID hashes of each responder's authority, computed once for a list of responders. */
function indexOf(responders: readonly OcspResponder[]): ResponderIndex {
  const known = indexes.get(responders)
  if (known) return known
  const byKeyHash = new Map<string, { responder: OcspResponder; nameHash: Uint8Array }>()
  for (const responder of responders) {
    const { subject, subjectPublicKeyInfo } = responder.authority
    for (const [oid, hash] of [
      [SHA1, sha1],
      [SHA256, sha256],
    ] as const) {
      byKeyHash.set(`${oid}/${toHex(hash(subjectPublicKeyInfo.publicKey))}`, { responder, nameHash: hash(subject.raw) })
    }
  }
  const index: ResponderIndex = {
    find(certId) {
      const found = byKeyHash.get(`${certId.hashAlgorithm.oid}/${toHex(certId.issuerKeyHash)}`)
      return found && equalBytes(found.nameHash, certId.issuerNameHash) ? found.responder : undefined
    },
  }
  indexes.set(responders, index)
  return index
}
