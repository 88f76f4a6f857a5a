// Attack: an act that leaves no trace. Keys that the platform makes and destroys for itself, without anybody asking.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OcspResponders } from '../../src/domain/revocation/ocsp-responders.ts'
import { auditLog, testInstance } from '../support/instance.ts'

const DAY = 86_400

test('every key that the platform makes or destroys for itself has its entry', async t => {
  const instance = await testInstance(t)
  const responders = new OcspResponders(instance)
  for (let round = 0; round < 5; round++) {
    await responders.refresh()
    instance.clock.advance(8 * DAY)
  }
  const uris = async (action: string) => {
    const entries = (await auditLog(instance)).filter(entry => entry.action === action)
    return entries.map(entry => String(entry.subject['keyUri'])).filter(uri => uri.includes('ocsp-'))
  }
  const made = await uris('keystore.key_generated')
  const destroyed = await uris('keystore.key_destroyed')
  const held = (await instance.keyStore.list()).map(key => key.keyUri).filter(uri => uri.includes('ocsp-'))
  assert.ok(destroyed.length > 0)
  assert.deepEqual([...held, ...destroyed].sort(), made.sort())
})
