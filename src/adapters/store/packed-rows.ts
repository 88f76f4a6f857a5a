// Many rows as two values: the octets of one column, one behind the other, and a text `length,number,number;…` of their lengths and all
// other columns, made by the database and taken apart here. For those who look at a million rows in a second: an object and an array of octets
// for each would cost more than the rows themselves.
import { bytesOf, type Row, textOf } from './sql.ts'

/** Octets of one column, one value behind the other. */
export interface PackedOctets {
  readonly bytes: Uint8Array
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

/** Expressions over the rows of a page: the octets first, numbers (or NULL) after them. */
export function packed(order: string, octets: string, ...numbers: readonly string[]): string {
  const columns = numbers.map(column => `, ',', ${column}`).join('')
  return `{octetsInOrder ${octets} ${order}} AS octets,
    string_agg(concat(length(${octets})${columns}), ';' {inOrderOf ${order}}) AS numbers`
}

/** Room for the columns of page after page: a list of millions would leave as many arrays behind as it has pages. */
export interface PackedRoom {
  readonly ends: Uint32Array<ArrayBuffer>
  readonly numbers: readonly Float64Array<ArrayBuffer>[]
}

export function packedRoom(rows: number, columns: number): PackedRoom {
  return { ends: new Uint32Array(rows), numbers: Array.from({ length: columns }, () => new Float64Array(rows)) }
}

/** Takes apart what `packed` made, with so many columns of numbers. What it returns may lie in `room`, until that is used again. */
export function unpackRows(row: Row | undefined, columns: number, room?: PackedRoom): PackedRows {
  if (row === undefined || row['numbers'] === null) return EMPTY[columns] ?? emptyRows(columns)
  const text = textOf(row, 'numbers')
  let count = 1
  for (let i = text.indexOf(';'); i >= 0; i = text.indexOf(';', i + 1)) count++
  const into = room ?? packedRoom(count, columns)
  const ends = into.ends.subarray(0, count)
  const numbers = into.numbers.map(each => each.subarray(0, count))
  let used = 0
  let index = 0
  let column = -1
  let value = 0
  let digits = 0
  // Each number ends with what separates it from the next, the last one with the text.
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : SEMICOLON
    if (code !== COMMA && code !== SEMICOLON) {
      value = value * 10 + code - 0x30
      digits++
      continue
    }
    if (column < 0) ends[index] = used += value
    else numbers[column]![index] = digits === 0 ? Number.NaN : value
    value = 0
    digits = 0
    column++
    if (code === SEMICOLON) {
      column = -1
      index++
    }
  }
  return { count, octets: { bytes: bytesOf(row, 'octets'), ends }, numbers }
}

function emptyRows(columns: number): PackedRows {
  const { ends, numbers } = packedRoom(0, columns)
  return { count: 0, octets: { bytes: new Uint8Array(0), ends }, numbers }
}

const EMPTY: readonly PackedRows[] = [emptyRows(0), emptyRows(1), emptyRows(2), emptyRows(3), emptyRows(4)]
