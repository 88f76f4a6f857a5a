import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createSoftwareKeyStore } from '../../src/adapters/keystore/software-keystore.ts'
import { createStore } from '../../src/adapters/store/open-store.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { AuthorityDirectory } from '../../src/domain/ca/authorities.ts'
import { createInitialHierarchy } from '../../src/domain/ca/hierarchy.ts'
import { CertificateIssuer } from '../../src/domain/ca/issuer.ts'
import { serverCertificate } from '../../src/server/server-certificate.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'

const DAY = 86_400
const NAMES = ['localhost', '127.0.0.1', '::1']

async function ports(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'touchmark-test-'))
  const store = await createStore({ folder })
  const keyStore = await createSoftwareKeyStore({
    folder: join(folder, 'keys'),
    passphrase: new TextEncoder().encode('for this test'),
    effort: { memoryKiB: 64, passes: 1, lanes: 1 },
  })
  t.after(async () => {
    await store[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })
  let now = 1_900_000_000
  const clock = {
    now: () => now,
    advance: (seconds: number) => {
      now += seconds
    },
  }
  await createInitialHierarchy(
    { organization: 'Acme', publicHttpUrl: 'http://localhost:8080' },
    {
      store,
      keyStore,
      offlineKeyStore: new MemoryKeyStore(),
      clock,
      random: systemRandom,
      actor: { kind: 'operator', id: 'test' },
    },
  )
  const authorities = new AuthorityDirectory({ store, keyStore })
  return { store, keyStore, authorities, issuer: new CertificateIssuer({ authorities, random: systemRandom }), clock }
}

test('the server has a certificate for its names, with its chain and without the root', async t => {
  const material = await serverCertificate(NAMES, await ports(t))
  const blocks = material.cert.split(/(?<=-----END CERTIFICATE-----\n)/)
  assert.equal(blocks.length, 2)
  const [leaf, issuer] = blocks.map(block => new X509Certificate(block))
  assert.ok(leaf!.verify(issuer!.publicKey))
  assert.notEqual(issuer!.subject, issuer!.issuer)
  assert.equal(leaf!.checkHost('localhost'), 'localhost')
  assert.equal(leaf!.checkIP('127.0.0.1'), '127.0.0.1')
  assert.equal(leaf!.checkIP('::1'), '::1')
  assert.deepEqual(leaf!.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'serverAuth and nothing else')
  assert.ok(leaf!.checkPrivateKey(createPrivateKey(material.key)))
})

test('it is kept over restarts, and replaced by itself when a third of its life is left', async t => {
  const instance = await ports(t)
  const serial = async () => (await serverCertificate(NAMES, instance)).identity.record.serialNumber
  const first = await serial()
  assert.equal(await serial(), first)
  instance.clock.advance(59 * DAY)
  assert.equal(await serial(), first)
  instance.clock.advance(2 * DAY)
  const second = await serial()
  assert.notEqual(second, first)
  assert.equal(await serial(), second)
})

test('other names get another certificate', async t => {
  const instance = await ports(t)
  const local = await serverCertificate(NAMES, instance)
  const published = await serverCertificate(['est.acme.example', ...NAMES], instance)
  assert.notEqual(published.identity.record.serialNumber, local.identity.record.serialNumber)
  assert.equal(new X509Certificate(published.cert).checkHost('est.acme.example'), 'est.acme.example')
})

test('keys of certificates that were replaced are destroyed, all but the last one', async t => {
  const instance = await ports(t)
  for (let i = 0; i < 4; i++) {
    await serverCertificate(NAMES, instance)
    instance.clock.advance(61 * DAY)
  }
  const keys = (await instance.keyStore.list()).filter(key => key.label.startsWith('tls-server-'))
  assert.deepEqual(keys.map(key => key.state).sort(), ['destroyed', 'destroyed', 'generated', 'generated'])
})

test('a revoked certificate is not served again', async t => {
  const instance = await ports(t)
  const { record } = (await serverCertificate(NAMES, instance)).identity
  const { revokeCertificate } = await import('../../src/domain/revocation/revoke.ts')
  await revokeCertificate(
    { serialNumber: record.serialNumber },
    'superseded',
    { kind: 'operator', id: 'test' },
    instance,
  )
  assert.notEqual((await serverCertificate(NAMES, instance)).identity.record.serialNumber, record.serialNumber)
})
