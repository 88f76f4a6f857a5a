// Revoking in numbers, with a million certificates stored of which 100,000 are revoked: one at a time to a durable answer, beside a bare synced commit
// of as many octets; and everything that is left by one query, beside a bare database that updates and inserts as many rows.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStatusArtefact } from '../../src/core/filter/status-artefact.ts'
import { applyStatusDelta } from '../../src/core/filter/status-delta.ts'
import { type Certificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import { findRevoked, parseCertificateList } from '../../src/core/pki/crl.ts'
import { encodeCertId, encodeOcspRequest, encodeTbsRequest, parseOcspResponse } from '../../src/core/pki/ocsp.ts'
import { sha1 } from '../../src/crypto/digest.ts'
import { inQuestion, statusVerifier } from '../../src/crypto/status-signer.ts'
import type { Authority } from '../../src/domain/ca/authority.ts'
import { runBatch } from '../../src/domain/factory/run-batch.ts'
import type { FactoryUnit } from '../../src/domain/factory/unit.ts'
import { authorityId, type SerialNumber } from '../../src/domain/ids.ts'
import type { StoredJob } from '../../src/domain/jobs/job.ts'
import { runRevocationJob, STEP } from '../../src/domain/jobs/run-revocation-job.ts'
import type { Store, StoreReader } from '../../src/domain/ports.ts'
import { selectionAt } from '../../src/domain/revocation/asked-certificates.ts'
import type { CertificateQuery } from '../../src/domain/revocation/certificate-query.ts'
import { startRevocation } from '../../src/domain/revocation/mass-revocation.ts'
import { countSelected, previewRevocation } from '../../src/domain/revocation/preview.ts'
import { publicationState } from '../../src/domain/revocation/publication-state.ts'
import { revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import type { Instance } from '../../src/server/open-instance.ts'
import { report, say } from '../support/figure.ts'
import { MAIN, makeDataFolder, openBenchInstance } from '../support/instance.ts'
import { publicKeyUnit } from '../support/units.ts'

const DEVICES = Number(process.env['TOUCHMARK_BENCH_DEVICES'] ?? 1_000_000)
const REVOKED = Math.floor(DEVICES / 10)
const SINGLE = 1_000
const AUTHORITY = authorityId('idevid-1')
const OPERATOR = { kind: 'operator', id: 'bench' } as const

export async function run(): Promise<void> {
  await using folder = await makeDataFolder()
  const query = await measureStore(folder.path)
  await measureOutlets(folder.path, query)
  await using instance = await openBenchInstance(folder.path)
  await measurePreview(instance, query)
  await measureMass(instance, folder.path, query)
}

/** Fills the store, revokes a tenth, and measures one at a time. */
async function measureStore(path: string): Promise<CertificateQuery> {
  await using instance = await openBenchInstance(path)
  await fill(instance)
  const all = await everything(instance)
  const { items } = await instance.store.read.selectCertificates(all, { limit: 1 })
  const first = items[0]!.auditIndex

  // A tenth of them first, by where they stand in the log.
  const boundary = await indexOfNth(instance, all, REVOKED)
  await massRevocation(instance, { ...all, issuedFrom: first, issuedBefore: boundary })
  await oneByOne(instance, path, { ...all, issuedFrom: boundary })
  return all
}

/**
 * From the durable answer until a relying party hears of it, over HTTP from a running server: another process revokes, as the command line does.
 * First the server makes lists of what was revoked before.
 */
async function measureOutlets(path: string, query: CertificateQuery): Promise<void> {
  const server = spawn(process.execPath, [MAIN, 'serve', '--data', path, '--port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const closed = once(server, 'close')
  try {
    const url = await ready(server)
    await using instance = await openBenchInstance(path)
    const { read } = instance.store
    const issuer = await instance.authorities.certificate(AUTHORITY)
    const record = (await instance.authorities.all()).find(({ id }) => id === AUTHORITY)!
    await settled(read, record)
    const took: Record<'ocsp' | 'crl' | 'artefact', number[]> = { ocsp: [], crl: [], artefact: [] }
    const { items } = await read.selectCertificates(query, { limit: OUTLET_ROUNDS })
    let held = await get(`${url}/status/${AUTHORITY}.tms`)
    for (const { serialNumber } of items) {
      held = await newest(url, held)
      const certificate = parseCertificate((await read.certificate(AUTHORITY, serialNumber))!.der)
      await revokeCertificate({ serialNumber, authorityId: AUTHORITY }, 'superseded', OPERATOR, instance)
      const since = performance.now()
      const asked = encodeOcspRequest(encodeTbsRequest({ requests: [{ certId: certIdOf(issuer, serialNumber) }] }))
      await Promise.all([
        until(async () => isRevoked(await post(`${url}/ocsp`, asked)), took.ocsp, since),
        until(() => isListed(url, serialNumber), took.crl, since),
        until(
          async () => {
            held = await newest(url, held)
            const artefact = openStatusArtefact(held, { verify: statusVerifier(issuer) })
            return artefact.query(inQuestion(certificate, issuer)).status === 'revoked'
          },
          took.artefact,
          since,
        ),
      ])
    }
    for (const [outlet, times] of Object.entries(took)) {
      report({
        figure: `from a durable revocation until it is known: ${OUTLETS[outlet as keyof typeof took]}`,
        value: Math.round(Math.max(...times)),
        unit: 'ms',
        worstOf: times.length,
        median: Math.round(quantile(times, 0.5)),
        certificates: DEVICES,
        revoked: REVOKED,
      })
    }
  } finally {
    server.kill('SIGTERM')
    await closed
  }
}

const OUTLETS = { ocsp: 'OCSP', crl: 'CRL, delta or full', artefact: 'status artefact' } as const
const OUTLET_ROUNDS = 10

/** Until everything that was revoked before is out. */
async function settled(read: StoreReader, record: Pick<Authority, 'id' | 'crlShards'>): Promise<void> {
  for (let i = 0; i < 1_200; i++) {
    const { artefact, shards } = await publicationState(record, read)
    const isOut = shards.every(({ full, behind }) => full !== null && behind === 0)
    if (isOut && artefact !== null && artefact.behind === 0) return
    await sleep(500)
  }
  throw new Error('The lists never caught up')
}

/** Notes how long it took until it was so. */
async function until(isSo: () => Promise<boolean>, took: number[], since: number): Promise<void> {
  while (!(await isSo())) {
    if (performance.now() - since > 60_000) throw new Error('Nobody hears of it')
    await sleep(20)
  }
  took.push(performance.now() - since)
}

function certIdOf(issuer: Certificate, serialNumber: string): Uint8Array {
  return encodeCertId({
    hashAlgorithm: '1.3.14.3.2.26',
    hashAlgorithmParameters: new Uint8Array([5, 0]),
    issuerNameHash: sha1(issuer.subject.raw),
    issuerKeyHash: sha1(issuer.subjectPublicKeyInfo.publicKey),
    serialNumber,
  })
}

function isRevoked(response: Uint8Array): boolean {
  const { basic } = parseOcspResponse(response)
  return basic?.responses[0]?.status.kind === 'revoked'
}

async function isListed(url: string, serialNumber: string): Promise<boolean> {
  const serial = Buffer.from(serialNumber, 'hex')
  for (const file of ['0-delta.crl', '0.crl']) {
    const octets = await get(`${url}/crl/${AUTHORITY}/${file}`)
    // Its octets first: a list that cannot have it is not read to its end.
    if (!Buffer.from(octets).includes(serial)) continue
    if (findRevoked(parseCertificateList(octets), serialNumber) !== undefined) return true
  }
  return false
}

/** The artefact of now, by the delta from the one that is held where there is a newer one. */
async function newest(url: string, held: Uint8Array): Promise<Uint8Array> {
  const { epoch } = openStatusArtefact(held, { verify: () => true }).head
  const delta = await get(`${url}/status/${AUTHORITY}/${epoch}.tmd`)
  return delta.length === 0 ? held : applyStatusDelta(held, delta)
}

const get = (address: string) => post(address)

/** Asks the server above, whose certificate nobody vouches for here; without a body it is a GET. Empty where there is nothing. */
function post(address: string, body?: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/ocsp-request' }
    const asking = request(
      address,
      { rejectUnauthorized: false, method: body === undefined ? 'GET' : 'POST', headers },
      async response => {
        const chunks: Buffer[] = []
        for await (const chunk of response) chunks.push(chunk as Buffer)
        resolve(response.statusCode === 200 ? Buffer.concat(chunks) : new Uint8Array(0))
      },
    )
    asking.once('error', reject)
    asking.end(body)
  })
}

async function ready(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const message = JSON.parse(line) as { ready?: boolean; url: string }
    if (message.ready) return message.url
  }
  throw new Error('The server ended before it was ready.')
}

async function everything({ store, clock }: Instance): Promise<CertificateQuery> {
  const asked = { certificates: { authority: AUTHORITY } }
  return (await selectionAt(asked, ['good', 'held'], clock.now(), store.read)).query
}

async function fill(instance: Instance): Promise<void> {
  const started = performance.now()
  let told = 0
  await runBatch(
    {
      inputDigest: '5'.repeat(64),
      units: units(),
      profile: await instance.authorities.profile('idevid'),
      rules: await instance.rules(),
      operator: 'bench',
    },
    {
      ...instance,
      sink: { write: async () => undefined, stationKey: () => Promise.reject(new Error('no unit needs one')) },
      progress({ issued }) {
        if (issued - told < 100_000) return
        told = issued
        say(`${issued} devices after ${((performance.now() - started) / 1000).toFixed(0)} s`)
      },
    },
  )
}

async function* units(): AsyncGenerator<FactoryUnit> {
  for (let line = 1; line <= DEVICES; line++) yield publicKeyUnit(line)
}

/** The position in the log of the certificate after so many. */
async function indexOfNth({ store }: Instance, query: CertificateQuery, count: number): Promise<number> {
  let left = count
  for (let after: string | undefined; ; ) {
    const page = await store.read.selectCertificates(query, { limit: 2_000, ...(after === undefined ? {} : { after }) })
    const found = page.items[left]
    if (found !== undefined) return found.auditIndex
    left -= page.items.length
    if (page.next === null) throw new Error('There are not so many')
    after = page.next
  }
}

async function massRevocation(instance: Instance, query: CertificateQuery): Promise<StoredJob> {
  const total = await countSelected(query, instance.store.read)
  const job = await startRevocation(
    { selection: { query, whole: false }, terms: { reason: 'superseded', because: 'bench' }, total },
    OPERATOR,
    instance,
  )
  const taken = { ...job }
  const ended = await runRevocationJob(taken, instance, new AbortController().signal)
  if (ended.state !== 'finished' || ended.changed !== total) throw new Error(`The job: ${JSON.stringify(ended)}`)
  return ended
}

async function oneByOne(instance: Instance, path: string, query: CertificateQuery): Promise<void> {
  const serials: SerialNumber[] = []
  // Spread over all that is stored, as the revocations of a day are.
  const { auditEntries } = await instance.store.read.counts()
  for (let i = 0; serials.length < SINGLE; i++) {
    const from = query.issuedFrom! + Math.floor(((auditEntries - query.issuedFrom!) * i) / (SINGLE + 1))
    const { items } = await instance.store.read.selectCertificates({ ...query, issuedFrom: from }, { limit: 1 })
    const found = items[0]
    if (found !== undefined && found.serialNumber !== serials.at(-1)) serials.push(found.serialNumber)
    else if (i > 4 * SINGLE) break
  }
  const wal = () => statSync(join(path, 'touchmark.db-wal'), { throwIfNoEntry: false })?.size ?? 0
  const took: number[] = []
  let written = 0
  for (const serialNumber of serials) {
    const before = wal()
    const started = performance.now()
    await revokeCertificate({ serialNumber, authorityId: AUTHORITY }, 'superseded', OPERATOR, instance)
    took.push(performance.now() - started)
    written = Math.max(written, wal() - before)
  }
  const octets = Math.max(written, 16 * 4096)
  const bare = bareCommits(path, octets, serials.length)
  const shape = { certificates: DEVICES, revoked: REVOKED, revocations: took.length }
  for (const [name, share] of [
    ['median', 0.5],
    ['p99', 0.99],
  ] as const) {
    report({
      figure: `revoke one, to a durable answer, ${name}`,
      value: rounded(quantile(took, share)),
      unit: 'ms',
      limit: {
        what: `${octets} octets written and synced, ${name}`,
        value: rounded(quantile(bare, share)),
        unit: 'ms',
      },
      ...shape,
    })
  }
}

/** A log file of its own on the same disk: so many octets appended and synced, as the journal of a commit is. */
function bareCommits(path: string, octets: number, rounds: number): number[] {
  const file = openSync(join(path, '..', 'bare.log'), 'w')
  const page = Buffer.alloc(octets, 7)
  const took: number[] = []
  try {
    for (let i = 0; i < rounds; i++) {
      const started = performance.now()
      writeSync(file, page)
      fsyncSync(file)
      took.push(performance.now() - started)
    }
  } finally {
    closeSync(file)
  }
  return took
}

async function measurePreview({ store, clock }: Instance, query: CertificateQuery): Promise<void> {
  const started = performance.now()
  const { certificates, devices } = await previewRevocation(query, clock.now(), store.read)
  report({ figure: 'preview of a revocation', value: seconds(started), unit: 's', certificates, devices })
}

/** Everything that is left, by one query. The job begins again from the store half way, as after a crash. */
async function measureMass(instance: Instance, path: string, query: CertificateQuery): Promise<void> {
  const total = await countSelected(query, instance.store.read)
  const begun = performance.now()
  const job = await startRevocation(
    { selection: { query, whole: false }, terms: { reason: 'superseded', because: 'bench' }, total },
    OPERATOR,
    instance,
  )
  const before = process.memoryUsage().rss
  let peak = before
  const timed = new TimedStore(instance.store)
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 200)
  const ended = await runRevocationJob(job, { ...instance, store: timed.store }, new AbortController().signal)
  clearInterval(watch)
  if (ended.changed !== total) throw new Error(`The job: ${JSON.stringify(ended)}`)
  const took = (performance.now() - begun) / 1000
  report({
    figure: 'revoke by one query',
    value: Math.round(total / took),
    unit: '1/s',
    limit: { what: 'a bare database: as many rows updated and inserted', value: bareRate(path), unit: '1/s' },
    certificates: total,
    seconds: rounded(took),
    inStore: `${Math.round((timed.milliseconds / 1000 / took) * 100)} %`,
    memoryAddedMiB: Math.round((peak - before) / 1024 / 1024),
  })
}

