// `touchmark renewal` as a person and as a script meet it: the horizon, who hangs and why, the window of a device, an order and its end.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { putCredential } from '../../src/domain/renewal/credential-writes.ts'
import { LiveServer } from '../support/live-server.ts'

const DAY = 86_400

interface CredentialView {
  readonly profile: string
  readonly notAfter: string
  readonly standing: string
  readonly suggestedWindow: { readonly start: string; readonly end: string }
  readonly order: { readonly reason: string; readonly newKey: boolean } | null
}

describe('touchmark renewal', () => {
  let server: LiveServer
  const serials = ['SN-1', 'SN-2', 'SN-3', 'SN-4']

  before(async () => {
    server = await LiveServer.prepare()
    const input = `serial\n${serials.join('\n')}\n`
    await server.sh('cat > units.csv && touchmark batch -i units.csv -p ldevid -o out --generate-keys', { input })
  })
  after(async () => server[Symbol.asyncDispose]())

  const show = async (serial: string) => {
    const { credentials } = await server.json<{ credentials: CredentialView[] }>(['renewal', 'show', serial])
    assert.equal(credentials.length, 1)
    return credentials[0]!
  }

  test('horizon counts what ends and what begins', async () => {
    const { profiles } = await server.json<{
      profiles: { live: number; expired: number; rows: { expiring: number; renewing: number }[] }[]
    }>(['renewal', 'horizon', '--by', 'week', '--for', '100d', '--profile', 'ldevid'])
    const [{ live, expired, rows }] = profiles as [(typeof profiles)[number]]
    const sum = (what: 'expiring' | 'renewing') => rows.reduce((total, row) => total + row[what], 0)
    assert.deepEqual([live, expired, sum('expiring'), sum('renewing')], [4, 0, 4, 4])
    assert.match((await server.cli(['renewal', 'horizon'])).stdout, /gateway-tls-server[\s\S]*ldevid/)
  })

  test('list names what expires, soonest first', async () => {
    const { credentials } = await server.json<{ credentials: CredentialView[] }>([
      'renewal',
      'list',
      '--within',
      '100d',
    ])
    assert.equal(credentials.length, 4)
    assert.deepEqual((await server.json(['renewal', 'list', '--within', '10d']))['credentials'], [])
  })

  test('show says when and why; order opens the window; withdraw closes it again', async () => {
    const before = await show('SN-1')
    assert.equal(before.standing, 'ahead')
    await server.json(['renewal', 'order', 'SN-1', '--new-key', '--within', '2d'])
    const ordered = await show('SN-1')
    assert.equal(ordered.standing, 'open')
    assert.equal(ordered.order?.newKey, true)
    assert.match((await server.cli(['renewal', 'show', 'SN-1'])).stdout, /asked for: operator/)
    await server.json(['renewal', 'withdraw', 'SN-1'])
    assert.deepEqual(await show('SN-1'), before)
    assert.match((await server.cli(['renewal', 'withdraw', 'SN-1'])).stderr, /renewal\.no_order/)
  })

  test('an order that nobody could follow is a wrong command line', async () => {
    const order = (...args: string[]) => server.cli(['renewal', 'order', 'SN-2', ...args])
    const [algorithm, profile, missing] = await Promise.all([
      order('--key-algorithm', 'P-999'),
      order('--to-profile', 'ocsp-signer'),
      order('--to-profile', 'none'),
    ])
    assert.deepEqual([algorithm.code, profile.code], [2, 2])
    assert.match(missing.stderr, /profile\.not_found/)
  })

  test('stuck finds who should have renewed, with the reason', async () => {
    assert.match((await server.cli(['renewal', 'stuck'])).stdout, /Nobody hangs/)
    await letWindowClose('SN-3', { failures: 3, lastFailure: { code: 'rule.none_matches', at: 1 } })
    await letWindowClose('SN-4', {})
    await server.sh('touchmark device suspend SN-4')
    const { devices, more } = await server.json<{
      devices: { device: { serialNumber: string }; reason: string; expired: boolean }[]
      more: boolean
    }>(['renewal', 'stuck'])
    const found = devices.map(({ device, reason, expired }) => [device.serialNumber, reason, expired])
    assert.deepEqual(found.sort(), [
      ['SN-3', 'refused', false],
      ['SN-4', 'device_not_active', false],
    ])
    assert.equal(more, false)
    assert.match(
      (await server.cli(['renewal', 'stuck'])).stdout,
      /SN-3 .*attempts are refused.*rule\.none_matches \(3\)/,
    )
    assert.equal((await server.json<{ more: boolean }>(['renewal', 'stuck', '--limit', '1'])).more, true)
  })

  test('the store is sound after all of it', async () => {
    await server.assertInvariants()
    await server.sh('touchmark audit verify')
  })

  /** As if the time had come and gone. */
  async function letWindowClose(serial: string, fields: object): Promise<void> {
    await using store = await server.store()
    const [device] = await store.read.devicesBySerial(serial)
    const credential = (await store.read.credential(device!.id, 'ldevid'))!
    const windowStart = credential.notBefore - 2 * DAY
    const closed = { ...credential, windowStart, windowEnd: windowStart + DAY, ...fields }
    await store.commit({ writes: putCredential(credential, closed), audit: [] })
  }
})
