// The files of an agent in a folder of its own: 0600 in 0700, replaced by rename after fsync, overwritten before they are removed (best
// effort: a file system that copies on write, or flash that levels its wear, may keep what was there).
import { randomUUID } from 'node:crypto'
import { constants, readFileSync } from 'node:fs'
import { link, mkdir, open, readdir, readFile, readlink, rename, rmdir, symlink, unlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Bytes, copyBytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import { systemRandom } from '../crypto/random.ts'
import type { AgentStorage } from './storage.ts'

const TEMPORARY = '.new-'
const LOCK = '.lock'
/** A key in its largest form with a chain of ML-DSA certificates has a tenth of this. */
const MAX_OCTETS = 1024 * 1024
const PATIENCE_MS = 30_000
const POLL_MS = 25

/** The storage of the folder, which is made at the first write. */
export function fileStorage(folder: string): AgentStorage {
  return new FileStorage(resolve(folder))
}

class FileStorage implements AgentStorage {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  pathOf(name: string): string {
    return join(this.#folder, name)
  }

  async read(name: string): Promise<Bytes | undefined> {
    const path = this.pathOf(name)
    try {
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      try {
        if ((await file.stat()).size > MAX_OCTETS) throw failed(path, 'EFBIG')
        return copyBytes(await file.readFile())
      } finally {
        await file.close()
      }
    } catch (thrown) {
      if (codeOf(thrown) === 'ENOENT') return undefined
      throw asFailed(path, thrown)
    }
  }

  write(name: string, content: Uint8Array): Promise<void> {
    return this.#replace(name, async temporary => {
      const file = await open(temporary, 'wx', 0o600)
      try {
        await file.writeFile(content)
        await file.sync()
      } finally {
        await file.close()
      }
    })
  }

  async link(name: string, target: string | undefined): Promise<void> {
    if (target !== undefined) return this.#replace(name, temporary => symlink(target, temporary))
    const path = this.pathOf(name)
    try {
      await unlink(path)
      await syncFolder(dirname(path))
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOENT') throw asFailed(path, thrown)
    }
  }

  async readLink(name: string): Promise<string | undefined> {
    try {
      return await readlink(this.pathOf(name))
    } catch (thrown) {
      if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'EINVAL') return undefined
      throw asFailed(this.pathOf(name), thrown)
    }
  }

  async destroy(name: string): Promise<void> {
    const path = this.pathOf(name)
    try {
      await overwrite(path)
      await unlink(path)
      await syncFolder(dirname(path))
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOENT') throw asFailed(path, thrown)
    }
    // A folder goes with its last file; one that is not empty stays.
    for (let folder = dirname(name); folder !== '.'; folder = dirname(folder)) {
      await rmdir(this.pathOf(folder)).catch(() => undefined)
    }
  }

  async list(): Promise<string[]> {
    try {
      const entries = await walk(this.#folder)
      return entries.filter(({ isFile, name }) => isFile && !basename(name).startsWith('.')).map(({ name }) => name)
    } catch (thrown) {
      if (codeOf(thrown) === 'ENOENT') return []
      throw asFailed(this.#folder, thrown)
    }
  }

  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const path = this.pathOf(LOCK)
    const claim = this.pathOf(`${LOCK}-${randomUUID()}`)
    try {
      await makeFolder(this.#folder)
      const file = await open(claim, 'wx', 0o600)
      try {
        await file.writeFile(THIS_PROCESS)
      } finally {
        await file.close()
      }
      await take(path, claim)
    } catch (thrown) {
      throw asFailed(path, thrown)
    } finally {
      await unlink(claim).catch(() => undefined)
    }
    try {
      await this.#removeLeftovers()
      return await work()
    } finally {
      await unlink(path)
    }
  }

  async #replace(name: string, make: (temporary: string) => Promise<void>): Promise<void> {
    const path = this.pathOf(name)
    const folder = dirname(path)
    const temporary = join(folder, `${TEMPORARY}${randomUUID()}`)
    try {
      await makeFolder(folder)
      try {
        await make(temporary)
        await rename(temporary, path)
      } catch (thrown) {
        await unlink(temporary).catch(() => undefined)
        throw thrown
      }
      await syncFolder(folder)
    } catch (thrown) {
      throw asFailed(path, thrown)
    }
  }

  /** What a crash left between writing and renaming may hold a key. Only under the lock: nobody else's file is under way. */
  async #removeLeftovers(): Promise<void> {
    for (const { name, isFile } of await walk(this.#folder)) {
      if (!basename(name).startsWith(TEMPORARY)) continue
      const path = this.pathOf(name)
      if (isFile) await overwrite(path)
      await unlink(path)
    }
  }
}

/** Everything in the folder and below it, folders left out. Links are named, not followed. */
async function walk(folder: string, below = ''): Promise<{ name: string; isFile: boolean }[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true })
  const found = entries.map(entry => {
    const name = join(below, entry.name)
    return entry.isDirectory() ? walk(folder, name) : [{ name, isFile: entry.isFile() }]
  })
  return (await Promise.all(found)).flat()
}

async function overwrite(path: string): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    const { size } = await file.stat()
    await file.write(systemRandom.bytes(size), 0, size, 0)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function makeFolder(folder: string): Promise<void> {
  if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(dirname(folder))
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** `link` is the one call that creates a name with its content in a single step, and fails where the name exists. */
async function take(path: string, claim: string): Promise<void> {
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await link(claim, path)
    } catch (thrown) {
      if (codeOf(thrown) !== 'EEXIST') throw thrown
    }
    const holder = await readFile(path, 'utf8').catch(() => undefined)
    if (holder === undefined) continue
    if (!isRunning(holder)) await removeStale(path, claim, holder)
    else if (performance.now() > until) throw busy(path)
    else await delay(POLL_MS)
  }
}

/** Moves the dead lock aside and looks again at what was moved: another process may have been quicker. */
async function removeStale(path: string, claim: string, holder: string): Promise<void> {
  const aside = `${claim}-stale`
  try {
    await rename(path, aside)
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return
    throw thrown
  }
  if ((await readFile(aside, 'utf8')) !== holder) await link(aside, path).catch(() => undefined)
  await unlink(aside)
}

/** Number and start of a process: after a reboot, or in a container, the number alone soon belongs to another. */
const THIS_PROCESS = processName(process.pid)

function processName(pid: number): string {
  return `${pid} ${startOf(pid) ?? 'unknown'}`
}

function isRunning(name: string): boolean {
  const pid = Number(name.split(' ')[0])
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (thrown) {
    if (codeOf(thrown) === 'ESRCH') return false
  }
  return name.endsWith('unknown') || name === processName(pid)
}

/** Field 22 of /proc/PID/stat: ticks since the machine was started. Elsewhere unknown. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}

function asFailed(path: string, thrown: unknown): unknown {
  return thrown instanceof TouchmarkError ? thrown : failed(path, codeOf(thrown) ?? 'unknown', thrown)
}

function failed(path: string, reason: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError('agent.storage_failed', 'unavailable', "The agent's files cannot be read or written.", {
    ...(cause === undefined ? {} : { cause }),
    next: 'See whether the disk is full, and whether the folder belongs to the user that runs the agent.',
    evidence: { path, reason },
  })
}

function busy(path: string): TouchmarkError {
  return new TouchmarkError('agent.busy', 'unavailable', 'Another agent is at work in the same folder.', {
    next: `Let it finish; if no other agent runs on this machine, remove ${path}.`,
    evidence: { path },
  })
}
