// The contract of the store about revocation, on both engines.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { revocationContract } from './revocation-contract.ts'

const folders: string[] = []
let server: TestPostgres
before(async () => {
  server = await startPostgres()
})
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true })
  await server.stop()
})

revocationContract('SQLite', {
  async newLocation() {
    const folder = await mkdtemp(join(tmpdir(), 'touchmark-revocation-'))
    folders.push(folder)
    return { folder }
  },
})
revocationContract('PostgreSQL', { newLocation: async () => ({ url: await server.createDatabase() }) })
