// OCSP over HTTP: GET and POST (RFC 6960 appendix A), what caches are told (RFC 5019 §5 and §6), and that ready replies are like all others.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { after, before, type TestContext, test } from 'node:test'
import { toHex } from '../../src/core/bytes/hex.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { MAX_OCSP_REQUEST, parseOcspResponse } from '../../src/core/pki/ocsp.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { OCSP_VALIDITY_SECONDS } from '../../src/domain/revocation/live-ocsp.ts'
import { revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import { createOcspRoutes } from '../../src/protocols/ocsp/routes.ts'
import { type Listener, openListener } from '../../src/server/listener.ts'
import { jsonLogger } from '../../src/server/logger.ts'
import { bornDevice, OPERATOR, type TestInstance, testInstance } from '../support/instance.ts'
import { ask, basicOf, certId, type TestResponder, testResponder } from '../support/ocsp.ts'

interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

let instance: TestInstance
let responder: TestResponder
let listener: Listener
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const answers: string[] = []
const replies: string[] = []
const lines: string[] = []

before(async context => {
  instance = await testInstance(context as TestContext)
  responder = await testResponder(instance)
  await responder.service.follow()
  listener = await openListener({
    host: '127.0.0.1',
    port: 0,
    logger: jsonLogger(line => lines.push(line)),
    routes: createOcspRoutes({
      service: responder.service,
      clock: instance.clock,
      onAnswer: (outcome, origin) => answers.push(`${outcome} ${origin}`),
    }),
    onReply: ({ route, method, status }) => replies.push(`${method} ${route} ${status}`),
  })
})
after(async () => {
  agent.destroy()
  await listener.close()
})

async function send(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Uint8Array,
): Promise<Reply> {
  const sent = request({ host: '127.0.0.1', port: listener.port, agent, method, path, headers })
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { status: response.statusCode!, headers: response.headers, body: new Uint8Array(Buffer.concat(chunks)) }
}

const get = (der: Uint8Array, headers?: Record<string, string>) =>
  send('GET', `/ocsp/${Buffer.from(der).toString('base64')}`, headers)
const post = (der: Uint8Array) => send('POST', '/ocsp', { 'content-type': 'application/ocsp-request' }, der)

async function newRequest() {
  const { record } = await bornDevice(instance)
  return { record, der: ask([await certId(instance, record)]) }
}

test('6.2 an answer says since when and until when it holds, and for how many seconds it may be kept', async () => {
  const { der } = await newRequest()
  const now = instance.clock.now()
  const { status, headers, body } = await get(der)
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'application/ocsp-response')
  assert.equal(headers['last-modified'], new Date(now * 1000).toUTCString())
  assert.equal(headers.expires, new Date((now + OCSP_VALIDITY_SECONDS) * 1000).toUTCString())
  assert.equal(headers['cache-control'], `max-age=${OCSP_VALIDITY_SECONDS}, public, no-transform, must-revalidate`)
  assert.equal(headers.etag, `"${toHex(sha256(body))}"`)
  assert.ok(headers.date)
  assert.equal(Number(headers['content-length']), body.length)
})

test('6.2 what was signed a while ago has so much less to live, and max-age never outlives nextUpdate', async () => {
  const { der } = await newRequest()
  const first = await get(der)
  instance.clock.advance(600)
  const second = await get(der)
  assert.deepEqual(second.body, first.body)
  assert.equal(second.headers.expires, first.headers.expires)
  assert.equal(second.headers.etag, first.headers.etag)
  const maxAge = (reply: Reply) => Number(/^max-age=(\d+),/.exec(reply.headers['cache-control']!)![1])
  assert.ok(maxAge(second) <= OCSP_VALIDITY_SECONDS - 600)
  // The head was written for half a minute.
  instance.clock.advance(29)
  assert.ok(maxAge(await get(der)) <= OCSP_VALIDITY_SECONDS - 629)
  assert.ok(maxAge(await get(der)) > OCSP_VALIDITY_SECONDS - 700)
})

