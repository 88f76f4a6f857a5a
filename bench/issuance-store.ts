// What it costs to store what a factory batch writes (for each unit device, key, certificate and one entry of the log; a change set for
// each chunk of units): the thread that calls, the thread that writes, the disk. Prints one JSON line.
// Usage: node bench/issuance-store.ts [units] [units stored before]
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createStore } from '../src/adapters/store/open-store.ts'
import { sha256Hex } from '../src/crypto/digest.ts'
import { drawnForNeighbours } from '../src/crypto/random.ts'
import type { AuditEntry } from '../src/domain/audit/entry.ts'
import { CHUNK_UNITS } from '../src/domain/factory/run-batch.ts'
import { authorityId, keyId, newBatchId, newDeviceId, newSerialNumber } from '../src/domain/ids.ts'
import type { ChangeSet, Write } from '../src/domain/ports.ts'

const [units = 60_000, before = 0] = process.argv.slice(2).map(Number)
const NOW = 1_750_000_000
/** Units that share a second, as far as their ids tell. */
const PACE = 20_000
/** Chunks under way, as run-batch.ts works. */
const IN_FLIGHT = 4
/** What an id draws. */
const ID_OCTETS = 12

const random = { bytes: (count: number) => new Uint8Array(randomBytes(count)) }
const batch = newBatchId(NOW, random)
const authority = authorityId('idevid-1')
const der = random.bytes(600)
let made = 0

function chunk(count: number): ChangeSet {
  const writes: Write[] = []
  const audit: AuditEntry[] = []
  const ids = drawnForNeighbours(random, count * ID_OCTETS)
  const serialNumbers = drawnForNeighbours(random, count * ID_OCTETS)
  for (let i = 0; i < count; i++) {
    const at = NOW + Math.floor(made++ / PACE)
    const device = newDeviceId(at, ids)
    const { text: serialNumber } = newSerialNumber(at, serialNumbers)
    const key = keyId(random.bytes(32))
    writes.push(
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
          state: 'established',
          createdAt: at,
          stateChangedAt: at,
        },
      },
      {
        kind: 'certificate.insert',
        auditEntry: audit.length,
        certificate: {
          authorityId: authority,
          serialNumber,
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
      },
    )
    audit.push({
      at,
      actor: { kind: 'operator', id: 'bench' },
      action: 'certificate.issued',
      outcome: 'done',
      subject: {
        batchId: batch,
        authorityId: authority,
        certificateSha256: sha256Hex(der),
        deviceId: device,
        keyId: key,
        serialNumber,
      },
      detail: {
        deviceRegistered: true,
        keyRegistered: true,
        keyOrigin: 'station',
        notAfter: 253_402_300_799,
        profile: 'idevid',
        profileVersion: 1,
      },
    })
  }
  return { writes, audit }
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

/** Octets that this process has written so far, where the system tells (Linux). */
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
    for (let done = 0; done < count; done += CHUNK_UNITS) {
      const start = threadMicroseconds()
      const change = chunk(Math.min(CHUNK_UNITS, count - done))
      const ready = threadMicroseconds()
      const committed = store.commit(change).then(() => void pending.delete(committed))
      pending.add(committed)
      spent.making += ready - start
      spent.calling += threadMicroseconds() - ready
      if (pending.size >= IN_FLIGHT) await Promise.race(pending)
    }
    await Promise.all(pending)
    return spent
  }
  await run(before + 2 * CHUNK_UNITS)
  const signatures = [signature()]
  const written = writtenOctets()
  const start = clock()
  const spent = await run(units)
  const end = clock()
  signatures.push(signature())
  const signing = (signatures[0]! + signatures[1]!) / 2
  const main = (end.thread - start.thread - spent.making) / units
  const writer = (end.all - start.all - (end.thread - start.thread)) / units
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
