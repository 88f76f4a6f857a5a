// CertificateList, the CRL (RFC 5280 §5): read lazily, because a full CRL can hold a million entries. A parsed list keeps the octets that were
// received; its entries are views that are read while one walks over them. Lists of any size are written by crl-builder.ts.
import { DerError } from '../asn1/der-error.ts'
import { DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, TAG } from '../asn1/tag.ts'
import { DerWriter, encodeHeader, writeDer } from '../asn1/writer.ts'
import { type Bytes, concat, EMPTY, equalBytes } from '../bytes/bytes.ts'
import { fromHex } from '../bytes/hex.ts'
import { TouchmarkError } from '../errors.ts'
import { parseAlgorithmIdentifier } from './algorithm-identifier.ts'
import { parseCertificateIssuer, parseInvalidityDate, parseReasonCode } from './crl-extensions.ts'
import { findEntry } from './crl-lookup.ts'
import { CRL_REASONS, type CrlReason } from './crl-reason.ts'
import { type Extension, parseExtensions, writeExtensions } from './extension.ts'
import { type Name, namesEqual, parseName } from './name.ts'
import { OID } from './oids.ts'
import { parseSerialNumber } from './serial-number.ts'
import { parseSigned, type Signed } from './signed.ts'

/** Octets in one CRL: about five million entries. */
export const MAX_CRL = 256 * 1024 * 1024

export interface RevokedCertificate {
  /** userCertificate, lower-case hexadecimal. */
  readonly serialNumber: string
  /** Whole seconds since 1970. */
  readonly revocationDate: number
  /** `unspecified` where the entry names none (RFC 5280 §5.3.1). */
  readonly reason: CrlReason
  readonly invalidityDate: number | undefined
  /** Who issued the certificate: the CRL issuer, except in an indirect CRL (§5.3.3). */
  readonly certificateIssuer: Name
  readonly extensions: readonly Extension[]
}

export interface CertificateList extends Signed {
  readonly version: 'v1' | 'v2'
  readonly issuer: Name
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
  readonly crlExtensions: readonly Extension[]
  /** Octets of all entries together; 0 where nothing is revoked. */
  readonly entriesLength: number
  /** The entries as received, one after the other. */
  readonly entriesContent: Uint8Array
  /** Walks over the entries in their order. Throws `DerError` when it comes to one that is malformed. */
  entries(): Iterable<RevokedCertificate>
}

/**
 * Reads a CRL of up to 256 MiB; the entries are only framed here, and read by `entries()` and `findRevoked`.
 * Throws `DerError`; also where the two signature algorithms differ (RFC 5280 §5.1.1.2).
 *
 *     TBSCertList ::= SEQUENCE {
 *       version Version OPTIONAL, signature AlgorithmIdentifier, issuer Name, thisUpdate Time, nextUpdate Time OPTIONAL,
 *       revokedCertificates SEQUENCE OF SEQUENCE { … } OPTIONAL, crlExtensions [0] EXPLICIT Extensions OPTIONAL }
 */
export function parseCertificateList(der: Uint8Array): CertificateList {
  const signed = readDer(der, parseSigned, { maxInput: MAX_CRL })
  const base = signed.tbs.byteOffset - der.byteOffset
  return readDer(
    signed.tbs,
    reader =>
      reader.sequence(tbs => {
        const versionAt = tbs.offset
        const version = tbs.optional(TAG.INTEGER, self => self.smallInteger())
        if (version !== undefined && version !== 1) {
          throw new DerError('der.value_invalid', versionAt, 'The version of a CRL is v2 or absent')
        }
        const algorithmAt = tbs.offset
        const signature = parseAlgorithmIdentifier(tbs)
        if (!equalBytes(signature.raw, signed.signatureAlgorithm.raw)) {
          throw new DerError('der.value_invalid', algorithmAt, 'The two signature algorithms of the CRL differ')
        }
        const issuer = parseName(tbs)
        const thisUpdate = tbs.time()
        const nextTag = tbs.peekTag()
        const nextUpdate = nextTag === TAG.UTC_TIME || nextTag === TAG.GENERALIZED_TIME ? tbs.time() : undefined
        const list = tbs.optional(TAG.SEQUENCE, self => {
          const content = self.content(TAG.SEQUENCE)
          return { content, base: self.offset - content.length }
        })
        const extensionsAt = tbs.offset
        const crlExtensions = tbs.optional(contextConstructed(0), self =>
          self.nested(contextConstructed(0), parseExtensions),
        )
        if (crlExtensions && version === undefined) {
          throw new DerError('der.value_invalid', extensionsAt, 'A CRL of version 1 has no extensions')
        }
        return {
          ...signed,
          version: version === undefined ? 'v1' : 'v2',
          issuer,
          thisUpdate,
          nextUpdate,
          crlExtensions: crlExtensions ?? [],
          entriesLength: list?.content.length ?? 0,
          entriesContent: list?.content ?? EMPTY,
          entries: () => (list ? walkEntries(list.content, list.base, issuer) : []),
        } satisfies CertificateList
      }),
    { maxInput: MAX_CRL, base },
  )
}

