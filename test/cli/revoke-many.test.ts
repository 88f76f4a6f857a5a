// `touchmark revoke` by query: look first, say how many, hold with a time to undo it, undo, release; and the same job again by its number.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { LiveServer } from '../support/live-server.ts'

interface Job {
  readonly job: string
  readonly state: string
  readonly changed: number
}

describe('touchmark revoke by query', () => {
  let server: LiveServer
  before(async () => {
    server = await LiveServer.prepare()
    const serials = Array.from({ length: 12 }, (_, i) => `SN-${i}`)
    writeFileSync(server.folder.join('units.csv'), `serial\n${serials.join('\n')}\n`)
    await server.json(['batch', '--input', 'units.csv', '--profile', 'idevid', '--output', 'out', '--generate-keys'])
  })
  after(() => server[Symbol.asyncDispose]())

  const query = ['revoke', '--model', 'generic', '--profile', 'idevid']
  const statuses = async () => (await server.device('SN-7')).certificates.map(({ status }) => status.kind)

  test('a preview changes nothing and says what it would meet', async () => {
    const preview = await server.json<Record<string, unknown>>([...query, '--preview'])
    assert.equal(preview['certificates'], 12)
    assert.deepEqual(preview['left'], { some: 0, none: 12 })
    assert.deepEqual(preview['byModel'], [{ name: 'generic', count: 12 }])
    assert.deepEqual(await statuses(), ['good'])
    const { stdout } = await server.cli([...query, '--preview'])
    assert.match(
      stdout,
      /12 certificates of 12 devices[\s\S]*12 devices have no other live certificate and stop working[\s\S]*--expect 12/,
    )
  })

  test('who does not say how many, or too few, revokes nothing', async () => {
    const silent = await server.cli([...query, '--reason', 'superseded'])
    assert.equal(silent.code, 2)
    assert.match(silent.stderr, /--preview first/)
    const few = await server.cli([...query, '--reason', 'superseded', '--expect', '11'])
    assert.equal(few.code, 1)
    assert.match(few.stderr, /revocation\.more_than_expected/)
    assert.deepEqual(await statuses(), ['good'])
  })

  test('a revocation with a time to undo it holds; undone, everything is good again', async () => {
    const begin = ['--reason', 'superseded', '--expect', '12', '--undo-within', '24h', '--because', 'INC-7']
    const held = await server.json<Job>([...query, ...begin])
    assert.deepEqual([held.state, held.changed], ['finished', 12])
    assert.deepEqual(await statuses(), ['held'])
    const shown = await server.json<Job>(['revoke', '--job', held.job])
    assert.deepEqual(shown, held)
    const undone = await server.json<Job>(['revoke', '--undo', held.job])
    assert.deepEqual([undone.state, undone.changed], ['finished', 12])
    assert.deepEqual(await statuses(), ['good'])
  })

  test('a hold of one device is released by the device; a revocation says since when the key is suspect', async () => {
    const held = await server.json<{ changed: { status: string }[] }>(['revoke', '--device', 'SN-3', '--hold'])
    assert.deepEqual(
      held.changed.map(({ status }) => status),
      ['held'],
    )
    const released = await server.json<Job>(['revoke', '--device', 'SN-3', '--release'])
    assert.equal(released.changed, 1)
    const since = '2026-01-31T12:00:00Z'
    const revoked = await server.json<{ changed: Record<string, string>[] }>([
      'revoke',
      '--device',
      'SN-3',
      '--reason',
      'keyCompromise',
      '--suspect-since',
      since,
    ])
    assert.deepEqual([revoked.changed[0]?.['status'], revoked.changed[0]?.['invalidityDate']], ['revoked', since])
  })

  test('what cannot be meant is a usage error', async () => {
    for (const wrong of [
      ['--model', 'x', '--certificate', '0a', '--undo', 'ab'],
      ['--certificate', '0a', '--preview'],
      ['--model', 'x', '--release', '--reason', 'superseded', '--expect', '1'],
      ['--model', 'x', '--hold', '--reason', 'superseded', '--expect', '1'],
      ['--model', 'x', '--issued-from', 'yesterday', '--preview'],
      ['--undo', 'ab', '--reason', 'superseded'],
    ]) {
      assert.equal((await server.cli(['revoke', ...wrong])).code, 2, wrong.join(' '))
    }
  })
})
