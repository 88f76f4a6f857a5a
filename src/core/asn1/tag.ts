// Identifier octets (X.690 §8.1.2). The low-tag-number form only: nothing that we read or write needs more than 30.
export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OBJECT_IDENTIFIER: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  SEQUENCE: 0x30,
  SET: 0x31,
  NUMERIC_STRING: 0x12,
  PRINTABLE_STRING: 0x13,
  TELETEX_STRING: 0x14,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  VISIBLE_STRING: 0x1a,
  UNIVERSAL_STRING: 0x1c,
  BMP_STRING: 0x1e,
} as const

/** `[n]` around a constructed value: EXPLICIT, or IMPLICIT over SEQUENCE and SET. */
export function contextConstructed(n: number): number {
  return 0xa0 | n
}

/** `[n] IMPLICIT` over a primitive type. */
export function contextPrimitive(n: number): number {
  return 0x80 | n
}
