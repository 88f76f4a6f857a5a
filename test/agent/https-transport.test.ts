// The transport over real sockets: whom it trusts, how long and how much it reads, and what it makes of a clock that is wrong.
import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { httpsTransport } from '../../src/agent/https-transport.ts'
import type { TransportRequest } from '../../src/agent/transport.ts'
import { toPem } from '../../src/core/asn1/pem.ts'
import { fromUtf8, toUtf8 } from '../../src/core/bytes/utf8.ts'
import { encodeExtendedKeyUsage, encodeSubjectAltName, extension } from '../../src/core/pki/extensions.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { type Made, makeCertificate, privateKeyPem } from '../support/certificates.ts'

const DAY = 86_400
const TODAY = Math.floor(Date.now() / 1000)
const pem = (made: Made) => toPem('CERTIFICATE', made.certificate.raw)

function root(name: string): Made {
  return makeCertificate({ subject: `CN=${name}`, ca: true, notBefore: TODAY - 400 * DAY, notAfter: TODAY + 400 * DAY })
}

const ROOT = root('Root')
const OTHER = root('Other root')

function serverCertificate(
  options: { name?: string; issuer?: Made; notBefore?: number; notAfter?: number } = {},
): Made {
  const { name = 'localhost', issuer = ROOT, notBefore = TODAY - DAY, notAfter = TODAY + DAY } = options
  return makeCertificate({
    subject: 'CN=server',
    issuer,
    notBefore,
    notAfter,
    extensions: [
      extension(OID.subjectAltName, false, encodeSubjectAltName([{ kind: 'dNSName', value: name }])),
      extension(OID.extKeyUsage, false, encodeExtendedKeyUsage([OID.serverAuth])),
    ],
  })
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `https://localhost:${(server.address() as AddressInfo).port}`
}