function* walkEntries(content: Uint8Array, base: number, crlIssuer: Name): Generator<RevokedCertificate> {
  const reader = new DerReader(content, { base, depth: 3, maxInput: MAX_CRL })
  const seen = new Map<string, EntryExtensions>()
  let certificateIssuer = crlIssuer
  while (!reader.empty) {
    const fields = reader.enter(TAG.SEQUENCE)
    const serialNumber = parseSerialNumber(fields)
    const revocationDate = fields.time()
    const said = fields.empty ? NOTHING_SAID : parseEntryExtensions(fields, seen)
    fields.finish()
    certificateIssuer = said.certificateIssuer ?? certificateIssuer
    yield { serialNumber, revocationDate, ...said, certificateIssuer }
  }
}

type EntryExtensions = Pick<RevokedCertificate, 'reason' | 'invalidityDate' | 'extensions'> & {
  readonly certificateIssuer: Name | undefined
}

const NOTHING_SAID: EntryExtensions = {
  reason: 'unspecified',
  invalidityDate: undefined,
  certificateIssuer: undefined,
  extensions: [],
}

/** crlEntryExtensions with a reason and nothing else have 14 octets: read once for each reason, not once for each entry. */
const REASON_ONLY = 14

function parseEntryExtensions(fields: DerReader, seen: Map<string, EntryExtensions>): EntryExtensions {
  const at = fields.offset
  const received = fields.rest
  const key = received.length === REASON_ONLY ? String.fromCharCode(...received) : undefined
  const known = key === undefined ? undefined : seen.get(key)
  if (known !== undefined) {
    fields.any()
    return known
  }
  const extensions = parseExtensions(fields)
  let reason: CrlReason = 'unspecified'
  let invalidityDate: number | undefined
  let certificateIssuer: Name | undefined
  for (const { oid, value } of extensions) {
    if (oid === OID.cRLReasons) reason = parseReasonCode(value, at)
    else if (oid === OID.invalidityDate) invalidityDate = parseInvalidityDate(value, at)
    else if (oid === OID.certificateIssuer) certificateIssuer = parseCertificateIssuer(value, at)
  }
  const said = { reason, invalidityDate, certificateIssuer, extensions }
  if (key !== undefined && seen.size < 32) seen.set(key, said)
  return said
}

const KNOWN_ENTRY_EXTENSIONS: ReadonlySet<string> = new Set([OID.cRLReasons, OID.invalidityDate, OID.certificateIssuer])

/**
 * The entry for a certificate, or `undefined` where the CRL does not list it. `serialNumber` is hexadecimal as in `Certificate`;
 * `issuer` is who issued it, by default the CRL issuer. Where the answer is `undefined`, every entry was read.
 * Throws `crl.extension_unknown` on the way where an entry has a critical extension that we do not know: such a CRL must not be
 * used (RFC 5280 §5.3).
 */
export function findRevoked(
  crl: CertificateList,
  serialNumber: string,
  issuer: Name = crl.issuer,
): RevokedCertificate | undefined {
  // A list of the issuer's own certificates, which is nearly every one, is looked through without reading each entry.
  const wanted = issuer === crl.issuer || namesEqual(issuer, crl.issuer) ? integerContent(serialNumber) : undefined
  const at = wanted && findEntry(crl.entriesContent, wanted)
  if (at === -1) return undefined
  if (at !== undefined) {
    for (const entry of walkEntries(crl.entriesContent.subarray(at), 0, crl.issuer)) return entry
  }
  for (const entry of crl.entries()) {
    for (const extension of entry.extensions) {
      if (extension.critical && !KNOWN_ENTRY_EXTENSIONS.has(extension.oid)) {
        throw new TouchmarkError(
          'crl.extension_unknown',
          'malformed',
          'An entry of the CRL has an unknown critical extension.',
          {
            evidence: { oid: extension.oid, serialNumber: entry.serialNumber },
          },
        )
      }
    }
    if (entry.serialNumber === serialNumber && namesEqual(entry.certificateIssuer, issuer)) return entry
  }
  return undefined
}

