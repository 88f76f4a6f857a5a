// What the extensions of a CRL say about its use (RFC 5280 §5.2), read once for each list.

import { toHex } from '../../bytes/hex.ts'
import { TouchmarkError } from '../../errors.ts'
import type { CertificateList } from '../crl.ts'
import { type IssuingDistributionPoint, parseCrlNumber, parseIssuingDistributionPoint } from '../crl-extensions.ts'
import type { DistributionPointName } from '../distribution-point.ts'
import { findExtension } from '../extension.ts'
import { parseAuthorityKeyIdentifier } from '../extensions.ts'
import { encodeGeneralName, type GeneralName } from '../general-name.ts'
import { type Name, nameKey } from '../name.ts'
import { OID } from '../oids.ts'
import type { CrlProblemCode } from './path-problem.ts'

export interface CrlFacts {
  /**
   * Why the list must not be used at all: an unknown critical extension (§5.2), one that cannot be read, or no proper
   * number (§5.2.3), without which old and new cannot be told apart.
   */
  readonly unusable: CrlProblemCode | undefined
  readonly number: bigint | undefined
  /** Absent: a complete CRL. */
  readonly baseNumber: bigint | undefined
  readonly scope: Required<IssuingDistributionPoint> | undefined
  /** Names of the distribution point in the scope, as keys; absent where it has none. */
  readonly scopeNames: ReadonlySet<string> | undefined
  /** What a delta and its base must have in common (§5.2.4): scope and key identifier, as received. */
  readonly family: string
  readonly keyIdentifier: Uint8Array | undefined
}

const PROCESSED: ReadonlySet<string> = new Set([
  OID.authorityKeyIdentifier,
  OID.issuerAltName,
  OID.cRLNumber,
  OID.deltaCRLIndicator,
  OID.issuingDistributionPoint,
  OID.freshestCRL,
])

const memo = new WeakMap<CertificateList, CrlFacts>()

export function readCrlFacts(crl: CertificateList): CrlFacts {
  let facts = memo.get(crl)
  if (facts === undefined) {
    facts = read(crl)
    memo.set(crl, facts)
  }
  return facts
}

function read(crl: CertificateList): CrlFacts {
  const { crlExtensions } = crl
  const unknown = crlExtensions.some(({ critical, oid }) => critical && !PROCESSED.has(oid))
  let unusable: CrlProblemCode | undefined = unknown ? 'crl.extension_unknown' : undefined
  const parse = <T>(oid: string, parser: (value: Uint8Array) => T): T | undefined => {
    const found = findExtension(crlExtensions, oid)
    try {
      return found && parser(found.value)
    } catch (error) {
      if (!(error instanceof TouchmarkError)) throw error
      unusable ??= 'crl.malformed'
      return undefined
    }
  }
  const scope = parse(OID.issuingDistributionPoint, parseIssuingDistributionPoint)
  const numberExtension = findExtension(crlExtensions, OID.cRLNumber)
  if (numberExtension === undefined || numberExtension.critical) unusable ??= 'crl.number_invalid'
  const raw = (oid: string) => toHex(findExtension(crlExtensions, oid)?.value ?? new Uint8Array(0))
  return {
    number: parse(OID.cRLNumber, parseCrlNumber),
    baseNumber: parse(OID.deltaCRLIndicator, parseCrlNumber),
    scope,
    scopeNames: scope?.distributionPoint && distributionPointKeys(scope.distributionPoint, crl.issuer),
    family: `${raw(OID.issuingDistributionPoint)}/${raw(OID.authorityKeyIdentifier)}`,
    keyIdentifier: parse(OID.authorityKeyIdentifier, parseAuthorityKeyIdentifier)?.keyIdentifier,
    unusable,
  }
}

/** The names of a distribution point as keys; a relative one stands below the CRL issuer's name. */
export function distributionPointKeys(point: DistributionPointName, crlIssuer: Name): Set<string> {
  if (point.kind === 'fullName') return new Set(point.names.map(generalNameKey))
  const name: Name = { raw: new Uint8Array(0), rdns: [...crlIssuer.rdns, point.rdn] }
  return new Set([directoryNameKey(name)])
}

/** The same text for two names that are the same: directory names as §7.1 compares them, all others octet for octet. */
export function generalNameKey(name: GeneralName): string {
  return name.kind === 'directoryName' ? directoryNameKey(name.name) : `${name.kind} ${toHex(encodeGeneralName(name))}`
}

export function directoryNameKey(name: Name): string {
  return `directoryName ${nameKey(name)}`
}
