// A group: the change sets that are written with one fsync, as they travel to the writer thread. All octets lie one behind the other
// in one buffer that is handed over, not copied; everything else is one flat list of texts and numbers, which is what the
// thread boundary carries cheapest. For each change set the list holds
//   the number of its statements, and for each: its position in WRITE_STATEMENTS, a mask, and values;
//   the number of its audit entries, and for each its length.
// The units of a batch are much alike, so only what differs from the row before of the same statement travels: bit i of the mask
// stands for value i. A value in octets is `undefined` with its length (the octets come next in the buffer), or, where the
// same id has just been written, `false` and its place among the last `RECENT` values in octets; an index into the log is `true` and
// the position of the entry within the change set. In the buffer each audit entry stands behind the octet 0x00 that its leaf hash begins with.
import { Buffer } from 'node:buffer'
import { auditEntryText } from '../../../domain/audit/entry.ts'
import type { ChangeSet } from '../../../domain/ports.ts'
import { checkChangeSet, planChange, WRITE_STATEMENTS } from '../plan.ts'
import { checkInteger, checkText, type StepSink, type Value, valueInvalid, type WriteStatement } from '../sql.ts'

export type GroupValue = string | number | null | undefined | boolean

export interface PackedGroup {
  readonly sets: number
  readonly values: readonly GroupValue[]
  readonly octets: ArrayBuffer
}

/** Change sets in one group: more share an fsync, fewer answer sooner. */
export const MAX_SETS = 1024
/** Octets after which a group takes no more change sets. */
export const MAX_OCTETS = 4 * 1024 * 1024

const POSITIONS = new Map(WRITE_STATEMENTS.map((statement, i) => [statement, i]))
/** Values in octets among which an id is looked for that is written again: device, key and certificate name each other. */
const RECENT = 4
/** Octets of a unit of a batch, generously: room that is not used costs nothing, room that grows is copied. */
const OCTETS_PER_ENTRY = 2 * 1024
/** Octets that a character of text can need in UTF-8. */
const OCTETS_PER_CHARACTER = 3

/** What no value equals: stands where the row before does not count. */
const UNKNOWN = Symbol('unknown')
type LastValue = GroupValue | Uint8Array | typeof UNKNOWN

export class GroupPacker implements StepSink {
  readonly #values: GroupValue[] = []
  #octets = Buffer.allocUnsafeSlow(8 * 1024)
  #used = 0
  #sets = 0
  /** Statements of the change set so far. */
  #steps = 0
  /** For each statement the values of its last row. */
  readonly #rows: LastValue[][] = WRITE_STATEMENTS.map(({ arity }) => Array<LastValue>(arity).fill(UNKNOWN))
  #row: LastValue[] = []
  #column = 0
  #maskAt = 0
  #mask = 0
  readonly #recent: string[] = Array<string>(RECENT).fill('')
  #nextRecent = 0

  get sets(): number {
    return this.#sets
  }

  get octets(): number {
    return this.#used
  }

  get full(): boolean {
    return this.#sets >= MAX_SETS || this.#used >= MAX_OCTETS
  }

