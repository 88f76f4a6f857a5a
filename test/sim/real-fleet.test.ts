// A fleet of agents against a running server, struck often: every device ends with one valid identity, none with two, copies are turned away,
// and the log tells what the store says. The large one is in test/nightly.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RealFleetResult } from '../../src/sim/real-fleet.ts'
import { assertInvariants } from '../support/invariants.ts'
import { LiveServer } from '../support/live-server.ts'

let server: LiveServer
before(async () => {
  server = await LiveServer.start()
})
after(() => server[Symbol.asyncDispose]())

test('whatever strikes a device, it ends with one valid identity, and its copies are turned away', async () => {
  const result = await server.json<RealFleetResult & { duplicates: number; withoutLive: number }>([
    'simulate',
    ...['--server', server.url, '--devices', '20', '--renewals', '2', '--faults', '0.25', '--seed', '4711'],
  ])
  assert.deepEqual(result.invalid, [])
  assert.equal(result.valid, 20)
  assert.equal(result.renewals, 40)
  assert.equal(result.duplicates, 0)
  assert.equal(result.withoutLive, 0)
  for (const [kind, count] of Object.entries(result.faults)) assert.ok(count > 0, `${kind} never struck`)
  assert.equal(result.clonesRefused, result.faults.clone)
})

test('a second server takes over where the first one is not there', async () => {
  const servers = ['--server', 'https://localhost:1', '--server', server.url]
  const result = await server.json<RealFleetResult>([
    'simulate',
    ...servers,
    ...['--devices', '2', '--renewals', '1', '--faults', '0'],
  ])
  assert.deepEqual([result.valid, result.renewals], [2, 2])
})

test('and the log tells what the store says', async () => {
  // At rest: a checkpoint that is signed while the store is read would be newer than what was read.
  await server.stop()
  await using store = await server.store()
  await assertInvariants(store)
})
