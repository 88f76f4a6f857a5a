// Attack: the TLS door. Another identity in the middle of a connection, and memory that a stranger fills handshake by handshake.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { openListener } from '../../src/server/listener.ts'
import { jsonLogger } from '../../src/server/logger.ts'
import {
  MAX_PEER_CERTIFICATES,
  MAX_REMEMBERED_CHAIN_OCTETS,
  MAX_REMEMBERED_OCTETS,
  PeerReader,
} from '../../src/server/tls-peer.ts'
import { testCertificate } from '../support/test-pki.ts'

test('TLS 1.2: nobody becomes somebody else on a connection that stands (renegotiation)', async () => {
  const server = await testCertificate({ name: 'localhost', dns: ['localhost'] })
  const one = await testCertificate({ name: 'one' })
  const logger = jsonLogger(() => undefined)
  const listener = await openListener({ host: '127.0.0.1', port: 0, routes: [], logger, tls: server })
  try {
    const client = connect({
      port: listener.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: server.cert,
      maxVersion: 'TLSv1.2',
      cert: one.cert,
      key: one.key,
    })
    await new Promise((resolve, reject) => client.once('secureConnect', resolve).once('error', reject))
    const renegotiated = await new Promise<boolean>(resolve => {
      client.once('error', () => resolve(false)).once('close', () => resolve(false))
      const begun = client.renegotiate({ rejectUnauthorized: false }, error => resolve(error === null))
      if (begun === false) resolve(false)
    })
    client.destroy()
    assert.equal(renegotiated, false)
  } finally {
    await listener.close(0)
  }
})

interface FakeCertificate {
  readonly raw: Buffer
  issuerCertificate: FakeCertificate | undefined
}

/** A connection whose client sends a leaf and certificates above it; resumed, it has the leaf alone. */
function connection(leaf: Buffer, above: readonly Buffer[], resumed = false): TLSSocket {
  let certificate: FakeCertificate | undefined
  for (const raw of resumed ? [leaf] : [...above].reverse().concat(leaf))
    certificate = { raw, issuerCertificate: certificate }
  return {
    getPeerX509Certificate: () => certificate,
    isSessionReused: () => resumed,
    remoteAddress: '192.0.2.1',
  } as unknown as TLSSocket
}

const leafOf = (i: number) => Buffer.from(`leaf ${i}`)

test('what strangers send along is kept for resumed sessions up to a few megabytes, whatever they send', () => {
  const reader = new PeerReader()
  const above = Array.from({ length: MAX_PEER_CERTIFICATES - 1 }, () =>
    Buffer.alloc(Math.floor(MAX_REMEMBERED_CHAIN_OCTETS / MAX_PEER_CERTIFICATES)),
  )
  const strangers = 1000
  for (let i = 0; i < strangers; i++) reader.peer(connection(leafOf(i), above))
  let octets = 0
  for (let i = 0; i < strangers; i++) {
    const { certificates } = reader.peer(connection(leafOf(i), [], true))
    for (const { length } of certificates.slice(1)) octets += length
  }
  assert.ok(octets > 0 && octets <= MAX_REMEMBERED_OCTETS, `${octets}`)
})

test('a chain that no honest device has is used and not kept', () => {
  const reader = new PeerReader()
  const above = [Buffer.alloc(MAX_REMEMBERED_CHAIN_OCTETS + 1)]
  assert.equal(reader.peer(connection(leafOf(1), above)).certificates.length, 2)
  assert.equal(reader.peer(connection(leafOf(1), [], true)).certificates.length, 1)
})
