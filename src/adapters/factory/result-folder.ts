// Where a batch's results go: a table of all units, a manifest that sums them up, keys that the station made, and on request a PEM file a unit.
// A run that was killed is run again: everything here is written in a way that the second run completes and never contradicts.
import { createHash, createPrivateKey } from 'node:crypto'
import { chmod, type FileHandle, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toPem } from '../../core/asn1/pem.ts'
import type { Bytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import { generateKeyPair, importPkcs8 } from '../../crypto/keys.ts'
import { csvCell } from '../../domain/csv-cell.ts'
import type { UnitResult, UnitResultSink } from '../../domain/factory/run-batch.ts'

export interface ResultFolderOptions {
  /** One `certificates/<serial>.pem` a unit; without it certificates are in the table of results only. */
  readonly certificateFiles: boolean
  /** Form of the table: `results.csv` (default) or `results.ndjson`. */
  readonly format?: 'csv' | 'ndjson'
  /** Where the station makes keys: what they are delivered under (PBES2, AES-256). Without it the station makes none. */
  readonly keyPassphrase?: string
}

/** A folder that takes the results of one run. Throws `factory.output_unusable`, as its methods do where the disk takes no more. */
export async function openResultFolder(folder: string, options: ResultFolderOptions): Promise<ResultFolder> {
  return guarded(folder, async () => {
    await mkdir(options.certificateFiles ? join(folder, 'certificates') : folder, { recursive: true })
    const table = await open(join(folder, `${tableName(options)}.part`), 'w')
    const opened = new ResultFolder(folder, table, await open(join(folder, `${REJECTS}.part`), 'w'), options)
    await opened.begin()
    return opened
  })
}

const HEADER = 'line,model,serial,outcome,certificate_serial,not_after,code,message,certificate\n'
const REJECTS = 'rejects.csv'
const REJECTS_HEADER = 'line,model,serial,code,message\n'

const tableName = ({ format }: ResultFolderOptions) => `results.${format ?? 'csv'}`

export class ResultFolder implements UnitResultSink {
  readonly #folder: string
  readonly #table: FileHandle
  readonly #rejects: FileHandle
  readonly #digest = createHash('sha256')
  readonly #options: ResultFolderOptions
  #keysMade = false

  /** See `UnitResultSink`; absent where the station makes no keys. */
  readonly stationKey?: (model: string, serialNumber: string, algorithm: KeyAlgorithmName) => Promise<Bytes>

  constructor(folder: string, table: FileHandle, rejects: FileHandle, options: ResultFolderOptions) {
    this.#folder = folder
    this.#table = table
    this.#rejects = rejects
    this.#options = options
    const { keyPassphrase } = options
    if (keyPassphrase !== undefined) {
      this.stationKey = (model, serialNumber, algorithm) =>
        guarded(folder, () => this.#stationKey(model, serialNumber, algorithm, keyPassphrase))
    }
  }

  /** The first line of the table. */
  async begin(): Promise<void> {
    if (this.#options.format !== 'ndjson') await this.#append(HEADER)
    await this.#rejects.appendFile(REJECTS_HEADER)
  }

  /** Takes the results of units whose change is durable; resolves when the disk has them. One call at a time. */
  async write(results: readonly UnitResult[]): Promise<void> {
    await guarded(this.#folder, async () => {
      await this.#append(results.map(this.#options.format === 'ndjson' ? lineOf : rowOf).join(''))
      const rejects = results.map(rejectOf).join('')
      if (rejects !== '') await this.#rejects.appendFile(rejects)
      if (this.#options.certificateFiles) await Promise.all(results.map(result => this.#certificateFile(result)))
    })
  }

  /**
   * The key that the station holds for a unit: made once, written encrypted and synced before anything is issued for it, found again when
   * the run is repeated.
   */
  async #stationKey(
    model: string,
    serialNumber: string,
    algorithm: KeyAlgorithmName,
    passphrase: string,
  ): Promise<Bytes> {
    const folder = join(this.#folder, 'keys')
    if (!this.#keysMade) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await chmod(folder, 0o700)
      this.#keysMade = true
    }
    const path = join(folder, `${fileName(model, serialNumber)}.key.pem`)
    const known = await readFile(path, 'utf8').catch(() => undefined)
    if (known !== undefined) return openedKey(known, passphrase, path)
    const key = await generateKeyPair(algorithm)
    const file = await open(`${path}.part`, 'w', 0o600)
    try {
      await file.writeFile(key.keyObject.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.part`, path)
    return key.publicKey
  }

  /** Closes the table, puts it in place and returns its SHA-256, for the manifest. */
  async finish(): Promise<string> {
    return guarded(this.#folder, async () => {
      await this.#table.sync()
      await this.#table.close()
      await this.#rejects.sync()
      await this.#rejects.close()
      for (const name of [tableName(this.#options), REJECTS]) {
        await rename(join(this.#folder, `${name}.part`), join(this.#folder, name))
      }
      return this.#digest.digest('hex')
    })
  }

  /** A whole file, replaced at once. */
  async file(name: string, content: string | Uint8Array): Promise<void> {
    const path = join(this.#folder, name)
    await guarded(this.#folder, async () => {
      await writeFile(`${path}.part`, content)
      await rename(`${path}.part`, path)
    })
  }

  /** Closes what `finish` did not. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#table.close()
    await this.#rejects.close()
  }

  async #append(text: string): Promise<void> {
    this.#digest.update(text)
    await this.#table.appendFile(text)
  }

  async #certificateFile(result: UnitResult): Promise<void> {
    if (result.outcome === 'rejected') return
    const name = fileName(result.model, result.serialNumber)
    await writeFile(join(this.#folder, 'certificates', `${name}.pem`), toPem('CERTIFICATE', result.certificate))
  }
}

/** The public half of a key that an earlier run delivered. */
async function openedKey(pem: string, passphrase: string, path: string): Promise<Bytes> {
  let pkcs8: Uint8Array
  try {
    pkcs8 = new Uint8Array(createPrivateKey({ key: pem, passphrase }).export({ type: 'pkcs8', format: 'der' }))
  } catch (cause) {
    throw new TouchmarkError('factory.key_unreadable', 'conflict', `${path} does not open with this passphrase.`, {
      cause,
      next: 'Give the passphrase of the run that made the key.',
    })
  }
  return importPkcs8(pkcs8).publicKey
}

async function guarded<T>(folder: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (cause) {
    if (cause instanceof TouchmarkError) throw cause
    const full = FULL.has((cause as NodeJS.ErrnoException).code ?? '')
    throw new TouchmarkError(
      'factory.output_unusable',
      'unavailable',
      full ? `The folder ${folder} takes no more: its disk is full.` : `The folder ${folder} cannot be written.`,
      {
        cause,
        next: full
          ? 'Make room and run the same command again: it goes on where it stopped.'
          : 'Name a folder that this user may write, on a disk with room.',
      },
    )
  }
}

/** No space, over a quota, over a limit on file sizes. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/**
 * A serial number as a file name: what file systems dislike becomes `%xx`; the model stands before it where there is one, with a `+` between,
 * which neither has. A name that no file system takes is cut and made unique by its digest.
 */
export function fileName(model: string, serialNumber: string): string {
  const safe = (text: string) =>
    text.replace(/[^A-Za-z0-9._-]|^\./gu, character => `%${toHex(new TextEncoder().encode(character))}`)
  const name = model === DEFAULT_MODEL ? safe(serialNumber) : `${safe(model)}+${safe(serialNumber)}`
  if (name.length <= MAX_NAME) return name
  return `${name.slice(0, MAX_NAME - 33)}+${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
}

/** Octets of a name, which is ASCII: 255 less the longest ending that is put behind it. */
const MAX_NAME = 240

/** The model of units that name none. */
export const DEFAULT_MODEL = 'generic'

function rowOf(result: UnitResult): string {
  const cells =
    result.outcome === 'rejected'
      ? [result.line, result.model, result.serialNumber, 'rejected', '', '', result.code, result.message, '']
      : [
          result.line,
          result.model,
          result.serialNumber,
          result.outcome,
          result.certificateSerial,
          new Date(result.notAfter * 1000).toISOString(),
          '',
          '',
          Buffer.from(result.certificate).toString('base64'),
        ]
  return `${cells.map(quoted).join(',')}\n`
}

function lineOf(result: UnitResult): string {
  const value =
    result.outcome === 'rejected'
      ? result
      : {
          ...result,
          notAfter: new Date(result.notAfter * 1000).toISOString(),
          certificate: Buffer.from(result.certificate).toString('base64'),
        }
  return `${JSON.stringify(value)}\n`
}

function rejectOf(result: UnitResult): string {
  if (result.outcome !== 'rejected') return ''
  const { line, model, serialNumber, code, message } = result
  // People open it in a spreadsheet; the results are for programs, and each text stands there as it came.
  return `${[line, model, serialNumber, code, message].map(cell => csvCell(String(cell))).join(',')}\n`
}

function quoted(cell: string | number): string {
  const text = String(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
