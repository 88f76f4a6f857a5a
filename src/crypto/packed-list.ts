// A list of octet strings in one buffer that a thread can be given whole: count, then each length, then the contents
// (32-bit numbers, big-endian). Internal to this process, so a wrong one is a bug and not an attack.
import type { Bytes } from '../core/bytes/bytes.ts'

export function pack(list: readonly Uint8Array[]): Bytes {
  let length = 4 + 4 * list.length
  for (const one of list) length += one.length
  const packed = new Uint8Array(length)
  const view = new DataView(packed.buffer)
  view.setUint32(0, list.length)
  let at = 4 + 4 * list.length
  for (const [index, one] of list.entries()) {
    view.setUint32(4 + 4 * index, one.length)
    packed.set(one, at)
    at += one.length
  }
  return packed
}

/** Views into the buffer, in order. */
export function unpack(packed: Bytes): Bytes[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const count = view.getUint32(0)
  const list: Bytes[] = new Array(count)
  let at = 4 + 4 * count
  for (let index = 0; index < count; index++) {
    const end = at + view.getUint32(4 + 4 * index)
    if (end > packed.length) throw new RangeError('the packed list is cut off')
    list[index] = packed.subarray(at, end)
    at = end
  }
  if (at !== packed.length) throw new RangeError('the packed list has a tail')
  return list
}
