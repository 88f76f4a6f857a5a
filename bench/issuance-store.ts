// What storing one unit of a batch (device, key, certificate, two entries of the log) costs: the thread that calls, the thread that
// writes, and the disk. Prints one JSON line. Usage: node bench/issuance-store.ts [units] [stored before] [change sets in flight]
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createStore } from '../src/adapters/store/open-store.ts'
import { authorityId, batchId, deviceId, keyId, serialNumber } from '../src/domain/ids.ts'
import type { ChangeSet } from '../src/domain/ports.ts'

const [units = 50_000, before = 0, inFlight = 2048] = process.argv.slice(2).map(Number)
const NOW = 1_750_000_000
/** Made at a pace of this many a second, as far as their ids tell. */
const PACE = 20_000

const batch = batchId(randomBytes(16).toString('hex'))
const der = new Uint8Array(randomBytes(600))
let made = 0

function unit(): ChangeSet {
  const at = NOW + Math.floor(made / PACE)
  const order = at.toString(16) + (made++ & 0xffff).toString(16).padStart(4, '0')
  const random = randomBytes(52).toString('hex')
  const device = deviceId(order + random.slice(0, 20))
  const serial = serialNumber(order + random.slice(20, 40))
  const key = keyId(Buffer.from(random.slice(40), 'hex'))
  const authority = authorityId('idevid-1')
  const sha256 = createHash('sha256').update(random).digest('hex')
  return {
    writes: [
      {
        kind: 'device.insert',
        device: {
          id: device,
          model: 'T-1000',
          serialNumber: `SN-${String(made).padStart(9, '0')}`,
          state: 'manufactured',
          batch,
          createdAt: at,
          stateChangedAt: at,
          labels: {},
        },
      },
      {
        kind: 'key.insert',
        key: {
          id: key,
          deviceId: device,
          algorithm: 'P-256',
          origin: 'station',
          state: 'in_use',
          createdAt: at,
          stateChangedAt: at,
        },
      },
      {
        kind: 'certificate.insert',
        certificate: {
          authorityId: authority,
          serialNumber: serial,
          deviceId: device,
          keyId: key,
          profile: 'idevid',
          profileVersion: 1,
          notBefore: at,
          notAfter: 253_402_300_799,
          der: der.slice(),
          status: { kind: 'good' },
          crlShard: made % 4,
          replaces: null,
        },
        auditEntry: 1,
      },
    ],
    audit: [
      {
        at,
        actor: { kind: 'system', id: 'batch' },
        action: 'device.registered',
        outcome: 'done',
        subject: { batchId: batch, deviceId: device },
      },
      {
        at,
        actor: { kind: 'system', id: 'batch' },
        action: 'certificate.issued',
        outcome: 'done',
        subject: {
          authorityId: authority,
          certificateSha256: sha256,
          deviceId: device,
          keyId: key,
          serialNumber: serial,
        },
        detail: { profile: 'idevid', profileVersion: 1 },
      },
    ],
  }
}

function threadMicroseconds(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}

/** Microseconds: of this thread, of all threads, and of the clock on the wall. */
function clock(): { readonly thread: number; readonly all: number; readonly wall: number } {
  const { user, system } = process.cpuUsage()
  return { thread: threadMicroseconds(), all: user + system, wall: performance.now() * 1000 }
}

/** What this process has written so far, where the system tells (Linux). */
function writtenOctets(): number {
  try {
    return Number(/^wchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
  } catch {
    return Number.NaN
  }
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** Microseconds of one P-256 signature now: the yardstick, because other work on the machine slows all of it down alike. */
function signature(): number {
  const start = threadMicroseconds()
  for (let i = 0; i < 3_000; i++) sign('sha256', der, privateKey)
  return (threadMicroseconds() - start) / 3_000
}

const folder = await mkdtemp(join(tmpdir(), 'touchmark-bench-'))
try {
  await using store = await createStore({ folder })
  /** Microseconds of this thread that went into calling the store, and into making what to store. */
  const run = async (count: number) => {
    const spent = { calling: 0, making: 0 }
    const pending = new Set<Promise<void>>()
    for (let done = 0; done < count; ) {
      const start = threadMicroseconds()
      const changes = Array.from({ length: Math.min(256, count - done) }, unit)
      const made = threadMicroseconds()
      const committed = store.commitEach(changes).then(outcomes => {
        for (const outcome of outcomes) if (outcome instanceof Error) throw outcome
        pending.delete(committed)
      })
      spent.making += made - start
      spent.calling += threadMicroseconds() - made
      done += changes.length
      pending.add(committed)
      if (pending.size * 256 >= inFlight) await Promise.race(pending)
    }
    await Promise.all(pending)
    return spent
  }
  await run(before + 2_000)
  const signatures = [signature()]
  const written = writtenOctets()
  const start = clock()
  const spent = await run(units)
  const end = clock()
  signatures.push(signature())
  const main = (end.thread - start.thread - spent.making) / units
  const writer = (end.all - start.all - (end.thread - start.thread)) / units
  const signing = (signatures[0]! + signatures[1]!) / 2
  const rounded = (value: number, digits = 1) => Number(value.toFixed(digits))
  console.log(
    JSON.stringify({
      figure: 'store one unit',
      units,
      storedBefore: before,
      signatureMicroseconds: rounded(signing),
      callerMicroseconds: rounded(spent.calling / units),
      mainThreadMicroseconds: rounded(main),
      writerMicroseconds: rounded(writer),
      mainThreadInSignatures: rounded(main / signing, 2),
      writerInSignatures: rounded(writer / signing, 2),
      unitsPerSecond: Math.round(units / ((end.wall - start.wall) / 1e6)),
      writtenOctetsPerUnit: Math.round((writtenOctets() - written) / units),
      residentMegabytes: Math.round(process.memoryUsage.rss() / 2 ** 20),
    }),
  )
} finally {
  await rm(folder, { recursive: true })
}
