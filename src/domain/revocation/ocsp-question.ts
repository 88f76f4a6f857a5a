// What an OCSP request asks (RFC 6960 §4.1): of which responder, about which certificates, and what the client said about the form of the
// answer. Pure, and cheap for whoever asks about authorities that are not ours: no answer, no signature, no look into the store.
import { equalBytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { type Extension, findExtension } from '../../core/pki/extension.ts'
import { type CertId, type OcspError, type OcspRequest, parseOcspRequest } from '../../core/pki/ocsp.ts'
import {
  findAcceptableResponses,
  findPreferredSignatureAlgorithms,
  OCSP_OID,
  type PreferredSignatureAlgorithm,
} from '../../core/pki/ocsp-extensions.ts'
import { findSignatureAlgorithm, keyAlgorithm, type SignatureAlgorithmName } from '../../crypto/algorithms.ts'
import { sha1, sha256, sha384, sha512 } from '../../crypto/digest.ts'
import { type SerialNumber, serialNumber } from '../ids.ts'
import type { LostResponder, OcspResponder } from './ocsp-responders.ts'

export interface OcspQuestion {
  readonly responder: OcspResponder
  readonly certificates: readonly AskedCertificate[]
  readonly nonce: Uint8Array | undefined
  readonly algorithm: SignatureAlgorithmName
  /** One certificate and nothing else: the same octets get the same answer from everybody, so that it may be kept. */
  readonly plain: boolean
}

export interface AskedCertificate {
  /** As received: the answer repeats it. */
  readonly certId: Uint8Array
  readonly serialNumber: SerialNumber
}

/** Reads any octets. What cannot be answered is told by the word of RFC 6960 §2.3 for it. */
export function readOcspQuestion(der: Uint8Array, index: ResponderIndex): OcspQuestion | OcspError {
  try {
    return ask(parseOcspRequest(der), index)
  } catch (thrown) {
    if (thrown instanceof TouchmarkError && thrown.kind === 'malformed') return 'malformedRequest'
    throw thrown
  }
}

function ask(
  { requests, extensions, nonce, requestorName, signature }: OcspRequest,
  index: ResponderIndex,
): OcspQuestion | OcspError {
  // RFC 6960 §4.4: what is not understood is ignored, unless it is critical.
  if (!understood(extensions, REQUEST_EXTENSIONS)) return 'malformedRequest'
  if (!requests.every(single => understood(single.extensions, SINGLE_EXTENSIONS))) return 'malformedRequest'
  const responder = index.find(requests[0]!.certId)
  if (!responder || requests.some(({ certId }) => index.find(certId) !== responder)) return 'unauthorized'
  if (!('signer' in responder)) return 'tryLater'
  if (insistsOnOtherResponses(extensions)) return 'malformedRequest'
  const bare = extensions.length === 0 && requests[0]!.extensions.length === 0
  return {
    responder,
    certificates: requests.map(({ certId }) => ({
      certId: certId.raw,
      serialNumber: serialNumber(certId.serialNumber),
    })),
    nonce,
    algorithm: chooseAlgorithm(findPreferredSignatureAlgorithms(extensions), responder),
    plain: bare && requests.length === 1 && requestorName === undefined && signature === undefined,
  }
}

const REQUEST_EXTENSIONS: readonly string[] = [OCSP_OID.nonce, OCSP_OID.response, OCSP_OID.preferredSignatureAlgorithms]
/** We are the responder of the authority, wherever the certificate says that it is: the service locator (§4.4.6) locates us. */
const SINGLE_EXTENSIONS: readonly string[] = [OCSP_OID.serviceLocator]

function understood(extensions: readonly Extension[], known: readonly string[]): boolean {
  return extensions.every(({ critical, oid }) => !critical || known.includes(oid))
}

/** Every client reads basic responses and nobody has seen others (RFC 6960 §4.4.3); only who makes a point of it is refused. */
function insistsOnOtherResponses(extensions: readonly Extension[]): boolean {
  if (!findExtension(extensions, OCSP_OID.response)?.critical) return false
  return !findAcceptableResponses(extensions)?.includes(OCSP_OID.basic)
}

/** The first that the client prefers and the responder's key has (RFC 6960 §4.4.7.2.1, first rule), or the default of the key. */
function chooseAlgorithm(
  preferred: readonly PreferredSignatureAlgorithm[],
  { signer }: OcspResponder,
): SignatureAlgorithmName {
  const key = keyAlgorithm(signer.keyAlgorithm)
  for (const { signature, publicKey } of preferred) {
    const row = findSignatureAlgorithm(signature)
    if (row === undefined || !key.signatureAlgorithms.includes(row.name)) continue
    const fits = publicKey === undefined || equalBytes(publicKey.raw, key.algorithmIdentifier)
    // A client that names the kind of key without its curve takes every curve.
    if (fits || (publicKey.oid === key.oid && publicKey.parameters === undefined)) return row.name
  }
  return signer.algorithm.name
}

export interface ResponderIndex {
  find(certId: CertId): OcspResponder | LostResponder | undefined
}

/** The hashes that a CertID may be made with: SHA-1 as RFC 5019 has it, SHA-256 as newer clients do, and two that OpenSSL offers. */
const CERT_ID_HASHES = {
  '1.3.14.3.2.26': sha1,
  '2.16.840.1.101.3.4.2.1': sha256,
  '2.16.840.1.101.3.4.2.2': sha384,
  '2.16.840.1.101.3.4.2.3': sha512,
} as const

/** The CertID hashes of each responder's authority, computed once. */
export function indexResponders(responders: readonly (OcspResponder | LostResponder)[]): ResponderIndex {
  const byKeyHash = new Map<string, { responder: OcspResponder | LostResponder; nameHash: Uint8Array }>()
  for (const responder of responders) {
    const { subject, subjectPublicKeyInfo } = responder.authority
    for (const [oid, hash] of Object.entries(CERT_ID_HASHES)) {
      byKeyHash.set(`${oid}/${toHex(hash(subjectPublicKeyInfo.publicKey))}`, { responder, nameHash: hash(subject.raw) })
    }
  }
  return {
    find({ hashAlgorithm, issuerKeyHash, issuerNameHash }) {
      const found = byKeyHash.get(`${hashAlgorithm.oid}/${toHex(issuerKeyHash)}`)
      return found && equalBytes(found.nameHash, issuerNameHash) ? found.responder : undefined
    },
  }
}
