// Small secret files, written so that a crash leaves the old one or the new one and never a part of either: temporary file,
// fsync, rename (or link, where nothing may be replaced), fsync of the folder. Files are 0600, folders 0700.
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TouchmarkError } from '../../core/errors.ts'
import { systemRandom } from '../../crypto/random.ts'

const TEMPORARY = '.new-'
const SHRED = '.shred-'
/** A temporary file as old as this belongs to a process that is gone. */
const ABANDONED_MS = 10 * 60 * 1000
/** An ML-DSA-87 key in its expanded form with a full history has a quarter of this. */
const MAX_OCTETS = 1024 * 1024

/** Makes the folder (0700), and its entry in the parent durable. */
export async function makePrivateFolder(folder: string): Promise<void> {
  if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(dirname(folder))
}

/** The file's text, or `undefined` where there is none. Follows no symbolic link; throws `keystore.file_damaged` beyond 1 MiB. */
export async function readSmallFile(path: string): Promise<string | undefined> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw ioFailed(path, error)
  }
  try {
    if ((await file.stat()).size > MAX_OCTETS) {
      throw new TouchmarkError('keystore.file_damaged', 'unavailable', 'A file of the key store is far too large.', {
        next: 'It is none of ours: restore the folder keys from a backup.',
        evidence: { path },
      })
    }
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** Writes a file that must not exist yet. Returns false, having changed nothing, where it does. */
export async function createFile(path: string, text: string): Promise<boolean> {
  const temporary = await writeTemporary(path, text)
  try {
    await link(temporary, path)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw ioFailed(path, error)
  } finally {
    await unlink(temporary)
  }
  await syncFolder(dirname(path))
  return true
}

/** Puts the file in the place of what stands there. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = await writeTemporary(path, text)
  try {
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary)
    throw ioFailed(path, error)
  }
  await syncFolder(dirname(path))
}

/**
 * As `replaceFile`, and the old content is overwritten on the disk (best effort: a file system that copies on write, or a
 * backup, may keep it). Where a crash comes in between, `finishShredding` does the rest.
 */
export async function replaceAndShred(path: string, text: string): Promise<void> {
  const doomed = join(dirname(path), `${SHRED}${randomUUID()}`)
  try {
    await link(path, doomed)
  } catch (error) {
    throw ioFailed(path, error)
  }
  await replaceFile(path, text)
  await shred(doomed)
}

/** Whether a crash left something for `finishShredding`. */
export async function hasLeftovers(folder: string): Promise<boolean> {
  return (await readdir(folder)).some(isLeftover)
}

/**
 * Ends what a crash interrupted: overwrites what was to be overwritten, removes temporary files that nobody will rename.
 * Only under the folder's lock: a shredding that is under way looks like one that was interrupted.
 */
export async function finishShredding(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter(isLeftover)) {
    const path = join(folder, name)
    try {
      if (name.startsWith(SHRED)) await finishOne(path)
      else if (Date.now() - (await stat(path)).mtimeMs > ABANDONED_MS) await unlink(path)
    } catch (error) {
      // Somebody's temporary file got its name, or was taken away, while we looked.
      if (codeOf(error) !== 'ENOENT') throw ioFailed(path, error)
    }
  }
}

function isLeftover(name: string): boolean {
  return name.startsWith(SHRED) || name.startsWith(TEMPORARY)
}

/** A name that still has its twin was linked and never replaced: the crash came first, and the key is still wanted. */
async function finishOne(path: string): Promise<void> {
  const { nlink } = await stat(path)
  if (nlink > 1) await unlink(path)
  else await shred(path)
}

async function shred(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const { size } = await file.stat()
    await file.write(systemRandom.bytes(size), 0, size, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await unlink(path)
  await syncFolder(dirname(path))
}

async function writeTemporary(path: string, text: string): Promise<string> {
  const temporary = join(dirname(path), `${TEMPORARY}${randomUUID()}`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text, 'utf8')
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw ioFailed(path, error)
  }
  return temporary
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

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

export function ioFailed(path: string, cause: unknown): TouchmarkError {
  return new TouchmarkError('keystore.io_failed', 'unavailable', 'The key store cannot be read or written.', {
    cause,
    next: 'See whether the disk is full, and whether the folder belongs to the user that runs Touchmark.',
    evidence: { path, reason: codeOf(cause) ?? 'unknown' },
  })
}
