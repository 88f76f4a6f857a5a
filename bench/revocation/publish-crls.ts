// Publishes the CRLs of one shard in a process that does nothing else, and says what that took. Arguments: data folder, `delta` or `full`.
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseCertificateList } from '../../src/core/pki/crl.ts'
import { crlUrl } from '../../src/domain/ca/distribution-urls.ts'
import { authorityId, serialNumber } from '../../src/domain/ids.ts'
import { crlPublicationName, deltaPublicationName } from '../../src/domain/revocation/crl-series.ts'
import { publishCrl, publishCrlAndDelta } from '../../src/domain/revocation/publish-crl.ts'
import { publishDelta } from '../../src/domain/revocation/publish-delta.ts'
import { revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import type { Instance } from '../../src/server/open-instance.ts'
import { openBenchInstance } from '../support/instance.ts'

export interface Published {
  readonly milliseconds: number
  /** Of all threads of the process. */
  readonly cpuMilliseconds: number
  readonly bareMilliseconds: number
  readonly entries: number
  readonly octets: number
  readonly peakMebibytes: number
  readonly stalledMilliseconds: number
}

const AUTHORITY = authorityId('idevid-1')
const ROUNDS = 21

const [folder, kind] = process.argv.slice(2)
if (folder === undefined) throw new TypeError('Name the data folder.')
await using instance = await openBenchInstance(folder)
console.log(JSON.stringify(kind === 'delta' ? await deltas(instance) : await full(instance, folder)))

async function deltas(at: Instance): Promise<Published> {
  const { store, authorities } = at
  const issuer = await authorities.signing(AUTHORITY)
  const settings = await authorities.settings()
  const url = crlUrl(settings, AUTHORITY, 0)
  await publishCrlAndDelta(issuer, 0, url, settings.crl, at)
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const took: number[] = []
  for (let round = 0, after = -1; round < ROUNDS; round++) {
    const page = await store.read.universe(AUTHORITY, { after, upTo: Number.MAX_SAFE_INTEGER, limit: 20 })
    after = page.auditIndexes[page.count - 1]!
    const { bytes, ends } = page.serialNumbers
    const serial = serialNumber(Buffer.from(bytes.subarray(ends[4], ends[5])).toString('hex'))
    await revokeCertificate(
      { authorityId: AUTHORITY, serialNumber: serial },
      'superseded',
      { kind: 'system', id: 'bench' },
      at,
    )
    const begun = performance.now()
    await publishDelta(issuer, 0, url, settings.crl, at)
    took.push(performance.now() - begun)
  }
  const published = (await store.read.publication(deltaPublicationName(AUTHORITY, 0)))!
  const octets = published.bytes.length
  const bare = await timed(() => issuer.signer.sign(randomBytes(octets)))
  return result(median(took), bare, [...parseCertificateList(published.bytes).entries()].length, octets, delays.max)
}

async function full(at: Instance, path: string): Promise<Published> {
  const { store, authorities } = at
  const issuer = await authorities.signing(AUTHORITY)
  const settings = await authorities.settings()
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const cpu = process.cpuUsage()
  const took = await timed(() => publishCrl(issuer, 0, crlUrl(settings, AUTHORITY, 0), settings.crl, at))
  const { user, system } = process.cpuUsage(cpu)
  const stalled = delays.max
  const peak = peakMebibytes()
  const { octets } = (await store.read.publicationHead(crlPublicationName(AUTHORITY, 0)))!
  const body = randomBytes(octets)
  const bare = await timed(async () => {
    await issuer.signer.sign(body)
    createHash('sha256').update(body).digest()
    const file = openSync(join(path, 'bare'), 'w')
    writeSync(file, body)
    fsyncSync(file)
    closeSync(file)
  })
  let entries = 0
  for await (const { count } of store.read.revokedPages(AUTHORITY, 0, 0)) entries += count
  const cpuMilliseconds = Math.round((user + system) / 1000)
  return { ...result(took, bare, entries, octets, stalled), cpuMilliseconds, peakMebibytes: peak }
}

function result(took: number, bare: number, entries: number, octets: number, stalled: number): Published {
  return {
    milliseconds: Number(took.toFixed(1)),
    cpuMilliseconds: 0,
    bareMilliseconds: Number(bare.toFixed(2)),
    entries,
    octets,
    peakMebibytes: peakMebibytes(),
    stalledMilliseconds: Math.round(stalled / 1e6),
  }
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await act()
  return performance.now() - begun
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

function peakMebibytes(): number {
  return Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024)
}
