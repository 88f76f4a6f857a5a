// CRL distribution points (RFC 5280 §4.2.1.13, §4.2.1.15). DistributionPointName and ReasonFlags are shared with the CRL's
// issuingDistributionPoint (§5.2.5).
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive } from '../asn1/tag.ts'
import { type DerWriter, writeDer } from '../asn1/writer.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { REASON_FLAGS, type ReasonFlag } from './crl-reason.ts'
import { atLeastOne } from './extensions.ts'
import { type GeneralName, parseGeneralNames, writeGeneralNames } from './general-name.ts'
import { type AttributeTypeAndValue, parseRdn, writeRdn } from './name.ts'

export type DistributionPointName =
  | { readonly kind: 'fullName'; readonly names: readonly GeneralName[] }
  | { readonly kind: 'nameRelativeToCRLIssuer'; readonly rdn: readonly AttributeTypeAndValue[] }

export interface DistributionPoint {
  readonly distributionPoint?: DistributionPointName | undefined
  readonly reasons?: readonly ReasonFlag[] | undefined
  readonly cRLIssuer?: readonly GeneralName[] | undefined
}

const MAX_POINTS = 256
const ALL_REASONS = Object.keys(REASON_FLAGS) as ReasonFlag[]
const FULL_NAME = contextConstructed(0)
const RELATIVE_NAME = contextConstructed(1)

/**
 * RFC 5280 §4.2.1.13: `SEQUENCE { distributionPoint [0] DistributionPointName OPTIONAL, reasons [1] ReasonFlags OPTIONAL,
 * cRLIssuer [2] GeneralNames OPTIONAL }`.
 */
export function parseCRLDistributionPoints(value: Uint8Array): DistributionPoint[] {
  return readDer(value, reader =>
    atLeastOne(reader, self => self.listOf(member => member.sequence(parsePoint), { limit: MAX_POINTS })),
  )
}

function parsePoint(fields: DerReader): DistributionPoint {
  return {
    distributionPoint: fields.optional(contextConstructed(0), self =>
      self.nested(contextConstructed(0), parseDistributionPointName),
    ),
    reasons: fields.optional(contextPrimitive(1), self => parseReasonFlags(self, contextPrimitive(1))),
    cRLIssuer: fields.optional(contextConstructed(2), self => parseGeneralNames(self, contextConstructed(2))),
  }
}

/** The CHOICE itself: `fullName [0]` or `nameRelativeToCRLIssuer [1]`. */
export function parseDistributionPointName(reader: DerReader): DistributionPointName {
  const at = reader.offset
  switch (reader.peekTag()) {
    case FULL_NAME:
      return { kind: 'fullName', names: parseGeneralNames(reader, FULL_NAME) }
    case RELATIVE_NAME:
      return { kind: 'nameRelativeToCRLIssuer', rdn: parseRdn(reader, RELATIVE_NAME) }
    default:
      throw new DerError('der.tag_unexpected', at, 'The element is no DistributionPointName')
  }
}

export function writeDistributionPointName(w: DerWriter, name: DistributionPointName): void {
  if (name.kind === 'fullName') writeGeneralNames(w, name.names, FULL_NAME)
  else writeRdn(w, name.rdn, RELATIVE_NAME)
}

/**
 * The reasons whose bits are set; bit 0 is named `unused` and says nothing (CRLs of NIST PKITS set it). A bit that RFC 5280
 * does not name is refused: what it covers cannot be known.
 */
export function parseReasonFlags(reader: DerReader, tag: number): ReasonFlag[] {
  const at = reader.offset
  const { bytes } = reader.bitString(tag)
  const reasons: ReasonFlag[] = []
  for (let bit = 1; bit < bytes.length * 8; bit++) {
    if (!(bytes[bit >> 3]! & (0x80 >> (bit & 7)))) continue
    const reason = ALL_REASONS.find(candidate => REASON_FLAGS[candidate] === bit)
    if (reason === undefined) throw new DerError('der.value_invalid', at, `ReasonFlags has no bit ${bit}`)
    reasons.push(reason)
  }
  return reasons
}

export function writeReasonFlags(w: DerWriter, reasons: readonly ReasonFlag[], tag: number): void {
  w.namedBits(
    reasons.map(reason => REASON_FLAGS[reason]),
    tag,
  )
}

export function encodeCRLDistributionPoints(points: readonly DistributionPoint[]): Bytes {
  return writeDer(w =>
    w.sequence(() => {
      for (const { distributionPoint, reasons, cRLIssuer } of points) {
        w.sequence(() => {
          if (distributionPoint)
            w.constructed(contextConstructed(0), () => writeDistributionPointName(w, distributionPoint))
          if (reasons) writeReasonFlags(w, reasons, contextPrimitive(1))
          if (cRLIssuer) writeGeneralNames(w, cRLIssuer, contextConstructed(2))
        })
      }
    }),
  )
}

/** RFC 5280 §4.2.1.15: the same syntax as cRLDistributionPoints. */
export function parseFreshestCRL(value: Uint8Array): DistributionPoint[] {
  return parseCRLDistributionPoints(value)
}

export function encodeFreshestCRL(points: readonly DistributionPoint[]): Bytes {
  return encodeCRLDistributionPoints(points)
}
