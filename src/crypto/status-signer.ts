// Whom a status artefact may come from: the authority itself, or a certificate of its own for OCSPSigning. That purpose appoints somebody to say
// which of the authority's certificates are revoked (RFC 6960 §4.2.2.2), and every authority gives it to nobody else.
import { equalBytes } from '../core/bytes/bytes.ts'
import { fromHex } from '../core/bytes/hex.ts'
import type { CoseSign1 } from '../core/cose/sign1.ts'
import type { CertificateInQuestion } from '../core/filter/status-artefact.ts'
import type { StatusHead } from '../core/filter/status-body.ts'
import { type Certificate, parseCertificate } from '../core/pki/certificate.ts'
import { findExtension } from '../core/pki/extension.ts'
import { parseBasicConstraints, parseExtendedKeyUsage, parseKeyUsage } from '../core/pki/extensions.ts'
import { namesEqual } from '../core/pki/name.ts'
import { OID } from '../core/pki/oids.ts'
import { readSpki } from './algorithms.ts'
import { fromCoseSignature, signatureAlgorithmOf } from './cose-signature.ts'
import { sha256 } from './digest.ts'
import { checkSignatureWith, verifySignature } from './verify.ts'

/** How an artefact, and a question to it, names the authority. */
export function issuerKeyHash(authority: Pick<Certificate, 'subjectPublicKeyInfo'>): Uint8Array {
  return sha256(authority.subjectPublicKeyInfo.raw)
}

/**
 * `verify` of `openStatusArtefact` for one authority, whose certificate the caller trusts. The signer's certificate is judged at the signed
 * time, and has to last until nextUpdate: a key that was taken after its time makes nothing that is fresh.
 */
export function statusVerifier(authority: Certificate): (envelope: CoseSign1, head: StatusHead) => boolean {
  const keyHash = issuerKeyHash(authority)
  return (envelope, head) => {
    if (!equalBytes(head.issuerKeyHash, keyHash)) return false
    const signer = equalBytes(envelope.signer, authority.raw) ? authority : parseCertificate(envelope.signer)
    if (signer !== authority && !isAppointed(signer, authority)) return false
    if (head.thisUpdate < signer.notBefore || head.nextUpdate > signer.notAfter) return false
    const spki = signer.subjectPublicKeyInfo.raw
    const algorithm = signatureAlgorithmOf(envelope.algorithm)
    const key = readSpki(spki).algorithm
    if (algorithm === undefined || key === undefined) return false
    const signature = fromCoseSignature(key, envelope.signature)
    return checkSignatureWith(spki, algorithm, envelope.toBeSigned, signature) === 'valid'
  }
}

/** The question whether a certificate, which this authority issued, is revoked. */
export function inQuestion(certificate: Certificate, authority: Certificate): CertificateInQuestion {
  const { serialNumber, notBefore, notAfter } = certificate
  return {
    issuerKeyHash: issuerKeyHash(authority),
    // A negative number is none of ours: it becomes one that is too long.
    serialNumber: serialNumber.startsWith('-') ? new Uint8Array(32).fill(255) : fromHex(serialNumber),
    notBefore,
    notAfter,
  }
}

function isAppointed(signer: Certificate, authority: Certificate): boolean {
  const extension = (oid: string) => findExtension(signer.extensions, oid)?.value
  const [purposes, usage, basic] = [
    extension(OID.extKeyUsage),
    extension(OID.keyUsage),
    extension(OID.basicConstraints),
  ]
  return (
    purposes !== undefined &&
    parseExtendedKeyUsage(purposes).includes(OID.ocspSigning) &&
    (usage === undefined || parseKeyUsage(usage).includes('digitalSignature')) &&
    (basic === undefined || !parseBasicConstraints(basic).cA) &&
    namesEqual(signer.issuer, authority.subject) &&
    verifySignature(authority.subjectPublicKeyInfo.raw, signer.signatureAlgorithm, signer.tbs, signer.signature)
  )
}
