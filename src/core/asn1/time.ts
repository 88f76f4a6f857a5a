// UTCTime and GeneralizedTime in the DER forms of RFC 5280 §4.1.2.5: whole seconds, Zulu, no fractions.
import { DerError } from './der-error.ts'

/** 9999-12-31T23:59:59Z in seconds since 1970: "no well-defined expiration date" (RFC 5280 §4.1.2.5, IEEE 802.1AR). */
export const NO_EXPIRY = 253402300799

/** First second that UTCTime cannot say (2050-01-01), by RFC 5280 §4.1.2.5.1. */
const GENERALIZED_FROM = Date.UTC(2050, 0, 1) / 1000
const UTC_FROM = Date.UTC(1950, 0, 1) / 1000

/** `YYMMDDHHMMSSZ` (between `from` and `to`); years 50 to 99 are 1950 to 1999 (RFC 5280 §4.1.2.5.1). */
export function parseUtcTime(content: Uint8Array, offset: number, from = 0, to = content.length): number {
  if (to - from !== 13) throw invalid(offset)
  const year = digits(content, from, 2, offset)
  return parseFrom(content, from + 2, year >= 50 ? 1900 + year : 2000 + year, offset)
}

/** `YYYYMMDDHHMMSSZ` (between `from` and `to`; RFC 5280 §4.1.2.5.2). */
export function parseGeneralizedTime(content: Uint8Array, offset: number, from = 0, to = content.length): number {
  if (to - from !== 15) throw invalid(offset)
  return parseFrom(content, from + 4, digits(content, from, 4, offset), offset)
}

/** Whether a Time of this second is written as UTCTime: from 1950 through 2049. */
export function isUtcTime(seconds: number): boolean {
  return seconds >= UTC_FROM && seconds < GENERALIZED_FROM
}

/** Content octets of the two forms. */
export const UTC_TIME_OCTETS = 13
export const GENERALIZED_TIME_OCTETS = 15

/** Without leap seconds, as POSIX counts. */
export const SECONDS_A_DAY = 86_400
const YEAR_0 = -62_167_219_200

/**
 * Puts the content of a GeneralizedTime (`octets` 15) or UTCTime (13, the same without the century) into `out` at `at`, from
 * whole seconds since 1970. Throws `der.time_invalid` outside the years 0 to 9999. It counts with integers: going through
 * `Date` costs ten times as much, and a CRL has a million times in it.
 */
export function putTime(out: Uint8Array, at: number, seconds: number, octets: 13 | 15): void {
  if (!Number.isSafeInteger(seconds) || seconds < YEAR_0 || seconds > NO_EXPIRY) {
    throw new DerError('der.time_invalid', 0, `${seconds} is not a second between the years 0 and 9999`)
  }
  const days = Math.floor(seconds / SECONDS_A_DAY)
  const second = seconds - days * SECONDS_A_DAY
  // Years that begin in March, so that the leap day is their last; an era is the 400 years after which the calendar repeats.
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  let next = at
  if (octets === GENERALIZED_TIME_OCTETS) {
    putTwo(out, next, Math.floor(year / 100))
    next += 2
  }
  putTwo(out, next, year % 100)
  putTwo(out, next + 2, month)
  putTwo(out, next + 4, day)
  putTimeOfDay(out, next + 6, second)
}

/** Puts `HHMMSSZ`, the end of both forms, for a second of a day. */
export function putTimeOfDay(out: Uint8Array, at: number, second: number): void {
  const minutes = Math.floor(second / 60)
  const hours = Math.floor(minutes / 60)
  putTwo(out, at, hours)
  putTwo(out, at + 2, minutes - hours * 60)
  putTwo(out, at + 4, second - minutes * 60)
  out[at + 6] = 0x5a
}

function putTwo(out: Uint8Array, at: number, value: number): void {
  const tens = Math.floor(value / 10)
  out[at] = 0x30 + tens
  out[at + 1] = 0x30 + value - tens * 10
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
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  if (day > (month === 2 && isLeap ? 29 : DAYS[month - 1]!)) throw invalid(offset)
  const shiftedYear = month <= 2 ? year - 1 : year
  const era = Math.floor(shiftedYear / 400)
  const yearOfEra = shiftedYear - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return (era * 146_097 + dayOfEra - 719_468) * SECONDS_A_DAY + hour * 3600 + minute * 60 + second
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

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
