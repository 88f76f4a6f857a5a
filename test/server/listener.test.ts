import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as tcpConnect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as tlsConnect } from 'node:tls'
import { TouchmarkError } from '../../src/core/errors.ts'
import type { HttpReply, HttpRequest, Peer, Route } from '../../src/protocols/http.ts'
import { Listener, openListener } from '../../src/server/listener.ts'
import { jsonLogger } from '../../src/server/logger.ts'
import { type TestCertificate, testCertificate } from '../support/test-pki.ts'

const lines: string[] = []
const logger = jsonLogger(line => lines.push(line))

const ok = (body: string): HttpReply => ({ status: 200, headers: { 'content-type': 'text/plain' }, body })
const route = (
  method: 'GET' | 'POST',
  pattern: string,
  handle: (request: HttpRequest) => Promise<HttpReply>,
): Route => ({
  method,
  pattern,
  door: 'public',
  listeners: ['https', 'http'],
  maxBody: 1000,
  handle,
})

const peers: Peer[] = []
const slow = Promise.withResolvers<void>()
let aborted = 0
const routes: Route[] = [
  route('POST', '/echo', async request => ok(Buffer.from(request.body).toString('hex'))),
  route('GET', '/query', async request => ok(`${request.path} ${request.query.get('a')} ${request.headers['x-one']}`)),
  route('GET', '/peer', async request => {
    peers.push(request.peer)
    const { certificates, tlsUnique, tlsExporter } = request.peer
    return ok(JSON.stringify({ n: certificates.length, unique: hex(tlsUnique), exporter: hex(tlsExporter) }))
  }),
  route('GET', '/secret', async () => {
    throw new Error('the passphrase is hunter2')
  }),
  route('GET', '/unavailable', async () => {
    throw new TouchmarkError('store.unavailable', 'unavailable', 'cannot open /var/lib/x')
  }),
  route('GET', '/conflict', async () => {
    throw new TouchmarkError('device.exists', 'conflict', 'The device exists.')
  }),
  route('GET', '/hang', async request => {
    request.signal.addEventListener('abort', () => aborted++)
    await slow.promise
    return ok('late')
  }),
]
const hex = (bytes: Uint8Array | null) => (bytes ? Buffer.from(bytes).toString('hex') : null)

interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: string
}

