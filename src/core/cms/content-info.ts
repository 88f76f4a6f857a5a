// ContentInfo (RFC 5652 §3): the type and the content, which every CMS message begins with. Messages may come in BER, as the RFC
// allows; they are brought to DER here, once, and everything behind this door reads strict DER. We write DER only.
import { derFromBer } from '../asn1/ber.ts'
import { readDer } from '../asn1/reader.ts'
import { contextConstructed } from '../asn1/tag.ts'
import { writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { TouchmarkError } from '../errors.ts'

/** Content types (RFC 5652 §4 to §9, RFC 5083 §2.1, RFC 5958 §3). */
export const CONTENT_TYPE = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
  authEnvelopedData: '1.2.840.113549.1.9.16.1.23',
  asymmetricKeyPackage: '2.16.840.1.101.2.1.2.78.5',
} as const

export interface ContentInfo {
  readonly contentType: string
  /** The whole element inside `[0] EXPLICIT`. */
  readonly content: Uint8Array
}

/**
 * `ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY }` in DER or BER. Throws `DerError`, whose
 * offset counts in the DER form.
 */
export function parseContentInfo(ber: Uint8Array): ContentInfo {
  return readDer(derFromBer(ber), reader =>
    reader.sequence(fields => ({
      contentType: fields.oid(),
      content: fields.nested(contextConstructed(0), inner => inner.any().raw),
    })),
  )
}

/** As `parseContentInfo`, for a message that must be of this type. Throws `cms.content_type` where it is of another. */
export function parseContentOf(ber: Uint8Array, contentType: string): Uint8Array {
  const info = parseContentInfo(ber)
  if (info.contentType !== contentType) throw wrongContentType(contentType, info.contentType)
  return info.content
}

export function encodeContentInfo(contentType: string, content: Uint8Array): Bytes {
  return writeDer(
    w => w.sequence(() => w.oid(contentType).constructed(contextConstructed(0), () => w.raw(content))),
    content.length + 64,
  )
}

export function wrongContentType(expected: string, found: string): TouchmarkError {
  return new TouchmarkError(
    'cms.content_type',
    'malformed',
    'The CMS message is of another content type than expected.',
    {
      evidence: { expected, found },
    },
  )
}
