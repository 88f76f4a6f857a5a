// `npm test`: every test file, or those whose path contains one of the words given (`npm test -- est store`).
// Two files for each processor: many wait for a disk, a child process or a second to pass. Compiled sources are kept for the next process.
// Tests that need system packages say so and are skipped on a machine without them; with CI=true a skipped test is a failure.
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/touchmark', import.meta.url))

const words = process.argv.slice(2)
const files = globSync('test/**/*.test.ts')
  .sort()
  .filter(file => words.length === 0 || words.some(word => file.includes(word)))
if (files.length === 0) {
  console.error(`No test file has a path with ${words.join(' or ')} in it.`)
  process.exit(2)
}

const inCi = process.env['CI'] === 'true'
let skipped = 0
const child = spawn(
  process.execPath,
  ['--test', `--test-concurrency=${2 * availableParallelism()}`, '--test-reporter=spec', ...files],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env, FORCE_COLOR: process.stdout.isTTY ? '1' : '0' },
  },
)
child.stdout.setEncoding('utf8')
child.stdout.on('data', (text: string) => {
  process.stdout.write(text)
  const total = /^ℹ skipped (\d+)/m.exec(text)
  if (total) skipped = Number(total[1])
})
child.on('close', code => {
  if (inCi && skipped > 0) {
    console.error(`${skipped} tests were skipped. In CI every test runs: install what they name.`)
    process.exit(1)
  }
  process.exit(code ?? 1)
})
