// `touchmark/pki`: the encodings and the algorithms, without the platform. Octets in, values out, and back; nothing here opens a file or
// a socket. Signing needs a key (`generateKeyPair`, `importPkcs8`) or a `Signer` of your own.
export { DerError, type DerErrorCode } from './core/asn1/der-error.ts'
export { type PemBlock, parsePem, parsePemBlock, toPem } from './core/asn1/pem.ts'
export { DerReader, readDer } from './core/asn1/reader.ts'
export { NO_EXPIRY } from './core/asn1/time.ts'
export { DerWriter, writeDer } from './core/asn1/writer.ts'
export { fromBase64, fromBase64Lines, toBase64, toBase64Lines } from './core/bytes/base64.ts'
export type { Bytes } from './core/bytes/bytes.ts'
export { fromHex, toHex } from './core/bytes/hex.ts'
export { encodeCertsOnly, parseCertsOnly } from './core/cms/certs-only.ts'
export { type CoseSign1, parseSign1 } from './core/cose/sign1.ts'
export { type ErrorKind, type Evidence, TouchmarkError } from './core/errors.ts'
export {
  type StatusNow,
  type StatusSets,
  StatusUniverse,
  withChanges as withStatusChanges,
} from './core/filter/build-status.ts'
export {
  type CertificateInQuestion,
  encodeStatusArtefact,
  type Freshness,
  openStatusArtefact,
  type StatusAnswer,
  StatusArtefact,
} from './core/filter/status-artefact.ts'
export type { StatusBody, StatusHead } from './core/filter/status-body.ts'
export { applyStatusDelta, encodeStatusDelta } from './core/filter/status-delta.ts'
export { openCheckpoint, parseCheckpoint } from './core/merkle/checkpoint.ts'
export { ed25519NoteVerifier, parseVerifierKey } from './core/merkle/signed-note.ts'
export { leafHash, verifyConsistency, verifyInclusion } from './core/merkle/tree.ts'
export {
  type Certificate,
  encodeTbsCertificate,
  parseCertificate,
  type TbsCertificate,
} from './core/pki/certificate.ts'
export { type CertificateList, findRevoked, parseCertificateList } from './core/pki/crl.ts'
export {
  type CertificationRequest,
  encodeCertificationRequestInfo,
  parseCertificationRequest,
} from './core/pki/csr.ts'
export { type Extension, findExtension } from './core/pki/extension.ts'
export * from './core/pki/extensions.ts'
export { type GeneralName, parseHardwareModuleName } from './core/pki/general-name.ts'
export { ATTRIBUTE, encodeName, formatName, type Name, parseNameText } from './core/pki/name.ts'
export { parseOcspRequest, parseOcspResponse } from './core/pki/ocsp.ts'
export { checkOcspResponse, type OcspCheck, type OcspVerdict } from './core/pki/ocsp-check.ts'
export { OID } from './core/pki/oids.ts'
export {
  type PathInput,
  type PathResult,
  type PathStep,
  type RevocationSource,
  type RevocationStatus,
  validateChain,
} from './core/pki/path.ts'
export { checkServiceIdentity, type IdentityProblem, type ReferenceIdentifier } from './core/pki/service-identity.ts'
export { encodeSigned } from './core/pki/signed.ts'
export {
  type KeyAlgorithmName,
  keyAlgorithm,
  keyAlgorithms,
  type SignatureAlgorithmName,
  signatureAlgorithm,
} from './crypto/algorithms.ts'
export { sha256 } from './crypto/digest.ts'
export { checkPublicKey } from './crypto/key-check.ts'
export { generateKeyPair, importPkcs8, type PrivateKey } from './crypto/keys.ts'
export { type Signer, softwareSigner } from './crypto/signer.ts'
export { inQuestion, issuerKeyHash, statusVerifier } from './crypto/status-signer.ts'
export { verifySignature } from './crypto/verify.ts'