function ask(url: string, options: Parameters<typeof httpsRequest>[1] = {}, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest
    const outgoing = send(url, options as object, response => {
      const chunks: Buffer[] = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      )
      response.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

describe('the plain listener', () => {
  let listener: Listener
  let url: string
  before(async () => {
    listener = await openListener({
      host: '127.0.0.1',
      port: 0,
      routes,
      logger,
      limits: { handlerMs: 300, headersMs: 500, requestMs: 900 },
    })
    url = `http://127.0.0.1:${listener.port}`
  })
  after(() => listener.close(0))

  test('gives the handler path, query, headers and body', async () => {
    assert.equal((await ask(`${url}/echo`, { method: 'POST' }, Buffer.from([1, 2, 255]))).body, '0102ff')
    assert.equal((await ask(`${url}/query?a=b%20c`, { headers: { 'X-One': '1' } })).body, '/query b c 1')
  })

  test('answers HEAD with the header of GET and no body', async () => {
    const answer = await ask(`${url}/query`, { method: 'HEAD' })
    assert.deepEqual([answer.status, answer.body, answer.headers['content-type']], [200, '', 'text/plain'])
    assert.notEqual(answer.headers['content-length'], '0')
  })

  test('takes a request target in absolute form (RFC 9112 3.2.2)', async () => {
    assert.equal((await ask(url, { path: 'http://elsewhere/query?a=1' })).body, '/query 1 undefined')
  })

  test('refuses a body that announces more than the route takes, before it is sent', async () => {
    const answer = await ask(`${url}/echo`, {
      method: 'POST',
      headers: { expect: '100-continue', 'content-length': '1001' },
    })
    assert.equal(answer.status, 413)
    assert.match(answer.body, /^http\.body_too_large: /)
  })

  test('refuses a body that grows beyond the limit without announcing it', async () => {
    const answer = await ask(
      `${url}/echo`,
      { method: 'POST', headers: { 'transfer-encoding': 'chunked' } },
      'x'.repeat(1001),
    )
    assert.equal(answer.status, 413)
  })

  test('a client that goes on sending hears the refusal all the same', async () => {
    const size = 5_000_000
    for (const headers of [{ 'content-length': String(size) }, { 'transfer-encoding': 'chunked' }]) {
      const answer = await ask(`${url}/echo`, { method: 'POST', agent: false, headers }, Buffer.alloc(size))
      assert.equal(answer.status, 413)
    }
  })

  test('a client that never stops is cut off', async () => {
    const socket = tcpConnect(listener.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(`POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 ** 40}\r\n\r\n`)
    const chunk = Buffer.alloc(1 << 20)
    const feed = () => {
      while (!socket.destroyed && socket.write(chunk));
      socket.once('drain', feed)
    }
    feed()
    await new Promise(resolve => socket.resume().on('close', resolve))
    assert.ok(socket.bytesWritten < 200 * (1 << 20))
  })

  test('takes a body of exactly the limit', async () => {
    assert.equal((await ask(`${url}/echo`, { method: 'POST' }, 'x'.repeat(1000))).body.length, 2000)
  })

  test('asks for a body with 100 Continue where the client waits for it', async () => {
    const answer = await ask(`${url}/echo`, { method: 'POST', headers: { expect: '100-continue' } }, 'a')
    assert.equal(answer.body, '61')
  })

  test('tells a stranger nothing of an internal error, and the operator everything', async () => {
    const answer = await ask(`${url}/secret`)
    assert.equal(answer.status, 500)
    assert.doesNotMatch(answer.body, /hunter2|Error/)
    const request = /request (\S+)/.exec(answer.body)![1]!
    assert.ok(lines.some(line => line.includes(`"request":"${request}"`) && line.includes('hunter2')))
  })

  test('hides what is wrong inside and says when to come again', async () => {
    const answer = await ask(`${url}/unavailable`)
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '5'])
    assert.doesNotMatch(answer.body, /var/)
  })

  test('gives code and sentence of an error that is the client’s business', async () => {
    const answer = await ask(`${url}/conflict`)
    assert.deepEqual([answer.status, answer.body], [409, 'device.exists: The device exists.\n'])
  })

  test('names the methods that a path takes (RFC 9110 15.5.6)', async () => {
    const answer = await ask(`${url}/echo`, { method: 'PUT' })
    assert.deepEqual([answer.status, answer.headers['allow']], [405, 'POST'])
  })

  test('a handler that takes too long is answered for, and told', async () => {
    const answer = await ask(`${url}/hang`)
    assert.equal(answer.status, 503)
    assert.equal(aborted, 1)
  })

  test('a handler is told when its client has gone', async () => {
    const seen = aborted
    const socket = tcpConnect(listener.port, '127.0.0.1')
    socket.write('GET /hang HTTP/1.1\r\nHost: x\r\n\r\n')
    await sleep(100)
    socket.destroy()
    await sleep(100)
    assert.equal(aborted, seen + 1)
  })

  test('cuts a client that sends its header octet by octet', async () => {
    const socket = tcpConnect(listener.port, '127.0.0.1')
    const started = Date.now()
    const drip = setInterval(() => socket.write('x'), 50)
    socket.write('GET /query HTTP/1.1\r\nHost: ')
    socket.on('error', () => {})
    await new Promise(resolve => socket.resume().on('close', resolve))
    clearInterval(drip)
    assert.ok(Date.now() - started < 3000)
  })

  test('refuses to carry what authenticates its clients', async () => {
    const closed: Route = { ...routes[0]!, door: 'protocol' }
    await assert.rejects(openListener({ host: '127.0.0.1', port: 0, routes: [closed], logger }), /plain HTTP/)
  })

  test('says so when the port is taken', async () => {
    await assert.rejects(openListener({ host: '127.0.0.1', port: listener.port, routes, logger }), {
      code: 'listen.port_taken',
      kind: 'unavailable',
    })
  })
})

describe('the TLS listener', () => {
  let listener: Listener
  let root: TestCertificate
  let intermediate: TestCertificate
  let server: TestCertificate
  let device: TestCertificate
  before(async () => {
    root = await testCertificate({ name: 'root', authority: true })
    intermediate = await testCertificate({ name: 'intermediate', authority: true, issuer: root })
    server = await testCertificate({ name: 'server', issuer: root, dns: ['localhost'] })
    device = await testCertificate({ name: 'device', issuer: intermediate })
    listener = await openListener({
      host: '127.0.0.1',
      port: 0,
      routes,
      logger,
      tls: { key: server.key, cert: server.cert },
    })
  })
  after(() => listener.close(0))

  /** One request over a connection of its own, with what the client saw of the handshake. */
  async function talk(
    options: object,
  ): Promise<{ answer: string; session: Buffer; reused: boolean; unique: string; exporter: string }> {
    const socket = tlsConnect({
      port: listener.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: root.cert,
      ...options,
    })
    const session = new Promise<Buffer>(resolve => socket.on('session', resolve))
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    const reused = socket.isSessionReused()
    const finished = reused ? socket.getPeerFinished() : socket.getFinished()
    const exporter = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)).toString('hex')
    socket.write('GET /peer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk)
    const answer = Buffer.concat(chunks).toString().split('\r\n\r\n')[1]!
    return {
      answer,
      session: reused ? Buffer.alloc(0) : await session,
      reused,
      unique: finished!.toString('hex'),
      exporter,
    }
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`${version}: a client without a certificate is let in with none`, async () => {
      const { answer } = await talk({ minVersion: version, maxVersion: version })
      assert.equal(JSON.parse(answer).n, 0)
    })

    test(`${version}: the chain that a client sends is had in full and resumed handshakes, channel bindings agree`, async () => {
      const client = {
        minVersion: version,
        maxVersion: version,
        key: device.key,
        cert: device.cert + intermediate.cert,
      }
      const full = await talk(client)
      const resumed = await talk({ ...client, session: full.session })
      assert.deepEqual([full.reused, resumed.reused], [false, true])
      for (const each of [full, resumed]) {
        const seen = JSON.parse(each.answer)
        assert.equal(seen.n, 2)
        assert.equal(seen.unique, version === 'TLSv1.2' ? each.unique : null)
        assert.equal(seen.exporter, version === 'TLSv1.3' ? each.exporter : null)
      }
    })
  }

  test('a certificate of an unknown authority, expired even, gets as far as the handler, which judges it', async () => {
    const stranger = await testCertificate({ name: 'stranger', notAfter: new Date(Date.now() - 1000) })
    const { answer } = await talk({ key: stranger.key, cert: stranger.cert })
    assert.equal(JSON.parse(answer).n, 1)
    assert.equal(new X509Certificate(peers.at(-1)!.certificates[0]!).subject, 'CN=stranger')
  })

  test('TLS 1.1 is refused (RFC 8996)', async () => {
    await assert.rejects(talk({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }))
  })

  test('the peer is the same object for every request of a connection', async () => {
    const { Agent } = await import('node:https')
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: root.cert, key: device.key, cert: device.cert })
    const seen = peers.length
    for (let i = 0; i < 2; i++) await ask(`https://localhost:${listener.port}/peer`, { agent })
    agent.destroy()
    assert.equal(peers.length, seen + 2)
    assert.equal(peers[seen], peers[seen + 1])
  })

  test('a new certificate is given to new connections', async () => {
    const next = await testCertificate({ name: 'server-2', issuer: root, dns: ['localhost'] })
    listener.useCertificate({ key: next.key, cert: next.cert })
    const socket = tlsConnect({ port: listener.port, host: '127.0.0.1', servername: 'localhost', ca: root.cert })
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    assert.equal(socket.getPeerX509Certificate()!.subject, 'CN=server-2')
    socket.destroy()
  })
})

test('closing lets a request in flight finish and takes no new one', async () => {
  const gate = Promise.withResolvers<void>()
  const waiting = route('GET', '/wait', async () => {
    await gate.promise
    return ok('done')
  })
  const listener = new Listener({ host: '127.0.0.1', port: 0, routes: [waiting], logger })
  await listener.open('127.0.0.1', 0)
  const url = `http://127.0.0.1:${listener.port}/wait`
  const first = ask(url)
  await sleep(50)
  const closed = listener.close(5000)
  await assert.rejects(ask(url))
  gate.resolve()
  assert.equal((await first).body, 'done')
  await closed
})

test('a connection above the limit is closed, the others go on', async () => {
  const listener = await openListener({ host: '127.0.0.1', port: 0, routes, logger, limits: { connections: 1 } })
  const holder = tcpConnect(listener.port, '127.0.0.1')
  await new Promise(resolve => holder.once('connect', resolve))
  await sleep(50)
  await assert.rejects(ask(`http://127.0.0.1:${listener.port}/query`, { agent: false }))
  holder.destroy()
  await sleep(50)
  assert.equal((await ask(`http://127.0.0.1:${listener.port}/query`, { agent: false })).status, 200)
  await listener.close(0)
})
