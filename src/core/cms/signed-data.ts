// SignedData (RFC 5652 §5): who signed what, with which certificates along. Grammar only: digests and signatures are computed and
// checked in `crypto/cms.ts` over the octets kept here.
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, TAG } from '../asn1/tag.ts'
import { writeDer } from '../asn1/writer.ts'
import { type Bytes, concat } from '../bytes/bytes.ts'
import { type AlgorithmIdentifier, parseAlgorithmIdentifier } from '../pki/algorithm-identifier.ts'
import type { Attribute } from '../pki/extensions.ts'
import {
  encodeAttributeSet,
  parseSignedAttributes,
  parseUnprotectedAttributes,
  type SignedAttributes,
} from './attributes.ts'
import {
  type CertificateIdentifier,
  parseCertificateIdentifier,
  writeCertificateIdentifier,
} from './certificate-identifier.ts'
import { CONTENT_TYPE, encodeContentInfo, parseContentOf } from './content-info.ts'

const CERTIFICATES = contextConstructed(0)
const CRLS = contextConstructed(1)
const SIGNED_ATTRIBUTES = contextConstructed(0)
const UNSIGNED_ATTRIBUTES = contextConstructed(1)

/** Members of the sets of one message that a stranger may send. */
const MAX_DIGEST_ALGORITHMS = 16
const MAX_CERTIFICATES = 128
const MAX_CRLS = 128
const MAX_SIGNERS = 16

export interface SignerInfo {
  readonly sid: CertificateIdentifier
  readonly digestAlgorithm: AlgorithmIdentifier
  /** Absent: the signature is over the content itself. */
  readonly signedAttributes: SignedAttributes | undefined
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly signature: Uint8Array
  readonly unsignedAttributes: readonly Attribute[]
}

export interface SignedData {
  readonly digestAlgorithms: readonly AlgorithmIdentifier[]
  readonly contentType: string
  /** `undefined` where the content is detached, or where there is none (certs-only). */
  readonly content: Uint8Array | undefined
  /** Whole X.509 certificates as received, in the order of the message. */
  readonly certificates: readonly Uint8Array[]
  /** Whole X.509 CRLs as received. */
  readonly crls: readonly Uint8Array[]
  /** Certificates and revocation information of other kinds (attribute certificates, OCSP responses), whole with their tags. */
  readonly others: readonly Uint8Array[]
  readonly signerInfos: readonly SignerInfo[]
}

/** Reads a ContentInfo that holds a SignedData. Throws `DerError`, or `cms.content_type` where it holds something else. */
export function parseSignedData(ber: Uint8Array): SignedData {
  return readDer(parseContentOf(ber, CONTENT_TYPE.signedData), readSignedData)
}

/**
 *     SignedData ::= SEQUENCE { version, digestAlgorithms SET OF DigestAlgorithmIdentifier,
 *       encapContentInfo SEQUENCE { eContentType OBJECT IDENTIFIER, eContent [0] EXPLICIT OCTET STRING OPTIONAL },
 *       certificates [0] IMPLICIT CertificateSet OPTIONAL, crls [1] IMPLICIT RevocationInfoChoices OPTIONAL,
 *       signerInfos SET OF SignerInfo }
 */
export function readSignedData(reader: DerReader): SignedData {
  return reader.sequence(fields => {
    const versionAt = fields.offset
    const version = fields.smallInteger()
    if (version < 1 || version > 5 || version === 2) {
      throw new DerError('der.value_invalid', versionAt, 'The version of SignedData is none of RFC 5652')
    }
    const digestAlgorithms = fields.listOf(parseAlgorithmIdentifier, { tag: TAG.SET, limit: MAX_DIGEST_ALGORITHMS })
    const encapsulated = fields.sequence(inner => ({
      contentType: inner.oid(),
      content: inner.optional(contextConstructed(0), self =>
        self.nested(contextConstructed(0), explicit => explicit.octetString()),
      ),
    }))
    const certificates: Uint8Array[] = []
    const crls: Uint8Array[] = []
    const others: Uint8Array[] = []
    // CertificateChoices and RevocationInfoChoice: a bare SEQUENCE is the X.509 kind, tagged members are the other kinds (§10.2).
    const sort = (kind: Uint8Array[]) => (member: DerReader) => {
      const { tag, raw } = member.any()
      if (tag === TAG.SEQUENCE) kind.push(raw)
      else others.push(raw)
    }
    fields.optional(CERTIFICATES, self =>
      self.listOf(sort(certificates), { tag: CERTIFICATES, limit: MAX_CERTIFICATES }),
    )
    fields.optional(CRLS, self => self.listOf(sort(crls), { tag: CRLS, limit: MAX_CRLS }))
    const signerInfos = fields.listOf(parseSignerInfo, { tag: TAG.SET, limit: MAX_SIGNERS })
    return { digestAlgorithms, ...encapsulated, certificates, crls, others, signerInfos }
  })
}

