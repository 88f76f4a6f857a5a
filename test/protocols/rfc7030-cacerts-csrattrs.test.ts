// RFC 7030 4.1 (CA certificates), 4.5 (CSR attributes), 3.2.2 (paths and labels), 4.3 (Full CMC); RFC 8951 3.1 (base64).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fromBase64, fromBase64Lines, toBase64 } from '../../src/core/bytes/base64.ts'
import { parseCertsOnly } from '../../src/core/cms/certs-only.ts'
import { encodeCsrAttrs, parseCsrAttrs } from '../../src/core/messages/csr-attributes.ts'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import { formatName } from '../../src/core/pki/name.ts'
import { profileCatalogue } from '../../src/domain/ca/catalogue.ts'
import { estDoor } from '../support/est-door.ts'
import { auditLog, OPERATOR, type TestInstance, testInstance, useRules } from '../support/instance.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'

describe('4.1 distribution of CA certificates', () => {
  test('anybody gets the issuing authority of the label and everything above it, down from the root', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const subjects = async (path: string) => {
      const reply = await est(path)
      assert.equal(reply.status, 200, reply.text)
      return parseCertsOnly(fromBase64Lines(reply.text))
        .map(der => formatName(parseCertificate(der).subject))
        .sort()
    }
    assert.deepEqual(await subjects('/.well-known/est/cacerts'), [
      'CN=LDevID CA 1,O=Example Devices',
      'CN=Root CA 1,O=Example Devices',
    ])
    assert.deepEqual(await subjects('/.well-known/est/idevid/cacerts'), [
      'CN=IDevID CA 1,O=Example Devices',
      'CN=Root CA 1,O=Example Devices',
    ])
  })

  test('the media type has no parameter, as 4.1.3 has it and libest wants it', async t => {
    const instance = await testInstance(t)
    const reply = await estDoor(instance)('/.well-known/est/cacerts')
    assert.equal(reply.headers['Content-Type'], 'application/pkcs7-mime')
    assert.equal(reply.headers['Content-Transfer-Encoding'], 'base64')
  })

  test('a label that names no profile for devices is 404, and leaves no trace', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const before = (await auditLog(instance)).length
    for (const label of ['nothing', 'server-tls', 'root.root-1']) {
      assert.equal((await est(`/.well-known/est/${label}/cacerts`)).status, 404, label)
    }
    assert.equal((await auditLog(instance)).length, before)
  })
})

describe('RFC 8951 3.1: base64 in the form that the client can read', () => {
  test('lines of 76 characters by default (libest), one line where the label says so (strongSwan before 6.0)', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const wrapped = await est('/.well-known/est/cacerts')
    const lines = wrapped.text.split('\n')
    assert.equal(lines.pop(), '')
    assert.ok(lines.length > 5)
    assert.ok(lines.slice(0, -1).every(line => line.length === 76))
    const der = fromBase64Lines(wrapped.text)
    for (const path of [
      '/.well-known/est/flat/cacerts',
      '/.well-known/est/ldevid.flat/cacerts',
      // Where `pki --est --url https://host/ldevid.flat` of strongSwan 5.9 puts the label.
      '/ldevid.flat/.well-known/est/cacerts',
      '/flat/.well-known/est/cacerts',
    ]) {
      const flat = await est(path)
      assert.equal(flat.status, 200, path)
      assert.doesNotMatch(flat.text, /\s/, path)
      assert.deepEqual(fromBase64(flat.text), der, path)
    }
  })
})

