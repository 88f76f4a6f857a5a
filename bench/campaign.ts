// What planning a campaign over many stored devices costs, and how long a look at its progress takes. Limit: the same devices read and written
// by SQLite alone, in one statement.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createStore } from '../src/adapters/store/open-store.ts'
import { toHex } from '../src/core/bytes/hex.ts'
import { systemRandom } from '../src/crypto/random.ts'
import type { AuditEntry } from '../src/domain/audit/entry.ts'
import type { Profile } from '../src/domain/ca/profile.ts'
import { advanceCampaigns } from '../src/domain/campaign/advance-campaigns.ts'
import { blastRadius } from '../src/domain/campaign/blast-radius.ts'
import { findCampaign, startCampaign } from '../src/domain/campaign/control-campaign.ts'
import { parseCampaignDefinition } from '../src/domain/campaign/definition.ts'
import { planCampaign } from '../src/domain/campaign/plan-campaign.ts'
import { campaignProgress } from '../src/domain/campaign/progress.ts'
import { authorityId, keyId, newDeviceId, serialNumber } from '../src/domain/ids.ts'
import type { Store, Write } from '../src/domain/ports.ts'
import { report, say } from './support/figure.ts'

const DEVICES = Number(process.env['TOUCHMARK_BENCH_DEVICES'] ?? 100_000)
const CHUNK = 1000
const ACTOR: AuditEntry['actor'] = { kind: 'operator', id: 'bench' }
const clock = { now: () => Math.floor(Date.now() / 1000) }

export async function run(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'touchmark-bench-'))
  try {
    await using store = await createStore({ folder })
    await fill(store)
    const limit = { what: 'SQLite alone: reads and writes the devices', value: bare(folder), unit: 's' }

    const definition = parseCampaignDefinition({
      name: 'bench',
      devices: { model: 'gateway-7' },
      target: { keyAlgorithm: 'P-384' },
      pace: { canary: 100, waveSize: 20_000 },
    })
    const authorities = {
      profile: async () =>
        ({ name: 'ldevid', holder: 'device', keyAlgorithms: ['P-256', 'P-384'] }) as unknown as Profile,
      issuerOf: async () => authorityId('ldevid-1'),
    }
    const ports = { store, clock, random: systemRandom, authorities }

    report({
      figure: 'blast radius of a campaign',
      value: await seconds(() => blastRadius(definition.query, clock.now(), store.read)),
      unit: 's',
      limit,
      devices: DEVICES,
    })
    report({
      figure: 'planning of a campaign, written down durably',
      value: await seconds(() => planCampaign(definition, ACTOR, ports)),
      unit: 's',
      limit,
      devices: DEVICES,
    })
    await startCampaign('bench', ACTOR, ports)
    for (let round = 0; round < 4; round++) await advanceCampaigns(ports)
    const looks: number[] = []
    for (let look = 0; look < 20; look++) {
      const campaign = await findCampaign('bench', ports)
      looks.push(await seconds(() => campaignProgress(campaign, clock.now(), ports)))
    }
    const longest = Math.max(...looks)
    report({ figure: 'age of the progress shown, at most', value: longest, unit: 's', devices: DEVICES })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function fill(store: Store): Promise<void> {
  const now = clock.now()
  for (let from = 0; from < DEVICES; from += CHUNK) {
    const writes: Write[] = []
    for (let i = from; i < Math.min(DEVICES, from + CHUNK); i++) {
      const id = newDeviceId(now, systemRandom)
      const key = keyId(systemRandom.bytes(32))
      writes.push(
        {
          kind: 'device.insert',
          device: {
            id,
            model: 'gateway-7',
            serialNumber: `SN${i}`,
            state: 'active',
            batch: null,
            createdAt: now,
            stateChangedAt: now,
            labels: {},
          },
        },
        {
          kind: 'credential.put',
          from: null,
          credential: {
            deviceId: id,
            profile: 'ldevid',
            authorityId: authorityId('ldevid-1'),
            serialNumber: serialNumber(toHex(systemRandom.bytes(16))),
            keyId: key,
            keyAlgorithm: 'P-256',
            notBefore: now,
            notAfter: now + 31_536_000,
            windowStart: now + 21_000_000,
            windowEnd: now + 21_086_400,
            seenAt: now,
            previous: null,
            retireAt: null,
            order: null,
            failures: 0,
            lastFailure: null,
            revision: 1,
          },
        },
      )
    }
    await store.commit({ writes, audit: [] })
    if (from % 50_000 === 0) say(`${from} of ${DEVICES} devices stored`)
  }
}

/** The same rows by one statement, on the same disk, durably. */
function bare(folder: string): number {
  const database = new DatabaseSync(join(folder, 'bare.db'))
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  database.exec('CREATE TABLE device (id BLOB PRIMARY KEY, model TEXT, state TEXT) WITHOUT ROWID')
  database.exec(
    'CREATE TABLE planned (campaign INTEGER, id BLOB, wave INTEGER, PRIMARY KEY (campaign, id)) WITHOUT ROWID',
  )
  database.exec('BEGIN')
  const insert = database.prepare('INSERT INTO device VALUES (?, ?, ?)')
  for (let i = 0; i < DEVICES; i++) insert.run(systemRandom.bytes(16), 'gateway-7', 'active')
  database.exec('COMMIT')
  const started = performance.now()
  database.exec("INSERT INTO planned SELECT 1, id, 0 FROM device WHERE model = 'gateway-7'")
  const took = (performance.now() - started) / 1000
  database.close()
  return Number(took.toFixed(3))
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return Number(((performance.now() - started) / 1000).toFixed(3))
}