  /** Takes a change set in, whole or (where it throws) not at all. */
  add(change: ChangeSet): void {
    const length = this.#values.length
    const used = this.#used
    const nextRecent = this.#nextRecent
    try {
      checkChangeSet(change)
      this.#reserve(change.audit.length * OCTETS_PER_ENTRY)
      const countAt = this.#values.push(0) - 1
      this.#steps = 0
      planChange(change, this)
      this.#endStep()
      this.#values[countAt] = this.#steps
      this.#values.push(change.audit.length)
      for (const entry of change.audit) this.#appendEntry(auditEntryText(entry))
      this.#sets++
    } catch (error) {
      this.#values.length = length
      this.#used = used
      // What the rows before and the recent ids refer to may be gone.
      for (const row of this.#rows) row.fill(UNKNOWN)
      this.#recent.fill('')
      this.#nextRecent = nextRecent
      throw error
    }
  }

  pack(): PackedGroup {
    return { sets: this.#sets, values: this.#values, octets: this.#octets.buffer as ArrayBuffer }
  }

  begin(statement: WriteStatement): this {
    const position = POSITIONS.get(statement)
    if (position === undefined) throw new TypeError('The statement is not in WRITE_STATEMENTS')
    this.#endStep()
    this.#steps++
    this.#row = this.#rows[position]!
    this.#column = 0
    this.#mask = 0
    this.#maskAt = this.#values.push(position, 0) - 1
    return this
  }

  text(value: string | null): this {
    if (this.#differs(value)) this.#values.push(value === null ? null : checkText(value))
    return this
  }

  integer(value: number | null): this {
    if (value !== null) checkInteger(value)
    if (this.#differs(value)) this.#values.push(value)
    return this
  }

  bytes(value: Uint8Array | null): this {
    if (!this.#differs(value)) return this
    if (value === null) {
      this.#values.push(null)
    } else {
      this.#reserve(value.length)
      this.#octets.set(value, this.#used)
      this.#keep('', value.length)
    }
    return this
  }

  hex(value: string | null): this {
    if (!this.#differs(value)) return this
    if (value === null) {
      this.#values.push(null)
      return this
    }
    const recent = this.#recent.indexOf(value)
    if (recent >= 0 && value.length > 0) {
      this.#values.push(false, recent)
      return this
    }
    const length = value.length / 2
    this.#reserve(length)
    if (length === 0 || this.#octets.write(value, this.#used, 'hex') !== length) {
      throw valueInvalid()
    }
    this.#keep(value, length)
    return this
  }

  auditIndex(position: number): this {
    this.#differs(UNKNOWN)
    this.#mask |= 1 << (this.#column - 1)
    this.#values.push(true, position)
    return this
  }

  #endStep(): void {
    if (this.#steps > 0) this.#values[this.#maskAt] = this.#mask
  }

  /** Whether the next value of the row is another than in the row before, and has to travel. */
  #differs(value: LastValue): boolean {
    const column = this.#column++
    if (this.#row[column] === value) return false
    this.#row[column] = value
    this.#mask |= 1 << column
    return true
  }

  /** The next octets of the buffer are a value; `hex` is what names them where an id comes again, empty for octets that have no name. */
  #keep(hex: string, length: number): void {
    this.#recent[this.#nextRecent] = hex
    this.#nextRecent = (this.#nextRecent + 1) % RECENT
    this.#used += length
    this.#values.push(undefined, length)
  }

  #appendEntry(text: string): void {
    this.#reserve(1 + text.length * OCTETS_PER_CHARACTER)
    this.#octets[this.#used] = 0
    const length = this.#octets.write(text, this.#used + 1, 'utf8')
    this.#used += 1 + length
    this.#values.push(length)
  }

  #reserve(length: number): void {
    if (this.#used + length <= this.#octets.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#octets.length * 2, this.#used + length))
    this.#octets.copy(larger, 0, 0, this.#used)
    this.#octets = larger
  }
}

/** Reads a group in the order in which it was packed. Octets are views into its buffer. */
export class GroupReader {
  readonly #values: readonly GroupValue[]
  readonly #octets: ArrayBuffer
  readonly #rows: Value[][] = WRITE_STATEMENTS.map(({ arity }) => Array<Value>(arity).fill(null))
  readonly #recent: Uint8Array[] = Array<Uint8Array>(RECENT)
  #nextRecent = 0
  #at = 0
  #octet = 0

  constructor(group: PackedGroup) {
    this.#values = group.values
    this.#octets = group.octets
  }

  count(): number {
    return this.#values[this.#at++] as number
  }

  /**
   * The values of the statement at this position of WRITE_STATEMENTS, valid until the next row of the same statement.
   * `logSize` is where the first entry of the change set will stand.
   */
  values(position: number, logSize: number): readonly Value[] {
    const row = this.#rows[position]!
    for (let mask = this.count(), i = 0; mask !== 0; mask >>>= 1, i++)
      if ((mask & 1) === 1) row[i] = this.#value(logSize)
    return row
  }

  /** The octets that an audit entry is hashed as: 0x00, then the entry (RFC 9162 §2.1.1). */
  leaf(): Uint8Array {
    return this.#take(1 + this.count())
  }

  #value(logSize: number): Value {
    const value = this.#values[this.#at++]
    if (value === undefined) {
      const octets = this.#take(this.count())
      this.#recent[this.#nextRecent] = octets
      this.#nextRecent = (this.#nextRecent + 1) % RECENT
      return octets
    }
    if (value === false) return this.#recent[this.count()]!
    if (value === true) return logSize + this.count()
    return value
  }

  #take(length: number): Uint8Array {
    const start = this.#octet
    this.#octet += length
    return new Uint8Array(this.#octets, start, length)
  }
}