/** The content of the INTEGER, or `undefined` for a negative one, which we write with a minus. */
function integerContent(serialNumber: string): Uint8Array | undefined {
  if (!/^(?:[0-9a-f]{2})+$/.test(serialNumber)) return undefined
  return fromHex(Number.parseInt(serialNumber.slice(0, 2), 16) >= 0x80 ? `00${serialNumber}` : serialNumber)
}

/** What an entry of ours says. `unspecified` is not written, as RFC 5280 §5.3.1 wants. */
export interface CrlEntry {
  /** Magnitude, big-endian. */
  readonly serialNumber: Uint8Array
  /** Whole seconds since 1970. */
  readonly revocationDate: number
  readonly reason?: CrlReason | undefined
  /** Since when the key is thought to be compromised, in whole seconds since 1970 (§5.3.2). */
  readonly invalidityDate?: number | undefined
}

export function encodeCrlEntry(entry: CrlEntry): Bytes {
  return writeDer(w => writeCrlEntry(w, entry), 96)
}

function writeCrlEntry(w: DerWriter, entry: CrlEntry): void {
  const reason = entry.reason ?? 'unspecified'
  w.sequence(() => {
    w.unsigned(entry.serialNumber).time(entry.revocationDate)
    if (reason === 'unspecified' && entry.invalidityDate === undefined) return
    w.sequence(() => {
      if (reason !== 'unspecified') {
        w.sequence(() => {
          w.oid(OID.cRLReasons).octetStringContaining(() => w.integer(CRL_REASONS[reason], TAG.ENUMERATED))
        })
      }
      const { invalidityDate } = entry
      if (invalidityDate !== undefined) {
        w.sequence(() => {
          w.oid(OID.invalidityDate).octetStringContaining(() => w.generalizedTime(invalidityDate))
        })
      }
    })
  })
}

/** Everything in a tbsCertList except its entries. */
export interface TbsCertListFields {
  /** The DER of the issuer's Name, octet for octet as in its certificate. */
  readonly issuer: Uint8Array
  /** A whole AlgorithmIdentifier. */
  readonly signatureAlgorithm: Uint8Array
  readonly thisUpdate: number
  /** RFC 5280 §5.1.2.5 wants it in every CRL. */
  readonly nextUpdate: number
  /** At least authorityKeyIdentifier and cRLNumber (§5.2.1, §5.2.3); some relying parties ignore a CRL without the former. */
  readonly extensions: readonly Extension[]
}

/** A small CRL in one piece. */
export function encodeTbsCertList(fields: TbsCertListFields, entries: readonly CrlEntry[]): Bytes {
  const w = new DerWriter(64 + 40 * entries.length)
  for (const entry of entries) writeCrlEntry(w, entry)
  const list = w.finish()
  const { head, tail } = frameTbsCertList(fields, list.length)
  return concat(head, list, tail)
}

/** What stands in a tbsCertList before its entries, which have so many octets together, and after them. */
export function frameTbsCertList(
  fields: TbsCertListFields,
  entriesLength: number,
): { readonly head: Bytes; readonly tail: Bytes } {
  const tail =
    fields.extensions.length === 0
      ? new Uint8Array(0)
      : writeDer(w => w.constructed(contextConstructed(0), () => writeExtensions(w, fields.extensions)))
  const start = writeDer(w =>
    w.integer(1).raw(fields.signatureAlgorithm).raw(fields.issuer).time(fields.thisUpdate).time(fields.nextUpdate),
  )
  // RFC 5280 §5.1.2.6: where nothing is revoked, the list must be absent, not empty.
  const list = entriesLength === 0 ? new Uint8Array(0) : encodeHeader(TAG.SEQUENCE, entriesLength)
  const length = start.length + list.length + entriesLength + tail.length
  return { head: concat(encodeHeader(TAG.SEQUENCE, length), start, list), tail }
}
