// A column of octets, as the hexadecimal words that the rest of a test speaks in.
import type { OctetsColumn } from '../../src/domain/ports.ts'

export function hexColumn({ bytes, ends }: OctetsColumn): string[] {
  return Array.from(ends, (end, i) => Buffer.from(bytes.subarray(i === 0 ? 0 : ends[i - 1], end)).toString('hex'))
}
