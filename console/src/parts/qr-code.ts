// A QR code (ISO/IEC 18004) of a short text: byte mode, error correction level M, versions 1 to 20. What is shown to a phone once needs no more.

/** Codewords for error correction in a block, and blocks, of versions 1 to 20 at level M (table 9). */
const PARITY = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26] as const
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16] as const
const FORMAT_OF_LEVEL_M = 0

/** Rows of modules, `true` where dark; `undefined` where the text is too long. */
export function qrCode(text: string): readonly (readonly boolean[])[] | undefined {
  const octets = new TextEncoder().encode(text)
  for (let version = 1; version <= PARITY.length; version++) {
    const countBits = version < 10 ? 8 : 16
    if (4 + countBits + 8 * octets.length > 8 * dataCodewords(version)) continue
    return draw(version, withParity(version, dataOf(octets, countBits, dataCodewords(version))))
  }
  return undefined
}

const sizeOf = (version: number) => 17 + 4 * version

/** All codewords of a version: what its square leaves beside the patterns (§7.1). */
function allCodewords(version: number): number {
  const centres = alignmentCentres(version).length
  const aligned = centres === 0 ? 0 : 25 * (centres * centres - 3) - 10 * (centres - 2)
  const patterns = 3 * 64 + 2 * (sizeOf(version) - 16) + 31 + aligned + (version < 7 ? 0 : 36)
  return Math.floor((sizeOf(version) ** 2 - patterns) / 8)
}

const dataCodewords = (version: number) => allCodewords(version) - PARITY[version - 1]! * BLOCKS[version - 1]!

/** Mode, count, octets, terminator and padding (§7.4). */
function dataOf(octets: Uint8Array, countBits: number, length: number): Uint8Array {
  const bits: number[] = []
  const push = (value: number, width: number) => {
    for (let i = width - 1; i >= 0; i--) bits.push((value >> i) & 1)
  }
  push(0b0100, 4)
  push(octets.length, countBits)
  for (const octet of octets) push(octet, 8)
  push(0, Math.min(4, 8 * length - bits.length))
  push(0, (8 - (bits.length % 8)) % 8)
  for (let pad = 0xec; bits.length < 8 * length; pad ^= 0xec ^ 0x11) push(pad, 8)
  return Uint8Array.from({ length }, (_, i) => bits.slice(8 * i, 8 * i + 8).reduce((sum, bit) => 2 * sum + bit, 0))
}

/** Multiplication in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1. */
function times(a: number, b: number): number {
  let product = 0
  for (let i = 7; i >= 0; i--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d)
    product ^= ((b >> i) & 1) * a
  }
  return product
}

/** Remainder of Reed and Solomon (§7.5). */
function parityOf(data: Uint8Array, length: number): Uint8Array {
  const generator = new Uint8Array(length)
  generator[length - 1] = 1
  for (let i = 0, root = 1; i < length; i++, root = times(root, 2)) {
    for (let j = 0; j < length; j++) generator[j] = times(generator[j]!, root) ^ (generator[j + 1] ?? 0)
  }
  const rest = new Uint8Array(length)
  for (const octet of data) {
    const factor = octet ^ rest[0]!
    rest.copyWithin(0, 1)
    rest[length - 1] = 0
    for (let i = 0; i < length; i++) rest[i]! ^= times(generator[i]!, factor)
  }
  return rest
}

/** Blocks one after the other, then woven: the shorter ones come first and lack the last data codeword (§7.6). */
function withParity(version: number, data: Uint8Array): number[] {
  const count = BLOCKS[version - 1]!
  const parity = PARITY[version - 1]!
  const short = Math.floor(data.length / count)
  const firstLong = count - (data.length % count)
  const blocks: { readonly data: Uint8Array; readonly parity: Uint8Array }[] = []
  for (let i = 0, at = 0; i < count; i++) {
    const part = data.subarray(at, at + short + (i < firstLong ? 0 : 1))
    at += part.length
    blocks.push({ data: part, parity: parityOf(part, parity) })
  }
  const woven: number[] = []
  for (let i = 0; i <= short; i++) for (const block of blocks) if (i < block.data.length) woven.push(block.data[i]!)
  for (let i = 0; i < parity; i++) for (const block of blocks) woven.push(block.parity[i]!)
  return woven
}

/** Where the centres of the alignment patterns are, on both axes (annex E). */
function alignmentCentres(version: number): number[] {
  if (version === 1) return []
  const count = Math.floor(version / 7) + 2
  const step = Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2
  const rest = Array.from({ length: count - 1 }, (_, i) => sizeOf(version) - 7 - i * step)
  return [6, ...rest.reverse()]
}

type Square = (boolean | undefined)[][]

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  x => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
]

