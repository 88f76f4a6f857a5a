// The contract of the store, on both engines.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { type StoreEngine, storeContract } from './contract.ts'

storeContract('SQLite', sqlite())
storeContract('PostgreSQL', postgres())

function sqlite(): StoreEngine {
  const folders: string[] = []
  return {
    async newLocation() {
      const folder = await mkdtemp(join(tmpdir(), 'touchmark-store-'))
      folders.push(folder)
      return { folder }
    },
    async stop() {
      for (const folder of folders) await rm(folder, { recursive: true })
    },
  }
}

function postgres(): StoreEngine {
  let server: TestPostgres | undefined
  return {
    async start() {
      server = await startPostgres()
    },
    async newLocation() {
      return { url: await server!.createDatabase() }
    },
    async stop() {
      await server?.stop()
    },
  }
}
