// What the server remembers beside the artefact of an authority: up to where in the log it knows, and when each part of it came, so that the
// delta from any earlier epoch can be made from the artefact of now.
import { type Bytes, compareBytes, concat } from '../../core/bytes/bytes.ts'
import { fromHex, toHex } from '../../core/bytes/hex.ts'
import { fromUtf8, toUtf8 } from '../../core/bytes/utf8.ts'
import { SERIAL_OCTETS } from '../../core/filter/status-body.ts'
import type { UnixSeconds } from '../ids.ts'

export interface StatusHistory {
  /** Position of the last log entry that the artefact knows of. */
  readonly through: number
  /** The last second of issue among everything that was issued up to there; absent: not known. */
  readonly newest?: UnixSeconds
  /** The epoch in which the segments were made anew, or one was added, and exceptions began from nothing; its time, and how long it took. */
  readonly built: { readonly epoch: number; readonly at: UnixSeconds; readonly seconds: number }
  /** When the whole was made at once, without earlier segments. */
  readonly wholeAt: UnixSeconds
  /** For each segment, the epoch since which it is there. */
  readonly segments: readonly number[]
  /** The epoch since which the signer is the one of now. */
  readonly signer: number
  /** Since `built`: in which epoch which exceptions came or went. */
  readonly changes: readonly { readonly epoch: number; readonly added: Uint8Array; readonly removed: Uint8Array }[]
}

export function encodeStatusHistory(history: StatusHistory): Bytes {
  const changes = history.changes.map(({ epoch, added, removed }) => [epoch, toHex(added), toHex(removed)])
  return toUtf8(JSON.stringify({ ...history, changes }))
}

/** Our own octets, out of the store. */
export function parseStatusHistory(octets: Uint8Array): StatusHistory {
  const stored = JSON.parse(fromUtf8(octets)) as Omit<StatusHistory, 'changes'> & {
    readonly changes: readonly [number, string, string][]
  }
  const changes = stored.changes.map(([epoch, added, removed]) => ({
    epoch,
    added: fromHex(added),
    removed: fromHex(removed),
  }))
  return { ...stored, changes }
}

/** The exceptions that came, and those that went, since an epoch that is not before `built`: ascending, as a delta has them. */
export function changedSince(
  { changes }: Pick<StatusHistory, 'changes'>,
  since: number,
): { readonly added: Bytes; readonly removed: Bytes } {
  const net = new Map<string, number>()
  const count = (serials: Uint8Array, by: number) => {
    for (let at = 0; at < serials.length; at += SERIAL_OCTETS) {
      const serial = toHex(serials.subarray(at, at + SERIAL_OCTETS))
      net.set(serial, (net.get(serial) ?? 0) + by)
    }
  }
  for (const { epoch, added, removed } of changes) {
    if (epoch <= since) continue
    count(added, 1)
    count(removed, -1)
  }
  const of = (wanted: number) =>
    concat(
      ...[...net]
        .filter(([, sum]) => sum === wanted)
        .map(([serial]) => fromHex(serial))
        .sort(compareBytes),
    )
  return { added: of(1), removed: of(-1) }
}
