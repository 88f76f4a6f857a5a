// OCSP in numbers. Pre-signed: GETs over keep-alive connections, beside nginx serving a file of the answer's size, both on one core, the load from
// the other. Live: requests with nonces, several in flight, octets to octets through the responder and a store that holds the certificates, beside
// what the machine signs; and the same over HTTP, where the sockets take their share.
import { spawn } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { extension } from '../../src/core/pki/extensions.ts'
import { encodeCertId, encodeOcspRequest, encodeTbsRequest } from '../../src/core/pki/ocsp.ts'
import { encodeNonce, OCSP_OID } from '../../src/core/pki/ocsp-extensions.ts'
import { sha1 } from '../../src/crypto/digest.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import { runBatch } from '../../src/domain/factory/run-batch.ts'
import { authorityId } from '../../src/domain/ids.ts'
import { OcspResponders } from '../../src/domain/revocation/ocsp-responders.ts'
import { OcspService } from '../../src/domain/revocation/ocsp-service.ts'
import type { Instance } from '../../src/server/open-instance.ts'
import { report, say } from '../support/figure.ts'
import { MAIN, makeDataFolder, openBenchInstance } from '../support/instance.ts'
import { end, has, type Load, type LoadedServer, load, on, pinned, startNginx } from '../support/one-core.ts'
import { measureSignatureLimit } from '../support/openssl-speed.ts'
import { publicKeyUnit } from '../support/units.ts'

const CERTIFICATES = 1000
const ROUNDS = 3
const SECONDS = 3
const IN_FLIGHT = 256
const LIVE_REQUESTS = 20_000
const AUTHORITY = authorityId('idevid-1')

export async function run(): Promise<void> {
  await using folder = await makeDataFolder()
  const requests = await prepare(folder.path)
  await measureLive(folder.path, requests)
  const missing = ['nginx', 'wrk'].filter(command => !has(command))
  if (missing.length > 0) say(`Not measured over HTTP: ${missing.join(' and ')} not installed.`)
  else await measureHttp(folder.path, requests)
}

interface Asked {
  readonly certId: Uint8Array
  /** A plain request, for GET. */
  readonly plain: Uint8Array
}

/** Issues the certificates, and the requests about them. */
async function prepare(path: string): Promise<readonly Asked[]> {
  await using instance = await openBenchInstance(path)
  await runBatch(
    {
      inputDigest: '3'.repeat(64),
      units: (async function* () {
        for (let line = 1; line <= CERTIFICATES; line++) yield publicKeyUnit(line)
      })(),
      profile: await instance.authorities.profile('idevid'),
      rules: await instance.rules(),
      operator: 'bench',
    },
    {
      ...instance,
      sink: { write: async () => undefined, stationKey: () => Promise.reject(new Error('no unit needs one')) },
    },
  )
  const issuer = await instance.authorities.certificate(AUTHORITY)
  const fields = {
    hashAlgorithm: '1.3.14.3.2.26',
    hashAlgorithmParameters: new Uint8Array([5, 0]),
    issuerNameHash: sha1(issuer.subject.raw),
    issuerKeyHash: sha1(issuer.subjectPublicKeyInfo.publicKey),
  }
  return (await devicesOf(instance)).map(({ serialNumber }) => {
    const certId = encodeCertId({ ...fields, serialNumber })
    return { certId, plain: encodeOcspRequest(encodeTbsRequest({ requests: [{ certId }] })) }
  })
}

async function devicesOf(instance: Instance): Promise<CertificateRecord[]> {
  const { items } = await instance.store.read.certificatesOfAuthority(AUTHORITY, { limit: CERTIFICATES + 100 })
  return items.filter(({ deviceId }) => deviceId !== null).slice(0, CERTIFICATES)
}

function withNonce({ certId }: Asked): Uint8Array {
  const nonce = extension(OCSP_OID.nonce, false, encodeNonce(systemRandom.bytes(32)))
  return encodeOcspRequest(encodeTbsRequest({ requests: [{ certId }], extensions: [nonce] }))
}

async function measureLive(path: string, asked: readonly Asked[]): Promise<void> {
  await using instance = await openBenchInstance(path)
  const responders = new OcspResponders(instance)
  await responders.refresh()
  const service = new OcspService({
    read: instance.store.read,
    clock: instance.clock,
    elapsed: () => performance.now(),
    responders,
    soon: work => void setImmediate(work),
  })
  const questions = Array.from({ length: LIVE_REQUESTS }, (_, i) => withNonce(asked[i % asked.length]!))
  const rounds: { live: number; bare: number; what: string; microseconds: number; bareMicroseconds: number }[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const { signsPerSecond, what } = measureSignatureLimit({ elapsed: true })
    const bareMicroseconds = processorTime(signAll)
    const before = process.cpuUsage()
    const live = await answerAll(service, questions)
    const { user, system } = process.cpuUsage(before)
    const microseconds = (user + system) / LIVE_REQUESTS
    // The first warms the engine up.
    if (round > 0) rounds.push({ live, bare: signsPerSecond, what, microseconds, bareMicroseconds })
  }
  rounds.sort((a, b) => a.live / a.bare - b.live / b.bare)
  const { live, bare, what, microseconds, bareMicroseconds } = rounds[Math.floor(ROUNDS / 2)]!
  report({
    figure: 'OCSP signed live, octets to octets',
    value: Math.round(live),
    unit: 'answers/s',
    limit: { what, value: bare, unit: 'signs/s' },
    inFlight: IN_FLIGHT,
    rounds: rounds.map(each => Number((each.live / each.bare).toFixed(3))),
    // Of all threads together: what a machine that has other things to do cannot change.
    processorMicroseconds: Number(microseconds.toFixed(1)),
    processorMicrosecondsOfASignature: Number(bareMicroseconds.toFixed(1)),
  })
}

