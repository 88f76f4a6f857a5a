// Attack, or accident: the whole store is put back to an older copy of itself. Every signature in it is genuine and it verifies: spent tokens
// are good again, revoked certificates too. What was signed last is remembered beside the keys, and gives it away.
import assert from 'node:assert/strict'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { openCheckpoint, signCheckpoint } from '../../src/core/merkle/checkpoint.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'
import type { Store } from '../../src/domain/ports.ts'
import { checkNotRolledBack, lastSignedIn } from '../../src/server/last-signed.ts'
import { logSigner, logVerifierKey, logVerifiers, signDueCheckpoint } from '../../src/server/log-key.ts'
import { auditLog, registerDevice, testInstance } from '../support/instance.ts'
import { memoryLastSigned } from '../support/last-signed.ts'
import { LiveServer } from '../support/live-server.ts'

const ORIGIN = 'example.test/log'

interface Failure {
  readonly error: { readonly code: string; readonly next: string; readonly evidence: Record<string, number> }
}

/** The database of an installation at rest, with its write-ahead log. */
function copyStore(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(to)) if (name.startsWith('touchmark.db')) rmSync(join(to, name))
  for (const name of readdirSync(from))
    if (name.startsWith('touchmark.db')) copyFileSync(join(from, name), join(to, name))
}

const createToken = (server: LiveServer, serial: string) =>
  server.json(['token', 'create', '--device', serial, '--model', 'gw', '--profile', 'ldevid'])

/** Serves until the log is signed for what it holds. */
async function signed(server: LiveServer): Promise<void> {
  await server.serve()
  assert.equal(await server.stop(), 0)
}

test('an older copy of the store: the server refuses and says what to do, so does a batch; audit verify names it; the newest copy is taken', async () => {
  await using server = await LiveServer.prepare()
  const remembered = server.folder.join('data/keys/last-checkpoint.txt')
  assert.ok(existsSync(remembered), 'from the beginning')
  await createToken(server, 'SN-1')
  await signed(server)
  const [older, newest] = [server.folder.join('older'), server.folder.join('newest')]
  copyStore(server.data, older)
  await createToken(server, 'SN-2')
  await signed(server)
  copyStore(server.data, newest)
  const { stdout } = await server.cli(['audit', 'checkpoint'])
  assert.equal(readFileSync(remembered, 'utf8'), stdout, 'it is the checkpoint that the world is shown')
  await server.json(['audit', 'verify'])

  copyStore(older, server.data)
  const before = await server.counts()
  writeFileSync(server.folder.join('units.csv'), 'serial\nA\n')
  for (const args of [
    ['serve', '--port', '0', '--http-port', '0'],
    ['batch', '--input', 'units.csv', '--profile', 'idevid', '--output', 'out', '--generate-keys'],
  ]) {
    const refused = await server.cli([...args, '--json'])
    assert.equal(refused.code, 3, refused.stderr)
    const { error } = JSON.parse(refused.stdout) as Failure
    assert.equal(error.code, 'log.rolled_back')
    assert.ok(error.evidence['size']! < error.evidence['signedSize']!)
    assert.match(error.next, /newest copy[\s\S]*docs\/operate\/log-does-not-verify\.md/)
  }
  assert.deepEqual(await server.counts(), before, 'nothing was written')
  const verified = await server.cli(['audit', 'verify', '--json'])
  assert.equal(verified.code, 1)
  const codes = (report: string) => JSON.parse(report).findings.map((each: { code: string }) => each.code)
  assert.deepEqual(codes(verified.stdout), ['log.rolled_back'])
  assert.match((await server.cli(['doctor'])).stdout, /older copy/)

  copyStore(newest, server.data)
  await server.json(['audit', 'verify'])
  await signed(server)

  // It is lost for good: the operator says so by putting what is remembered away. The log goes on, and is another one.
  copyStore(older, server.data)
  renameSync(remembered, server.folder.join('kept-as-proof.txt'))
  await createToken(server, 'SN-3')
  await createToken(server, 'SN-4')
  await signed(server)
  await createToken(server, 'SN-5')
  await signed(server)
  await server.json(['audit', 'verify'])
  copyFileSync(server.folder.join('kept-as-proof.txt'), remembered)
  const branched = await server.cli(['audit', 'verify', '--json'])
  assert.deepEqual(codes(branched.stdout), ['audit.log_rewritten', 'log.rolled_back'])
  const again = await server.cli(['serve', '--port', '0', '--http-port', '0', '--json'])
  assert.equal((JSON.parse(again.stdout) as Failure).error.code, 'log.rolled_back')

  writeFileSync(remembered, readFileSync(remembered, 'utf8').replace(/\n\d+\n/, '\n1\n'))
  const forged = await server.cli(['serve', '--port', '0', '--http-port', '0', '--json'])
  assert.equal((JSON.parse(forged.stdout) as Failure).error.code, 'log.last_checkpoint_invalid')
})

