// A place for keys that is none of ours: a token that keeps its keys inside and hands out references. The agent makes, opens, uses and destroys
// them through the interface alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeviceAgent } from '../../src/agent/device-agent.ts'
import type { HeldKey, KeyPlace, KeyPlacePorts } from '../../src/agent/key-place.ts'
import { memoryStorage } from '../../src/agent/memory-storage.ts'
import { toPem } from '../../src/core/asn1/pem.ts'
import { fromUtf8, toUtf8 } from '../../src/core/bytes/utf8.ts'
import { sha256Hex } from '../../src/crypto/digest.ts'
import { generateKeyPair, type PrivateKey, provePair } from '../../src/crypto/keys.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'
import { AgentServer, keyIdOf } from '../support/agent-server.ts'

/** Keys by their handle. */
type Token = Map<string, PrivateKey>

function tokenPlace(token: Token, { storage }: KeyPlacePorts): KeyPlace {
  const held = (handle: string): HeldKey => {
    const key = token.get(handle)!
    provePair(key)
    return {
      keyId: sha256Hex(key.publicKey),
      signer: softwareSigner(key, `pkcs11:object=${handle}`),
      tlsKey: () => toPem('PRIVATE KEY', key.toPkcs8()),
    }
  }
  return {
    place: 'hsm',
    protection: 'hardware',
    async make(name, algorithm) {
      const handle = `key-${token.size}-${Math.floor(performance.now())}`
      token.set(handle, await generateKeyPair(algorithm))
      await storage.write(name, toUtf8(handle))
      return { key: held(handle), sha256: sha256Hex(toUtf8(handle)) }
    },
    async open(name) {
      return held(fromUtf8((await storage.read(name))!))
    },
    async destroy(name) {
      const handle = await storage.read(name)
      if (handle) token.delete(fromUtf8(handle))
      await storage.destroy(name)
    },
  }
}

test('keys in a token are made, used, reported and destroyed there', async () => {
  const token: Token = new Map()
  const uris: string[] = []
  const server = new AgentServer()
  server.tokens.set('secret', undefined)
  const storage = memoryStorage()
  const agent = new DeviceAgent({
    storage,
    ...server.options(),
    keyPlace: (uri, ports) => {
      uris.push(uri)
      return tokenPlace(token, ports)
    },
  })
  const status = await agent.enrol({
    model: 'gateway',
    serialNumber: 'SN-1',
    servers: ['https://a.test'],
    trustAnchors: server.roots,
    keyPlace: 'pkcs11:token=device',
    evidence: { kind: 'token', token: 'secret' },
  })
  assert.equal(status.valid, true)
  assert.equal(status.keyProtection, 'hardware')
  assert.ok(uris.every(uri => uri === 'pkcs11:token=device'))
  const [report] = server.reports
  assert.deepEqual(report!.keys, [{ keyId: keyIdOf(server.last.publicKey), place: 'hsm', protection: 'hardware' }])
  await agent.renew()
  assert.equal(token.size, 1, 'the key before is forgotten')
  assert.equal(sha256Hex([...token.values()][0]!.publicKey), keyIdOf(server.last.publicKey))
  await agent.wipe()
  assert.equal(token.size, 0)
  assert.equal((await agent.status()).state, 'wiped')
})