function signAll(): void {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const message = new Uint8Array(200)
  for (let i = 0; i < LIVE_REQUESTS; i++) sign('sha256', message, privateKey)
}

/** In microseconds for each. */
function processorTime(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / LIVE_REQUESTS
}

/** Answers a second, with so many in flight. */
async function answerAll(service: OcspService, questions: readonly Uint8Array[]): Promise<number> {
  let next = 0
  const asker = async () => {
    while (next < questions.length) {
      const { outcome } = await service.answer(questions[next++]!)
      if (outcome !== 'successful') throw new Error(`The responder said ${outcome}.`)
    }
  }
  const begun = performance.now()
  await Promise.all(Array.from({ length: IN_FLIGHT }, asker))
  return (questions.length * 1000) / (performance.now() - begun)
}

async function measureHttp(path: string, asked: readonly Asked[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'touchmark-bench-ocsp-'))
  try {
    await using server = await startTouchmark(path)
    const paths = asked.map(({ plain }) => `/ocsp/${encodeURIComponent(Buffer.from(plain).toString('base64'))}`)
    let octets = 0
    for (const each of paths) {
      const response = await fetch(`http://127.0.0.1:${server.port}${each}`)
      octets = (await response.arrayBuffer()).byteLength
    }
    mkdirSync(join(folder, 'files'))
    writeFileSync(join(folder, 'files', 'answer'), Buffer.alloc(octets, 0x5a))
    await using nginx = await startNginx(folder, await freePort(), 'application/ocsp-response')
    const spread = join(folder, 'spread.lua')
    writeFileSync(spread, luaPaths(paths))
    const nonces = join(folder, 'nonces.lua')
    writeFileSync(nonces, luaPosts(Array.from({ length: 4000 }, (_, i) => withNonce(asked[i % asked.length]!))))

    const one = rounds(nginx, '/answer', server, paths[0]!)
    reportPresigned('OCSP pre-signed GET over keep-alive, one core', one, octets)
    const many = rounds(nginx, '/answer', server, '/', spread)
    reportPresigned(`OCSP pre-signed GET over keep-alive, one core, ${CERTIFICATES} certificates in turn`, many, octets)
    const limit = measureSignatureLimit({ elapsed: true })
    const live = load(server, '/ocsp', { seconds: SECONDS, script: nonces })
    report({
      figure: 'OCSP signed live, POST over keep-alive, one core for sockets and signatures',
      value: Math.round(live.requestsPerSecond),
      unit: 'answers/s',
      limit: { what: limit.what, value: limit.signsPerSecond, unit: 'signs/s' },
      serverMicroseconds: Number(live.microsecondsEach.toFixed(1)),
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Round {
  readonly ours: Load
  readonly nginx: Load
}

/** In turn, so that what else the machine does meets both; the round in the middle counts. */
function rounds(nginx: LoadedServer, file: string, server: LoadedServer, path: string, script?: string): Round {
  const options = { seconds: SECONDS }
  const all: Round[] = []
  load(server, path, script === undefined ? options : { ...options, script })
  for (let round = 0; round < ROUNDS; round++) {
    all.push({
      nginx: load(nginx, file, options),
      ours: load(server, path, script === undefined ? options : { ...options, script }),
    })
  }
  const ratio = ({ ours, nginx }: Round) => ours.requestsPerSecond / nginx.requestsPerSecond
  return all.sort((a, b) => ratio(a) - ratio(b))[Math.floor(ROUNDS / 2)]!
}

function reportPresigned(figure: string, { ours, nginx }: Round, octets: number): void {
  report({
    figure,
    value: Math.round(ours.requestsPerSecond),
    unit: 'requests/s',
    limit: {
      what: 'nginx, one worker, a file of that size',
      value: Math.round(nginx.requestsPerSecond),
      unit: 'requests/s',
    },
    octets,
    pinned,
    // What a machine that has other things to do cannot change.
    serverMicroseconds: Number(ours.microsecondsEach.toFixed(1)),
    nginxMicroseconds: Number(nginx.microsecondsEach.toFixed(1)),
  })
}

async function startTouchmark(path: string): Promise<LoadedServer> {
  const port = await freePort()
  const args = ['serve', '--data', path, '--port', '0', '--http-port', String(port), '--json']
  const [command, rest] = on('servers', [process.execPath, MAIN, ...args])
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout! })) {
    if ((JSON.parse(line) as { ready?: boolean }).ready) {
      return { port, pid: child.pid!, [Symbol.asyncDispose]: () => end(child) }
    }
  }
  throw new Error('The server ended before it was ready.')
}

function luaPaths(paths: readonly string[]): string {
  return `local paths = { ${paths.map(each => `"${each}"`).join(', ')} }
local i = 0
request = function() i = i % #paths + 1; return wrk.format("GET", paths[i]) end\n`
}

function luaPosts(bodies: readonly Uint8Array[]): string {
  const escaped = bodies.map(body => `"${Array.from(body, octet => `\\${String(octet).padStart(3, '0')}`).join('')}"`)
  return `local bodies = {}
${escaped.map((body, i) => `bodies[${i + 1}] = ${body}`).join('\n')}
local i = 0
request = function()
  i = i % #bodies + 1
  return wrk.format("POST", "/ocsp", { ["Content-Type"] = "application/ocsp-request" }, bodies[i])
end\n`
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as import('node:net').AddressInfo
  await new Promise<void>(resolve => probe.close(() => resolve()))
  return port
}