/** How long the job waited for commits. */
class TimedStore {
  milliseconds = 0
  readonly store: Store

  constructor(store: Store) {
    this.store = new Proxy(store, {
      get: (target, name) => {
        if (name !== 'commit') return Reflect.get(target, name, target)
        return async (change: Parameters<Store['commit']>[0]) => {
          const started = performance.now()
          try {
            return await target.commit(change)
          } finally {
            this.milliseconds += performance.now() - started
          }
        }
      },
    })
  }
}

/**
 * What SQLite does with the same disk and no rules: of each certificate, one row updated in a table of the size of ours, with one index that it
 * enters, a log entry inserted and a change of status; as many in a transaction as the job has.
 */
function bareRate(path: string): number {
  using database = new DatabaseSync(join(path, '..', 'bare.db'))
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE certificate (id INTEGER PRIMARY KEY, authority TEXT, serial BLOB, status TEXT, at INTEGER, reason TEXT, der BLOB);
    CREATE UNIQUE INDEX certificate_serial ON certificate (serial, authority);
    CREATE INDEX not_good ON certificate (authority, serial) WHERE status <> 'good';
    CREATE TABLE entry (id INTEGER PRIMARY KEY, bytes BLOB);
    CREATE TABLE change (id INTEGER PRIMARY KEY, authority TEXT, shard INTEGER, serial BLOB);
    CREATE INDEX change_shard ON change (authority, shard, id);`)
  const rows = Math.min(DEVICES, 200_000)
  const serialOf = (i: number) => {
    const serial = Buffer.alloc(16)
    serial.writeUInt32BE(Math.imul(i, 2_654_435_761) >>> 0)
    serial.writeUInt32BE(i, 4)
    return serial
  }
  const insert = database.prepare("INSERT INTO certificate VALUES (?, 'a', ?, 'good', NULL, NULL, ?)")
  const der = Buffer.alloc(520, 3)
  database.exec('BEGIN')
  for (let i = 0; i < rows; i++) insert.run(i, serialOf(i), der)
  database.exec('COMMIT')
  const update = database.prepare(
    "UPDATE certificate SET status = 'revoked', at = ?, reason = 'superseded' WHERE serial = ? AND authority = 'a'",
  )
  const entry = database.prepare('INSERT INTO entry VALUES (?, ?)')
  const change = database.prepare("INSERT INTO change VALUES (?, 'a', 0, ?)")
  const octets = Buffer.alloc(300, 5)
  const started = performance.now()
  for (let from = 0; from < rows; from += STEP) {
    database.exec('BEGIN')
    for (let i = from; i < from + STEP && i < rows; i++) {
      const serial = serialOf(i)
      update.run(i, serial)
      entry.run(i, octets)
      change.run(i, serial)
    }
    database.exec('COMMIT')
  }
  return Math.round(rows / ((performance.now() - started) / 1000))
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

const rounded = (value: number) => Number(value.toFixed(2))
const seconds = (since: number) => rounded((performance.now() - since) / 1000)
