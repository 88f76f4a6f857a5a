// CRLs for those who do not fetch them here: put into a folder that a web server or CDN serves, or handed to a command that carries them on.
// Under the path that certificates name, whole or not at all, and again and again until it succeeds.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { TouchmarkError } from '../core/errors.ts'
import type { PublicationHead, StoreReader } from '../domain/ports.ts'
import { publicationBody } from '../domain/publication-body.ts'
import { crlPublicationName, deltaPublicationName } from '../domain/revocation/crl-series.ts'

/** `command` gets two more arguments: a file with the octets, and the path under which they are to be had. */
export type CrlOutlet =
  | { readonly folder: string }
  | { readonly command: readonly [string, ...string[]]; readonly timeoutSeconds: number }

/** Octets of what a failing command said that are kept for the log. */
const MAX_SAID = 2000

export class CrlOutlets {
  readonly #outlets: readonly CrlOutlet[]
  readonly #read: StoreReader
  /** Numbers that each outlet took in this run of the process; at a start, everything goes out once more. */
  readonly #taken: readonly Map<string, number>[]

  constructor(outlets: readonly CrlOutlet[], read: StoreReader) {
    this.#outlets = outlets
    this.#read = read
    this.#taken = outlets.map(() => new Map())
  }

  get areNone(): boolean {
    return this.#outlets.length === 0
  }

  /** Carries out what is newer than what each outlet has. Tries everything; throws `crl.outlet_failed` with the first failure then. */
  async carryOut(signal: AbortSignal): Promise<number> {
    let carried = 0
    let failure: unknown
    for (const { id, crlShards } of await this.#read.authorities()) {
      for (let shard = 0; shard < crlShards; shard++) {
        for (const [name, file] of [
          [crlPublicationName(id, shard), `${shard}.crl`],
          [deltaPublicationName(id, shard), `${shard}-delta.crl`],
        ] as const) {
          const head = await this.#read.publicationHead(name)
          if (head === undefined) continue
          for (const [i, outlet] of this.#outlets.entries()) {
            const taken = this.#taken[i]!
            if (signal.aborted) return carried
            if (taken.get(name) === head.number) continue
            try {
              await this.#put(outlet, head, `crl/${id}/${file}`, signal)
              carried++
              // Where another process put an older one over a newer one, one of the two finds it here and does it again.
              const now = await this.#read.publicationHead(name)
              if (now?.number === head.number) taken.set(name, head.number)
            } catch (thrown) {
              failure ??= outletFailed(outlet, name, thrown)
            }
          }
        }
      }
    }
    if (failure !== undefined) throw failure
    return carried
  }

  async #put(outlet: CrlOutlet, head: PublicationHead, path: string, signal: AbortSignal): Promise<void> {
    if ('folder' in outlet) return this.#intoFolder(join(outlet.folder, path), head)
    const folder = await mkdtemp(join(tmpdir(), 'touchmark-crl-'))
    try {
      const file = join(folder, basename(path))
      await writeDurably(file, publicationBody(head, this.#read))
      await runCommand(outlet.command, [file, path], outlet.timeoutSeconds, signal)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Whoever reads the folder sees the old list or the new one, also after a power cut. */
  async #intoFolder(target: string, head: PublicationHead): Promise<void> {
    const folder = dirname(target)
    await mkdir(folder, { recursive: true })
    const temporary = join(folder, `.${basename(target)}.${process.pid}`)
    try {
      await writeDurably(temporary, publicationBody(head, this.#read))
      await rename(temporary, target)
    } catch (thrown) {
      await rm(temporary, { force: true })
      throw thrown
    }
    const entry = await open(folder, 'r')
    try {
      await entry.sync()
    } finally {
      await entry.close()
    }
  }
}

async function writeDurably(path: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'w', 0o644)
  try {
    for await (const part of body) await file.writeFile(part)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** No shell, no secrets in the environment, an end after so many seconds. */
async function runCommand(
  [program, ...given]: readonly [string, ...string[]],
  added: readonly string[],
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn(program, [...given, ...added], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds * 1000)]),
    killSignal: 'SIGKILL',
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < MAX_SAID) said += text.slice(0, MAX_SAID - said.length)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`The command ended with ${code ?? 'a signal'}. ${said.trim()}`)
}

function outletFailed(outlet: CrlOutlet, name: string, cause: unknown): TouchmarkError {
  const to = 'folder' in outlet ? outlet.folder : outlet.command[0]
  return new TouchmarkError('crl.outlet_failed', 'unavailable', 'A CRL could not be carried to one of its outlets.', {
    next: 'Correct what the cause says; it is tried again by itself.',
    evidence: { publication: name, outlet: to },
    cause,
  })
}
