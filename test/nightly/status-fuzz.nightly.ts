// libFuzzer over the C verifier of the status artefact: artefacts and deltas near those of the vectors, with address and undefined behaviour
// sanitizers, for some seconds.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireTool } from '../support/tools.ts'

const C = join(import.meta.dirname, '../../verifier/c')
const VECTORS = join(import.meta.dirname, '../vectors/status')
const SECONDS = 30

test(`the C verifier withstands ${SECONDS} seconds of libFuzzer`, t => {
  if (!requireTool(t, 'clang')) return
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-fuzz-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const program = join(folder, 'status_fuzz')
  const sources = [join(C, 'test/status_fuzz.c'), join(C, 'touchmark_status.c')]
  const sanitizers = ['-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all']
  const build = spawnSync('clang', ['-g', '-O1', '-std=c99', ...sanitizers, ...sources, '-o', program], {
    encoding: 'utf8',
  })
  assert.equal(build.status, 0, build.stderr)
  const corpus = join(folder, 'corpus')
  mkdirSync(corpus)
  const names = readdirSync(VECTORS)
  for (const name of names.filter(each => each.endsWith('.tms'))) {
    const artefact = readFileSync(join(VECTORS, name))
    const length = Buffer.from([artefact.length >> 8, artefact.length & 255])
    for (const delta of names.filter(each => each.startsWith(`${name.slice(0, -4)}-to-`)).concat('')) {
      const second = delta === '' ? Buffer.alloc(0) : readFileSync(join(VECTORS, delta))
      writeFileSync(join(corpus, `${name}+${delta}`), Buffer.concat([length, artefact, second]))
    }
  }
  const options = [`-max_total_time=${SECONDS}`, '-max_len=8192', '-timeout=5', `-artifact_prefix=${folder}/`]
  const { status, stderr } = spawnSync(program, [...options, corpus], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  assert.equal(status, 0, stderr.slice(-4000))
  assert.match(stderr, /DONE/)
})
