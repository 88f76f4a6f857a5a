// Both engines of the store, for what has to hold on either: places for new stores, and new stores that hold nothing. They go when the tests
// of the file are over.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { createStore, type StoreLocation } from '../../src/adapters/store/open-store.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'

export interface StoreEngine {
  /** A place where there is no store yet. */
  newLocation(): Promise<StoreLocation>
  /** A place with a new store that holds nothing. */
  emptyStore(): Promise<StoreLocation>
}

export interface StoreEngines {
  readonly sqlite: StoreEngine
  readonly postgres: StoreEngine
  /** Makes a new, empty database on the PostgreSQL of these tests and gives its URL. */
  createDatabase(): Promise<string>
}

/** To be called where a file's tests are declared. */
export function storeEngines(): StoreEngines {
  const folders: string[] = []
  let server: TestPostgres
  before(async () => {
    server = await startPostgres()
  })
  after(async () => {
    for (const folder of folders) await rm(folder, { recursive: true })
    await server.stop()
  })
  const newLocation = async () => {
    const folder = await mkdtemp(join(tmpdir(), 'touchmark-store-'))
    folders.push(folder)
    return { folder }
  }
  return {
    sqlite: {
      newLocation,
      async emptyStore() {
        const location = await newLocation()
        await makeEmpty(location)
        return location
      },
    },
    postgres: {
      newLocation: async () => ({ url: await server.createDatabase() }),
      emptyStore: async () => ({ url: await server.copyDatabase(makeEmptyAt) }),
    },
    createDatabase: () => server.createDatabase(),
  }
}

async function makeEmpty(location: StoreLocation): Promise<void> {
  await (await createStore(location))[Symbol.asyncDispose]()
}

const makeEmptyAt = (url: string) => makeEmpty({ url })
