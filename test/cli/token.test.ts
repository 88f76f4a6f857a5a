// `touchmark token list` and `token cancel`: by id, by device; never the secret.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LiveServer } from '../support/live-server.ts'

interface Made {
  readonly id: string
  readonly token: string
}

test('tokens are listed without their secrets, and cancelled by id or by device and profile', async () => {
  await using server = await LiveServer.prepare()
  const create = (serial: string, model: string, profile: string) =>
    server.json<Made>(['token', 'create', '--device', serial, '--model', model, '--profile', profile])
  const list = async (...args: string[]) => {
    const { code, stdout, stderr } = await server.cli(['token', 'list', ...args, '--json'])
    assert.equal(code, 0, stderr)
    const lines = stdout.split('\n').filter(line => line !== '')
    return lines.map(line => JSON.parse(line) as { id: string; profile: string; expired: boolean })
  }
  const refused = async (code: string, ...args: string[]) => {
    const answer = await server.cli(['token', 'cancel', ...args, '--json'])
    assert.notEqual(answer.code, 0)
    const { error } = JSON.parse(answer.stdout)
    assert.equal(error.code, code)
    assert.match(error.next ?? '', code === 'usage.invalid' ? /./ : /touchmark (token|device) list/)
  }
  const one = await create('SN-1', 'gw', 'ldevid')
  const two = await create('SN-1', 'gw', 'gateway-tls-server')
  const three = await create('SN-1', 'gw', 'gateway-tls-server')
  assert.deepEqual(
    (await list('--device', 'SN-1')).map(({ id, profile, expired }) => [id, profile, expired]),
    [
      [one.id, 'ldevid', false],
      [two.id, 'gateway-tls-server', false],
      [three.id, 'gateway-tls-server', false],
    ].toSorted(),
  )
  const shown = await server.cli(['token', 'list', '--device', 'SN-1'])
  for (const { token } of [one, two, three]) assert.ok(!shown.stdout.includes(token))
  assert.match(shown.stdout, new RegExp(one.id))

  await refused('token.ambiguous', '--device', 'SN-1')
  await refused('token.ambiguous', '--device', 'SN-1', '--profile', 'gateway-tls-server')
  await server.json(['token', 'cancel', '--device', 'SN-1', '--model', 'gw', '--profile', 'ldevid'])
  await server.json(['token', 'cancel', two.id.toUpperCase()])
  assert.deepEqual(
    (await list('--device', 'SN-1')).map(({ id }) => id),
    [three.id],
  )
  await refused('token.not_found', '--device', 'SN-1', '--profile', 'ldevid')
  await refused('token.not_found', '00'.repeat(16))
  await refused('token.not_found', 'no id at all')
  await refused('device.not_found', '--device', 'SN-0')
  for (const args of [[], [three.id, '--device', 'SN-1']]) {
    assert.equal((await server.cli(['token', 'cancel', ...args])).code, 2)
  }
  await server.json(['token', 'cancel', '--device', 'SN-1'])
  await server.json(['audit', 'verify'])
  await server.assertInvariants()
})
