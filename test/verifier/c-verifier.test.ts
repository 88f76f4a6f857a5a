// The C verifier against the same vectors as the TypeScript one, under the strictest warnings and the sanitizers, and its size on a Cortex-M4.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { toHex } from '../../src/core/bytes/hex.ts'
import { parseSign1 } from '../../src/core/cose/sign1.ts'
import { applyStatusDelta } from '../../src/core/filter/status-delta.ts'
import { ISSUER, opened, serialOf, T0 } from '../support/status.ts'
import { STATUS_VECTORS, VECTOR_COUNT, VECTOR_SETS } from '../support/status-vectors.ts'
import { requireTool } from '../support/tools.ts'

const C = join(import.meta.dirname, '../../verifier/c')
const VECTORS = join(import.meta.dirname, '../vectors/status')
const folder = mkdtempSync(join(tmpdir(), 'touchmark-status-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const STATUS = ['good', 'revoked', 'newer', 'older', 'expired', 'foreign']
const MALFORMED = 'error -1\n'

let tool: string | undefined
function built(t: TestContext): string | undefined {
  if (!requireTool(t, 'gcc')) return undefined
  tool ??= compiled('gcc', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all')
  return tool
}

function compiled(compiler: string, ...options: string[]): string {
  const out = join(folder, 'status_tool')
  const strict = ['-std=c99', '-pedantic', '-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Werror']
  run(compiler, ...strict, ...options, '-c', join(C, 'touchmark_status.c'), '-o', join(folder, 'verifier.o'))
  const warnings = strict.filter(option => option !== '-Wconversion')
  run(compiler, ...warnings, ...options, join(C, 'test/status_tool.c'), join(folder, 'verifier.o'), '-o', out)
  return out
}

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${stderr}`)
  return stdout
}

interface Asked {
  readonly issuerKeyHash: Uint8Array
  readonly serialNumber: Uint8Array
  readonly notBefore: number
  readonly notAfter: number
}

function ask(program: string, file: string, list: readonly Asked[]): string[] {
  const input = list
    .map(each => `${toHex(each.issuerKeyHash)} ${toHex(each.serialNumber)} ${each.notBefore} ${each.notAfter}\n`)
    .join('')
  const { status, stdout, stderr } = spawnSync(program, ['query', file], { encoding: 'utf8', input })
  assert.equal(status, 0, stderr)
  return stdout
    .trim()
    .split('\n')
    .map(line => STATUS[Number(line)]!)
}

const asked = (index: number, change: Partial<Asked> = {}): Asked => ({
  issuerKeyHash: ISSUER,
  serialNumber: serialOf(index),
  notBefore: T0 + (index >>> 8) - 300,
  notAfter: T0 + 90_000_000,
  ...change,
})

for (const [name, make] of Object.entries(STATUS_VECTORS)) {
  test(`${name} is made again octet for octet`, () => {
    assert.deepEqual(new Uint8Array(readFileSync(join(VECTORS, name))), make())
  })
}

for (const [name, isRevoked] of Object.entries(VECTOR_SETS)) {
  test(`C and TypeScript are right about every certificate of ${name}`, t => {
    const program = built(t)
    if (!program) return
    const list = Array.from({ length: VECTOR_COUNT }, (_, i) => asked(i))
    const wanted = list.map((_, i) => (isRevoked(i) ? 'revoked' : 'good'))
    assert.deepEqual(ask(program, join(VECTORS, name), list), wanted)
    const artefact = opened(new Uint8Array(readFileSync(join(VECTORS, name))))
    assert.deepEqual(
      list.map(each => artefact.query(each).status),
      wanted,
    )
  })
}

test('C and TypeScript agree about certificates that are not covered, and about those that no list names', t => {
  const program = built(t)
  if (!program) return
  const list = [
    asked(1, { issuerKeyHash: new Uint8Array(32) }),
    asked(1, { serialNumber: new Uint8Array(17).fill(7) }),
    asked(1, { serialNumber: Uint8Array.from([0, ...serialOf(1)]) }),
    asked(1, { serialNumber: Uint8Array.of(9) }),
    asked(1, { serialNumber: new Uint8Array(20) }),
    asked(1, { notBefore: T0 - 301 }),
    asked(1, { notAfter: T0 }),
    asked(256 * (VECTOR_COUNT + 1)),
    asked(256 * (VECTOR_COUNT + 1), { notBefore: T0 }),
    asked(256 * VECTOR_COUNT, { notBefore: T0 }),
    asked(1, { notBefore: 2 ** 33 }),
    ...Array.from({ length: 500 }, (_, i) => asked(100_000 + i)),
  ]
  const artefact = opened(new Uint8Array(readFileSync(join(VECTORS, 'segments.tms'))))
  const wanted = list.map(each => {
    const answer = artefact.query(each)
    return answer.status === 'unknown' ? answer.why : answer.status
  })
  assert.deepEqual(new Set(wanted), new Set(STATUS))
  assert.deepEqual(ask(program, join(VECTORS, 'segments.tms'), list), wanted)
})

test('what the C verifier gives to its callback is the Sig_structure', t => {
  const program = built(t)
  if (!program) return
  for (const name of ['none.tms', 'segments.tms']) {
    const out = join(folder, 'signed')
    const said = run(program, 'signed', join(VECTORS, name), out)
    const { toBeSigned, algorithm, signer, signature } = parseSign1(new Uint8Array(readFileSync(join(VECTORS, name))))
    assert.deepEqual(new Uint8Array(readFileSync(out)), toBeSigned)
    assert.equal(said, `${algorithm} ${signer.length} ${signature.length}\n`)
  }
})

for (const name of Object.keys(STATUS_VECTORS).filter(each => each.endsWith('.tmd'))) {
  test(`C and TypeScript apply ${name} and get the later artefact`, t => {
    const program = built(t)
    if (!program) return
    const [from, to] = name.replace('.tmd', '').split('-to-')
    const [a, b] = [from, to].map(each => new Uint8Array(readFileSync(join(VECTORS, `${each}.tms`))))
    assert.deepEqual(applyStatusDelta(a!, new Uint8Array(readFileSync(join(VECTORS, name)))), b)
    const out = join(folder, 'applied')
    run(program, 'apply', join(VECTORS, `${from}.tms`), join(VECTORS, name), out)
    assert.deepEqual(new Uint8Array(readFileSync(out)), b)
  })
}

test('cut and damaged artefacts are refused by both, and nothing is read beyond the end', t => {
  const program = built(t)
  if (!program) return
  const whole = new Uint8Array(readFileSync(join(VECTORS, 'exceptions.tms')))
  const file = join(folder, 'damaged')
  for (const length of [0, 1, 5, 46, 85, 90, 140, 200, 260, whole.length - 65, whole.length - 1]) {
    writeFileSync(file, whole.subarray(0, length))
    assert.equal(spawnSync(program, ['query', file], { encoding: 'utf8', input: '' }).stdout, MALFORMED, `${length}`)
    assert.throws(() => opened(whole.slice(0, length)), { kind: 'malformed' })
  }
  const at = whole.findIndex((_, i) => i > 80 && whole[i] === 0x54 && whole[i + 1] === 0x4d && whole[i + 2] === 0x53)
  // Version, length of serial numbers, number of segments, the first segment's flags, sieves, width, length.
  for (const offset of [96, 97, 100, 101, 103, 104, 110]) {
    const damaged = Uint8Array.from(whole)
    damaged[at + offset]! ^= 0xf0
    writeFileSync(file, damaged)
    assert.equal(spawnSync(program, ['query', file], { encoding: 'utf8', input: '' }).stdout, MALFORMED, `${offset}`)
    assert.throws(() => opened(damaged), { code: 'status.malformed' })
  }
})

test('the verifier has less than 4,096 octets of code on a Cortex-M4, and needs no more than three functions of the C library', t => {
  if (!requireTool(t, 'arm-none-eabi-gcc')) return
  const object = join(folder, 'cortex-m4.o')
  const options = ['-Os', '-mcpu=cortex-m4', '-mthumb', '-std=c99', '-pedantic', '-Wall', '-Wextra', '-Werror']
  run('arm-none-eabi-gcc', ...options, '-c', join(C, 'touchmark_status.c'), '-o', object)
  const [text, data, bss] = run('arm-none-eabi-size', object).split('\n')[1]!.trim().split(/\s+/).map(Number)
  assert.ok(text! < 4_096, `${text} octets`)
  assert.deepEqual([data, bss], [0, 0])
  const undefinedNames = run('arm-none-eabi-nm', '-u', object).match(/\w+$/gm)!
  assert.deepEqual(
    undefinedNames.filter(name => !['memcmp', 'memcpy', 'memset'].includes(name)),
    [],
  )
})
