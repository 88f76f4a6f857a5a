// The signed trust bundle: its version grows with the set of roots and with nothing else, whoever trusts the roots before can follow, and
// nobody else's signature is believed. OpenSSL is the judge of the message.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { toPem } from '../../src/core/asn1/pem.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { encodeTrustBundle, parseTrustBundle, type TrustBundle } from '../../src/core/messages/trust-bundle.ts'
import { type Certificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { signTrustBundle, verifyTrustBundle } from '../../src/crypto/trust-bundle.ts'
import { verifyStore } from '../../src/domain/audit/verify-store.ts'
import { createRoot, createSubordinate } from '../../src/domain/ca/create-authority.ts'
import { ensureIdentity } from '../../src/domain/ca/platform-identity.ts'
import { ChangeBuilder } from '../../src/domain/change-builder.ts'
import { authorityId, serialNumber } from '../../src/domain/ids.ts'
import { revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import { type CurrentTrustBundle, TrustBundles } from '../../src/domain/trust-bundle/trust-bundles.ts'
import { run } from '../support/client.ts'
import { auditLog, OPERATOR, type TestInstance, testInstance } from '../support/instance.ts'
import { assertInvariants } from '../support/invariants.ts'
import { requireTool } from '../support/tools.ts'

const DAY = 86_400

async function published(bundles: TrustBundles): Promise<CurrentTrustBundle> {
  await bundles.refresh()
  assert.ok(bundles.current)
  return bundles.current
}

const anchorsOf = ({ certificates }: TrustBundle): Certificate[] =>
  certificates.map(der => parseCertificate(new Uint8Array(der)))

function refusal(read: () => unknown): TouchmarkError {
  try {
    read()
  } catch (thrown) {
    assert.ok(thrown instanceof TouchmarkError, String(thrown))
    return thrown
  }
  throw new assert.AssertionError({ message: 'it was believed' })
}

/** A second root with authorities below it, as an operator makes for a change of roots. */
async function addRoot(instance: TestInstance, generation: number): Promise<void> {
  const { store, keyStore, authorities, clock } = instance
  const settings = await authorities.settings()
  const ports = { settings, random: systemRandom, keyStore, now: clock.now(), actor: OPERATOR }
  const change = new ChangeBuilder()
  const root = await createRoot(
    { id: authorityId(`root-${generation}`), kind: 'root', commonName: `Root CA ${generation}`, algorithm: 'P-384' },
    ports,
    change,
  )
  const id = authorityId(`services-${generation}`)
  await createSubordinate(
    { id, kind: 'issuing', commonName: `Services CA ${generation}`, algorithm: 'P-256' },
    root,
    ports,
    change,
  )
  await store.commit(change)
}

async function revokeRoot(instance: TestInstance, id: string): Promise<void> {
  const record = await instance.authorities.byId(authorityId(id))
  const selector = { serialNumber: serialNumber(parseCertificate(new Uint8Array(record!.certificate!)).serialNumber) }
  await revokeCertificate(selector, 'cACompromise', OPERATOR, instance)
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'touchmark-bundle-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

test('OpenSSL verifies the bundle under the root alone and finds the roots inside', async t => {
  if (!requireTool(t, 'openssl')) return
  const instance = await testInstance(t)
  const { bytes, bundle } = await published(new TrustBundles(instance))
  const cwd = await folder(t)
  writeFileSync(join(cwd, 'bundle.der'), bytes)
  writeFileSync(join(cwd, 'roots.pem'), bundle.certificates.map(der => toPem('CERTIFICATE', der)).join(''))
  const at = ['-attime', String(instance.clock.now())]
  const args = [
    'cms',
    '-verify',
    '-inform',
    'DER',
    '-in',
    'bundle.der',
    '-CAfile',
    'roots.pem',
    '-purpose',
    'any',
    ...at,
  ]
  const { code, stdout, stderr } = await run('openssl', args, { cwd })
  assert.equal(code, 0, stderr)
  assert.deepEqual(parseTrustBundle(Buffer.from(stdout)), bundle)
  assert.equal(bundle.version, 1)
})

test('nothing is published again while nothing changes', async t => {
  const instance = await testInstance(t)
  const bundles = new TrustBundles(instance)
  const first = await published(bundles)
  assert.equal(await bundles.refresh(), false)
  instance.clock.advance(40 * DAY)
  assert.equal(await bundles.refresh(), false)
  assert.equal(bundles.current, first)
})

test('a signer near its end is replaced, and the version stays', async t => {
  const instance = await testInstance(t)
  const bundles = new TrustBundles(instance)
  const first = await published(bundles)
  instance.clock.advance(50 * DAY)
  assert.equal(await bundles.refresh(), true)
  const again = bundles.current!
  assert.deepEqual(again.bundle, first.bundle)
  assert.ok(again.nextUpdate > first.nextUpdate)
  const at = instance.clock.now() + 60 * DAY
  const anchors = anchorsOf(first.bundle)
  assert.equal(verifyTrustBundle(again.bytes, { anchors, at }).bundle.version, 1)
  assert.equal(refusal(() => verifyTrustBundle(first.bytes, { anchors, at })).evidence['reason'], 'path.leaf_expired')
  await assertInvariants(instance.store)
})

test('a signer that was revoked is replaced at once', async t => {
  const instance = await testInstance(t)
  const bundles = new TrustBundles(instance)
  const first = await published(bundles)
  const { signer } = verifyTrustBundle(first.bytes, { anchors: anchorsOf(first.bundle), at: instance.clock.now() })
  await revokeCertificate({ serialNumber: serialNumber(signer.serialNumber) }, 'superseded', OPERATOR, instance)
  assert.equal(await bundles.refresh(), true)
  const { bundle, signer: next } = verifyTrustBundle(bundles.current!.bytes, {
    anchors: anchorsOf(first.bundle),
    at: instance.clock.now(),
  })
  assert.notEqual(next.serialNumber, signer.serialNumber)
  assert.equal(bundle.version, 1)
})

test('a new root makes a new version, which those who trust the old root believe; a revoked root leaves it', async t => {
  const instance = await testInstance(t)
  const bundles = new TrustBundles(instance)
  const first = await published(bundles)
  await addRoot(instance, 2)
  const second = await published(bundles)
  assert.equal(second.bundle.version, 2)
  assert.equal(second.bundle.certificates.length, 2)
  const at = instance.clock.now()
  assert.equal(verifyTrustBundle(second.bytes, { anchors: anchorsOf(first.bundle), at }).bundle.version, 2)

  await revokeRoot(instance, 'root-1')
  const third = await published(bundles)
  assert.equal(third.bundle.version, 3)
  assert.equal(third.bundle.certificates.length, 1)
  assert.equal(verifyTrustBundle(third.bytes, { anchors: anchorsOf(second.bundle), at }).bundle.version, 3)
  const lost = refusal(() => verifyTrustBundle(third.bytes, { anchors: anchorsOf(first.bundle), at }))
  assert.equal(lost.code, 'trust_bundle.signer_untrusted')

  const entries = (await auditLog(instance)).filter(({ action }) => action === 'trust.bundle_published')
  assert.deepEqual(
    entries.map(({ detail }) => [detail?.['version'], detail?.['roots']]),
    [
      [1, 1],
      [2, 2],
      [3, 1],
    ],
  )
  await assertInvariants(instance.store)
})

test('a bundle of before that somebody puts back past the log is found', async t => {
  const instance = await testInstance(t)
  const bundles = new TrustBundles(instance)
  await published(bundles)
  const { store } = instance
  const before = (await store.read.publication('trust-bundle'))!
  await addRoot(instance, 2)
  await published(bundles)
  const accused = async () => {
    const { findings } = await verifyStore(store.read, { hash: sha256, origin: 'example.com/log', logKeys: [] })
    return findings.filter(({ code }) => code === 'audit.publication_altered').map(({ evidence }) => evidence['name'])
  }
  assert.deepEqual(await accused(), [])
  await store.commit({ writes: [{ kind: 'publication.put', publication: { ...before, number: 9 } }], audit: [] })
  assert.deepEqual(await accused(), ['trust-bundle'])
})

test('two processes on one store publish one version', async t => {
  const instance = await testInstance(t)
  const [one, other] = [new TrustBundles(instance), new TrustBundles(instance)]
  await Promise.all([one.refresh(), other.refresh()])
  await Promise.all([one.refresh(), other.refresh()])
  assert.equal(one.current?.bundle.version, 1)
  assert.deepEqual(one.current?.bytes, other.current?.bytes)
})

test('refuses what another certificate of the platform signed, whatever that one is good for', async t => {
  const instance = await testInstance(t)
  const { bundle } = await published(new TrustBundles(instance))
  const plan = {
    profile: 'factory-station',
    keyLabel: 'station-',
    keyAlgorithm: 'P-256',
    subjectFields: { commonName: 'Station 1' },
    renewAtRemaining: 0.5,
    actor: 'factory',
  } as const
  const { certificate, keyUri, record } = await ensureIdentity(plan, instance)
  const signer = await instance.keyStore.signer(keyUri)
  const intermediates = (await instance.authorities.chain(record.authorityId)).slice(0, -1)
  const at = instance.clock.now()
  const forged = await signTrustBundle({ ...bundle, version: 9 }, { signer, certificate, intermediates }, at)
  const { code, evidence } = refusal(() => verifyTrustBundle(forged, { anchors: anchorsOf(bundle), at }))
  assert.equal(code, 'trust_bundle.signer_untrusted')
  assert.equal(evidence['reason'], 'path.extended_key_usage')
})

test('refuses the bundle of another instance, one that was cut off, and one that was altered', async t => {
  const [ours, theirs] = [await testInstance(t), await testInstance(t)]
  const { bytes, bundle } = await published(new TrustBundles(ours))
  const foreign = await published(new TrustBundles(theirs))
  const options = { anchors: anchorsOf(bundle), at: ours.clock.now() }
  assert.equal(refusal(() => verifyTrustBundle(foreign.bytes, options)).code, 'trust_bundle.signer_untrusted')
  assert.equal(refusal(() => verifyTrustBundle(bytes.subarray(0, -1), options)).code, 'trust_bundle.malformed')
  const content = Buffer.from(encodeTrustBundle(bundle))
  const altered = Buffer.from(bytes)
  const place = altered.indexOf(content) + content.indexOf('"version":1') + '"version":'.length
  altered[place] = '7'.charCodeAt(0)
  assert.equal(refusal(() => verifyTrustBundle(altered, options)).code, 'trust_bundle.signature_invalid')
  assert.equal(refusal(() => verifyTrustBundle(new Uint8Array(2_000_000), options)).code, 'trust_bundle.too_large')
})
