// EST enrolments, each by another device over a connection of its own with its birth certificate, against a bare Node TLS server that asks
// for a client certificate and answers a constant of the same size. The same load program drives both, in turns.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { toPem } from '../../src/core/asn1/pem.ts'
import { toBase64 } from '../../src/core/bytes/base64.ts'
import { runBatch, type UnitResult } from '../../src/domain/factory/run-batch.ts'
import type { FactoryUnit } from '../../src/domain/factory/unit.ts'
import { report, say } from './figure.ts'
import { MAIN, makeDataFolder, openBenchInstance, touchmark } from './instance.ts'
import { type DeviceKeyPair, makeCsr, makeKeyPair } from './units.ts'

/** Devices in a turn; each enrols once. */
const DEVICES = 1500
const TURNS = 3
const WARM_UP = 200

/** What the load program needs of a device. */
export interface LoadDevice {
  readonly key: string
  readonly certificate: string
  /** Base64 of the CSR for its operational key. */
  readonly body: string
}

export async function measureEst(): Promise<void> {
  await using folder = await makeDataFolder()
  say(`making ${2 * (TURNS * DEVICES + WARM_UP)} keys and ${TURNS * DEVICES + WARM_UP} birth certificates`)
  const devices = await makeDevices(folder.path, TURNS * DEVICES + WARM_UP)
  const trust = join(folder.path, '..', 'trust.pem')
  await writeFile(trust, touchmark('trust', '--data', folder.path))

  const server = spawn(process.execPath, [MAIN, 'serve', '--data', folder.path, '--port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const bare = spawn(process.execPath, [new URL('./bare-server.ts', import.meta.url).pathname, folder.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [ours, limit] = await Promise.all([ready(server), ready(bare)])
    await load(limit, trust, devices.slice(0, WARM_UP), bare)
    await load(ours, trust, devices.slice(0, WARM_UP), server)
    const rates: { ours: Turn; bare: Turn }[] = []
    for (let turn = 0; turn < TURNS; turn++) {
      const some = devices.slice(WARM_UP + turn * DEVICES, WARM_UP + (turn + 1) * DEVICES)
      rates.push({ bare: await load(limit, trust, some, bare), ours: await load(ours, trust, some, server) })
    }
    const best = median(rates.map(rate => rate.ours.perSecond))
    const bound = median(rates.map(rate => rate.bare.perSecond))
    const what = 'bare Node TLS server that answers a constant'
    const devicesPerTurn = DEVICES
    report({
      figure: 'EST enrolments, new mutual-TLS connection each',
      value: best,
      unit: '1/s',
      limit: { what, value: bound, unit: '1/s' },
      devicesPerTurn,
      turns: TURNS,
    })
    // Throughput can hide behind the load program, which shares the two cores. The processor time of the server cannot.
    const cpu = median(rates.map(rate => rate.bare.cpuMicroseconds / rate.ours.cpuMicroseconds))
    report({
      figure: 'EST enrolments, server processor time: bare / ours',
      value: Number(cpu.toFixed(3)),
      unit: 'ratio',
      oursMicroseconds: Math.round(median(rates.map(rate => rate.ours.cpuMicroseconds))),
      bareMicroseconds: Math.round(median(rates.map(rate => rate.bare.cpuMicroseconds))),
    })
  } finally {
    await Promise.all([stop(server), stop(bare)])
  }
}

async function makeDevices(path: string, count: number): Promise<LoadDevice[]> {
  await using instance = await openBenchInstance(path)
  const birthKeys: DeviceKeyPair[] = Array.from({ length: count }, makeKeyPair)
  const certificates: Uint8Array[] = []
  await runBatch(
    {
      inputDigest: '1'.repeat(64),
      units: units(birthKeys),
      profile: await instance.authorities.profile('idevid'),
      rules: await instance.rules(),
      operator: 'bench',
    },
    {
      ...instance,
      sink: {
        async write(results: readonly UnitResult[]) {
          for (const result of results) {
            if (result.outcome === 'rejected') throw new Error(result.message)
            certificates.push(result.certificate)
          }
        },
        stationKey: () => Promise.reject(new Error('no unit needs one')),
      },
    },
  )
  return birthKeys.map((key, i) => ({
    key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    certificate: toPem('CERTIFICATE', certificates[i]!),
    body: toBase64(makeCsr(makeKeyPair(), `EST${i}`)),
  }))
}

async function* units(keys: readonly DeviceKeyPair[]): AsyncGenerator<FactoryUnit> {
  for (const [i, key] of keys.entries()) {
    yield { line: i + 1, model: 'bench', serialNumber: `EST${i}`, key: { kind: 'public_key', spki: key.spki } }
  }
}

async function ready(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const message = JSON.parse(line) as { ready?: boolean; url: string }
    if (message.ready) {
      child.stdout!.resume()
      return message.url
    }
  }
  throw new Error('The server ended before it was ready.')
}

interface Turn {
  readonly perSecond: number
  /** Of the server, for each request. */
  readonly cpuMicroseconds: number
}

async function load(url: string, trust: string, devices: readonly LoadDevice[], server: ChildProcess): Promise<Turn> {
  const program = spawn(process.execPath, [new URL('./est-load.ts', import.meta.url).pathname, url, trust], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  program.stdin.end(JSON.stringify(devices))
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]()
  await lines.next()
  const before = processorSeconds(server.pid!)
  const { value } = await lines.next()
  const after = processorSeconds(server.pid!)
  if (program.exitCode === null) await once(program, 'close')
  if (!value) throw new Error('The load program failed.')
  const { seconds } = JSON.parse(value) as { seconds: number }
  return { perSecond: devices.length / seconds, cpuMicroseconds: ((after - before) / devices.length) * 1e6 }
}

/** User and system time of all threads of a process (Linux); NaN elsewhere. */
function processorSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return Number.NaN
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'close')
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}
