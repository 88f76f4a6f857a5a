// Who listens to events, for how long, and how many of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TouchmarkError } from '../../src/core/errors.ts'
import type { Principal } from '../../src/domain/access/principal.ts'
import { type EventPorts, eventEndpoints } from '../../src/protocols/api/events.ts'
import type { HttpRequest } from '../../src/protocols/http.ts'
import { somebody } from '../support/api-door.ts'
import { testInstance } from '../support/instance.ts'

const request = { headers: {}, signal: new AbortController().signal } as unknown as HttpRequest

async function listening(ports: EventPorts, caller: Principal): Promise<AsyncIterator<string>> {
  const [listen] = eventEndpoints(ports)
  return streamOf(listen!, caller)
}

async function streamOf(listen: ReturnType<typeof eventEndpoints>[number], caller: Principal) {
  const answer = await listen.handle({ request, caller } as never)
  assert.ok('octets' in answer)
  return (answer.octets as AsyncIterable<string>)[Symbol.asyncIterator]()
}

const refused = new TouchmarkError('access.token_invalid', 'unauthenticated', 'This API token does not work.')
const ends: Readonly<Record<string, () => Promise<Principal | undefined>>> = {
  'a session that ended': async () => undefined,
  'a token that was revoked': () => Promise.reject(refused),
  'a role that was taken away': async () => somebody(['device.read']),
}
for (const [what, authenticate] of Object.entries(ends)) {
  test(`nobody listens on with ${what}`, async t => {
    const { clock, store } = await testInstance(t)
    const wait = async () => clock.advance(1)
    const stream = await listening({ read: store.read, clock, wait, authenticate }, somebody())
    const begun = clock.now()
    for (let part = await stream.next(); !part.done; part = await stream.next())
      assert.equal(typeof part.value, 'string')
    assert.equal(clock.now() - begun, 15)
  })
}

test('one operator leaves room for others, and who hangs up makes room', async t => {
  const { clock, store } = await testInstance(t)
  const ports: EventPorts = {
    read: store.read,
    clock,
    wait: async () => undefined,
    authenticate: async () => somebody(),
  }
  const [listen] = eventEndpoints(ports)
  const streams: AsyncIterator<string>[] = []
  for (let i = 0; i < 20; i++) {
    const stream = await streamOf(listen!, somebody())
    await stream.next()
    streams.push(stream)
  }
  await assert.rejects(streamOf(listen!, somebody()), { code: 'api.too_many_listeners' })
  const other = await streamOf(listen!, somebody(undefined, {}, 'op-other'))
  assert.match((await other.next()).value, /^retry/)
  await streams[0]!.return?.()
  await streamOf(listen!, somebody())
  for (const stream of [...streams, other]) await stream.return?.()
})