test('5 GET, escaped or not, and POST give the same octets; ready or not they are counted', async () => {
  const { der } = await newRequest()
  answers.length = 0
  replies.length = 0
  const before = listener.requests
  const first = await get(der)
  const escaped = await send('GET', `/ocsp/${encodeURIComponent(Buffer.from(der).toString('base64'))}`)
  for (const reply of [escaped, await get(der), await post(der)]) assert.deepEqual(reply.body, first.body)
  assert.deepEqual(answers, ['successful live', ...Array(3).fill('successful presigned')])
  assert.deepEqual(replies, [...Array(3).fill('GET /ocsp/* 200'), 'POST /ocsp 200'])
  assert.equal(listener.requests - before, 4)
})

test('6.2 HEAD and conditional requests', async () => {
  const { der } = await newRequest()
  const first = await get(der)
  const path = `/ocsp/${Buffer.from(der).toString('base64')}`
  const head = await send('HEAD', path)
  assert.equal(head.status, 200)
  assert.equal(head.body.length, 0)
  assert.equal(head.headers['content-length'], String(first.body.length))
  assert.equal(head.headers.etag, first.headers.etag)
  const same = await get(der, { 'if-none-match': first.headers.etag! })
  assert.equal(same.status, 304)
  assert.equal(same.body.length, 0)
  assert.equal(same.headers.etag, first.headers.etag)
  assert.equal((await get(der, { 'if-none-match': '"another"' })).status, 200)
})

test('6.2 what is for nobody else is not kept by caches: nonces, errors', async () => {
  const { record, der } = await newRequest()
  const nonce = ask([await certId(instance, record)], { nonce: new Uint8Array(32).fill(3) })
  for (const [request, outcome] of [
    [nonce, 'successful'],
    [new Uint8Array([1, 2, 3]), 'malformedRequest'],
    [new Uint8Array(der.map((octet, i) => (i === 40 ? octet ^ 1 : octet))), 'unauthorized'],
  ] as const) {
    const { headers, body, status } = await post(request)
    assert.equal(status, 200)
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal(headers.etag, undefined)
    assert.equal(parseOcspResponse(body).responseStatus, outcome)
  }
})

test('a revocation is in the next answer, and the entity tag is another', async () => {
  const { record, der } = await newRequest()
  const good = await get(der)
  await revokeCertificate(record, 'keyCompromise', OPERATOR, instance)
  await responder.service.follow()
  const revoked = await get(der, { 'if-none-match': good.headers.etag! })
  assert.equal(revoked.status, 200)
  assert.equal(basicOf(revoked.body).responses[0]!.status.kind, 'revoked')
})

test('refusals of HTTP are told in its words, faults in those of OCSP (RFC 6960 2.3)', async () => {
  const { der, record } = await newRequest()
  assert.equal((await send('POST', '/ocsp', { 'content-type': 'text/plain' }, der)).status, 415)
  const long = await send(
    'POST',
    '/ocsp',
    { 'content-type': 'application/ocsp-request' },
    new Uint8Array(MAX_OCSP_REQUEST + 1),
  )
  assert.equal(long.status, 413)
  for (const path of ['/ocsp/%25%25', '/ocsp/%', `/ocsp/${'A'.repeat(3000)}`, '/ocsp/']) {
    const { status, body } = await send('GET', path)
    if (status === 200) assert.equal(parseOcspResponse(body).responseStatus, 'malformedRequest')
    else assert.ok(status === 400 || status === 404, `${path}: ${status}`)
  }
  const { signer } = (await responder.responders.current()).find(each => each.authorityId === record.authorityId)!
  const { sign, signMany } = signer
  const fail = (error: Error) => Object.assign(signer, { sign: () => Promise.reject(error), signMany: undefined })
  fail(new TouchmarkError('signer.failed', 'unavailable', 'The token is gone.'))
  assert.equal(parseOcspResponse((await post(der)).body).responseStatus, 'tryLater')
  fail(new Error('a fault'))
  const fault = await post(der)
  assert.deepEqual([fault.status, parseOcspResponse(fault.body).responseStatus], [200, 'internalError'])
  assert.ok(lines.some(line => line.includes('request.failed')))
  Object.assign(signer, { sign, signMany })
  assert.equal(parseOcspResponse((await post(der)).body).responseStatus, 'successful')
})
