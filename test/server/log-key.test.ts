// The log signs only what continues what it signed before (C2SP tlog-checkpoint).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { openCheckpoint } from '../../src/core/merkle/checkpoint.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'
import type { Store } from '../../src/domain/ports.ts'
import { logSigner, logVerifierKey, logVerifiers, signDueCheckpoint } from '../../src/server/log-key.ts'
import { registerDevice, testInstance } from '../support/instance.ts'
import { FORGETFUL, memoryLastSigned } from '../support/last-signed.ts'

const ORIGIN = 'example.test/log'

async function logKey() {
  const signer = softwareSigner(await generateKeyPair('Ed25519'), 'test:log')
  return { signer: logSigner(ORIGIN, signer), verifiers: logVerifiers([logVerifierKey(ORIGIN, signer.publicKey)]) }
}

test('signs each head once, in the form that others verify', async t => {
  const instance = await testInstance(t)
  const { signer, verifiers } = await logKey()
  const ports = {
    store: instance.store,
    clock: instance.clock,
    origin: ORIGIN,
    signer,
    verifiers,
    lastSigned: memoryLastSigned(),
    first: true,
  }
  const first = await signDueCheckpoint(ports)
  const head = await instance.store.read.auditHead()
  const opened = openCheckpoint(toUtf8(first!.note), ORIGIN, verifiers)
  assert.deepEqual([opened.checkpoint.size, Buffer.from(opened.checkpoint.root)], [head.size, Buffer.from(head.root)])
  assert.equal(await signDueCheckpoint(ports), undefined)
  await registerDevice(instance)
  assert.equal((await signDueCheckpoint(ports))?.size, head.size + 1)
})

test('signs nothing for a log that was cut or rewritten', async t => {
  const instance = await testInstance(t)
  const ports = {
    store: instance.store,
    clock: instance.clock,
    origin: ORIGIN,
    ...(await logKey()),
    lastSigned: FORGETFUL,
    first: true,
  }
  await signDueCheckpoint(ports)
  const head = await instance.store.read.auditHead()
  const heads = {
    cut: { size: head.size - 1, root: head.root },
    rewritten: { size: head.size + 1, root: new Uint8Array(32) },
  }
  for (const [what, false_] of Object.entries(heads)) {
    const read = new Proxy(instance.store.read, {
      get: (target, name) => (name === 'auditHead' ? async () => false_ : Reflect.get(target, name)),
    })
    const store = { ...instance.store, read, saveCheckpoint: () => assert.fail(`signed a log that was ${what}`) }
    const signing = signDueCheckpoint({ ...ports, store: store as unknown as Store })
    await assert.rejects(signing, { code: 'audit.log_not_continued' }, what)
  }
})