/**
 *     SignerInfo ::= SEQUENCE { version, sid SignerIdentifier, digestAlgorithm, signedAttrs [0] IMPLICIT SET OF Attribute OPTIONAL,
 *       signatureAlgorithm, signature OCTET STRING, unsignedAttrs [1] IMPLICIT SET OF Attribute OPTIONAL }
 */
function parseSignerInfo(reader: DerReader): SignerInfo {
  return reader.sequence(fields => {
    const versionAt = fields.offset
    const version = fields.smallInteger()
    const sid = parseCertificateIdentifier(fields)
    if (version !== signerInfoVersion(sid)) {
      throw new DerError('der.value_invalid', versionAt, 'The version of SignerInfo does not fit its identifier')
    }
    return {
      sid,
      digestAlgorithm: parseAlgorithmIdentifier(fields),
      signedAttributes: fields.optional(SIGNED_ATTRIBUTES, self => parseSignedAttributes(self, SIGNED_ATTRIBUTES)),
      signatureAlgorithm: parseAlgorithmIdentifier(fields),
      signature: fields.octetString(),
      unsignedAttributes:
        fields.optional(UNSIGNED_ATTRIBUTES, self => parseUnprotectedAttributes(self, UNSIGNED_ATTRIBUTES)) ?? [],
    }
  })
}

/** RFC 5652 §5.3: 1 with issuerAndSerialNumber, 3 with subjectKeyIdentifier. */
function signerInfoVersion(sid: CertificateIdentifier): 1 | 3 {
  return sid.kind === 'issuerAndSerialNumber' ? 1 : 3
}

/** A signature and what it says about itself. Algorithms are whole AlgorithmIdentifiers. */
export interface SignerInfoFields {
  readonly sid: CertificateIdentifier
  readonly digestAlgorithm: Uint8Array
  /** From `encodeSignedAttributes`; leave it out only where the signature is over the content itself. */
  readonly signedAttributes?: Uint8Array | undefined
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
  readonly unsignedAttributes?: readonly Attribute[] | undefined
}

export interface SignedDataFields {
  readonly contentType: string
  /** Left out: detached, or none. */
  readonly content?: Uint8Array | undefined
  readonly certificates?: readonly Uint8Array[] | undefined
  readonly crls?: readonly Uint8Array[] | undefined
  readonly signers: readonly SignerInfoFields[]
}

/** A ContentInfo that holds the SignedData. Sets are written in DER order, so certificates may come out in another order. */
export function encodeSignedData(fields: SignedDataFields): Bytes {
  const { contentType, content, certificates, crls, signers } = fields
  // RFC 5652 §5.1: 3 where the content is no plain data or a signer is named by key, else 1.
  const version = contentType !== CONTENT_TYPE.data || signers.some(({ sid }) => signerInfoVersion(sid) === 3) ? 3 : 1
  const signedData = writeDer(
    w =>
      w.sequence(() => {
        w.integer(version)
        w.setOf(unique(signers.map(signer => signer.digestAlgorithm)))
        w.sequence(() => {
          w.oid(contentType)
          if (content) w.constructed(contextConstructed(0), () => w.octetString(content))
        })
        if (certificates?.length) w.setOf(certificates, CERTIFICATES)
        if (crls?.length) w.setOf(crls, CRLS)
        w.setOf(signers.map(encodeSignerInfo))
      }),
    (content?.length ?? 0) + 4096,
  )
  return encodeContentInfo(CONTENT_TYPE.signedData, signedData)
}

export function encodeSignerInfo(signer: SignerInfoFields): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      w.integer(signerInfoVersion(signer.sid))
      writeCertificateIdentifier(w, signer.sid)
      w.raw(signer.digestAlgorithm)
      if (signer.signedAttributes) {
        w.raw(concat(new Uint8Array([SIGNED_ATTRIBUTES]), signer.signedAttributes.subarray(1)))
      }
      w.raw(signer.signatureAlgorithm).octetString(signer.signature)
      if (signer.unsignedAttributes?.length) {
        const set = encodeAttributeSet(signer.unsignedAttributes)
        w.raw(concat(new Uint8Array([UNSIGNED_ATTRIBUTES]), set.subarray(1)))
      }
    }),
  )
}

function unique(members: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(members.map(member => [String.fromCharCode(...member), member])).values()]
}
