// A lock on a folder for the few operations that read a file and write it back. Processes on one machine share it; it
// lasts milliseconds. A lock whose process is gone is taken over.
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { TouchmarkError } from '../../core/errors.ts'
import { codeOf, ioFailed } from './durable-file.ts'

const PATIENCE_MS = 10_000
const POLL_MS = 20
let attempts = 0

/** Runs `body` while nobody else holds the folder's lock. Throws `keystore.locked` after ten seconds. */
export async function withFolderLock<T>(folder: string, body: () => Promise<T>): Promise<T> {
  const path = join(folder, '.lock')
  const claim = join(folder, `.lock-${process.pid}-${attempts++}`)
  try {
    await writeFile(claim, `${process.pid}`, { mode: 0o600 })
    await take(path, claim)
  } catch (error) {
    throw error instanceof TouchmarkError ? error : ioFailed(path, error)
  } finally {
    await unlink(claim).catch(() => {})
  }
  try {
    return await body()
  } finally {
    await unlink(path)
  }
}

/** `link` is the one call that creates a name with its content in a single step, and fails where the name exists. */
async function take(path: string, claim: string): Promise<void> {
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await link(claim, path)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const holder = await holderOf(path)
    if (holder !== undefined && !isAlive(holder)) await removeStale(path, claim, holder)
    else if (performance.now() > until) throw locked(path, holder)
    else await delay(POLL_MS)
  }
}

/** Moves the dead lock aside and looks again at what was moved: another process may have been quicker. */
async function removeStale(path: string, claim: string, holder: number): Promise<void> {
  const aside = `${claim}-stale`
  try {
    await rename(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  if ((await holderOf(aside)) !== holder) await link(aside, path).catch(() => {})
  await unlink(aside)
}

async function holderOf(path: string): Promise<number | undefined> {
  try {
    const pid = Number(await readFile(path, 'utf8'))
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) !== 'ESRCH'
  }
}

function locked(path: string, holder: number | undefined): TouchmarkError {
  return new TouchmarkError('keystore.locked', 'unavailable', 'Another process is changing the key store.', {
    next: `Try again; if no other process is at work, remove ${path}.`,
    evidence: { holder: holder ?? 0 },
  })
}
