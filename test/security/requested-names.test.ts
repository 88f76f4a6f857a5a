// Attack: a request that asks for more than its pattern meant. What a device writes into its request stands in a certificate that others
// believe.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import { findExtension } from '../../src/core/pki/extension.ts'
import { encodeSubjectAltName, extension, parseSubjectAltName } from '../../src/core/pki/extensions.ts'
import type { GeneralName } from '../../src/core/pki/general-name.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { documentDetail } from '../../src/domain/audit/document-detail.ts'
import { catalogueProfile } from '../../src/domain/ca/catalogue.ts'
import type { ProfileConfig } from '../../src/domain/ca/profile-config.ts'
import { enrol } from '../../src/domain/ra/enrol.ts'
import { OPERATOR, registerDevice, type TestInstance, testCsr, testInstance } from '../support/instance.ts'

/** Puts a profile into force that listens to names like these. */
async function listen(t: TestContext, requestInfluence: ProfileConfig['requestInfluence']): Promise<TestInstance> {
  const instance = await testInstance(t)
  const { store, clock } = instance
  const body = JSON.stringify({ ...catalogueProfile('ldevid'), name: 'listening', requestInfluence })
  const document = { kind: 'profile', name: 'listening', version: 1, body, createdAt: 0 } as const
  const entry = { at: clock.now(), actor: OPERATOR, action: 'profile.changed', outcome: 'done' } as const
  await store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [{ ...entry, subject: { name: 'listening' }, detail: documentDetail(document) }],
  })
  return instance
}

/** The names of this kind in the certificate, or the code of the refusal. */
async function ask(instance: TestInstance, name: Extract<GeneralName, { readonly value: string }>) {
  const extensions = [extension(OID.subjectAltName, false, encodeSubjectAltName([name]))]
  const outcome = await enrol(
    {
      protocol: 'test',
      operation: 'enrol',
      profile: 'listening',
      csr: testCsr(await generateKeyPair('P-256'), { extensions }),
      evidence: [{ kind: 'operator', name: 'tester', device: await registerDevice(instance) }],
      channelBinding: false,
      address: '192.0.2.1',
    },
    instance,
  )
  if (outcome.kind === 'denied') return outcome.code
  assert.ok(outcome.kind === 'issued')
  const found = findExtension(parseCertificate(outcome.record.der).extensions, OID.subjectAltName)
  const names = found ? parseSubjectAltName(found.value) : []
  return names.flatMap(given => (given.kind === name.kind && 'value' in given ? given.value : []))
}

const REFUSED = ['lint.failed', 'profile.request_not_allowed']

test('a pattern for one host gives a host, and no certificate for all of them', async t => {
  const patterns = ['*.fleet.example', '**.fleet.example']
  const instance = await listen(t, { subjectAltName: [{ kind: 'dNSName', patterns, maximum: 4 }] })
  const host = 'gw.fleet.example'
  assert.deepEqual(await ask(instance, { kind: 'dNSName', value: host }), [host])
  for (const value of ['*.fleet.example', '*.gw.fleet.example']) {
    assert.equal(await ask(instance, { kind: 'dNSName', value }), 'profile.request_not_allowed', value)
  }
})

test('a name with what no name holds is not certified, however wide the pattern', async t => {
  const kinds = ['uniformResourceIdentifier', 'rfc822Name'] as const
  const instance = await listen(t, {
    subjectAltName: kinds.map(kind => ({ kind, patterns: ['**'], maximum: 4 })),
  })
  const names = [
    ['http://a.example/\r\nX: y', 'http://a.example/\0', 'no uri'],
    ['a\n@b.example', 'a@', '@', 'a b@c.example\0'],
  ]
  for (const [i, kind] of kinds.entries()) {
    for (const value of names[i]!) assert.ok(REFUSED.includes(String(await ask(instance, { kind, value }))), value)
  }
})
