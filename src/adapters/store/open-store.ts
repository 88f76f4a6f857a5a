// The one door to the store. Making a database is an act of its own; opening one that is not there is an error, never a new one.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TouchmarkError } from '../../core/errors.ts'
import type { Store } from '../../domain/ports.ts'
import { createSqliteStore, openSqliteStore } from './sqlite/open.ts'

/** A data folder (the database is `touchmark.db` in it), or the URL of a database: `postgres://…`, `sqlite:<path>`. */
export type StoreLocation = { readonly folder: string } | { readonly url: string }

export interface StoreOptions {
  /** SQLite: octets that the database may grow to; a change that needs more is `store.full`. */
  readonly maxOctets?: number
  /** Told of each group of change sets that was made durable together, or failed: for those who count. It must not throw. */
  readonly onGroup?: (changes: number, seconds: number) => void
}

export const DATABASE_FILE = 'touchmark.db'

/**
 * Makes a new, empty store.
 * Errors: `store.exists` where there is one, `store.url_invalid`, `store.unavailable`.
 */
export async function createStore(location: StoreLocation, options: StoreOptions = {}): Promise<Store> {
  if (isPostgres(location)) return (await postgres()).createPostgresStore(location.url, options)
  const path = sqlitePath(location)
  return createSqliteStore(path, options)
}

/**
 * Opens a store that `createStore` made, and brings its schema up to date.
 * Errors: `store.missing`, `store.schema_newer`, `store.schema_changed`, `store.foreign` (a database of another program),
 * `store.corrupt`, `store.url_invalid`, `store.unavailable`.
 */
export async function openStore(location: StoreLocation, options: StoreOptions = {}): Promise<Store> {
  if (isPostgres(location)) return (await postgres()).openPostgresStore(location.url, options)
  const path = sqlitePath(location)
  return openSqliteStore(path, options)
}

function isPostgres(location: StoreLocation): location is { readonly url: string } {
  return 'url' in location && /^postgres(?:ql)?:\/\//.test(location.url)
}

/** Loaded only where it is used: most commands work on a folder, and start faster without the driver. */
const postgres = () => import('./postgres/open.ts')

function sqlitePath(location: StoreLocation): string {
  if ('folder' in location) return join(location.folder, DATABASE_FILE)
  const { url } = location
  if (url.startsWith('sqlite:'))
    return url.startsWith('sqlite://') ? fileURLToPath(url.replace('sqlite:', 'file:')) : url.slice('sqlite:'.length)
  throw new TouchmarkError('store.url_invalid', 'malformed', 'The URL names no store.')
}
