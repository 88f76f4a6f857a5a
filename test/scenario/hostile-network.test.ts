// Everything that strangers send, over a real network: each gets its protocol's error quickly, what the log should hold is there, nothing
// else changes, and the server goes on serving in the memory that it had.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { type Socket, connect as tcpConnect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { connect as tlsConnect } from 'node:tls'
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { acceptMaker, LiveServer } from '../support/live-server.ts'
import { type TestCertificate, testCertificate } from '../support/test-pki.ts'

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

interface Identity {
  readonly cert: string
  readonly key: string
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

interface Ask {
  readonly method?: string
  readonly identity?: Identity
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

async function csr(serialNumber: string, keys?: CryptoKeyPair): Promise<{ der: Buffer; key: string }> {
  const pair = keys ?? (await crypto.subtle.generateKey(EC, true, ['sign', 'verify']))
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `2.5.4.5=${serialNumber}`,
    keys: pair,
    signingAlgorithm: EC,
  })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', pair.privateKey)).toString('base64')
  return { der: Buffer.from(made.rawData), key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n` }
}

type CryptoKeyPair = TestCertificate['keys']

describe('hostile input', () => {
  let server: LiveServer
  let roots: string
  let good: Identity
  let revoked: Identity
  let taken: CryptoKeyPair
  let maker: TestCertificate
  let spent: string
  /** Connections that were opened at the start and do as little as they can. */
  const lingering: { readonly what: string; readonly closed: Promise<number> }[] = []

  before(async () => {
    server = await LiveServer.start()
    roots = await (await fetch(`${server.httpUrl}/trust.pem`)).text()
    linger()
    taken = await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])
    const requests = [await csr('SN-GOOD'), await csr('SN-REVOKED'), await csr('SN-OTHER', taken)]
    const rows = ['SN-GOOD', 'SN-REVOKED', 'SN-OTHER'].map(
      (name, i) => `${name},${requests[i]!.der.toString('base64')}`,
    )
    writeFileSync(server.folder.join('units.csv'), ['serial,csr', ...rows, ''].join('\n'))
    await server.json(['batch', '--input', 'units.csv', '--profile', 'idevid', '--output', 'factory'])
    const identity = async (name: string, i: number) => {
      const { der } = (await server.device(name)).certificates[0]!
      return { cert: new X509Certificate(der).toString(), key: requests[i]!.key }
    }
    good = await identity('SN-GOOD', 0)
    revoked = await identity('SN-REVOKED', 1)
    await server.json(['revoke', '--device', 'SN-REVOKED', '--reason', 'keyCompromise'])
    maker = await testCertificate({ name: 'Other Maker', authority: true })
    await acceptMaker(server, maker.cert)
    spent = await server.token('SN-TOKEN')
    const used = await est('simpleenroll', {
      body: base64((await csr('SN-TOKEN')).der),
      headers: basic('SN-TOKEN', spent),
    })
    assert.equal(used.status, 200, used.text)
  })
  after(() => server[Symbol.asyncDispose]())

  function linger(): void {
    const { port } = new URL(server.url)
    const plainPort = new URL(server.httpUrl).port
    const watch = (what: string, socket: Socket) => {
      const opened = performance.now()
      const closed = Promise.withResolvers<number>()
      socket.on('error', () => undefined)
      socket.on('close', () => closed.resolve((performance.now() - opened) / 1000))
      socket.resume()
      lingering.push({ what, closed: closed.promise })
    }
    for (let i = 0; i < 20; i++) {
      const loris = tlsConnect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false })
      watch('a header that comes octet by octet', loris)
      loris.once('secureConnect', () => {
        loris.write('POST /.well-known/est/simpleenroll HTTP/1.1\r\nhost: localhost\r\nx-')
        const drip = setInterval(() => loris.write('a'), 500)
        loris.once('close', () => clearInterval(drip))
      })
      const half = tcpConnect(Number(port), '127.0.0.1')
      watch('a handshake that stops in its first message', half)
      // A handshake record that announces 512 octets and brings five.
      half.write(Buffer.from('160301020001000001fc', 'hex'))
      const silent = tcpConnect(Number(plainPort), '127.0.0.1')
      watch('a connection that never says a word', silent)
    }
  }

  const base64 = (der: Uint8Array) => Buffer.from(der).toString('base64')
  const basic = (user: string, password: string) => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  })

  function ask(path: string, { method, identity, headers, body }: Ask = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        `${server.url}${path}`,
        {
          agent: false,
          method: method ?? (body === undefined ? 'GET' : 'POST'),
          ca: roots,
          ...identity,
          headers: { ...(body === undefined ? {} : { 'content-type': 'application/pkcs10' }), ...headers },
        },
        response => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          const { statusCode: status = 0, headers: received } = response
          response.on('end', () =>
            resolve({ status, headers: received, text: Buffer.concat(chunks).toString('latin1') }),
          )
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  const est = (operation: string, more: Ask) => ask(`/.well-known/est/${operation}`, more)

  /** Codes in the log of what was refused since `from`. */
  async function refusedSince(from: number): Promise<string[]> {
    await using store = await server.store()
    const codes: string[] = []
    for await (const { bytes } of store.read.auditEntries(from)) {
      const { action, code } = JSON.parse(Buffer.from(bytes).toString())
      if (action === 'enrolment.refused') codes.push(code)
    }
    return codes
  }

  /** Runs `body`, which must answer within two seconds and change neither devices nor certificates; answers what it was told. */
  async function harmless<T>(body: () => Promise<T>): Promise<T> {
    const before = await server.counts()
    const started = performance.now()
    const result = await body()
    const seconds = (performance.now() - started) / 1000
    const { devices, certificates } = await server.counts()
    assert.deepEqual({ devices, certificates }, { devices: before.devices, certificates: before.certificates })
    assert.ok(seconds < 2, `it took ${seconds} s`)
    return result
  }

  /** What is refused with a code: the answer says it, and so does the log. */
  const refusals: readonly {
    readonly title: string
    readonly status: number
    readonly code: string | RegExp
    /** What the log says where the answer does not tell. */
    readonly logged?: string
    request(): Promise<Ask & { readonly operation?: string }>
  }[] = [
    {
      title: 'a request cut short',
      status: 400,
      code: /^der\./,
      request: async () => ({ identity: good, body: base64((await csr('SN-GOOD')).der.subarray(0, 150)) }),
    },
    {
      title: 'base64 cut short',
      status: 400,
      code: 'est.body_not_base64',
      request: async () => ({ identity: good, body: base64((await csr('SN-GOOD')).der).slice(0, 101) }),
    },
    {
      title: 'a body above the limit',
      status: 413,
      code: 'http.body_too_large',
      request: async () => ({ identity: good, body: 'A'.repeat(100_000) }),
    },
    {
      title: 'octets that are not text at all',
      status: 400,
      code: 'est.body_not_base64',
      request: async () => ({ identity: good, body: Buffer.from('fffefdfc00010203', 'hex') }),
    },
    {
      title: 'SEQUENCEs in SEQUENCEs, ten thousand deep',
      status: 400,
      code: /^der\./,
      request: async () => ({ identity: good, body: base64(nested(10_000)) }),
    },
    {
      title: 'a length of four gigabytes',
      status: 400,
      code: /^der\./,
      request: async () => ({ identity: good, body: base64(Buffer.from('3084ffffffff0201003000', 'hex')) }),
    },
    {
      title: 'a signature that does not verify (RFC 2986 4.2)',
      status: 400,
      code: 'csr.signature_invalid',
      request: async () => {
        const { der } = await csr('SN-GOOD')
        der[der.length - 5]! ^= 1
        return { identity: good, body: base64(der) }
      },
    },
    {
      title: 'a key that another device has',
      status: 403,
      code: 'key.known_elsewhere',
      request: async () => ({ identity: good, body: base64((await csr('SN-GOOD', taken)).der) }),
    },
    {
      title: 'an RSA key of 1024 bits',
      status: 400,
      code: /^key\./,
      request: async () => {
        const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
        const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
        const keys = {
          publicKey: await crypto.subtle.importKey(
            'spki',
            publicKey.export({ type: 'spki', format: 'der' }),
            rsa,
            true,
            ['verify'],
          ),
          privateKey: await crypto.subtle.importKey(
            'pkcs8',
            privateKey.export({ type: 'pkcs8', format: 'der' }),
            rsa,
            true,
            ['sign'],
          ),
        }
        const made = await x509.Pkcs10CertificateRequestGenerator.create({
          name: '2.5.4.5=SN-GOOD',
          keys,
          signingAlgorithm: rsa,
        })
        return { identity: good, body: base64(new Uint8Array(made.rawData)) }
      },
    },
    {
      title: 'a point that is not on its curve',
      status: 400,
      code: /^key\./,
      request: async () => {
        const { der } = await csr('SN-GOOD')
        const point = der.indexOf(Buffer.from('03420004', 'hex')) + 4
        der[point + 60]! ^= 1
        return { identity: good, body: base64(der) }
      },
    },
    {
      title: 'a renewal that asks for another name (RFC 7030 4.2.2)',
      status: 403,
      code: /^(renewal|rule)\./,
      request: async () => ({ operation: 'simplereenroll', identity: good, body: base64((await csr('SN-ELSE')).der) }),
    },
    {
      title: 'a token that was used',
      status: 401,
      code: 'token.invalid',
      logged: 'token.used',
      request: async () => ({ headers: basic('SN-TOKEN', spent), body: base64((await csr('SN-TOKEN')).der) }),
    },
    {
      title: 'a token for another device',
      status: 401,
      code: 'token.invalid',
      request: async () => ({ headers: basic('SN-GOOD', spent), body: base64((await csr('SN-GOOD')).der) }),
    },
    {
      title: 'credentials that are not UTF-8',
      status: 401,
      code: 'token.invalid',
      request: async () => ({ headers: { authorization: 'Basic //79/A==' }, body: base64((await csr('SN-GOOD')).der) }),
    },
    {
      title: 'credentials of ten kilobytes',
      status: 401,
      code: 'token.invalid',
      request: async () => ({ headers: basic('SN-GOOD', 'a'.repeat(7_500)), body: base64((await csr('SN-GOOD')).der) }),
    },
    {
      title: 'no credentials',
      status: 401,
      code: 'evidence.missing',
      request: async () => ({ body: base64((await csr('SN-GOOD')).der) }),
    },
    {
      title: 'a revoked certificate',
      status: 403,
      code: 'evidence.certificate_revoked',
      request: async () => ({ identity: revoked, body: base64((await csr('SN-REVOKED')).der) }),
    },
    {
      title: 'a certificate of an unknown authority',
      status: 401,
      code: 'evidence.issuer_unknown',
      request: async () => ({
        identity: await testCertificate({ name: 'stranger' }),
        body: base64((await csr('SN-X')).der),
      }),
    },
    {
      title: 'a certificate of an authority that only has our name',
      status: 401,
      code: 'evidence.issuer_unknown',
      request: async () => {
        const issuer = await testCertificate({ name: 'IDevID CA 1, O=Acme Devices', authority: true })
        return {
          identity: await testCertificate({ name: 'SN-GOOD', issuer }),
          body: base64((await csr('SN-GOOD')).der),
        }
      },
    },
    {
      title: 'an expired certificate of a maker that we trust',
      status: 403,
      code: 'evidence.certificate_expired',
      request: async () => ({
        identity: await testCertificate({ name: 'OM-1', issuer: maker, notAfter: new Date(Date.now() - 3_600_000) }),
        body: base64((await csr('OM-1')).der),
      }),
    },
    {
      title: 'a certificate of a maker that we trust which names no device',
      status: 403,
      code: 'evidence.identity_missing',
      request: async () => ({
        identity: await testCertificate({ name: 'nobody', issuer: maker }),
        body: base64((await csr('OM-1')).der),
      }),
    },
    {
      title: 'another content type (RFC 7030 4.2)',
      status: 415,
      code: 'est.content_type',
      request: async () => ({
        identity: good,
        headers: { 'content-type': 'text/html' },
        body: base64((await csr('SN-GOOD')).der),
      }),
    },
  ]

  const seen = new Set<string>()
  for (const { title, status, code, logged, request: make } of refusals) {
    test(`${title}: ${status}`, async () => {
      const { operation = 'simpleenroll', ...more } = await make()
      const { auditEntries: from } = await server.counts()
      const answer = await harmless(() => est(operation, more))
      const told = answer.text.split(':')[0]!
      assert.equal(answer.status, status, answer.text)
      if (typeof code === 'string') assert.equal(told, code)
      else assert.match(told, code)
      // The same code from the same address within a minute is counted, not written again.
      const written = logged ?? told
      if (!seen.has(written)) assert.deepEqual(await refusedSince(from), [written])
      seen.add(written)
    })
  }

  test('the same request twice: the same certificate, and one of them', async () => {
    const body = base64((await csr('SN-GOOD')).der)
    const first = await est('simpleenroll', { identity: good, body })
    assert.equal(first.status, 200)
    const second = await harmless(() => est('simpleenroll', { identity: good, body }))
    assert.equal(second.text, first.text)
  })

  test('twenty times at once: still one', async () => {
    const body = base64((await csr('SN-GOOD')).der)
    const before = await server.counts()
    const answers = await Promise.all(Array.from({ length: 20 }, () => est('simpleenroll', { identity: good, body })))
    const texts = new Set(answers.map(each => `${each.status} ${each.text}`))
    assert.equal(texts.size, 1, [...texts].map(text => text.slice(0, 80)).join('\n'))
    assert.equal(answers[0]!.status, 200)
    assert.equal((await server.counts()).certificates, before.certificates + 1)
  })

  test('one token, twenty requests at once with keys of their own: one certificate', async () => {
    const token = await server.token('SN-RACE')
    const bodies = await Promise.all(Array.from({ length: 20 }, async () => base64((await csr('SN-RACE')).der)))
    const answers = await Promise.all(
      bodies.map(body => est('simpleenroll', { headers: basic('SN-RACE', token), body })),
    )
    assert.deepEqual(
      answers.map(each => each.status).sort(),
      [200, ...Array.from({ length: 19 }, () => 401)],
      answers.map(each => each.text.slice(0, 60)).join('\n'),
    )
    assert.equal((await server.device('SN-RACE')).certificates.length, 1)
  })

  test('paths that climb, hide or are no text lead nowhere', async () => {
    await harmless(async () => {
      for (const path of [
        '/.well-known/est/../../../../etc/passwd',
        '/.well-known/est/%2e%2e%2f%2e%2e%2fetc%2fpasswd/cacerts',
        '/crl/..%2f..%2ftouchmark.json/0.crl',
        '/ca/..%2F..%2Ftouchmark.json',
        '/ca/%00.cer',
        '/log/tile/../../touchmark.json',
        '/log/tile/0/x999/x999/x999/x999/x999/999',
        '//etc/passwd',
        `/.well-known/est/${'a'.repeat(8000)}/cacerts`,
      ]) {
        const { status, text } = await raw(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
        assert.equal(status, 404, path)
        assert.doesNotMatch(text, /root:|verifierKeys|"listen"/, path)
      }
      const notText = await raw(
        'GET /.well-known/est/%ff%fe/cacerts HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      )
      assert.equal(notText.status, 400)
    })
  })

  test('methods: HEAD is GET without a body, others are told what the path takes', async () => {
    await harmless(async () => {
      const head = await ask('/.well-known/est/cacerts', { method: 'HEAD' })
      assert.deepEqual([head.status, head.text, Number(head.headers['content-length']) > 500], [200, '', true])
      for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'GET']) {
        const answer = await ask('/.well-known/est/simpleenroll', { method, identity: good })
        assert.deepEqual([answer.status, answer.headers['allow']], [405, 'POST'], method)
      }
      const invented = await raw('FROB /.well-known/est/cacerts HTTP/1.1\r\nhost: localhost\r\n\r\n')
      assert.equal(invented.status, 400)
      const connect = await raw('CONNECT localhost:22 HTTP/1.1\r\nhost: localhost\r\n\r\n')
      assert.notEqual(connect.status, 200)
    })
  })

  test('thousands of headers, one very long one, none at all', async () => {
    await harmless(async () => {
      const many = Array.from({ length: 3000 }, (_, i) => `x-${i}: y\r\n`).join('')
      assert.equal((await raw(`GET /healthz HTTP/1.1\r\nhost: localhost\r\n${many}\r\n`)).status, 431)
      assert.equal(
        (await raw(`GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).status,
        431,
      )
      assert.equal((await raw('GET /healthz HTTP/1.1\r\n\r\n')).status, 400, 'no Host (RFC 9112 3.2)')
    })
  })

  test('two lengths of one body, or a length and chunks, are refused: no request hides in another (RFC 9112 6.3)', async () => {
    await harmless(async () => {
      const hidden = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n'
      const start =
        'POST /.well-known/est/simpleenroll HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/pkcs10\r\n'
      for (const lengths of [
        'content-length: 0\r\ncontent-length: 46\r\n',
        'content-length: 4\r\ntransfer-encoding: chunked\r\n',
        'transfer-encoding: chunked, identity\r\n',
        'content-length: -1\r\n',
        'content-length: 0x10\r\n',
      ]) {
        const { all } = await raw(`${start}${lengths}\r\n${hidden}`)
        assert.equal(all.match(/HTTP\/1\.1 \d\d\d/g)?.length, 1, lengths)
        assert.match(all, /^HTTP\/1\.1 400/, lengths)
      }
    })
  })

  test('pipelined requests are answered in their order', async () => {
    await harmless(async () => {
      const paths = ['/healthz', '/nothing', '/.well-known/est/cacerts', '/healthz', '/whoami']
      const text = Array.from({ length: 10 }, () => paths).flat()
      const pipelined = text.map((path, i) => {
        const end = i === text.length - 1 ? 'connection: close\r\n' : ''
        return `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${end}\r\n`
      })
      const { all } = await raw(pipelined.join(''))
      const statuses = all.match(/HTTP\/1\.1 \d\d\d/g)?.map(line => Number(line.slice(-3)))
      assert.deepEqual(statuses, Array.from({ length: 10 }, () => [200, 404, 200, 200, 401]).flat())
    })
  })

  test('plain HTTP to the TLS port, TLS to the plain port, noise to both: the connection ends', async () => {
    await harmless(async () => {
      const noise = Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 73 + 41) & 255))
      for (const port of [new URL(server.url).port, new URL(server.httpUrl).port]) {
        const secure = port === new URL(server.url).port
        for (const octets of [
          Buffer.from('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'),
          Buffer.from('16030100050100000100', 'hex'),
          noise,
        ]) {
          const answer = (await exchange(tcpConnect(Number(port), '127.0.0.1'), octets)).toString('latin1')
          if (secure) assert.doesNotMatch(answer, /HTTP\/1\.1 200/)
          else assert.match(answer, /^(HTTP\/1\.1 (404|400)|$)/)
        }
      }
    })
  })

  test('the other doors take no nonsense either', async () => {
    await harmless(async () => {
      const ocsp = (body: Uint8Array) =>
        fetch(`${server.httpUrl}/ocsp`, {
          method: 'POST',
          headers: { 'content-type': 'application/ocsp-request' },
          body: Buffer.from(body),
        })
      for (const body of [nested(2_000), Buffer.alloc(0), Buffer.from('30', 'hex')]) {
        const reply = await ocsp(body)
        assert.deepEqual(
          [reply.status, Buffer.from(await reply.arrayBuffer()).toString('hex')],
          [200, '30030a0101'],
          'malformedRequest (RFC 6960 4.2.1)',
        )
      }
      assert.equal((await ocsp(Buffer.alloc(200_000, 0x30))).status, 413)
      assert.equal((await fetch(`${server.httpUrl}/ocsp/${'A'.repeat(10_000)}`)).status, 200)
      for (const path of ['/crl/ldevid-1/99999.crl', '/crl/ldevid-1/-1.crl', '/ca/none.cer', '/log/tile/entries/999']) {
        assert.equal((await fetch(server.httpUrl + path)).status, 404, path)
      }
      assert.equal(
        (await fetch(`${server.httpUrl}/.well-known/est/cacerts`)).status,
        404,
        'no EST without TLS (RFC 7030 3.3)',
      )
    })
  })

  test('a flood of all that: the log does not grow with it, memory stays, devices are served meanwhile', async () => {
    const body = base64(nested(5_000))
    await flood(150, body)
    const before = { memory: residentMegabytes(server.pid), ...(await server.counts()) }
    const served = (async () => {
      for (let i = 0; i < 10; i++) {
        const answer = await est('simpleenroll', { identity: good, body: base64((await csr('SN-GOOD')).der) })
        assert.equal(answer.status, 200)
      }
    })()
    await flood(500, body)
    await served
    const after = { memory: residentMegabytes(server.pid), ...(await server.counts()) }
    assert.equal(after.certificates, before.certificates + 10)
    assert.ok(after.auditEntries - before.auditEntries < 80, `${after.auditEntries - before.auditEntries} entries`)
    assert.ok(after.memory - before.memory < 120, `from ${before.memory} to ${after.memory} MB`)
  })

  test('those who keep a connection open and say little are cut off in time', async () => {
    for (const { what, closed } of lingering) {
      const seconds = await Promise.race([
        closed,
        new Promise<number>(resolve => setTimeout(resolve, 30_000, 99).unref()),
      ])
      assert.ok(seconds < 45, `${what}: open for ${seconds} s`)
    }
  })

  test('the server lives, said nothing of internal errors, and the store is whole', async () => {
    const answer = await est('simpleenroll', { identity: good, body: base64((await csr('SN-GOOD')).der) })
    assert.equal(answer.status, 200)
    const lines = server.stderr().split('\n').filter(Boolean)
    const errors = lines.map(line => JSON.parse(line)).filter(line => line.level === 'error')
    assert.deepEqual(errors, [])
    const verified = await server.cli(['audit', 'verify'])
    assert.equal(verified.code, 0, verified.stdout)
    assert.equal(await server.stop(), 0)
    await server.assertInvariants()
  })

  /** Refused requests, 30 at a time, over connections of their own. */
  async function flood(count: number, body: string): Promise<void> {
    let left = count
    const one = async () => {
      while (left-- > 0) {
        const answer = await est(
          'simpleenroll',
          left % 2 ? { identity: good, body } : { headers: basic(`SN-${left}`, 'no'), body },
        )
        assert.ok(answer.status === 400 || answer.status === 401)
      }
    }
    await Promise.all(Array.from({ length: 30 }, one))
  }

  /** Octets over a TLS connection of their own, and what came back until it ended. */
  async function raw(text: string): Promise<{ status: number; text: string; all: string }> {
    const socket = tlsConnect({ port: Number(new URL(server.url).port), host: '127.0.0.1', rejectUnauthorized: false })
    const all = (await exchange(socket, Buffer.from(text, 'latin1'))).toString('latin1')
    const status = Number(/^HTTP\/1\.1 (\d\d\d)/.exec(all)?.[1] ?? 0)
    return { status, text: all.slice(all.indexOf('\r\n\r\n') + 4), all }
  }
})

/** Sends, and reads until the other side ends or says nothing for a while. */
function exchange(socket: Socket, octets: Uint8Array): Promise<Buffer> {
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk as Buffer))
    socket.on('error', () => undefined)
    socket.setTimeout(1000, () => socket.destroy())
    socket.on('close', () => resolve(Buffer.concat(chunks)))
    socket.write(octets)
  })
}

/** SEQUENCEs, each the only content of the one around it. */
function nested(depth: number): Buffer {
  const parts: Buffer[] = []
  let length = 0
  for (let i = 0; i < depth; i++) {
    const head =
      length < 128
        ? Buffer.from([0x30, length])
        : length < 65_536
          ? Buffer.from([0x30, 0x82, length >> 8, length & 255])
          : Buffer.from([0x30, 0x83, length >> 16, (length >> 8) & 255, length & 255])
    parts.unshift(head)
    length += head.length
  }
  return Buffer.concat(parts)
}

function residentMegabytes(pid: number): number {
  const status = `/proc/${pid}/status`
  const kilobytes = existsSync(status)
    ? /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1]
    : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]).toString()
  return Number(kilobytes) / 1024
}
