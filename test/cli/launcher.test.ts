// bin/touchmark.js: with the Node of the clone, from an older system Node, and as an installed package.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { testFolder } from '../support/cli.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const run = (launcher: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) =>
  spawnSync(process.execPath, [launcher, ...args], { encoding: 'utf8', env })

test('it runs the command line and ends with its exit code', () => {
  assert.match(run(`${ROOT}/bin/touchmark.js`, ['--version']).stdout, /^\d+\.\d+\.\d+\n$/)
  assert.equal(run(`${ROOT}/bin/touchmark.js`, ['bogus']).status, 2)
})

test('an older Node hands over to the one of the clone, and says so where there is none', t => {
  const old = ['/usr/bin/node', '/usr/local/bin/node'].find(path => existsSync(path) && major(path) < 24)
  if (!old) {
    t.diagnostic('this machine has no older Node: the launcher was parsed by this one only')
    return
  }
  const hands = spawnSync(old, [`${ROOT}/bin/touchmark.js`, '--version'], { encoding: 'utf8' })
  assert.deepEqual([hands.status, hands.stderr], [0, ''])
  using folder = testFolder()
  cpSync(`${ROOT}/bin`, folder.join('bin'), { recursive: true })
  cpSync(`${ROOT}/package.json`, folder.join('package.json'))
  const alone = spawnSync(old, [folder.join('bin/touchmark.js'), '--version'], { encoding: 'utf8' })
  assert.equal(alone.status, 3)
  assert.match(alone.stderr, /node\.too_old[\s\S]*npm ci/)
})

test('installed below node_modules, where Node strips no types, it works all the same, threads included', () => {
  using folder = testFolder()
  const home = folder.join('node_modules', 'touchmark')
  mkdirSync(home, { recursive: true })
  for (const part of ['bin', 'src', 'package.json']) cpSync(`${ROOT}/${part}`, `${home}/${part}`, { recursive: true })
  for (const name of ['commander', 'zod', 'pg', 'cli-progress'])
    symlinkSync(`${ROOT}/node_modules/${name}`, folder.join('node_modules', name))
  const data = folder.join('acme')
  const made = run(`${home}/bin/touchmark.js`, ['init', '--data', data, '--organization', 'Acme', '--json'])
  assert.equal(made.status, 0, made.stderr)
  assert.equal(made.stderr, '')
  const missing = run(`${home}/bin/touchmark.js`, ['device', 'show', 'nobody', '--data', data])
  assert.equal(missing.status, 1)
})

function major(node: string): number {
  return Number(spawnSync(node, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' }).stdout)
}