describe('4.5 CSR attributes', () => {
  test('the key that the profile prefers, with its signature algorithm', async t => {
    const instance = await testInstance(t)
    const reply = await estDoor(instance)('/.well-known/est/csrattrs')
    assert.equal(reply.status, 200)
    assert.equal(reply.headers['Content-Type'], 'application/csrattrs')
    const members = parseCsrAttrs(fromBase64Lines(reply.text))
    assert.deepEqual(
      members.map(member =>
        member.kind === 'oid'
          ? member.oid
          : `${member.attribute.oid}=${Buffer.from(member.attribute.values[0]!).toString('hex')}`,
      ),
      // id-ecPublicKey with secp256r1, ecdsa-with-SHA256
      ['1.2.840.10045.2.1=06082a8648ce3d030107', '1.2.840.10045.4.3.2'],
    )
  })

  const kinds = [
    ['RSA-3072', ['1.2.840.113549.1.1.1=02020c00', '1.2.840.113549.1.1.11']],
    ['Ed25519', ['1.3.101.112']],
    ['ML-DSA-65', ['2.16.840.1.101.3.4.3.18']],
  ] as const
  test('sizes as numbers, bare algorithms as one OID', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    for (const [i, [algorithm, expected]] of kinds.entries()) {
      await changeProfile(instance, i + 2, { keyAlgorithms: [algorithm] })
      const members = parseCsrAttrs(fromBase64Lines((await est('/.well-known/est/csrattrs')).text))
      const read = members.map(member =>
        member.kind === 'oid'
          ? member.oid
          : `${member.attribute.oid}=${Buffer.from(member.attribute.values[0]!).toString('hex')}`,
      )
      assert.deepEqual(read, expected, algorithm)
    }
  })

  test('reads the example of the RFC: two OIDs, two attributes', () => {
    const example = 'MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw=='
    const members = parseCsrAttrs(fromBase64(example))
    assert.deepEqual(
      members.map(member => (member.kind === 'oid' ? member.oid : member.attribute.oid)),
      // challengePassword, id-ecPublicKey, extensionRequest, ecdsa-with-SHA384
      ['1.2.840.113549.1.9.7', '1.2.840.10045.2.1', '1.2.840.113549.1.9.14', '1.2.840.10045.4.3.3'],
    )
    assert.equal(toBase64(encodeCsrAttrs(members)), example)
    assertOnlyTypedErrors([fromBase64(example)], parseCsrAttrs, 500)
  })

  test('challengePassword where a rule wants the channel binding, extensionRequest where the profile listens to it', async t => {
    const instance = await testInstance(t)
    await useRules(instance, [
      { name: 'bound', outcome: 'grant', channelBinding: 'required', when: { profiles: ['ldevid'] } },
    ])
    await changeProfile(instance, 2, {
      requestInfluence: { subjectAltName: [{ kind: 'dNSName', patterns: ['*.example.test'] }] },
    })
    const est = estDoor(instance)
    const oids = (text: string) =>
      parseCsrAttrs(fromBase64Lines(text)).flatMap(member => (member.kind === 'oid' ? [member.oid] : []))
    assert.deepEqual(oids((await est('/.well-known/est/csrattrs')).text), [
      '1.2.840.10045.4.3.2',
      '1.2.840.113549.1.9.7',
      '1.2.840.113549.1.9.14',
    ])
    assert.deepEqual(oids((await est('/.well-known/est/idevid/csrattrs')).text), ['1.2.840.10045.4.3.2'])
  })
})

describe('3.2.2 paths', () => {
  test('another method is 405 with the methods that are known', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const wrong = [
      ['POST', '/.well-known/est/cacerts', 'GET, HEAD'],
      ['GET', '/.well-known/est/simpleenroll', 'POST'],
      ['HEAD', '/.well-known/est/ldevid/simplereenroll', 'POST'],
      ['PUT', '/.well-known/est/serverkeygen', 'POST'],
      ['DELETE', '/.well-known/est/ldevid/csrattrs', 'GET, HEAD'],
    ] as const
    for (const [method, path, allow] of wrong) {
      await assert.rejects(
        est(path, { method }),
        { code: 'http.method_not_allowed', evidence: { allow } },
        `${method} ${path}`,
      )
    }
    assert.equal((await est('/.well-known/est/cacerts', { method: 'HEAD' })).status, 200)
  })

  test('what is no operation is 404', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    for (const path of [
      '/.well-known/est',
      '/.well-known/est/',
      '/.well-known/est/cacert',
      '/.well-known/est/a/b/cacerts',
      '/cacerts',
    ]) {
      await assert.rejects(est(path), { code: 'http.not_found' }, path)
    }
  })

  test('4.3: Full CMC is 501', async t => {
    const instance = await testInstance(t)
    const reply = await estDoor(instance)('/.well-known/est/fullcmc', { body: 'AAAA' })
    assert.equal(reply.status, 501)
    assert.match(reply.text, /^est\.full_cmc_unsupported: /)
  })
})

/** Another version of the profile `ldevid`. */
async function changeProfile(instance: TestInstance, version: number, fields: object): Promise<void> {
  const at = instance.clock.now()
  const base = profileCatalogue.find(({ name }) => name === 'ldevid')!
  const document = {
    kind: 'profile',
    name: 'ldevid',
    version,
    body: JSON.stringify({ ...base, version, ...fields }),
    createdAt: at,
  } as const
  await instance.store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [
      {
        at,
        actor: OPERATOR,
        action: 'profile.changed',
        outcome: 'done',
        subject: { name: 'ldevid' },
        detail: { version },
      },
    ],
  })
}