function draw(version: number, codewords: readonly number[]): boolean[][] {
  const patterns = drawPatterns(version)
  const candidates = MASKS.map((mask, number) => {
    const square = patterns.map(row => [...row])
    drawFormat(square, number)
    drawCodewords(square, codewords, mask)
    return square as boolean[][]
  })
  // The mask that is easiest to read (§7.8.3).
  return candidates.reduce((best, each) => (penalty(each) < penalty(best) ? each : best))
}

function drawPatterns(version: number): Square {
  const size = sizeOf(version)
  const square: Square = Array.from({ length: size }, () => Array.from({ length: size }, () => undefined))
  const set = (x: number, y: number, dark: boolean) => {
    if (square[y] && x >= 0 && x < size) square[y][x] = dark
  }
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0)
    set(i, 6, i % 2 === 0)
  }
  for (const [cx, cy] of [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ] as const) {
    for (let dy = -4; dy <= 4; dy++) {
      for (let dx = -4; dx <= 4; dx++) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy))
        set(cx + dx, cy + dy, ring !== 2 && ring !== 4)
      }
    }
  }
  const centres = alignmentCentres(version)
  const last = centres.length - 1
  for (const [i, cx] of centres.entries()) {
    for (const [j, cy] of centres.entries()) {
      // The three corners belong to the finder patterns.
      if ((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)) continue
      for (let dy = -2; dy <= 2; dy++) {
        for (let dx = -2; dx <= 2; dx++) set(cx + dx, cy + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1)
      }
    }
  }
  if (version >= 7) {
    const bits = (version << 12) | remainder(version, 12, 0x1f25)
    for (let i = 0; i < 18; i++) {
      const dark = ((bits >> i) & 1) === 1
      set(size - 11 + (i % 3), Math.floor(i / 3), dark)
      set(Math.floor(i / 3), size - 11 + (i % 3), dark)
    }
  }
  return square
}

/** Check bits of a BCH code (annexes C and D). */
function remainder(value: number, width: number, generator: number): number {
  let rest = value
  for (let i = 0; i < width; i++) rest = (rest << 1) ^ ((rest >> (width - 1)) * generator)
  return rest
}

/** Level and mask, twice, around the finder patterns (§7.9). */
function drawFormat(square: Square, mask: number): void {
  const size = square.length
  const value = (FORMAT_OF_LEVEL_M << 3) | mask
  const bits = ((value << 10) | remainder(value, 10, 0x537)) ^ 0x5412
  const bit = (i: number) => ((bits >> i) & 1) === 1
  for (let i = 0; i < 15; i++) {
    const first = i < 6 ? [8, i] : i === 6 ? [8, 7] : i === 7 ? [8, 8] : i === 8 ? [7, 8] : [14 - i, 8]
    const second = i < 8 ? [size - 1 - i, 8] : [8, size - 15 + i]
    for (const [x, y] of [first, second]) square[y!]![x!] = bit(i)
  }
  square[size - 8]![8] = true
}

/** From the right, in columns of two, up and down, past whatever is there (§7.7.3). */
function drawCodewords(square: Square, codewords: readonly number[], mask: (x: number, y: number) => boolean): void {
  const size = square.length
  let i = 0
  for (let right = size - 1; right >= 1; right -= 2) {
    // The timing pattern is no column of codewords.
    if (right === 6) right = 5
    const up = ((right + 1) & 2) === 0
    for (let step = 0; step < size; step++) {
      const y = up ? size - 1 - step : step
      for (const x of [right, right - 1]) {
        if (square[y]![x] !== undefined) continue
        const bit = ((codewords[i >> 3] ?? 0) >> (7 - (i & 7))) & 1
        i++
        square[y]![x] = (bit === 1) !== mask(x, y)
      }
    }
  }
}

function penalty(square: readonly (readonly boolean[])[]): number {
  const size = square.length
  const columns = square.map((_, x) => square.map(row => row[x]!))
  let sum = 0
  for (const line of [...square, ...columns]) {
    let run = 0
    for (let i = 0; i < size; i++) {
      run = i > 0 && line[i] === line[i - 1] ? run + 1 : 1
      if (run === 5) sum += 3
      else if (run > 5) sum += 1
    }
    const text = line.map(dark => (dark ? '1' : '0')).join('')
    sum += 40 * [...text.matchAll(/(?=10111010000|00001011101)/g)].length
  }
  for (let y = 1; y < size; y++) {
    for (let x = 1; x < size; x++) {
      const dark = square[y]![x]
      if (dark === square[y]![x - 1] && dark === square[y - 1]![x] && dark === square[y - 1]![x - 1]) sum += 3
    }
  }
  const dark = square.flat().filter(Boolean).length
  return sum + 10 * Math.floor(Math.abs((20 * dark) / size ** 2 - 10))
}
