// UTCTime and GeneralizedTime in the DER forms of RFC 5280 §4.1.2.5: whole seconds, Zulu, no fractions.
import { DerError } from './der-error.ts'

/** 9999-12-31T23:59:59Z in seconds since 1970: "no well-defined expiration date" (RFC 5280 §4.1.2.5, IEEE 802.1AR). */
export const NO_EXPIRY = 253402300799

/** First second that UTCTime cannot say (2050-01-01), by RFC 5280 §4.1.2.5.1. */
const GENERALIZED_FROM = Date.UTC(2050, 0, 1) / 1000
const UTC_FROM = Date.UTC(1950, 0, 1) / 1000

/** `YYMMDDHHMMSSZ`; years 50 to 99 are 1950 to 1999 (RFC 5280 §4.1.2.5.1). */
export function parseUtcTime(content: Uint8Array, offset: number): number {
  if (content.length !== 13) throw invalid(offset)
  const year = digits(content, 0, 2, offset)
  return parseFrom(content, 2, year >= 50 ? 1900 + year : 2000 + year, offset)
}

/** `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5.2). */
export function parseGeneralizedTime(content: Uint8Array, offset: number): number {
  if (content.length !== 15) throw invalid(offset)
  return parseFrom(content, 4, digits(content, 0, 4, offset), offset)
}

/** Whether a Time of this second is written as UTCTime: from 1950 through 2049. */
export function isUtcTime(seconds: number): boolean {
  return seconds >= UTC_FROM && seconds < GENERALIZED_FROM
}

/** The text form for a Time: UTCTime from 1950 through 2049, GeneralizedTime otherwise. */
export function formatTime(seconds: number): { readonly kind: 'utc' | 'generalized'; readonly text: string } {
  const text = formatGeneralizedTime(seconds)
  return isUtcTime(seconds) ? { kind: 'utc', text: text.slice(2) } : { kind: 'generalized', text }
}

export function formatGeneralizedTime(seconds: number): string {
  if (!Number.isSafeInteger(seconds) || seconds < -62167219200 || seconds > NO_EXPIRY) {
    throw new DerError('der.time_invalid', 0, `${seconds} is not a second between the years 0 and 9999`)
  }
  const iso = new Date(seconds * 1000).toISOString()
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`
}

function parseFrom(content: Uint8Array, at: number, year: number, offset: number): number {
  const month = digits(content, at, 2, offset)
  const day = digits(content, at + 2, 2, offset)
  const hour = digits(content, at + 4, 2, offset)
  const minute = digits(content, at + 6, 2, offset)
  const second = digits(content, at + 8, 2, offset)
  if (content[at + 10] !== 0x5a || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) {
    throw invalid(offset)
  }
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1) throw invalid(offset)
  return date.getTime() / 1000 + hour * 3600 + minute * 60 + second
}

function digits(content: Uint8Array, at: number, count: number, offset: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const digit = content[i]! - 0x30
    if (digit < 0 || digit > 9) throw invalid(offset)
    value = value * 10 + digit
  }
  return value
}

function invalid(offset: number): DerError {
  return new DerError('der.time_invalid', offset, 'The time is not in the form that RFC 5280 wants')
}
