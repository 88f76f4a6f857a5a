// Where the passphrase comes from: a file, the file that TOUCHMARK_PASSPHRASE_FILE names, or the terminal, without echo.
// Never an argument and never the variable itself: both can be read by others on the machine.
import { type FileHandle, open } from 'node:fs/promises'
import { type Bytes, concat, copyBytes, EMPTY } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { equalSecrets } from '../../crypto/constant-time.ts'
import { wipe } from '../../crypto/keys.ts'
import { codeOf } from './durable-file.ts'

export const PASSPHRASE_VARIABLE = 'TOUCHMARK_PASSPHRASE_FILE'
const MAX_OCTETS = 4096

/** The part of a terminal that asking needs: `process.stdin` and `process.stderr` have it. */
export interface Terminal {
  readonly input: {
    readonly isTTY?: boolean | undefined
    setRawMode(raw: boolean): unknown
    on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
    on(event: 'end', listener: () => void): unknown
    off(event: 'data', listener: (chunk: Uint8Array) => void): unknown
    off(event: 'end', listener: () => void): unknown
    resume(): unknown
    pause(): unknown
  }
  readonly output: { write(text: string): unknown }
}

export interface PassphraseSources {
  /** From the command line; comes first. */
  readonly file?: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Asked last, and only where its input is a terminal. */
  readonly terminal?: Terminal | undefined
  /** For a new passphrase: the terminal asks twice. */
  readonly confirm?: boolean | undefined
}

/** The passphrase from the first source that there is. Throws `keystore.passphrase_missing` where there is none. */
export async function findPassphrase({ file, environment, terminal, confirm }: PassphraseSources): Promise<Bytes> {
  const path = file ?? environment[PASSPHRASE_VARIABLE]
  if (path !== undefined && path !== '') return readPassphraseFile(path)
  if (terminal?.input.isTTY) return confirm ? askNewPassphrase(terminal) : askPassphrase(terminal, 'Passphrase: ')
  throw new TouchmarkError(
    'keystore.passphrase_missing',
    'unauthenticated',
    'There is no passphrase for the key store.',
    {
      next: `Give --passphrase-file, set ${PASSPHRASE_VARIABLE}, or run in a terminal.`,
    },
  )
}

/**
 * The octets of the file without one final line end. Throws `keystore.passphrase_file_missing`, or
 * `keystore.passphrase_file_exposed` where every user of the machine may read or write it.
 */
export async function readPassphraseFile(path: string): Promise<Bytes> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (cause) {
    throw new TouchmarkError('keystore.passphrase_file_missing', 'not_found', 'The passphrase file cannot be read.', {
      cause,
      evidence: { path, reason: codeOf(cause) ?? 'unknown' },
    })
  }
  try {
    const { mode } = await file.stat()
    if (process.platform !== 'win32' && (mode & 0o006) !== 0) {
      throw new TouchmarkError(
        'keystore.passphrase_file_exposed',
        'forbidden',
        'Every user of this machine may read or write the passphrase file.',
        { next: `Run: chmod 600 ${path}`, evidence: { path, mode: (mode & 0o777).toString(8) } },
      )
    }
    const content = await readAtMost(file, MAX_OCTETS + 2)
    const passphrase = copyBytes(withoutLineEnd(content))
    wipe(content)
    if (passphrase.length > MAX_OCTETS) throw tooLong()
    if (passphrase.length === 0) throw empty()
    return passphrase
  } finally {
    await file.close()
  }
}

/** Asks on the terminal; what is typed is not shown. Throws `keystore.passphrase_aborted` on Ctrl-C, Ctrl-D or the end of input. */
export async function askPassphrase({ input, output }: Terminal, question: string): Promise<Bytes> {
  output.write(question)
  input.setRawMode(true)
  input.resume()
  try {
    return await readLine(input)
  } finally {
    input.pause()
    input.setRawMode(false)
    output.write('\n')
  }
}

/** Asks twice. Throws `keystore.passphrase_differs` where the answers are not the same. */
export async function askNewPassphrase(terminal: Terminal): Promise<Bytes> {
  const first = await askPassphrase(terminal, 'New passphrase: ')
  const second = await askPassphrase(terminal, 'The same again: ')
  const same = equalSecrets(first, second)
  wipe(second)
  if (same) return first
  wipe(first)
  throw new TouchmarkError('keystore.passphrase_differs', 'malformed', 'The two passphrases are not the same.')
}

const CTRL_C = 0x03
const CTRL_D = 0x04
const BACKSPACE = 0x08
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const CTRL_U = 0x15
const DELETE = 0x7f

function readLine(input: Terminal['input']): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    const typed = new Uint8Array(MAX_OCTETS)
    let length = 0
    const settle = (outcome: () => void) => {
      input.off('data', onData)
      input.off('end', onEnd)
      outcome()
      wipe(typed)
    }
    const onEnd = () => settle(() => reject(aborted()))
    const onData = (chunk: Uint8Array) => {
      for (const byte of chunk) {
        switch (byte) {
          case LINE_FEED:
          case CARRIAGE_RETURN: {
            const line = typed.slice(0, length)
            return settle(() => (length === 0 ? reject(empty()) : resolve(line)))
          }
          case CTRL_C:
          case CTRL_D:
            return settle(() => reject(aborted()))
          case CTRL_U:
            length = 0
            break
          case BACKSPACE:
          case DELETE:
            length = previousCharacter(typed, length)
            break
          default:
            if (length === MAX_OCTETS) return settle(() => reject(tooLong()))
            typed[length++] = byte
        }
      }
    }
    input.on('data', onData)
    input.on('end', onEnd)
  })
}

/** One step back over a whole UTF-8 character. */
function previousCharacter(typed: Uint8Array, length: number): number {
  let at = length - 1
  while (at > 0 && (typed[at]! & 0xc0) === 0x80) at--
  return Math.max(at, 0)
}

/** Reads on until the end or the limit: a pipe gives its octets in parts. */
async function readAtMost(file: FileHandle, limit: number): Promise<Bytes> {
  let content: Bytes = EMPTY
  while (content.length < limit) {
    const part = new Uint8Array(limit - content.length)
    const { bytesRead } = await file.read(part, 0, part.length, null)
    if (bytesRead === 0) break
    const longer = concat(content, part.subarray(0, bytesRead))
    wipe(part, content)
    content = longer
  }
  return content
}

function withoutLineEnd(content: Bytes): Bytes {
  if (content.at(-1) !== LINE_FEED) return content
  return content.subarray(0, content.at(-2) === CARRIAGE_RETURN ? -2 : -1)
}

function aborted(): TouchmarkError {
  return new TouchmarkError('keystore.passphrase_aborted', 'unauthenticated', 'No passphrase was given.')
}

function empty(): TouchmarkError {
  return new TouchmarkError('keystore.passphrase_empty', 'malformed', 'The passphrase is empty.')
}

function tooLong(): TouchmarkError {
  return new TouchmarkError(
    'keystore.passphrase_long',
    'malformed',
    `The passphrase has more than ${MAX_OCTETS} octets.`,
  )
}
