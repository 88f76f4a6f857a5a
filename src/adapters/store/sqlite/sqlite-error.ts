// What SQLite reports, as errors of the store. Whatever is not listed is a mistake of ours or a damaged file.
import { TouchmarkError } from '../../../core/errors.ts'

const ERROR = 1
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const TOOBIG = 18
const CONSTRAINT = 19
const MISMATCH = 20
const RANGE = 25
const NOTADB = 26

/** The primary result code, or `undefined` where the error is not SQLite's. */
export function sqliteCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === BUSY || code === LOCKED
}

export function isInputOutput(error: unknown): boolean {
  return sqliteCode(error) === IOERR
}

/** The statement alone is at fault: another change set of the same group would fare better. */
export function isOfStatement(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === undefined || [ERROR, TOOBIG, CONSTRAINT, MISMATCH, RANGE].includes(code)
}

export function storeErrorOf(error: unknown): TouchmarkError {
  if (error instanceof TouchmarkError) return error
  const detail = (next: string) => ({ next, cause: error })
  switch (sqliteCode(error) ?? fileErrorCode(error)) {
    case FULL:
      return new TouchmarkError(
        'store.full',
        'unavailable',
        'The store has no room: the disk or the limit of the database is full.',
        detail('Make room on the disk of the data folder; nothing that was answered is lost.'),
      )
    case BUSY:
    case LOCKED:
      return new TouchmarkError(
        'store.unavailable',
        'unavailable',
        'Another process keeps the database locked.',
        detail('Find the process that holds a transaction open on the data folder.'),
      )
    case READONLY:
    case IOERR:
    case CANTOPEN:
      return new TouchmarkError(
        'store.unavailable',
        'unavailable',
        'The database cannot be written.',
        detail('Check the disk, and who owns the data folder.'),
      )
    case CORRUPT:
    case NOTADB:
      return new TouchmarkError(
        'store.corrupt',
        'internal',
        'The file is no database or is damaged.',
        detail('Stop the server, and restore a backup.'),
      )
    default:
      return new TouchmarkError('store.failed', 'internal', 'The database refused a statement.', { cause: error })
  }
}

/** What SQLite would have said, had it met this error of the file system. */
function fileErrorCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined
  return error.code === 'ENOSPC' || error.code === 'EDQUOT' ? FULL : CANTOPEN
}