async function logKey() {
  const signer = softwareSigner(await generateKeyPair('Ed25519'), 'test:log')
  return { signer: logSigner(ORIGIN, signer), verifiers: logVerifiers([logVerifierKey(ORIGIN, signer.publicKey)]) }
}

test('whatever fails on the way, what is remembered is durable in the store, and nothing is shown that is not remembered', async t => {
  const instance = await testInstance(t)
  const { store, clock } = instance
  const lastSigned = memoryLastSigned()
  const ports = { store, clock, origin: ORIGIN, ...(await logKey()), lastSigned }
  await signDueCheckpoint({ ...ports, first: true })
  await registerDevice(instance)

  // The disk of the keys is full: the checkpoint is not shown.
  const shown = await store.read.latestCheckpoint()
  const failing = { ...lastSigned, keep: () => Promise.reject(new Error('no room')) }
  await assert.rejects(signDueCheckpoint({ ...ports, lastSigned: failing }), /no room/)
  assert.deepEqual(await store.read.latestCheckpoint(), shown)
  await checkNotRolledBack(lastSigned, store.read)

  // The process dies before the store has the checkpoint: what is remembered is there all the same.
  const dying = { read: store.read, saveCheckpoint: () => Promise.reject(new Error('killed')) } as unknown as Store
  await assert.rejects(signDueCheckpoint({ ...ports, store: dying }), /killed/)
  assert.equal((await lastSigned.read())?.size, (await auditLog(instance)).length)
  assert.deepEqual(await store.read.latestCheckpoint(), shown)
  await checkNotRolledBack(lastSigned, store.read)
  await registerDevice(instance)
  await checkNotRolledBack(lastSigned, store.read)
  assert.equal((await signDueCheckpoint(ports))?.size, (await auditLog(instance)).length)

  // Under a running server the store becomes an older one: it signs no more.
  const size = (await lastSigned.read())!.size
  const older = new Proxy(store.read, {
    get: (target, name) =>
      name === 'auditHead' ? async () => ({ size: size - 1, root: new Uint8Array(32) }) : Reflect.get(target, name),
  })
  const rolledBack = { read: older, saveCheckpoint: () => assert.fail('signed') } as unknown as Store
  await assert.rejects(signDueCheckpoint({ ...ports, store: rolledBack }), { code: 'log.rolled_back' })
})

test('in the folder of the keys: for its owner alone, never smaller than before, and only under the key of the log', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'touchmark-last-signed-'))
  try {
    const { signer, verifiers } = await logKey()
    const note = (size: number, by = signer) =>
      signCheckpoint({ origin: ORIGIN, size, root: new Uint8Array(32), extensions: [] }, [by])
    const lastSigned = lastSignedIn(folder, { origin: ORIGIN, verifiers })
    assert.equal(await lastSigned.read(), undefined)
    await lastSigned.keep(await note(10))
    await lastSigned.keep(await note(7))
    assert.equal((await lastSigned.read())?.size, 10)
    const [name] = readdirSync(folder)
    assert.equal(statSync(join(folder, name!)).mode & 0o777, 0o600)
    assert.equal(
      openCheckpoint(toUtf8(readFileSync(join(folder, name!), 'utf8')), ORIGIN, verifiers).checkpoint.size,
      10,
    )
    writeFileSync(join(folder, name!), await note(11, (await logKey()).signer))
    await assert.rejects(lastSigned.read(), { code: 'log.last_checkpoint_invalid' })
    await assert.rejects(lastSigned.keep(await note(12)), { code: 'log.last_checkpoint_invalid' })
  } finally {
    await rm(folder, { recursive: true })
  }
})
