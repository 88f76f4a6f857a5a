// Files of others that a command reads as PEM or DER: certificates, CRLs, OCSP responses. Whatever they hold is a stranger's.
import { readFile } from 'node:fs/promises'
import { parsePem } from '../core/asn1/pem.ts'
import { asTouchmarkError, TouchmarkError } from '../core/errors.ts'

/** A certificate file, or a trust store of a whole operating system; a CRL of a large CA. */
const MAX_FILE = 256 * 1024 * 1024

/** The octets of a file; `-` is standard input. Throws `file.unreadable`, `file.too_large`. */
export async function readBytes(path: string, what: string): Promise<Uint8Array> {
  let bytes: Uint8Array
  try {
    bytes = path === '-' ? await readStandardInput() : await readFile(path)
  } catch (cause) {
    throw new TouchmarkError('file.unreadable', 'not_found', `${path} cannot be read.`, {
      cause,
      next: 'Name a file that this user may read, or - for standard input.',
      evidence: { reason: (cause as NodeJS.ErrnoException).code ?? 'unknown' },
    })
  }
  if (bytes.length > MAX_FILE)
    throw new TouchmarkError('file.too_large', 'malformed', `${path} is too large to be ${what}.`)
  return new Uint8Array(bytes)
}

/** All DER objects in a file: the one, or every PEM block with one of these labels. Throws `file.empty`, and as `readBytes`. */
export async function readDerFile(path: string, what: string, labels: readonly string[]): Promise<Uint8Array[]> {
  const bytes = await readBytes(path, `a ${what}`)
  if (bytes[0] === 0x30) return [bytes]
  const ders = parsePem(new TextDecoder().decode(bytes)).flatMap(block =>
    labels.includes(block.label) ? [block.der] : [],
  )
  if (ders.length > 0) return ders
  throw new TouchmarkError('file.empty', 'malformed', `${path} holds no ${what}.`, {
    next: `A file of this kind is DER, or PEM with BEGIN ${labels[0]}.`,
  })
}

/** As `readDerFile`, each object read by `parse`. Throws `file.malformed` with what is wrong. */
export async function readPkiFile<T>(
  path: string,
  what: string,
  labels: readonly string[],
  parse: (der: Uint8Array) => T,
): Promise<T[]> {
  const ders = await readDerFile(path, what, labels)
  return ders.map(der => {
    try {
      return parse(der)
    } catch (cause) {
      const { code, message } = asTouchmarkError(cause)
      throw new TouchmarkError(
        'file.malformed',
        'malformed',
        `${path} holds no ${what} that can be read: ${message}.`,
        {
          cause,
          evidence: { reason: code },
        },
      )
    }
  })
}

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    length += (chunk as Buffer).length
    if (length > MAX_FILE) break
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}
