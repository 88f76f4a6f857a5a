// The first line of a small file: how a device's build leaves its firmware version.
import { closeSync, openSync, readSync } from 'node:fs'

const MAX_LINE = 128

/** `undefined` where the file cannot be read or begins with nothing: a report goes without it. */
export function firstLineOf(path: string): string | undefined {
  try {
    const file = openSync(path, 'r')
    try {
      const octets = new Uint8Array(MAX_LINE)
      const text = new TextDecoder().decode(octets.subarray(0, readSync(file, octets, 0, MAX_LINE, 0)))
      return text.split('\n')[0]!.trim() || undefined
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}
