// The one SQL that both engines speak: statements with `?` for each value, and where the engines must differ a word in braces that
// `Engine.render` replaces. Statements are values, made once, beside the functions that use them.
import { Buffer } from 'node:buffer'
import { TouchmarkError } from '../../core/errors.ts'

/** What a column may hold: TEXT, BIGINT (a safe integer), BYTES, or NULL. */
export type Value = string | number | Uint8Array | null
export type Row = Readonly<Record<string, Value>>

/** A question to the store. */
export interface Query {
  /** With `?` for each value, and words in braces that the engine replaces. */
  readonly text: string
}

export type ColumnType = 'text' | 'integer' | 'bytes'

/**
 * A statement that changes rows of one table. Plain inserts (those that have `columns`) may be kept back and written together, but not past
 * a statement that changes or looks into the same table. The others stay in order.
 */
export interface WriteStatement extends Query {
  readonly table: string
  /** Other tables that it looks into. */
  readonly reads: readonly string[]
  /** How many values it takes. */
  readonly arity: number
  /** `one`: a change of no row means that the write found something else than it expects. */
  readonly changes: 'one' | 'any'
  /** For plain inserts: the types of the columns, so that an engine can write many rows with one statement. */
  readonly columns: readonly ColumnType[] | undefined
  /** The same insert for many rows, one array a column: PostgreSQL only. */
  readonly many: Query | undefined
}

export function query(text: string): Query {
  return { text }
}

/** An UPDATE or upsert of one row. */
export function change(
  table: string,
  text: string,
  changes: 'one' | 'any' = 'one',
  reads: readonly string[] = [],
): WriteStatement {
  return { table, text, reads, arity: text.split('?').length - 1, changes, columns: undefined, many: undefined }
}

/** An INSERT of one row that does nothing (and so is a conflict) where a unique value is taken. */
export function insert(table: string, columns: Readonly<Record<string, ColumnType>>): WriteStatement {
  const names = Object.keys(columns)
  const types = Object.values(columns)
  const lists = types.map(type => `CAST(? AS ${ARRAY[type]})`)
  const into = `INSERT INTO ${table} (${names.join(', ')})`
  return {
    table,
    text: `${into} VALUES (${names.map(() => '?').join(', ')}) ON CONFLICT DO NOTHING`,
    reads: [],
    arity: names.length,
    changes: 'one',
    columns: types,
    many: query(`${into} SELECT * FROM unnest(${lists.join(', ')}) ON CONFLICT DO NOTHING`),
  }
}

const PLAIN_INSERT = /^INSERT INTO (.+) VALUES (\(.+\)) ON CONFLICT DO NOTHING$/

/**
 * The plain insert for this many rows, their values one behind the other: SQLite only. OR IGNORE leaves a row out that breaks any rule of
 * the table (with ON CONFLICT, SQLite would copy each page first, to undo the others), so count the changes.
 */
export function severalRows({ text }: WriteStatement, rows: number): Query {
  const [, into, row] = PLAIN_INSERT.exec(text) ?? []
  if (into === undefined || row === undefined) throw new TypeError('The statement is no plain insert')
  return query(`INSERT OR IGNORE INTO ${into} VALUES ${Array<string>(rows).fill(row).join(', ')}`)
}

const ARRAY = { text: 'text[]', integer: 'bigint[]', bytes: 'bytea[]' } as const satisfies Record<ColumnType, string>

/** Takes the values of statements, one after the other, in the order of the placeholders. */
export interface StepSink {
  begin(statement: WriteStatement): this
  text(value: string | null): this
  integer(value: number | null): this
  bytes(value: Uint8Array | null): this
  /** Octets that the domain spells in hexadecimal. */
  hex(value: string | null): this
  /** Where in the log the entry at this position of the change set will stand. */
  auditIndex(position: number): this
}

/** Refuses text that one of the engines could not give back: with U+0000, or with half of a surrogate pair. */
export function checkText(value: string): string {
  if (value.isWellFormed() && !value.includes('\0')) return value
  throw new TouchmarkError('store.text_invalid', 'malformed', 'A text holds U+0000 or half of a surrogate pair.')
}

/** Refuses what is no id in hexadecimal; for ids that travel in a list. */
export function checkHex(value: string): string {
  if (octetsOf(value) !== undefined) return value
  throw valueInvalid()
}

/** Refuses what is no BIGINT of ours. */
export function checkInteger(value: number): number {
  if (Number.isSafeInteger(value)) return value
  throw valueInvalid()
}

/** A number that is no safe integer, or an id that is not hexadecimal. */
export function valueInvalid(): TouchmarkError {
  return new TouchmarkError('store.value_invalid', 'malformed', 'A value is no safe integer, or no hexadecimal id.')
}

/** Text as it may be asked for: `undefined` where no row can hold it. */
export function storableText(value: string): string | undefined {
  return value.isWellFormed() && !value.includes('\0') ? value : undefined
}

/** Hexadecimal as octets, or `undefined` where it is not. */
export function octetsOf(hex: string): Uint8Array | undefined {
  const octets = Buffer.from(hex, 'hex')
  return octets.length * 2 === hex.length && hex.length > 0 ? octets : undefined
}

// A column has the type that its table says; these read a row without trusting it blindly.

export function textOf(row: Row, column: string): string {
  const value = row[column]
  if (typeof value !== 'string') throw unexpected(column)
  return value
}

export function integerOf(row: Row, column: string): number {
  const value = row[column]
  if (typeof value !== 'number') throw unexpected(column)
  return value
}

export function bytesOf(row: Row, column: string): Uint8Array {
  const value = row[column]
  if (!(value instanceof Uint8Array)) throw unexpected(column)
  return value
}

export function hexOf(row: Row, column: string): string {
  const bytes = bytesOf(row, column)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Reads a column that may be NULL. */
export function nullable<T>(read: (row: Row, column: string) => T, row: Row, column: string): T | null {
  return row[column] === null ? null : read(row, column)
}

/** A word of a closed list, as the column's writer put it there. */
export function wordOf<Word extends string>(row: Row, column: string): Word {
  return textOf(row, column) as Word
}

function unexpected(column: string): TouchmarkError {
  return new TouchmarkError('store.row_unexpected', 'internal', `The column ${column} holds a value of another type.`, {
    next: 'The database was changed by another program: verify the audit log, or restore a backup.',
  })
}
