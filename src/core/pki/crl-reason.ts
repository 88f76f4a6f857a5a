// CRLReason (RFC 5280 §5.3.1) and ReasonFlags (§4.2.1.13): the same words with two numberings, each in one table.

export type CrlReason =
  | 'unspecified'
  | 'keyCompromise'
  | 'cACompromise'
  | 'affiliationChanged'
  | 'superseded'
  | 'cessationOfOperation'
  | 'certificateHold'
  | 'removeFromCRL'
  | 'privilegeWithdrawn'
  | 'aACompromise'

/** The ENUMERATED values; 7 is not used. */
export const CRL_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const satisfies Record<CrlReason, number>

/** The reasons that a CRL can be limited to (`onlySomeReasons`), by bit of ReasonFlags; bit 0 is not used. */
export type ReasonFlag = Exclude<CrlReason, 'unspecified' | 'removeFromCRL'>

export const REASON_FLAGS = {
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  privilegeWithdrawn: 7,
  aACompromise: 8,
} as const satisfies Record<ReasonFlag, number>

const BY_NUMBER = new Map<number, CrlReason>()
for (const reason of Object.keys(CRL_REASONS) as CrlReason[]) BY_NUMBER.set(CRL_REASONS[reason], reason)

/** The reason with this ENUMERATED value, or `undefined` for 7 and for numbers that RFC 5280 does not know. */
export function crlReasonOf(value: number): CrlReason | undefined {
  return BY_NUMBER.get(value)
}

/** Whether a text is one of the ten words: for command lines and API bodies. */
export function isCrlReason(text: string): text is CrlReason {
  return Object.hasOwn(CRL_REASONS, text)
}
