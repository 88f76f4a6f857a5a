// EST through a real listener: what only TLS and HTTP can show. RFC 7030 3.3.2, 3.5; RFC 9266; sessions that are resumed.
import assert from 'node:assert/strict'
import { type RequestOptions, request } from 'node:https'
import { after, describe, type TestContext, test } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { toPem } from '../../src/core/asn1/pem.ts'
import { toBase64, toBase64Lines } from '../../src/core/bytes/base64.ts'
import { challengePasswordAttribute } from '../../src/core/pki/csr.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import { createEstRoutes } from '../../src/protocols/est/routes.ts'
import { openListener } from '../../src/server/listener.ts'
import { jsonLogger } from '../../src/server/logger.ts'
import {
  auditLog,
  bornDevice,
  countEverything,
  OPERATOR,
  type TestDevice,
  testCsrDer,
  testInstance,
} from '../support/instance.ts'
import { testCertificate } from '../support/test-pki.ts'

const server = await testCertificate({ name: 'localhost', dns: ['localhost'] })

async function serve(t: TestContext) {
  const instance = await testInstance(t)
  const listener = await openListener({
    host: '127.0.0.1',
    port: 0,
    routes: createEstRoutes({ registration: instance }),
    logger: jsonLogger(() => undefined),
    tls: { key: server.key, cert: server.cert },
  })
  t.after(() => listener.close(100))
  return { instance, port: listener.port }
}

const identityOf = (unit: TestDevice) => ({
  cert: toPem('CERTIFICATE', unit.record.der),
  key: toPem('PRIVATE KEY', unit.key.toPkcs8()),
})

interface Answer {
  readonly status: number
  readonly names: readonly string[]
  readonly text: string
}

function post(
  port: number,
  body: string,
  options: RequestOptions & { session?: Buffer; maxVersion?: string },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        servername: 'localhost',
        ca: server.cert,
        method: 'POST',
        path: '/.well-known/est/simpleenroll',
        agent: false,
        ...options,
        headers: { 'content-type': 'application/pkcs10', 'content-length': Buffer.byteLength(body) },
      },
      response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            names: response.rawHeaders.filter((_, i) => i % 2 === 0),
            text: Buffer.concat(chunks).toString(),
          }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const base64 = (der: Uint8Array) => toBase64Lines(der, 64, '\n')

describe('over TLS', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`a birth certificate in a ${version} handshake gives an operational one`, async t => {
      const { instance, port } = await serve(t)
      const unit = await bornDevice(instance)
      const body = base64(testCsrDer(await generateKeyPair('P-256')))
      const answer = await post(port, body, { ...identityOf(unit), minVersion: version, maxVersion: version })
      assert.equal(answer.status, 200, answer.text)
      // libest compares the names of headers by case.
      for (const name of ['Content-Type', 'Content-Length', 'Content-Transfer-Encoding'])
        assert.ok(answer.names.includes(name), name)
      const nobody = await post(port, body, { minVersion: version, maxVersion: version })
      assert.equal(nobody.status, 401)
      assert.ok(nobody.names.includes('WWW-Authenticate'))
    })

    test(`the channel binding of a ${version} connection, and that of another one (3.5, RFC 9266)`, async t => {
      const { instance, port } = await serve(t)
      for (const genuine of [true, false]) {
        const unit = await bornDevice(instance)
        const key = await generateKeyPair('P-256')
        const socket = await handshake(port, { ...identityOf(unit), minVersion: version, maxVersion: version })
        const binding =
          version === 'TLSv1.2'
            ? socket.getFinished()!
            : socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
        if (!genuine) binding[0]! ^= 1
        const attributes = [challengePasswordAttribute(toBase64(binding))]
        const answer = await overSocket(socket, base64(testCsrDer(key, { attributes })))
        assert.match(
          answer,
          genuine ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 403 [\s\S]*est\.channel_binding_mismatch/,
          answer,
        )
      }
    })

    test(`a resumed ${version} session is asked for its status like any other`, async t => {
      const { instance, port } = await serve(t)
      const unit = await bornDevice(instance)
      const options = { ...identityOf(unit), minVersion: version, maxVersion: version } as const
      const first = await handshake(port, options)
      assert.match(await overSocket(first, base64(testCsrDer(await generateKeyPair('P-256')))), /^HTTP\/1\.1 200 /)
      await revokeCertificate({ serialNumber: unit.record.serialNumber }, 'superseded', OPERATOR, instance)
      const second = await handshake(port, { ...options, session: tickets.get(first)! })
      assert.equal(second.isSessionReused(), true)
      const answer = await overSocket(second, base64(testCsrDer(await generateKeyPair('P-256'))))
      assert.match(answer, /^HTTP\/1\.1 403 [\s\S]*evidence\.certificate_revoked/)
    })
  }

  test('a client without the key of its certificate does not get through the handshake', async t => {
    const { instance, port } = await serve(t)
    const [unit, thief] = [await bornDevice(instance), await bornDevice(instance)]
    const before = await countEverything(instance, unit.device)
    const stolen = { cert: identityOf(unit).cert, key: identityOf(thief).key }
    await assert.rejects(post(port, base64(testCsrDer(thief.key)), stolen))
    assert.deepEqual(await countEverything(instance, unit.device), before)
  })

  test('a body that is too large is refused before it is read, and leaves its entry', async t => {
    const { instance, port } = await serve(t)
    const unit = await bornDevice(instance)
    const before = await countEverything(instance, unit.device)
    const answer = await post(port, 'A'.repeat(70_000), identityOf(unit))
    assert.equal(answer.status, 413)
    assert.match(answer.text, /^http\.body_too_large: /)
    assert.equal((await auditLog(instance)).at(-1)!.code, 'http.body_too_large')
    assert.deepEqual(await countEverything(instance, unit.device), before)
  })
})

const open = new Set<TLSSocket>()
/** The newest session of a socket: TLS 1.2 gives it before the handshake ends, TLS 1.3 after. */
const tickets = new WeakMap<TLSSocket, Buffer>()
after(() => {
  for (const socket of open) socket.destroy()
})

type Handshake = ReturnType<typeof identityOf> & {
  minVersion: 'TLSv1.2' | 'TLSv1.3'
  maxVersion: 'TLSv1.2' | 'TLSv1.3'
  session?: Buffer
}

function handshake(port: number, options: Handshake): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: server.cert, ...options }, () =>
      resolve(socket),
    )
    open.add(socket)
    socket.on('session', ticket => tickets.set(socket, ticket))
    socket.on('error', reject)
  })
}

/** One request over a socket that is open, and everything that comes back. */
function overSocket(socket: TLSSocket, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
    })
    socket.on('end', () => resolve(text))
    socket.on('error', reject)
    socket.write(
      `POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/pkcs10\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  })
}
