// What PostgreSQL and its driver report, as errors of the store.
import pg from 'pg'
import { TouchmarkError } from '../../../core/errors.ts'

/** The code of an error that the server reported; `undefined` for those of the socket and of the driver. */
function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
}

/** Trying the whole transaction again may do: serialization failure, deadlock. */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

/** The statement alone is at fault (data exception, constraint, size): another change set of the group would fare better. */
export function isOfStatement(error: unknown): boolean {
  return /^(?:22|23|42|54|25P02)/.test(sqlState(error) ?? '')
}

/** The connection is gone, or the server goes: what it had in hand may or may not be durable. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof TouchmarkError || error instanceof TypeError) return false
  return /^(?:08|57P)/.test(sqlState(error) ?? '08')
}

export function storeErrorOf(error: unknown): TouchmarkError {
  if (error instanceof TouchmarkError) return error
  const state = sqlState(error) ?? ''
  if (state === '53100') {
    return new TouchmarkError('store.full', 'unavailable', 'The disk of the database server is full.', {
      next: 'Make room on the disk of the database server; nothing that was answered is lost.',
      cause: error,
    })
  }
  if (state === '3D000') {
    return new TouchmarkError('store.missing', 'not_found', 'The database server has no such database.', {
      next: 'Create an empty database with `createdb`, then run `touchmark init`.',
      cause: error,
    })
  }
  if (state.startsWith('28')) {
    return new TouchmarkError('store.unavailable', 'unavailable', 'The database server does not admit this user.', {
      next: 'Check user, password and database of the URL.',
      cause: error,
    })
  }
  if (isConnectionLost(error) || isTransient(error) || /^(?:53|55|57)/.test(state)) {
    return new TouchmarkError('store.unavailable', 'unavailable', 'The database server does not answer.', {
      next: 'Check that it runs and can be reached under the URL.',
      cause: error,
    })
  }
  return new TouchmarkError('store.failed', 'internal', 'The database refused a statement.', { cause: error })
}
