// From the artefact of one epoch to that of a later one, in octets that grow with what changed in between: the result is the later artefact,
// octet for octet, with its signature. The delta needs none of its own. docs/formats/status-artefact.md, "Delta".
import { type Bytes, compareBytes, concat, equalBytes } from '../bytes/bytes.ts'
import { type CoseSign1, encodeSign1, parseSign1 } from '../cose/sign1.ts'
import type { ExactFilter } from './exact-filter.ts'
import {
  compareSerials,
  encodeSegmentHead,
  encodeStatusBody,
  encodeStatusHead,
  parseStatusBody,
  readSegment,
  readStatusHead,
  SERIAL_OCTETS,
  type StatusBody,
  StatusReader,
} from './status-body.ts'
import { statusError } from './status-error.ts'

const MAGIC = Uint8Array.of(0x54, 0x4d, 0x44, 0x01)
const NEW_HEAD = 1
const NEW_EXCEPTIONS = 2

/** What a delta says, beside the later artefact. */
export interface StatusDeltaParts {
  /** The epoch at which it begins. */
  readonly from: number
  /** How many segments, from the first on, the earlier artefact has too. */
  readonly kept: number
  /** Whether the earlier artefact has the same protected header and signer. */
  readonly sameSigner: boolean
  /** Exceptions that came and went, ascending; `undefined`: they are other ones altogether. */
  readonly exceptions: { readonly added: Uint8Array; readonly removed: Uint8Array } | undefined
}

/** The delta between two artefacts of one authority. Errors: `status.delta_unfit` where they are not, or not in this order. */
export function encodeStatusDelta(from: Uint8Array, to: Uint8Array): Bytes {
  const [a, b] = [parseSign1(from), parseSign1(to)]
  const [before, after] = [parseStatusBody(a.payload), parseStatusBody(b.payload)]
  if (before.head.epoch >= after.head.epoch || !equalBytes(before.head.issuerKeyHash, after.head.issuerKeyHash)) {
    throw statusError('status.delta_unfit', 'These are not an earlier and a later artefact of one authority.')
  }
  let kept = 0
  while (
    kept < before.segments.length &&
    kept < after.segments.length &&
    sameSegment(before.segments[kept]!, after.segments[kept]!)
  ) {
    kept++
  }
  const removed = difference(before.exceptions, after.exceptions)
  const added = difference(after.exceptions, before.exceptions)
  return composeStatusDelta(
    { envelope: b, body: after },
    {
      from: before.head.epoch,
      kept,
      sameSigner: equalBytes(a.head, b.head),
      exceptions: { added, removed },
    },
  )
}

/** For a server that knows what changed, and keeps no earlier artefact: the delta that leads to the one of now. */
export function composeStatusDelta(
  to: { readonly envelope: CoseSign1; readonly body: StatusBody },
  { from, kept, sameSigner, exceptions }: StatusDeltaParts,
): Bytes {
  const { head, segments, exceptions: all } = to.body
  const { head: envelope, signature } = to.envelope
  const replaced = exceptions === undefined || exceptions.added.length + exceptions.removed.length > all.length
  const lists = replaced ? [new Uint8Array(0), all] : [exceptions.removed, exceptions.added]
  return concat(
    MAGIC,
    uint32(from),
    Uint8Array.of((sameSigner ? 0 : NEW_HEAD) | (replaced ? NEW_EXCEPTIONS : 0), kept),
    encodeStatusHead(head, segments.length),
    ...(sameSigner ? [] : [uint16(envelope.length), envelope]),
    ...segments.slice(kept).flatMap(segment => [encodeSegmentHead(segment), segment.columns]),
    ...lists.flatMap(list => [uint32(list.length / SERIAL_OCTETS), list]),
    uint16(signature.length),
    signature,
  )
}

/**
 * The later artefact. It is to be opened as any other: only its signature says that delta and artefact belong together.
 * Errors: `status.delta_malformed`, `status.delta_unfit`, and those of an artefact that cannot be read.
 */
