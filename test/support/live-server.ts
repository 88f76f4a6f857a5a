// A whole installation for tests with real clients: a data folder made by `init`, a `serve` process on ports of its own, and what a client
// needs in files. The addresses inside its certificates are true, so that relying parties can follow them.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { OPERATOR } from '../../src/cli/operator.ts'
import { systemClock } from '../../src/cli/store.ts'
import { storedProfile } from '../../src/cli/stored-profile.ts'
import { toPem } from '../../src/core/asn1/pem.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import type { Device } from '../../src/domain/device/device.ts'
import type { DeviceKey } from '../../src/domain/device/device-key.ts'
import { newDeviceId } from '../../src/domain/ids.ts'
import type { Store } from '../../src/domain/ports.ts'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { dataFolder, readConfiguration } from '../../src/server/data-folder.ts'
import { initialise } from '../../src/server/initialise.ts'
import { openStore } from '../../src/server/open-store.ts'
import { passphraseBytes } from '../../src/server/passphrase.ts'
import {
  type CliOptions,
  type CliResult,
  type ServerProcess,
  serve,
  type TestFolder,
  testFolder,
  touchmark,
  touchmarkJson,
} from './cli.ts'
import { type RunOptions, type RunResult, shell } from './client.ts'
import { assertInvariants } from './invariants.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

const PASSPHRASE = 'correct horse battery staple'

export class LiveServer implements AsyncDisposable {
  /** Files of the test: `path` is where clients run. */
  readonly folder: TestFolder
  readonly data: string
  readonly passphraseFile: string
  /** PEM file with the trust anchors. */
  readonly roots: string
  readonly httpUrl: string
  #process: ServerProcess | undefined

  private constructor(folder: TestFolder, httpUrl: string, own?: string) {
    this.folder = folder
    this.data = folder.join('data')
    this.passphraseFile = folder.join(own === undefined ? 'passphrase' : `data/${own}`)
    this.roots = folder.join('roots.pem')
    this.httpUrl = httpUrl
  }

  /** Makes the installation and starts it. */
  static async start(): Promise<LiveServer> {
    const server = await LiveServer.prepare()
    await server.serve()
    return server
  }

