// Many rows as one text: `hex,number,number;…`, made by the database and taken apart here into columns. For those who look at a million rows
// in a second: an object and an array of octets for each would cost more than the rows themselves.
import type { Row } from './sql.ts'
import { textOf } from './sql.ts'

/** Octets of one column, one value behind the other. */
export interface PackedOctets {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where in `bytes` each value ends. */
  readonly ends: Uint32Array<ArrayBuffer>
}

export interface PackedRows {
  readonly count: number
  readonly octets: PackedOctets
  /** One array a column of numbers; NaN stands for NULL. */
  readonly numbers: readonly Float64Array<ArrayBuffer>[]
}

/** The most rows that one text holds: what a reader of columns asks for at once. */
export const MAX_PACKED = 4096

const COMMA = 0x2c
const SEMICOLON = 0x3b

/** An expression over the rows of a page: the octets first, numbers (or NULL) after them. */
export function packed(order: string, octets: string, ...numbers: readonly string[]): string {
  const columns = numbers.map(column => `|| ',' || COALESCE(CAST(${column} AS TEXT), '')`)
  return `string_agg({hexOfEitherCase ${octets}} ${columns.join(' ')}, ';' {inOrderOf ${order}}) AS packed`
}

/** Takes apart what `packed` made, with so many columns of numbers. */
export function unpackRows(row: Row | undefined, columns: number): PackedRows {
  if (row === undefined || row['packed'] === null) return EMPTY[columns] ?? emptyRows(columns)
  const text = textOf(row, 'packed')
  let count = 1
  for (let i = text.indexOf(';'); i >= 0; i = text.indexOf(';', i + 1)) count++
  const bytes = new Uint8Array(text.length >> 1)
  const ends = new Uint32Array(count)
  const numbers = Array.from({ length: columns }, () => new Float64Array(count))
  let used = 0
  let at = 0
  for (let i = 0; i < count; i++) {
    for (let high = text.charCodeAt(at); high !== COMMA && high !== SEMICOLON && at < text.length; ) {
      bytes[used++] = (nibble(high) << 4) | nibble(text.charCodeAt(at + 1))
      at += 2
      high = text.charCodeAt(at)
    }
    ends[i] = used
    for (let column = 0; column < columns; column++) {
      let value = 0
      let digits = 0
      for (at++; at < text.length; at++, digits++) {
        const code = text.charCodeAt(at)
        if (code === COMMA || code === SEMICOLON) break
        value = value * 10 + code - 0x30
      }
      numbers[column]![i] = digits === 0 ? Number.NaN : value
    }
    at++
  }
  return { count, octets: { bytes: bytes.subarray(0, used), ends }, numbers }
}

function nibble(code: number): number {
  return code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x57
}

function emptyRows(columns: number): PackedRows {
  return {
    count: 0,
    octets: { bytes: new Uint8Array(0), ends: new Uint32Array(0) },
    numbers: Array.from({ length: columns }, () => new Float64Array(0)),
  }
}

const EMPTY: readonly PackedRows[] = [emptyRows(0), emptyRows(1), emptyRows(2), emptyRows(3), emptyRows(4)]
