// The claims about fleets at their full size: minutes, not seconds. `npm run nightly`; `.ci/run` runs it after the tests.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RealFleetResult } from '../../src/sim/real-fleet.ts'
import { touchmarkJson } from '../support/cli.ts'
import { assertInvariants } from '../support/invariants.ts'
import { LiveServer } from '../support/live-server.ts'

test('2,000 devices with one act in twenty struck: each ends with one valid identity, none has two, the log verifies', async () => {
  await using server = await LiveServer.start()
  const result = await server.json<RealFleetResult & { duplicates: number; withoutLive: number }>([
    'simulate',
    ...['--server', server.url, '--devices', '2000', '--faults', '0.05', '--renewals', '2'],
  ])
  const { devices, valid, seconds, faults } = result
  console.log(JSON.stringify({ devices, valid, seconds, faults }))
  assert.deepEqual(result.invalid, [])
  assert.equal(result.valid, 2000)
  assert.equal(result.duplicates, 0)
  assert.equal(result.withoutLive, 0)
  assert.equal(result.clonesRefused, result.faults.clone)
  await server.stop()
  await using store = await server.store()
  await assertInvariants(store)
})

test('1,000,000 devices born in one day: after three years no busy day and nobody left without a certificate', async () => {
  const figures = await touchmarkJson<Record<string, number>>([
    'simulate',
    ...['--virtual', '--devices', '1000000', '--years', '3', '--json'],
  ])
  console.log(JSON.stringify(figures))
  assert.ok(figures['busiestDayOverMean']! <= 1.5)
  assert.equal(figures['devicesWithoutValid'], 0)
})
