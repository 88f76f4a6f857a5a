// CRLs in folders and in the hands of commands: whole or not at all, and again until it succeeds.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { authorityId } from '../../src/domain/ids.ts'
import { DEFAULT_CRL_SCHEDULE } from '../../src/domain/revocation/crl-schedule.ts'
import { deltaPublicationName } from '../../src/domain/revocation/crl-series.ts'
import { publishCrl, publishCrlAndDelta } from '../../src/domain/revocation/publish-crl.ts'
import { BackgroundTask } from '../../src/server/background-task.ts'
import { type CrlOutlet, CrlOutlets } from '../../src/server/crl-outlets.ts'
import { testInstance } from '../support/instance.ts'

const IDEVID = authorityId('idevid-1')
const URL = 'http://pki.example.test/crl/idevid-1/0.crl'
const SCHEDULE = { ...DEFAULT_CRL_SCHEDULE, delta: { lifetimeSeconds: 600, fromEntries: 0 } }
const NEVER = new AbortController().signal

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-outlet-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function published(t: TestContext) {
  const instance = await testInstance(t)
  const issuer = await instance.authorities.signing(IDEVID)
  await publishCrlAndDelta(issuer, 0, URL, SCHEDULE, instance)
  const { read } = instance.store
  return {
    publish: () => publishCrl(issuer, 0, URL, SCHEDULE, instance),
    delta: (await read.publication(deltaPublicationName(IDEVID, 0)))!.bytes,
    outlets: (...outlets: CrlOutlet[]) => new CrlOutlets(outlets, read),
  }
}

test('a folder has the newest lists under the path that certificates name, and nothing else', async t => {
  const { publish, delta, outlets } = await published(t)
  const folder = folderOf(t)
  const at = outlets({ folder })
  const { bytes } = await publish()
  assert.ok((await at.carryOut(NEVER)) >= 2)
  const place = join(folder, 'crl', IDEVID)
  assert.deepEqual(new Uint8Array(readFileSync(join(place, '0.crl'))), bytes)
  assert.deepEqual(new Uint8Array(readFileSync(join(place, '0-delta.crl'))), delta)
  assert.equal(await at.carryOut(NEVER), 0)
  const next = await publish()
  assert.equal(await at.carryOut(NEVER), 1)
  assert.deepEqual(new Uint8Array(readFileSync(join(place, '0.crl'))), next.bytes)
  assert.deepEqual(readdirSync(place).sort(), ['0-delta.crl', '0.crl'])
})

test('a command gets the file and the path, no shell and no environment of ours', async t => {
  const { publish, outlets } = await published(t)
  const { bytes } = await publish()
  const folder = folderOf(t)
  const script = `const [file, path] = process.argv.slice(1)
    const to = process.env.HOME === undefined ? '${folder}/' + path.replaceAll('/', '_') : '/dev/null'
    require('node:fs').copyFileSync(file, to)`
  await outlets({ command: [process.execPath, '-e', script], timeoutSeconds: 30 }).carryOut(NEVER)
  assert.deepEqual(new Uint8Array(readFileSync(join(folder, 'crl_idevid-1_0.crl'))), bytes)
})

test('what fails is said, does not keep the others from theirs, and is tried again', async t => {
  const { outlets } = await published(t)
  const folder = folderOf(t)
  const blocked = join(folder, 'blocked')
  writeFileSync(blocked, '')
  const good = join(folder, 'good')
  const at = outlets({ folder: blocked }, { folder: good })
  await assert.rejects(at.carryOut(NEVER), { code: 'crl.outlet_failed' })
  assert.ok(readdirSync(join(good, 'crl', IDEVID)).includes('0.crl'))
  rmSync(blocked)
  assert.ok((await at.carryOut(NEVER)) >= 2)
  assert.ok(readdirSync(join(blocked, 'crl', IDEVID)).includes('0.crl'))
})

test('a command that does not end is ended', async t => {
  const { outlets } = await published(t)
  const command = [process.execPath, '-e', 'setInterval(() => {}, 1000)'] as const
  await assert.rejects(outlets({ command, timeoutSeconds: 1 }).carryOut(NEVER), { code: 'crl.outlet_failed' })
})

test('a task beside the loop fails each look until a run succeeds', async () => {
  const task = new BackgroundTask()
  const failing = () => Promise.reject(new Error('no'))
  task.look(failing)
  await task[Symbol.asyncDispose]()
  assert.throws(() => task.look(failing), /no/)
  await task[Symbol.asyncDispose]()
  assert.throws(() => task.look(async () => undefined), /no/)
  await task[Symbol.asyncDispose]()
  task.look(async () => undefined)
  await task[Symbol.asyncDispose]()
})
