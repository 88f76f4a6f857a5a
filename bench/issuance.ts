// The main job in numbers: durable issuance from public keys and from CSRs, EST with a new mutual-TLS connection each, and what a million
// stored devices cost. Parts: `keys`, `csrs`, `est`, `million`; all of them when none is named.
import { availableParallelism } from 'node:os'
import { runBatch } from '../src/domain/factory/run-batch.ts'
import type { FactoryUnit } from '../src/domain/factory/unit.ts'
import { measureEst } from './support/est.ts'
import { type Figure, report, say } from './support/figure.ts'
import { makeDataFolder, openBenchInstance } from './support/instance.ts'
import { measureMillion } from './support/million.ts'
import { measureSignatureLimit } from './support/openssl-speed.ts'
import { csrUnit, publicKeyUnit } from './support/units.ts'

/** A day of a line. */
const UNITS = Number(process.env['TOUCHMARK_BENCH_UNITS'] ?? 100_000)
const CSRS = Math.ceil(UNITS / 2)
/** After so many units the engine has compiled what it will: from there on the rate is what a long batch has, as openssl's is. */
const WARM = Math.floor(UNITS / 5)

export async function run(parts: readonly string[]): Promise<void> {
  const wanted = (part: string) => parts.length === 0 || parts.includes(part)
  if (wanted('keys') || wanted('csrs')) {
    const limit = measureSignatureLimit()
    say(`${limit.what}: ${Math.round(limit.signsPerSecond)} signs/s, ${Math.round(limit.verifiesPerSecond)} verifies/s`)
    const sign = { what: limit.what, value: limit.signsPerSecond, unit: 'signs/s' }
    if (wanted('keys')) {
      const rate = await issue(
        'from public keys',
        Array.from({ length: UNITS }, (_, i) => publicKeyUnit(i + 1)),
      )
      reportRates('durable issuance from public keys', rate, sign, UNITS)
    }
    if (wanted('csrs')) {
      const rate = await issue(
        'from CSRs',
        Array.from({ length: CSRS }, (_, i) => csrUnit(i + 1)),
      )
      reportRates('durable issuance from CSRs', rate, sign, CSRS)
      const perUnit = 1 / limit.signsPerSecond + 1 / limit.verifiesPerSecond
      const both = { what: 'verify + sign on two cores', value: 2 / perUnit, unit: 'units/s' }
      report({ figure: 'durable issuance from CSRs', value: rate.whole, unit: 'units/s', limit: both, units: CSRS })
    }
  }
  if (wanted('est')) await measureEst()
  if (wanted('million')) await measureMillion()
}

interface Rates {
  /** Units a second from the first to the last one durable, the start of the process' work included. */
  readonly whole: number
  /** The same without the first `WARM` units. */
  readonly warm: number
}

function reportRates(figure: string, { whole, warm }: Rates, limit: Figure['limit'] & object, units: number): void {
  const cores = availableParallelism()
  report({ figure, value: whole, unit: 'units/s', limit, units, cores })
  report({ figure: `${figure}, after the first ${WARM}`, value: warm, unit: 'units/s', limit, units, cores })
}

/** One batch over a fresh instance. */
async function issue(what: string, units: readonly FactoryUnit[]): Promise<Rates> {
  await using folder = await makeDataFolder()
  await using instance = await openBenchInstance(folder.path)
  const profile = await instance.authorities.profile('idevid')
  const rules = await instance.rules()
  const started = performance.now()
  let warm: { readonly at: number; readonly issued: number } | undefined
  const outcome = await runBatch(
    {
      inputDigest: '0'.repeat(64),
      units: each(units),
      profile,
      rules,
      operator: 'bench',
    },
    {
      ...instance,
      sink: { write: async () => undefined, stationKey: () => Promise.reject(new Error('no unit needs one')) },
      progress({ issued }) {
        if (issued >= WARM) warm ??= { at: performance.now(), issued }
      },
    },
  )
  const ended = performance.now()
  const seconds = (ended - started) / 1000
  if (outcome.issued !== units.length) throw new Error(`${outcome.issued} of ${units.length} units were issued`)
  const { auditEntries, certificates } = await instance.store.read.counts()
  say(
    `${what}: ${units.length} units in ${seconds.toFixed(2)} s; the store holds ${certificates} certificates, ${auditEntries} entries`,
  )
  return { whole: units.length / seconds, warm: ((units.length - warm!.issued) * 1000) / (ended - warm!.at) }
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}
