// The status artefact in numbers: octets against the information bound, building a million in a process of its own, and the time of a question in
// TypeScript and in C, each beside what the machine does for the bare work.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withChanges } from '../../src/core/filter/build-status.ts'
import { openStatusArtefact } from '../../src/core/filter/status-artefact.ts'
import { applyStatusDelta, encodeStatusDelta } from '../../src/core/filter/status-delta.ts'
import { report, say } from '../support/figure.ts'
import { artefactOf, HASH, informationBits, randomUniverse, T0 } from '../support/status-universe.ts'

const CERTIFICATES = Number(process.env['TOUCHMARK_BENCH_DEVICES'] ?? 1_000_000)
const BUILD = fileURLToPath(new URL('./build-artefact.ts', import.meta.url))
const C = fileURLToPath(new URL('../../verifier/c', import.meta.url))
const QUESTIONS = 200_000

/** What `build-artefact.ts` says. */
export interface Built {
  readonly octets: number
  readonly milliseconds: number
  readonly hashMilliseconds: number
  readonly peakMebibytes: number
  readonly baseMebibytes: number
}

export async function run(): Promise<void> {
  for (const [name, revoked] of [
    ['one in a thousand', CERTIFICATES / 1000],
    ['one in a hundred', CERTIFICATES / 100],
    ['one in ten', CERTIFICATES / 10],
  ] as const) {
    const built = build(CERTIFICATES, revoked)
    const bound = informationBits(CERTIFICATES, revoked)
    const of = { certificates: CERTIFICATES, revoked }
    report({
      figure: `status artefact, ${name} revoked`,
      value: built.octets * 8,
      unit: 'bits',
      limit: { what: 'log2 of the number of such sets', value: Math.round(bound), unit: 'bits' },
      ...of,
      bitsEach: Number(((built.octets * 8) / revoked).toFixed(2)),
    })
    report({
      figure: `status artefact, ${name} revoked: build`,
      value: built.milliseconds,
      unit: 'ms',
      limit: { what: 'hashing each serial number once', value: built.hashMilliseconds, unit: 'ms' },
      ...of,
    })
    report({
      figure: `status artefact, ${name} revoked: most memory of the process, less what it had before`,
      value: built.peakMebibytes - built.baseMebibytes,
      unit: 'MiB',
      ...of,
      octetsEach: Math.round(((built.peakMebibytes - built.baseMebibytes) * 2 ** 20) / CERTIFICATES),
    })
  }
  await questions()
}

function build(certificates: number, revoked: number): Built {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BUILD, String(certificates), String(revoked)], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Built
}

async function questions(): Promise<void> {
  const { universe, serials } = randomUniverse(CERTIFICATES, CERTIFICATES / 100)
  const sets = universe.build()
  const octets = artefactOf(sets, 1)
  const artefact = openStatusArtefact(octets, { verify: () => true })
  const asked = (i: number) => ({
    issuerKeyHash: HASH,
    serialNumber: serials.subarray(i * 16, i * 16 + 16),
    notBefore: T0 - 300,
    notAfter: T0 + 10 ** 9,
  })
  let revoked = 0
  const time = () => {
    const begun = performance.now()
    for (let i = 0; i < QUESTIONS; i++) if (artefact.query(asked(i)).status === 'revoked') revoked++
    return ((performance.now() - begun) / QUESTIONS) * 1000
  }
  time()
  report({ figure: 'question to a status artefact, TypeScript', value: round(time()), unit: 'µs', revoked })

  await using folder = await temporaryFolder()
  const file = join(folder.path, 'artefact.tms')
  await writeFile(file, octets)
  const tool = join(folder.path, 'status_tool')
  const sources = [join(C, 'test/status_tool.c'), join(C, 'touchmark_status.c')]
  if (spawnSync('gcc', ['-std=c99', '-O2', ...sources, '-o', tool]).status === 0) {
    const nanoseconds = Number(spawnSync(tool, ['time', file], { encoding: 'utf8' }).stdout.split(' ')[0])
    report({ figure: 'question to a status artefact, C', value: round(nanoseconds / 1000), unit: 'µs' })
  } else say('gcc is not installed: the C verifier was not measured')

  for (const count of [1, 10, 100]) {
    const changes = Array.from({ length: count }, (_, i) => ({
      serialNumber: serials.subarray((i * 7 + 3) * 16, (i * 7 + 4) * 16),
      revoked: true,
    }))
    const later = artefactOf(withChanges(sets, changes), 2)
    const delta = encodeStatusDelta(octets, later)
    const begun = performance.now()
    applyStatusDelta(octets, delta)
    const milliseconds = round(performance.now() - begun)
    report({ figure: `status delta after ${count} revocations`, value: delta.length, unit: 'octets', milliseconds })
  }
}

async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'touchmark-artefact-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

const round = (value: number) => Number(value.toFixed(3))
