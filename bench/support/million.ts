// What a million stored devices cost: the time to start, the time to find one, and memory while serving.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { createInterface } from 'node:readline'
import { runBatch } from '../../src/domain/factory/run-batch.ts'
import type { FactoryUnit } from '../../src/domain/factory/unit.ts'
import { report, say } from './figure.ts'
import { MAIN, makeDataFolder, openBenchInstance } from './instance.ts'
import { publicKeyUnit } from './units.ts'

const MODELS = ['gateway-x2', 'meter-e5', 'meter-e5', 'sensor-t1', 'sensor-t1', 'sensor-t1', 'valve-v3', 'camera-c4']

/** How many; fewer while a measurement is being written. */
export const DEVICES = Number(process.env['TOUCHMARK_BENCH_DEVICES'] ?? 1_000_000)

export async function measureMillion(): Promise<void> {
  await using folder = await makeDataFolder()
  await fillMillion(folder.path)

  const bare = elapsed(() => spawnSync(process.execPath, ['-e', '0']))
  const started = performance.now()
  const server = spawn(process.execPath, [MAIN, 'serve', '--data', folder.path, '--port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const url = await ready(server)
    const limit = { what: 'starting an empty Node process', value: Math.round(bare), unit: 'ms' }
    report({
      figure: 'start to serving',
      value: Math.round(performance.now() - started),
      unit: 'ms',
      limit,
      devices: DEVICES,
    })

    const empty = elapsed(() => spawnSync(process.execPath, [MAIN, '--version']))
    const shown: number[] = []
    for (let i = 0; i < 7; i++) {
      const serialNumber = `SN${String(1 + Math.floor((i * DEVICES) / 7)).padStart(8, '0')}`
      shown.push(
        elapsed(() => {
          const result = spawnSync(
            process.execPath,
            [MAIN, 'device', 'show', serialNumber, '--data', folder.path, '--json'],
            { encoding: 'utf8' },
          )
          if (result.status !== 0 || !result.stdout.includes(serialNumber)) throw new Error(result.stderr)
        }),
      )
    }
    const whole = shown.sort((a, b) => a - b)[3]!
    report({
      figure: 'device show, beyond the start of the command',
      value: Math.round(whole - empty),
      unit: 'ms',
      wholeCommand: Math.round(whole),
      devices: DEVICES,
    })

    await Promise.all(Array.from({ length: 200 }, () => get(`${url}/.well-known/est/cacerts`)))
    report({
      figure: 'memory of the server',
      value: Math.round(residentMiB(server.pid!)),
      unit: 'MiB',
      devices: DEVICES,
    })
  } finally {
    server.kill('SIGTERM')
    await once(server, 'close')
  }
}

/** A birth certificate for each of them, by one batch as the factory runs it, spread over models. */
export async function fillMillion(path: string, lines: Iterable<number> = counted(DEVICES)): Promise<void> {
  await using instance = await openBenchInstance(path)
  const started = performance.now()
  let told = 0
  await runBatch(
    {
      inputDigest: '2'.repeat(64),
      units: units(lines),
      profile: await instance.authorities.profile('idevid'),
      rules: await instance.rules(),
      operator: 'bench',
    },
    {
      ...instance,
      sink: { write: async () => undefined, stationKey: () => Promise.reject(new Error('no unit needs one')) },
      progress({ issued }) {
        if (issued - told < 50_000) return
        told = issued
        say(`${issued} devices after ${((performance.now() - started) / 1000).toFixed(0)} s`)
      },
    },
  )
}

async function* units(lines: Iterable<number>): AsyncGenerator<FactoryUnit> {
  for (const line of lines) yield { ...publicKeyUnit(line), model: MODELS[line % MODELS.length]! }
}

function* counted(count: number): Generator<number> {
  for (let line = 1; line <= count; line++) yield line
}

async function ready(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const message = JSON.parse(line) as { ready?: boolean; url: string }
    if (message.ready) return message.url
  }
  throw new Error('The server ended before it was ready.')
}

function get(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // What is asked for is public, and the server is the one started above.
    const asking = request(url, { rejectUnauthorized: false }, response => {
      response.resume()
      response.once('end', resolve)
    })
    asking.once('error', reject)
    asking.end()
  })
}

function residentMiB(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) / 1024
}

function elapsed(act: () => unknown): number {
  const started = performance.now()
  act()
  return performance.now() - started
}
