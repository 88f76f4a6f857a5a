// Attack: whoever writes into the store writes the last checkpoint too. A server that believes it would put the log's own signature under
// a history that somebody rewrote.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Checkpoint, formatCheckpoint, signCheckpoint } from '../../src/core/merkle/checkpoint.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'
import type { Store, StoredCheckpoint } from '../../src/domain/ports.ts'
import {
  type CheckpointPorts,
  logSigner,
  logVerifierKey,
  logVerifiers,
  signDueCheckpoint,
} from '../../src/server/log-key.ts'
import { registerDevice, testInstance } from '../support/instance.ts'
import { FORGETFUL } from '../support/last-signed.ts'

const ORIGIN = 'example.test/log'

async function logKey() {
  const signer = softwareSigner(await generateKeyPair('Ed25519'), 'test:log')
  return { signer: logSigner(ORIGIN, signer), verifiers: logVerifiers([logVerifierKey(ORIGIN, signer.publicKey)]) }
}

/** A log that signed once and has grown since. */
async function grownLog(t: TestContext) {
  const instance = await testInstance(t)
  const ports: CheckpointPorts = {
    store: instance.store,
    clock: instance.clock,
    origin: ORIGIN,
    ...(await logKey()),
    lastSigned: FORGETFUL,
  }
  const signed = (await signDueCheckpoint({ ...ports, first: true }))!
  await registerDevice(instance)
  const head = await instance.store.read.auditHead()
  const statement: Checkpoint = { origin: ORIGIN, size: head.size, root: new Uint8Array(head.root), extensions: [] }
  // What an attacker would have signed over: a log that has grown once more since the statement that he puts there.
  await registerDevice(instance)
  return { ports, signed, statement }
}

/** The ports over a store whose last checkpoint is another. */
function withLatest(ports: CheckpointPorts, latest: StoredCheckpoint | undefined): CheckpointPorts {
  const read = new Proxy(ports.store.read, {
    get: (target, name) => (name === 'latestCheckpoint' ? async () => latest : Reflect.get(target, name)),
  })
  const store = { ...ports.store, read, saveCheckpoint: () => assert.fail('a checkpoint was signed') }
  return { ...ports, store: store as unknown as Store }
}

const refused = { code: 'audit.log_not_continued' }

test('a checkpoint without a signature is not continued', async t => {
  const { ports, statement } = await grownLog(t)
  const note = `${formatCheckpoint(statement)}\n\u2014 ${ORIGIN} AAAAAAAA\n`
  await assert.rejects(signDueCheckpoint(withLatest(ports, { size: statement.size, note, at: 0 })), refused)
})

test('a checkpoint under another key of the same name is not continued', async t => {
  const { ports, statement } = await grownLog(t)
  const note = await signCheckpoint(statement, [(await logKey()).signer])
  await assert.rejects(signDueCheckpoint(withLatest(ports, { size: statement.size, note, at: 0 })), refused)
})

test('a checkpoint that the log signed does not stand for a larger log than the one that it was signed for', async t => {
  const { ports, signed, statement } = await grownLog(t)
  await assert.rejects(signDueCheckpoint(withLatest(ports, { ...signed, size: statement.size })), refused)
})

test('a log whose checkpoints were removed is not signed as if it were new', async t => {
  const { ports } = await grownLog(t)
  await assert.rejects(signDueCheckpoint(withLatest(ports, undefined)), refused)
})

test('the log that nobody touched is signed', async t => {
  const { ports, statement } = await grownLog(t)
  assert.equal((await signDueCheckpoint(ports))?.size, statement.size + 1)
})