  /** Makes the installation as `init` does, but for the cost of a guess of its passphrase, and leaves it at rest. */
  static async prepare(): Promise<LiveServer> {
    const server = new LiveServer(testFolder(), `http://localhost:${await freePort()}`)
    writeFileSync(server.passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 })
    await makeInstance(server.data, PASSPHRASE, server.httpUrl)
    await using store = await server.store()
    const roots = (await store.read.authorities()).filter(({ kind }) => kind === 'root')
    writeFileSync(server.roots, roots.map(({ certificate }) => toPem('CERTIFICATE', certificate!)).join(''))
    return server
  }

  /** The instance of `touchmark demo` with its fleet, after its story, served. */
  static async startDemo(fleet: number): Promise<LiveServer> {
    const server = new LiveServer(testFolder(), `http://localhost:${await freePort()}`, 'passphrase')
    const told = ['demo', '--data', server.data, '--port', '0', '--once', '--fleet', String(fleet)]
    const made = await touchmark(told, { cwd: server.folder.path })
    if (made.code !== 0) throw new Error(`demo ended with ${made.code}: ${made.stderr}`)
    await using store = await server.store()
    const roots = (await store.read.authorities()).filter(({ kind }) => kind === 'root')
    writeFileSync(server.roots, roots.map(({ certificate }) => toPem('CERTIFICATE', certificate!)).join(''))
    await server.serve()
    return server
  }

  get url(): string {
    return this.#running.url
  }

  /** `https://localhost:PORT/.well-known/est`. */
  get est(): string {
    return `${this.url}/.well-known/est`
  }

  get pid(): number {
    return this.#running.pid
  }

  get #running(): ServerProcess {
    if (!this.#process) throw new Error('The server is not running.')
    return this.#process
  }

  /** What the running process wrote to standard output so far: its ready line. */
  stdout(): string {
    return this.#running.output().stdout
  }

  /** Log lines of the running process so far. */
  stderr(): string {
    return this.#running.output().stderr
  }

  async serve(options: CliOptions = {}): Promise<void> {
    const port = new URL(this.httpUrl).port
    const args = ['--data', this.data, '--passphrase-file', this.passphraseFile, '--http-port', port]
    this.#process = await serve(args, options)
  }

  /** Stops the process and waits for its end; answers its exit code. */
  async stop(signal?: NodeJS.Signals): Promise<number | null> {
    const running = this.#running
    this.#process = undefined
    return running.stop(signal)
  }

  /** A command line on this installation, in a process of its own. */
  cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    return touchmark(args, this.#commandOptions(options))
  }

  /** The same with `--json`; throws where the command does not succeed. */
  json<T = Record<string, unknown>>(args: readonly string[]): Promise<T> {
    return touchmarkJson<T>(args, this.#commandOptions({}))
  }

  #commandOptions(options: CliOptions): CliOptions {
    const env = { TOUCHMARK_DATA: this.data, TOUCHMARK_PASSPHRASE_FILE: this.passphraseFile, ...options.env }
    return { cwd: this.folder.path, ...options, env }
  }

  /**
   * Runs lines of shell in the folder, with EST, URL, HTTP and ROOTS in the environment and `touchmark` on the path, and asserts that all
   * succeed; answers what they printed on standard output.
   */
  async sh(script: string, options: RunOptions = {}): Promise<string> {
    const { code, stdout, text } = await this.run(script, options)
    assert.equal(code, 0, `${script}\n${text}`)
    return stdout
  }

  /** As `sh`, for lines that may fail. */
  run(script: string, options: RunOptions = {}): Promise<RunResult> {
    const { data: TOUCHMARK_DATA, passphraseFile: TOUCHMARK_PASSPHRASE_FILE, roots: ROOTS, httpUrl: HTTP } = this
    const running = this.#process ? { EST: this.est, URL: this.url } : {}
    const PATH = `${this.#commandFolder()}:${process.env['PATH']}`
    const env = { TOUCHMARK_DATA, TOUCHMARK_PASSPHRASE_FILE, ROOTS, HTTP, ...running, PATH, ...options.env }
    return shell(script, { cwd: this.folder.path, ...options, env })
  }

  #commandFolder(): string {
    const folder = this.folder.join('bin')
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${folder}/touchmark`, `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, { mode: 0o755 })
    return folder
  }

  /** The store, opened in this process beside the server's. */
  async store(): Promise<Store> {
    const folder = dataFolder(this.data)
    return openStore(folder, await readConfiguration(folder))
  }

  /** A one-time token for a device of the model `gateway`. */
  async token(serialNumber: string, profile = 'ldevid'): Promise<string> {
    return (await this.tokens([serialNumber], profile)).get(serialNumber)!
  }

  /** One-time tokens by serial number. */
  async tokens(serialNumbers: readonly string[], profile = 'ldevid'): Promise<ReadonlyMap<string, string>> {
    await using store = await this.store()
    const authorities = { profile: (name: string) => storedProfile(store.read, name) }
    const ports = { store, clock: systemClock, random: systemRandom, authorities }
    const made = serialNumbers.map(async serialNumber => {
      const request = { model: 'gateway', serialNumber, profile, actor: { kind: 'operator', id: 'test' } } as const
      return [serialNumber, (await createToken(request, ports)).secret] as const
    })
    return new Map(await Promise.all(made))
  }

  /** What the registry knows of a device: its certificates, newest first, and its keys. */
  async device(serialNumber: string): Promise<{ certificates: CertificateRecord[]; keys: DeviceKey[] }> {
    await using store = await this.store()
    const [device] = await store.read.devicesBySerial(serialNumber)
    if (!device) return { certificates: [], keys: [] }
    const certificates = await store.read.certificatesOfDevice(device.id)
    return { certificates, keys: await store.read.keysOfDevice(device.id) }
  }

  /** Devices, certificates and log entries: what a refused request must leave as it was, but for its one entry. */
  async counts(): Promise<{ readonly devices: number; readonly certificates: number; readonly auditEntries: number }> {
    await using store = await this.store()
    return await store.read.counts()
  }

  /** What is true of the store after every scenario. The server may run, but nobody may write. */
  async assertInvariants(): Promise<void> {
    await using store = await this.store()
    await assertInvariants(store)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process) await this.stop()
    this.folder[Symbol.dispose]()
  }
}

/** Makes an instance as `init` does, in this process and but for the cost of a guess of its passphrase. */
export async function makeInstance(
  data: string,
  passphrase: string,
  publicHttpUrl = 'http://localhost:8080',
): Promise<void> {
  await initialise(dataFolder(data), {
    organization: 'Acme Devices',
    publicHttpUrl,
    passphrase: { bytes: passphraseBytes(passphrase), source: 'file' },
    effort: { memoryKiB: 64, passes: 1, lanes: 1 },
    clock: systemClock,
    actor: OPERATOR,
  })
}

/** Lets a maker's CA speak for its devices, of the model `other`; while the server runs. */
export async function acceptMaker(server: LiveServer, certificate: string): Promise<void> {
  const maker = { name: 'other-maker', certificates: [certificate], model: { fixed: 'other' } }
  await server.sh('touchmark trust add -', { input: JSON.stringify(maker) })
}

/** Registers a device of the model `gateway` with labels, while the server runs. */
export async function registerDevice(
  server: LiveServer,
  serialNumber: string,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  await using store = await server.store()
  const now = systemClock.now()
  const id = newDeviceId(now, systemRandom)
  const device: Device = {
    id,
    model: 'gateway',
    serialNumber,
    state: 'manufactured',
    batch: null,
    createdAt: now,
    stateChangedAt: now,
    labels,
  }
  const actor = { kind: 'operator', id: 'test' } as const
  await store.commit({
    writes: [{ kind: 'device.insert', device }],
    audit: [{ at: now, actor, action: 'device.registered', outcome: 'done', subject: { deviceId: id } }],
  })
}

/** A port that is free now. Certificates name it, so it must be known before the server starts. */
export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as import('node:net').AddressInfo
  await new Promise<void>(resolve => probe.close(() => resolve()))
  return port
}
