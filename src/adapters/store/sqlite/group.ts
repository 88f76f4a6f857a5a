// A group: the change sets that are written with one fsync, as they travel to the writer thread. All octets lie one behind the other
// in one buffer that is handed over, not copied; everything else is one flat list of texts and numbers, which is what the
// thread boundary carries cheapest. For each change set the list holds
//   number of statements, then for each its position in WRITE_STATEMENTS and its values,
//   number of audit entries, then the length of each;
// a value in octets is `undefined` and its length (the octets come next in the buffer), and an index into the log is
// `true` and the position of the entry within the change set.
import { Buffer } from 'node:buffer'
import { TouchmarkError } from '../../../core/errors.ts'
import { encodeAuditEntries } from '../../../domain/audit/entry.ts'
import type { ChangeSet } from '../../../domain/ports.ts'
import { checkChangeSet, planWrite, WRITE_STATEMENTS } from '../plan.ts'
import { checkText, type StepSink, type Value, type WriteStatement } from '../sql.ts'

export type GroupValue = string | number | null | undefined | true

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

export class GroupPacker implements StepSink {
  readonly #values: GroupValue[] = []
  #octets = Buffer.allocUnsafeSlow(64 * 1024)
  #used = 0
  #sets = 0

  get sets(): number {
    return this.#sets
  }

  get full(): boolean {
    return this.#sets >= MAX_SETS || this.#used >= MAX_OCTETS
  }

  /** Takes a change set in, whole or (where it throws) not at all. */
  add(change: ChangeSet): void {
    const length = this.#values.length
    const used = this.#used
    try {
      checkChangeSet(change)
      this.#values.push(change.writes.length)
      for (const write of change.writes) planWrite(write, this)
      this.#values.push(change.audit.length)
      for (const entry of encodeAuditEntries(change.audit)) {
        this.#values.push(entry.length)
        this.#append(entry)
      }
      this.#sets++
    } catch (error) {
      this.#values.length = length
      this.#used = used
      throw error
    }
  }

  pack(): PackedGroup {
    return { sets: this.#sets, values: this.#values, octets: this.#octets.buffer as ArrayBuffer }
  }

  begin(statement: WriteStatement): this {
    const position = POSITIONS.get(statement)
    if (position === undefined) throw new TypeError('The statement is not in WRITE_STATEMENTS')
    this.#values.push(position)
    return this
  }

  text(value: string | null): this {
    this.#values.push(value === null ? null : checkText(value))
    return this
  }

  integer(value: number | null): this {
    if (value !== null && !Number.isSafeInteger(value)) throw notStorable('A number is not a safe integer.')
    this.#values.push(value)
    return this
  }

  bytes(value: Uint8Array | null): this {
    if (value === null) {
      this.#values.push(null)
    } else {
      this.#values.push(undefined, value.length)
      this.#append(value)
    }
    return this
  }

  hex(value: string | null): this {
    if (value === null) {
      this.#values.push(null)
      return this
    }
    const length = value.length / 2
    this.#reserve(length)
    if (length === 0 || this.#octets.write(value, this.#used, 'hex') !== length)
      throw notStorable('An id is not hexadecimal.')
    this.#used += length
    this.#values.push(undefined, length)
    return this
  }

  auditIndex(position: number): this {
    this.#values.push(true, position)
    return this
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#octets.set(bytes, this.#used)
    this.#used += bytes.length
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
  readonly #octets: Uint8Array
  #at = 0
  #octet = 0

  constructor(group: PackedGroup) {
    this.#values = group.values
    this.#octets = new Uint8Array(group.octets)
  }

  count(): number {
    return this.#values[this.#at++] as number
  }

  /** The values of one statement; `logSize` is where the first entry of the change set will stand. */
  values(arity: number, logSize: number): Value[] {
    const values: Value[] = []
    for (let i = 0; i < arity; i++) {
      const value = this.#values[this.#at++]
      if (value === undefined) values.push(this.#take(this.count()))
      else if (value === true) values.push(logSize + this.count())
      else values.push(value)
    }
    return values
  }

  entries(): Uint8Array[] {
    return Array.from({ length: this.count() }, () => this.#take(this.count()))
  }

  #take(length: number): Uint8Array {
    const start = this.#octet
    this.#octet += length
    return this.#octets.subarray(start, this.#octet)
  }
}

function notStorable(message: string): TouchmarkError {
  return new TouchmarkError('store.value_invalid', 'malformed', message)
}
