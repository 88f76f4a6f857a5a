// Finding one serial number among a million entries of a CRL, without making a value of each: nearly every entry is a number, a time, and
// perhaps a reason and an invalidity date, and those shapes are told apart octet by octet. A list with anything else in it is left to the reader
// in `crl.ts`, which knows every form and says what is wrong. A list that is asked a second time gets a table.

const SEQUENCE = 0x30
const INTEGER = 0x02
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18

/** What is known of a list that was asked before. */
type Known = 'seen' | 'odd' | Int32Array

/** By the view of the entries, which a parsed list keeps. */
const known = new WeakMap<Uint8Array, Known>()

/**
 * Where the entry with this serial number begins in `entries`; -1 where there is none, and every entry was read; `undefined` where an entry
 * that came first has another shape than the usual ones. `serialNumber` is the content of its INTEGER.
 */
export function findEntry(entries: Uint8Array, serialNumber: Uint8Array): number | undefined {
  const before = known.get(entries)
  if (before === 'odd') return undefined
  if (before === undefined) {
    known.set(entries, 'seen')
    return scan(entries, serialNumber)
  }
  const table = before === 'seen' ? build(entries) : before
  known.set(entries, table ?? 'odd')
  return table && probe(entries, table, serialNumber)
}

function scan(entries: Uint8Array, serialNumber: Uint8Array): number | undefined {
  for (let at = 0; at < entries.length; ) {
    const next = endOfPlain(entries, at)
    if (next < 0) return undefined
    if (hasSerial(entries, at, serialNumber)) return at
    at = next
  }
  return -1
}

/** Open addressing: offset + 1 of an entry, 0 where a place is free. `undefined` where an entry is not plain. */
function build(entries: Uint8Array): Int32Array | undefined {
  let count = 0
  for (let at = 0; at < entries.length; count++) {
    at = endOfPlain(entries, at)
    if (at < 0) return undefined
  }
  const table = new Int32Array(2 ** Math.ceil(Math.log2(2 * count + 1)))
  for (let at = 0; at < entries.length; at = at + 2 + entries[at + 1]!) {
    let place = hash(entries, at + 4, entries[at + 3]!) & (table.length - 1)
    // Of two entries with one number the first stays: that is the one that reading from the start finds.
    while (table[place] !== 0) place = (place + 1) & (table.length - 1)
    table[place] = at + 1
  }
  return table
}

function probe(entries: Uint8Array, table: Int32Array, serialNumber: Uint8Array): number {
  for (let place = hash(serialNumber, 0, serialNumber.length); ; place++) {
    const found = table[place & (table.length - 1)]!
    if (found === 0) return -1
    if (hasSerial(entries, found - 1, serialNumber)) return found - 1
  }
}

/** FNV-1a. */
function hash(bytes: Uint8Array, from: number, length: number): number {
  let value = 0x811c9dc5
  for (let i = from; i < from + length; i++) value = Math.imul(value ^ bytes[i]!, 0x01000193)
  // Serial numbers differ in their last octets, which have hardly been mixed.
  return (value ^ (value >>> 15)) >>> 0
}

function hasSerial(entries: Uint8Array, at: number, serialNumber: Uint8Array): boolean {
  const { length } = serialNumber
  if (entries[at + 3] !== length) return false
  // From the end, where numbers differ first.
  for (let i = length - 1; i >= 0; i--) if (entries[at + 4 + i] !== serialNumber[i]) return false
  return true
}

/** Where the entry at `at` ends, or -1 where it is not of a usual shape. */
function endOfPlain(bytes: Uint8Array, at: number): number {
  const end = endOfShort(bytes, at, SEQUENCE, bytes.length)
  if (end < 0) return -1
  const serial = at + 2
  const afterSerial = endOfShort(bytes, serial, INTEGER, end)
  if (afterSerial < 0 || !isNumber(bytes, serial + 2, afterSerial)) return -1
  const afterTime = endOfTime(bytes, afterSerial, end)
  if (afterTime < 0) return -1
  return afterTime === end || hasPlainExtensions(bytes, afterTime, end) ? end : -1
}

/** Where the element ends, if it has this tag, a length of one octet, and room. */
function endOfShort(bytes: Uint8Array, at: number, tag: number, limit: number): number {
  if (at + 2 > limit || bytes[at] !== tag) return -1
  const length = bytes[at + 1]!
  const end = at + 2 + length
  return length < 0x80 && end <= limit ? end : -1
}

/** A non-negative INTEGER in its shortest form, of at most 20 octets and a sign. */
function isNumber(bytes: Uint8Array, from: number, to: number): boolean {
  const first = bytes[from]!
  if (to - from < 1 || to - from > 21 || first >= 0x80) return false
  return first !== 0 || to - from === 1 || bytes[from + 1]! >= 0x80
}

function endOfTime(bytes: Uint8Array, at: number, limit: number): number {
  const tag = bytes[at]
  if (tag !== UTC_TIME && tag !== GENERALIZED_TIME) return -1
  const end = endOfShort(bytes, at, tag, limit)
  if (end - at !== (tag === UTC_TIME ? 15 : 17) || bytes[end - 1] !== 0x5a) return -1
  for (let i = at + 2; i < end - 1; i++) if (bytes[i]! < 0x30 || bytes[i]! > 0x39) return -1
  return end
}

/** A reason, an invalidity date, or both: nothing that changes whose entry it is, and nothing unknown. */
function hasPlainExtensions(bytes: Uint8Array, at: number, end: number): boolean {
  if (endOfShort(bytes, at, SEQUENCE, end) !== end || at + 2 === end) return false
  let reason = false
  let date = false
  for (let from = at + 2; from < end; ) {
    const to = endOfShort(bytes, from, SEQUENCE, end)
    // OBJECT IDENTIFIER 2.5.29.x and OCTET STRING; one that is marked critical is read by whoever reads everything.
    if (to < 0 || bytes[from + 2] !== 0x06 || bytes[from + 3] !== 3) return false
    if (bytes[from + 4] !== 0x55 || bytes[from + 5] !== 0x1d || bytes[from + 7] !== 0x04) return false
    const which = bytes[from + 6]
    const value = from + 9
    if (bytes[from + 8] !== to - value) return false
    if (which === 21 && !reason && isReason(bytes, value, to)) reason = true
    else if (which === 24 && !date && bytes[value] === GENERALIZED_TIME && endOfTime(bytes, value, to) === to)
      date = true
    else return false
    from = to
  }
  return true
}

/** ENUMERATED 0 to 10 without 7. */
function isReason(bytes: Uint8Array, from: number, to: number): boolean {
  const value = bytes[from + 2]!
  return to - from === 3 && bytes[from] === 0x0a && bytes[from + 1] === 1 && value <= 10 && value !== 7
}
