// The regular files of a tar archive (POSIX ustar), streamed. Links, devices and sparse files are passed over; nothing is written to
// disk, so names cannot lead anywhere.
import { TouchmarkError } from '../../core/errors.ts'

export interface TarFile {
  readonly name: string
  readonly bytes: Uint8Array
}

const BLOCK = 512
/** Octets in one file: a CSR is far smaller. */
const MAX_FILE = 64 * 1024

/** Throws `factory.archive_invalid` on a broken header or end, `factory.archive_file_too_large`. */
export async function* readTar(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarFile, void, undefined> {
  let buffer: Uint8Array = new Uint8Array(0)
  const source = chunks[Symbol.asyncIterator]()
  const take = async (count: number): Promise<Uint8Array | undefined> => {
    while (buffer.length < count) {
      const next = await source.next()
      if (next.done) return undefined
      const joined = new Uint8Array(buffer.length + next.value.length)
      joined.set(buffer)
      joined.set(next.value, buffer.length)
      buffer = joined
    }
    const taken = buffer.slice(0, count)
    buffer = buffer.subarray(count)
    return taken
  }
  for (;;) {
    const header = await take(BLOCK)
    if (!header || header.every(octet => octet === 0)) return
    const size = octal(header, 124, 12)
    if (checksum(header) !== octal(header, 148, 8)) throw invalid('A header of the archive is damaged.')
    if (size > MAX_FILE) {
      throw new TouchmarkError(
        'factory.archive_file_too_large',
        'malformed',
        `${text(header, 0, 100)} is too large for a CSR.`,
        { next: 'Put CSRs and public keys into the archive, one a file, and nothing else.' },
      )
    }
    const padded = await take(Math.ceil(size / BLOCK) * BLOCK)
    if (!padded) throw invalid('The archive is cut off.')
    const type = header[156]
    if (type === 0x30 || type === 0) yield { name: text(header, 0, 100), bytes: padded.slice(0, size) }
  }
}

function text(header: Uint8Array, at: number, length: number): string {
  const field = header.subarray(at, at + length)
  const end = field.indexOf(0)
  return new TextDecoder('utf-8').decode(end < 0 ? field : field.subarray(0, end))
}

function octal(header: Uint8Array, at: number, length: number): number {
  const digits = text(header, at, length).trim()
  if (!/^[0-7]+$/.test(digits)) throw invalid('A number in the archive is not octal.')
  return Number.parseInt(digits, 8)
}

/** Sum of the header's octets with the checksum field taken as blanks. */
function checksum(header: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i]!
  return sum
}

function invalid(message: string): TouchmarkError {
  return new TouchmarkError('factory.archive_invalid', 'malformed', message, {
    next: 'Make the archive again. What was read before that place is done; the same command goes on from there.',
  })
}
