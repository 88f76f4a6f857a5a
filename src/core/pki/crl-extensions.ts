// The extensions of CRLs and of their entries (RFC 5280 §5.2, §5.3): values to DER and back. authorityKeyIdentifier,
// issuerAltName, freshestCRL and authorityInfoAccess are the certificate's (`extensions.ts`).
import { DerError } from '../asn1/der-error.ts'
import { type DerReader, readDer } from '../asn1/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from '../asn1/tag.ts'
import { writeDer } from '../asn1/writer.ts'
import { type Bytes, toBigInt } from '../bytes/bytes.ts'
import { fromHex } from '../bytes/hex.ts'
import { type CrlReason, crlReasonOf, type ReasonFlag } from './crl-reason.ts'
import {
  type DistributionPointName,
  parseDistributionPointName,
  parseReasonFlags,
  writeDistributionPointName,
  writeReasonFlags,
} from './distribution-point.ts'
import { parseGeneralNames } from './general-name.ts'
import type { Name } from './name.ts'

/** Octets of the longest cRLNumber (RFC 5280 §5.2.3). */
const MAX_CRL_NUMBER = 20

/** `CRLNumber ::= INTEGER (0..MAX)`: grows with every CRL of one scope (RFC 5280 §5.2.3). Throws `der.value_invalid` beyond 20 octets. */
export function encodeCrlNumber(number: bigint | number): Bytes {
  const value = BigInt(number)
  const hex = value.toString(16)
  if (value < 0n || hex.length > 2 * MAX_CRL_NUMBER || (hex.length === 2 * MAX_CRL_NUMBER && hex >= '8')) {
    throw new DerError('der.value_invalid', 0, 'A CRL number has at most 20 octets and is not negative')
  }
  return writeDer(w => w.unsigned(fromHex(hex.padStart(hex.length + (hex.length & 1), '0'))), 32)
}

export function parseCrlNumber(value: Uint8Array): bigint {
  return readDer(value, reader => {
    const at = reader.offset
    const magnitude = reader.unsignedBytes()
    if (magnitude.length > MAX_CRL_NUMBER)
      throw new DerError('der.value_invalid', at, 'The CRL number is longer than 20 octets')
    return toBigInt(magnitude)
  })
}

/** `BaseCRLNumber` of a delta CRL, whose extension is critical (RFC 5280 §5.2.4). */
export const encodeDeltaCrlIndicator = encodeCrlNumber
export const parseDeltaCrlIndicator = parseCrlNumber

/** What a CRL covers (RFC 5280 §5.2.5). The extension is critical. Absent booleans are FALSE. */
export interface IssuingDistributionPoint {
  readonly distributionPoint?: DistributionPointName | undefined
  readonly onlyContainsUserCerts?: boolean | undefined
  readonly onlyContainsCACerts?: boolean | undefined
  /** Absent: all reasons. */
  readonly onlySomeReasons?: readonly ReasonFlag[] | undefined
  readonly indirectCRL?: boolean | undefined
  readonly onlyContainsAttributeCerts?: boolean | undefined
}

/**
 * Throws `der.value_invalid` for what RFC 5280 §5.2.5 forbids: more than one of the three `onlyContains…`, or a value that
 * says nothing at all.
 */
export function encodeIssuingDistributionPoint(point: IssuingDistributionPoint): Bytes {
  checkIssuingDistributionPoint(point, 0)
  return writeDer(w =>
    w.sequence(() => {
      const { distributionPoint, onlySomeReasons } = point
      if (distributionPoint) {
        w.constructed(contextConstructed(0), () => writeDistributionPointName(w, distributionPoint))
      }
      if (point.onlyContainsUserCerts) w.boolean(true, contextPrimitive(1))
      if (point.onlyContainsCACerts) w.boolean(true, contextPrimitive(2))
      if (onlySomeReasons) writeReasonFlags(w, onlySomeReasons, contextPrimitive(3))
      if (point.indirectCRL) w.boolean(true, contextPrimitive(4))
      if (point.onlyContainsAttributeCerts) w.boolean(true, contextPrimitive(5))
    }),
  )
}

/** All fields are present in what this returns. Throws `DerError`, also for what §5.2.5 forbids. */
export function parseIssuingDistributionPoint(value: Uint8Array): Required<IssuingDistributionPoint> {
  return readDer(value, reader => {
    const at = reader.offset
    const point = reader.sequence(fields => ({
      distributionPoint: fields.optional(contextConstructed(0), self =>
        self.nested(contextConstructed(0), parseDistributionPointName),
      ),
      onlyContainsUserCerts: flag(fields, 1),
      onlyContainsCACerts: flag(fields, 2),
      onlySomeReasons: fields.optional(contextPrimitive(3), self => parseReasonFlags(self, contextPrimitive(3))),
      indirectCRL: flag(fields, 4),
      onlyContainsAttributeCerts: flag(fields, 5),
    }))
    checkIssuingDistributionPoint(point, at)
    return point
  })
}

/** `BOOLEAN DEFAULT FALSE` under an implicit tag: DER leaves FALSE out (X.690 §11.5). */
function flag(reader: DerReader, n: number): boolean {
  const at = reader.offset
  const value = reader.optional(contextPrimitive(n), self => self.boolean(contextPrimitive(n)))
  if (value === false) throw new DerError('der.value_invalid', at, 'A default value is written out')
  return value ?? false
}

function checkIssuingDistributionPoint(point: IssuingDistributionPoint, offset: number): void {
  const only = [point.onlyContainsUserCerts, point.onlyContainsCACerts, point.onlyContainsAttributeCerts].filter(
    Boolean,
  ).length
  if (only > 1) throw new DerError('der.value_invalid', offset, 'A CRL is limited to one kind of certificate at most')
  if (only === 0 && !point.distributionPoint && !point.onlySomeReasons && !point.indirectCRL) {
    throw new DerError('der.value_invalid', offset, 'The issuing distribution point says nothing')
  }
  if (point.onlySomeReasons?.length === 0)
    throw new DerError('der.value_invalid', offset, 'The CRL is limited to no reason')
}

/** `reasonCode` of an entry (RFC 5280 §5.3.1). Throws `der.value_invalid` for 7 and for numbers above 10. */
export function parseReasonCode(value: Uint8Array, base = 0): CrlReason {
  return readDer(value, reader => parseCrlReason(reader), { base })
}

/** `CRLReason ::= ENUMERATED`. */
export function parseCrlReason(reader: DerReader): CrlReason {
  const at = reader.offset
  const reason = crlReasonOf(reader.smallInteger(TAG.ENUMERATED))
  if (reason === undefined) throw new DerError('der.value_invalid', at, 'The reason is none of RFC 5280')
  return reason
}

/** `InvalidityDate ::= GeneralizedTime` (RFC 5280 §5.3.2). */
export function parseInvalidityDate(value: Uint8Array, base = 0): number {
  return readDer(value, reader => reader.generalizedTime(), { base })
}

/**
 * The directory name in `CertificateIssuer ::= GeneralNames` (RFC 5280 §5.3.3): who issued this certificate and those after
 * it in an indirect CRL. Throws `der.value_invalid` where there is none.
 */
export function parseCertificateIssuer(value: Uint8Array, base = 0): Name {
  const names = readDer(value, reader => parseGeneralNames(reader), { base })
  for (const name of names) if (name.kind === 'directoryName') return name.name
  throw new DerError('der.value_invalid', base, 'The certificate issuer of a CRL entry is no directory name')
}
