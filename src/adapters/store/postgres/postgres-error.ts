// What PostgreSQL and its driver report, as errors of the store.
import { TouchmarkError } from '../../../core/errors.ts'

/** SQLSTATE, or the code of a socket error (`ECONNREFUSED`), or `undefined`. */
export function postgresCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

const SQLSTATE = /^[0-9A-Z]{5}$/

/** Trying the whole transaction again may do: serialization failure, deadlock. */
export function isTransient(error: unknown): boolean {
  const code = postgresCode(error)
  return code === '40001' || code === '40P01'
}

/** The statement alone is at fault (data exception, constraint, size): another change set of the group would fare better. */
export function isOfStatement(error: unknown): boolean {
  const code = postgresCode(error) ?? ''
  return SQLSTATE.test(code) && (/^(?:22|23|42|54)/.test(code) || code === '25P02')
}

/** The connection is gone, or the server goes: what it had in hand may or may not be durable. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof TouchmarkError || error instanceof TypeError) return false
  const code = postgresCode(error)
  return code === undefined || !SQLSTATE.test(code) || /^(?:08|57P)/.test(code)
}

export function storeErrorOf(error: unknown): TouchmarkError {
  if (error instanceof TouchmarkError) return error
  const code = postgresCode(error) ?? ''
  if (code === '53100') {
    return new TouchmarkError('store.full', 'unavailable', 'The disk of the database server is full.', {
      next: 'Make room on the disk of the database server; nothing that was answered is lost.',
      cause: error,
    })
  }
  if (code === '3D000') {
    return new TouchmarkError('store.missing', 'not_found', 'The database server has no such database.', {
      next: 'Create an empty database with `createdb`, then run `touchmark init`.',
      cause: error,
    })
  }
  if (code.startsWith('28')) {
    return new TouchmarkError('store.unavailable', 'unavailable', 'The database server does not admit this user.', {
      next: 'Check user, password and database of the URL.',
      cause: error,
    })
  }
  if (isConnectionLost(error) || isTransient(error) || /^(?:53|55)/.test(code)) {
    return new TouchmarkError('store.unavailable', 'unavailable', 'The database server does not answer.', {
      next: 'Check that it runs and can be reached under the URL.',
      cause: error,
    })
  }
  return new TouchmarkError('store.failed', 'internal', 'The database refused a statement.', { cause: error })
}
