// One unit on the line, as an input names it: which device, and for which key it wants its birth certificate.
import type { Bytes } from '../../core/bytes/bytes.ts'

/** Where the unit's key comes from. */
export type UnitKey =
  /** A CSR of the device: proves possession. */
  | { readonly kind: 'csr'; readonly der: Bytes }
  /** A public key that the line vouches for: from a tester or a secure element's manifest. */
  | { readonly kind: 'public_key'; readonly spki: Bytes }
  /** None given: the station makes it. */
  | { readonly kind: 'station' }

export interface FactoryUnit {
  /** Where it stands in the input, counted from 1: what a reject is reported with. */
  readonly line: number
  readonly model: string
  readonly serialNumber: string
  readonly key: UnitKey
  /** Further attributes of the input: they become labels of the device, for profiles to use. No personal data. */
  readonly labels?: Readonly<Record<string, string>>
}

/** A place in the input that is no unit: reported, never fatal for the others. */
export interface BadUnit {
  readonly line: number
  readonly code: string
  readonly message: string
}

export type UnitInput = FactoryUnit | BadUnit

export function isBadUnit(input: UnitInput): input is BadUnit {
  return 'code' in input
}
