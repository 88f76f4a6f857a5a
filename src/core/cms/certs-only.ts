// The degenerate SignedData that carries certificates and nothing else (RFC 5652 §5.1): what EST (RFC 7030 §4.1.3, §4.2.3) and
// SCEP (RFC 8894 §3.4) answer with.
import type { Bytes } from '../bytes/bytes.ts'
import { TouchmarkError } from '../errors.ts'
import { CONTENT_TYPE } from './content-info.ts'
import { encodeSignedData, parseSignedData } from './signed-data.ts'

/** Certificates (and CRLs) are whole; DER orders the set by octets, so who needs an order must not rely on this one. */
export function encodeCertsOnly(certificates: readonly Uint8Array[], crls: readonly Uint8Array[] = []): Bytes {
  return encodeSignedData({ contentType: CONTENT_TYPE.data, certificates, crls, signers: [] })
}

/**
 * The certificates of a certs-only message, whole and as received. Throws `DerError`, `cms.content_type`, or
 * `cms.not_certs_only` where there is content or a signer (RFC 5652 §5.1: such a message has neither).
 */
export function parseCertsOnly(ber: Uint8Array): Uint8Array[] {
  const { contentType, content, signerInfos, certificates } = parseSignedData(ber)
  if (contentType !== CONTENT_TYPE.data || content !== undefined || signerInfos.length > 0) {
    throw new TouchmarkError('cms.not_certs_only', 'malformed', 'The message holds more than certificates.', {
      evidence: { contentType, signers: signerInfos.length },
    })
  }
  return [...certificates]
}