/** One server whose paths misbehave each in its own way. */
function serve(made: Made) {
  return createServer(
    { cert: pem(made), key: privateKeyPem(made.key), ca: pem(ROOT), requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const socket = request.socket as TLSSocket
      switch (request.url) {
        case '/echo': {
          const parts: Buffer[] = []
          request.on('data', part => parts.push(part))
          request.on('end', () =>
            response.end(
              `${request.method} ${socket.getPeerX509Certificate()?.subject ?? 'nobody'} ${Buffer.concat(parts)}`,
            ),
          )
          return
        }
        case '/endless': {
          const more = () => {
            while (response.write(Buffer.alloc(16384, 'x'))) if (response.destroyed) return
            response.once('drain', more)
          }
          more()
          return
        }
        case '/truncated':
          response.writeHead(200, { 'content-length': '1000' })
          response.write('only this')
          setImmediate(() => socket.destroy())
          return
        case '/truncated-chunks':
          response.write('only this')
          setImmediate(() => socket.destroy())
          return
        case '/slow': {
          response.writeHead(200, { 'content-length': '100000' })
          const timer = setInterval(() => response.write('x'), 20)
          socket.on('close', () => clearInterval(timer))
          return
        }
        case '/hang':
          return
        case '/garbage':
          socket.end('this is not HTTP\r\n\r\n')
          return
        case '/headers':
          socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`)
          return
        case '/elsewhere':
          response.writeHead(302, { location: 'https://evil.test/' }).end()
          return
        default:
          response.writeHead(404).end()
      }
    },
  )
}

describe('the transport', () => {
  const server = serve(serverCertificate())
  let url = ''
  before(async () => {
    url = await listening(server)
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  const ask = (path: string, options: Partial<TransportRequest> = {}) =>
    httpsTransport.exchange({
      method: 'GET',
      url: `${url}${path}`,
      trustAnchors: pem(ROOT),
      maxBody: 65536,
      deadlineMs: 20_000,
      ...options,
    })

  test('brings a request there and the answer back, with the identity of the device', async () => {
    const device = makeCertificate({
      subject: 'CN=device',
      issuer: ROOT,
      notBefore: TODAY - DAY,
      notAfter: TODAY + DAY,
    })
    const answer = await ask('/echo', {
      method: 'POST',
      body: toUtf8('how are you'),
      identity: { certificates: pem(device), key: privateKeyPem(device.key) },
    })
    assert.equal(fromUtf8(answer.body), 'POST CN=device how are you')
    assert.equal(answer.status, 200)
    assert.equal(answer.tls.protocol, 'TLSv1.3')
    assert.ok(answer.tls.notBefore < TODAY && answer.tls.notAfter > TODAY)
  })

  test('stops reading an endless answer at the limit', async () => {
    await assert.rejects(ask('/endless'), { code: 'transport.body_too_large' })
  })

  for (const path of ['/truncated', '/truncated-chunks']) {
    test(`does not take a part for the whole (${path})`, async () => {
      await assert.rejects(ask(path), { code: 'transport.truncated' })
    })
  }

  test('gives a server that hangs, or that drips, its time and no more', async () => {
    await Promise.all([
      assert.rejects(ask('/hang', { deadlineMs: 400 }), { code: 'transport.deadline' }),
      assert.rejects(ask('/slow', { deadlineMs: 400 }), { code: 'transport.deadline' }),
    ])
  })

  test('gives a server that accepts and never shakes hands its time and no more', async () => {
    const silent = createTcpServer(() => undefined)
    const at = await listening(silent)
    await assert.rejects(ask('/', { url: at, deadlineMs: 300 }), { code: 'transport.deadline' })
    silent.close()
  })

  test('refuses what is no HTTP, and headers without end', async () => {
    await assert.rejects(ask('/garbage'), { code: 'transport.unreachable' })
    await assert.rejects(ask('/headers'), { code: 'transport.unreachable' })
  })

  test('follows no redirect', async () => {
    assert.equal((await ask('/elsewhere')).status, 302)
  })

  test('speaks with nobody who does not lead to the pinned roots', async () => {
    await assert.rejects(ask('/echo', { trustAnchors: pem(OTHER) }), { code: 'transport.server_untrusted' })
  })

  test('speaks with nobody who has another name', async () => {
    await assert.rejects(ask('/echo', { url: `${url.replace('localhost', '127.0.0.1')}/echo` }), {
      code: 'transport.server_untrusted',
    })
  })

  test('does not speak without TLS, nor with nobody', async () => {
    await assert.rejects(ask('/echo', { url: 'http://localhost/' }), { code: 'transport.not_https' })
    await assert.rejects(ask('/echo', { url: 'https://localhost:1/' }), { code: 'transport.unreachable' })
  })

  test('ends when the caller ends', async () => {
    const stop = new AbortController()
    const asked = ask('/hang', { signal: stop.signal })
    setTimeout(() => stop.abort(new Error('enough')), 50)
    await assert.rejects(asked, /enough/)
  })
})

describe('a device whose clock is wrong', () => {
  const exchange = async (made: Made, options: Partial<TransportRequest> = {}, host = 'localhost') => {
    const server = serve(made)
    const url = (await listening(server)).replace('localhost', host)
    try {
      return await httpsTransport.exchange({
        method: 'GET',
        url: `${url}/echo`,
        trustAnchors: pem(ROOT),
        maxBody: 1000,
        deadlineMs: 20_000,
        ...options,
      })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }
  // This machine's clock is right, so the certificates play the part of the time: one that begins in 100 days is what a server shows to
  // a device whose clock is 100 days behind.
  const future = { notBefore: TODAY + 100 * DAY, notAfter: TODAY + 130 * DAY }

  test('that does not know it refuses the server', async () => {
    await assert.rejects(exchange(serverCertificate(future)), { code: 'transport.server_untrusted' })
  })

  test('that knows it takes the beginning of the certificate as evidence of the time', async () => {
    const answer = await exchange(serverCertificate(future), { notBeforeTime: TODAY + 50 * DAY })
    assert.equal(answer.status, 200)
  })

  test('still refuses a server whose certificate ended before the time that there is evidence of', async () => {
    const ended = { notBefore: TODAY + 10 * DAY, notAfter: TODAY + 20 * DAY }
    await assert.rejects(exchange(serverCertificate(ended), { notBeforeTime: TODAY + 50 * DAY }), {
      code: 'transport.server_untrusted',
    })
  })

  test('still refuses other roots, other names, and certificates that are not for servers', async () => {
    const wrong = { notBeforeTime: TODAY + 50 * DAY }
    const evidence = { code: 'transport.server_untrusted' }
    await assert.rejects(exchange(serverCertificate({ ...future, issuer: OTHER }), wrong), evidence)
    await assert.rejects(exchange(serverCertificate({ ...future, name: 'other.test' }), wrong), evidence)
    await assert.rejects(exchange(serverCertificate(future), wrong, '127.0.0.1'), evidence)
    const client = makeCertificate({
      subject: 'CN=client',
      issuer: ROOT,
      ...future,
      extensions: [
        extension(OID.subjectAltName, false, encodeSubjectAltName([{ kind: 'dNSName', value: 'localhost' }])),
        extension(OID.extKeyUsage, false, encodeExtendedKeyUsage([OID.clientAuth])),
      ],
    })
    await assert.rejects(exchange(client, wrong), evidence)
  })

  test('is told the time by certificates that are good anyway', async () => {
    const answer = await exchange(serverCertificate(), { notBeforeTime: TODAY - 10 * DAY })
    assert.equal(answer.status, 200)
  })
})