export function applyStatusDelta(artefact: Uint8Array, delta: Uint8Array): Bytes {
  const a = parseSign1(artefact)
  const before = parseStatusBody(a.payload)
  const reader = new StatusReader(delta, (message, detail) => statusError('status.delta_malformed', message, detail))
  if (compareBytes(reader.take(4), MAGIC) !== 0) throw reader.fault('It does not begin as a delta.')
  const from = reader.uint32()
  const [flags, kept] = reader.take(2) as Uint8Array & [number, number]
  if (flags > (NEW_HEAD | NEW_EXCEPTIONS)) throw reader.fault('It has flags that are not known.')
  const { head, segmentCount } = readStatusHead(reader)
  if (from !== before.head.epoch || !equalBytes(head.issuerKeyHash, before.head.issuerKeyHash)) {
    throw statusError('status.delta_unfit', 'The delta begins at another artefact.', {
      evidence: { from, epoch: before.head.epoch },
    })
  }
  if (head.epoch <= from || kept > segmentCount || kept > before.segments.length) {
    throw reader.fault('It keeps what is not there.')
  }
  const envelope = flags & NEW_HEAD ? reader.take(reader.uint16()) : a.head
  const segments: ExactFilter[] = before.segments.slice(0, kept)
  while (segments.length < segmentCount) segments.push(readSegment(reader))
  const removed = reader.serials(reader.uint32() * SERIAL_OCTETS)
  const added = reader.serials(reader.uint32() * SERIAL_OCTETS)
  const signature = reader.take(reader.uint16())
  if (reader.left > 0) throw statusError('status.delta_malformed', 'Octets stand behind the end of the delta.')
  const exceptions =
    flags & NEW_EXCEPTIONS
      ? added
      : merged(before.exceptions, removed, added, () => {
          throw reader.fault('It changes what is not there.')
        })
  if (flags & NEW_EXCEPTIONS && removed.length > 0) throw reader.fault('It removes from a list that it replaces.')
  return encodeSign1(envelope, encodeStatusBody({ head, segments, exceptions }), signature)
}

function sameSegment(a: ExactFilter, b: ExactFilter): boolean {
  return equalBytes(encodeSegmentHead(a), encodeSegmentHead(b)) && equalBytes(a.columns, b.columns)
}

/** Serial numbers of `a` that are not in `b`. */
export function difference(a: Uint8Array, b: Uint8Array): Bytes {
  const out = new Uint8Array(a.length)
  let length = 0
  for (let i = 0, j = 0; i < a.length; i += SERIAL_OCTETS) {
    while (j < b.length && compareSerials(b, j, a, i) < 0) j += SERIAL_OCTETS
    if (j < b.length && compareSerials(b, j, a, i) === 0) continue
    out.set(a.subarray(i, i + SERIAL_OCTETS), length)
    length += SERIAL_OCTETS
  }
  return out.slice(0, length)
}

/** `list` without `removed`, with `added`; `unfit` where one to remove is missing, or one to add is there. */
function merged(list: Uint8Array, removed: Uint8Array, added: Uint8Array, unfit: () => never): Bytes {
  if (removed.length > list.length) unfit()
  const out = new Uint8Array(list.length - removed.length + added.length)
  let length = 0
  let r = 0
  let n = 0
  const put = (from: Uint8Array, at: number): void => {
    if (length === out.length) unfit()
    out.set(from.subarray(at, at + SERIAL_OCTETS), length)
    length += SERIAL_OCTETS
  }
  for (let i = 0; i < list.length; i += SERIAL_OCTETS) {
    for (; n < added.length; n += SERIAL_OCTETS) {
      const order = compareSerials(added, n, list, i)
      if (order === 0) unfit()
      if (order > 0) break
      put(added, n)
    }
    if (r < removed.length && compareSerials(removed, r, list, i) === 0) r += SERIAL_OCTETS
    else put(list, i)
  }
  for (; n < added.length; n += SERIAL_OCTETS) put(added, n)
  if (r < removed.length) unfit()
  return out
}

function uint16(value: number): Bytes {
  return Uint8Array.of(value >>> 8, value)
}

function uint32(value: number): Bytes {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}
