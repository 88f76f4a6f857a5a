// RFC 7030 4.2.2: renewal and rekeying. The device keeps its name; the certificate that it shows is the one being renewed.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TAG } from '../../src/core/asn1/tag.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { fromBase64Lines } from '../../src/core/bytes/base64.ts'
import { parseCertsOnly } from '../../src/core/cms/certs-only.ts'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import { findExtension } from '../../src/core/pki/extension.ts'
import { encodeSubjectAltName, extension, parseSubjectAltName } from '../../src/core/pki/extensions.ts'
import { encodeName, formatName } from '../../src/core/pki/name.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { releaseCertificate, revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import { estDoor } from '../support/est-door.ts'
import {
  auditLog,
  bornDevice,
  certify,
  countEverything,
  OPERATOR,
  renewalCsrDer,
  type TestCsrOptions,
  type TestInstance,
  testCsrDer,
  testInstance,
  useRules,
} from '../support/instance.ts'
import { assertInvariants } from '../support/invariants.ts'

const PATH = '/.well-known/est/simplereenroll'
const DAY = 86_400

/** A device with an operational certificate, half way through its life. */
async function operational(instance: TestInstance) {
  const unit = await bornDevice(instance)
  const key = await generateKeyPair('P-256')
  const record = await certify(instance, unit.device, key, 'ldevid')
  instance.clock.advance(45 * DAY)
  return { ...unit, birth: unit.record, key, record }
}

describe('4.2.2 simple re-enrolment of clients', () => {
  test('renews with the same key, and with a new one', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await operational(instance)
    const before = parseCertificate(unit.record.der)
    for (const key of [unit.key, await generateKeyPair('P-384')]) {
      const reply = await est(PATH, { certificates: [unit.record.der], body: renewalCsrDer(key, unit.record.der) })
      assert.equal(reply.status, 200, reply.text)
      const certificate = parseCertificate(parseCertsOnly(fromBase64Lines(reply.text))[0]!)
      assert.deepEqual(certificate.subject.raw, before.subject.raw)
      assert.deepEqual(
        findExtension(certificate.extensions, OID.subjectAltName),
        findExtension(before.extensions, OID.subjectAltName),
      )
      assert.deepEqual(certificate.subjectPublicKeyInfo.raw, key.publicKey)
      assert.ok(certificate.notAfter > before.notAfter)
    }
    const { authorityId, serialNumber } = unit.record
    for (const record of (await instance.store.read.certificatesOfDevice(unit.device.id)).slice(0, 2)) {
      assert.deepEqual(record.replaces, { authorityId, serialNumber })
    }
    await assertInvariants(instance.store)
  })

  test('a renewed certificate renews in its turn: a chain of replacements', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await operational(instance)
    let current = unit.record.der
    for (let i = 0; i < 3; i++) {
      const reply = await est(PATH, { certificates: [current], body: renewalCsrDer(unit.key, current) })
      assert.equal(reply.status, 200, reply.text)
      current = new Uint8Array(parseCertsOnly(fromBase64Lines(reply.text))[0]!)
      instance.clock.advance(60 * DAY)
    }
    const records = await instance.store.read.certificatesOfDevice(unit.device.id)
    const lineage = records.filter(({ profile }) => profile === 'ldevid').map(({ replaces }) => replaces?.serialNumber)
    assert.deepEqual(lineage, [...records.slice(1, 4).map(({ serialNumber }) => serialNumber), undefined])
  })

  const names: readonly [string, (certificate: Uint8Array) => TestCsrOptions, number, RegExp | null][] = [
    [
      'the subject in another string type (RFC 5280 7.1)',
      () => ({ subjectDer: utf8Subject('Example Devices') }),
      200,
      null,
    ],
    ['an empty subject, which asks for no change', () => ({ subject: '' }), 200, null],
    ['the subjectAltName of the certificate', der => ({ extensions: [sanOf(der)] }), 200, null],
    [
      'another subject',
      () => ({ subject: 'serialNumber=SN-OTHER,O=Example Devices' }),
      403,
      /^renewal\.subject_changed: /,
    ],
    [
      'one attribute more',
      () => ({ subject: 'CN=admin,serialNumber=SN,O=Example Devices' }),
      403,
      /^renewal\.subject_changed: /,
    ],
    [
      'another subjectAltName',
      () => ({
        extensions: [
          extension(OID.subjectAltName, false, encodeSubjectAltName([{ kind: 'dNSName', value: 'evil.test' }])),
        ],
      }),
      403,
      /^renewal\.subject_alt_name_changed: /,
    ],
    [
      'the attribute ChangeSubjectName (RFC 6402 2.8)',
      () => ({ attributes: [{ oid: '1.3.6.1.5.5.7.7.36', values: [writeDer(w => w.sequence(() => undefined))] }] }),
      403,
      /^renewal\.change_subject_name_unsupported: /,
    ],
  ]
  test('identity does not change: the request names what the certificate names, or nothing', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    for (const [name, options, status, text] of names) {
      const unit = await operational(instance)
      const before = await countEverything(instance, unit.device)
      const given = options(unit.record.der)
      const body =
        name.includes('string type') || given.subject !== undefined
          ? testCsrDer(
              unit.key,
              name.includes('string type')
                ? { subjectDer: utf8Subject('Example Devices', unit.device.serialNumber) }
                : given,
            )
          : renewalCsrDer(unit.key, unit.record.der, given)
      const reply = await est(PATH, { certificates: [unit.record.der], body })
      assert.equal(reply.status, status, `${name}: ${reply.text}`)
      if (text) {
        assert.match(reply.text, text, name)
        assert.deepEqual(await countEverything(instance, unit.device), before, name)
        assert.equal((await auditLog(instance)).at(-1)!.outcome, 'refused')
      }
    }
  })

  test('one request for life: what was asked at first may be asked again, and nothing else (strongSwan pki --est --in)', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const key = await generateKeyPair('P-256')
    const names = {
      subject: 'C=FI,O=Test,CN=dev-1',
      extensions: [
        extension(OID.subjectAltName, false, encodeSubjectAltName([{ kind: 'dNSName', value: 'dev-1.local' }])),
      ],
    }
    const body = testCsrDer(key, names)
    let reply = await est('/.well-known/est/simpleenroll', { certificates: [unit.record.der], body })
    for (let i = 0; i < 3; i++) {
      assert.equal(reply.status, 200, reply.text)
      const certificate = parseCertificate(parseCertsOnly(fromBase64Lines(reply.text))[0]!)
      assert.equal(formatName(certificate.subject), `serialNumber=${unit.device.serialNumber},O=Example Devices`)
      assert.equal(
        parseSubjectAltName(findExtension(certificate.extensions, OID.subjectAltName)!.value).some(
          ({ kind }) => kind === 'dNSName',
        ),
        false,
      )
      instance.clock.advance(45 * DAY)
      const changed = await est(PATH, {
        certificates: [certificate.raw],
        body: testCsrDer(key, { ...names, subject: 'CN=dev-2' }),
      })
      assert.match(changed.text, /^renewal\.subject_changed: /)
      const renamed = await est(PATH, {
        certificates: [certificate.raw],
        body: testCsrDer(key, { subject: names.subject }),
      })
      assert.match(renamed.text, /^renewal\.subject_changed: /, 'the subject of then without the other name of then')
      reply = await est(PATH, { certificates: [certificate.raw], body })
    }
    await assertInvariants(instance.store)
  })

  test('a rule may take names from the profile, for clients that keep one request for life', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await operational(instance)
    await useRules(instance, [{ name: 'lenient', outcome: 'grant', renewalNames: 'from-profile' }])
    const reply = await est(PATH, {
      certificates: [unit.record.der],
      body: testCsrDer(unit.key, { subject: 'C=FI,O=Test,CN=dev-1' }),
    })
    assert.equal(reply.status, 200, reply.text)
    const certificate = parseCertificate(parseCertsOnly(fromBase64Lines(reply.text))[0]!)
    assert.deepEqual(certificate.subject.raw, parseCertificate(unit.record.der).subject.raw)
  })

  test('the certificate being renewed must be shown; a token is not it', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await operational(instance)
    const { secret } = await createToken({ ...unit.device, profile: 'ldevid', actor: OPERATOR }, instance)
    const body = renewalCsrDer(unit.key, unit.record.der)
    const reply = await est(PATH, { basic: `${unit.device.serialNumber}:${secret}`, body })
    assert.equal(reply.status, 401)
    assert.match(reply.text, /^renewal\.certificate_required: /)
    const nobody = await est(PATH, { body })
    assert.equal(nobody.status, 401)
  })

  test('a birth certificate is renewed by nobody', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await operational(instance)
    const body = renewalCsrDer(unit.key, unit.birth.der)
    const reply = await est(PATH, { certificates: [unit.birth.der], body })
    assert.equal(reply.status, 403)
    assert.match(reply.text, /^rule\.none_matches: /)
    const other = await est('/.well-known/est/ldevid/simplereenroll', { certificates: [unit.birth.der], body })
    assert.equal(other.status, 403)
    assert.match(other.text, /^renewal\.profile_changed: /)
  })
})

describe('status is asked at every request, on open connections too', () => {
  test('revoked, held, released', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await operational(instance)
    // The same octets each time: one connection, one session.
    const asking = async () =>
      est(PATH, {
        certificates: [unit.record.der],
        body: renewalCsrDer(await generateKeyPair('P-256'), unit.record.der),
      })
    assert.equal((await asking()).status, 200)
    await revokeCertificate({ serialNumber: unit.record.serialNumber }, 'certificateHold', OPERATOR, instance)
    const held = await asking()
    assert.deepEqual([held.status, held.text.split(':')[0]], [403, 'evidence.certificate_held'])
    await releaseCertificate({ serialNumber: unit.record.serialNumber }, OPERATOR, instance)
    assert.equal((await asking()).status, 200)
    await revokeCertificate({ serialNumber: unit.record.serialNumber }, 'keyCompromise', OPERATOR, instance)
    const before = await countEverything(instance, unit.device)
    const revoked = await asking()
    assert.deepEqual([revoked.status, revoked.text.split(':')[0]], [403, 'evidence.certificate_revoked'])
    assert.deepEqual(await countEverything(instance, unit.device), before)
    const last = (await auditLog(instance)).at(-1)!
    assert.deepEqual([last.code, last.detail?.['reason']], ['evidence.certificate_revoked', 'keyCompromise'])
  })

  test('a revoked certificate is not made good by a token: the operator wants to hear of it', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await operational(instance)
    const { secret } = await createToken({ ...unit.device, profile: 'ldevid', actor: OPERATOR }, instance)
    await revokeCertificate({ serialNumber: unit.record.serialNumber }, 'superseded', OPERATOR, instance)
    const reply = await est('/.well-known/est/simpleenroll', {
      certificates: [unit.record.der],
      basic: `${unit.device.serialNumber}:${secret}`,
      body: testCsrDer(await generateKeyPair('P-256')),
    })
    assert.equal(reply.status, 403)
    assert.match(reply.text, /^evidence\.certificate_revoked: /)
  })

  test('a suspended device', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await operational(instance)
    const at = instance.clock.now()
    const { state } = (await instance.store.read.device(unit.device.id))!
    await instance.store.commit({
      writes: [{ kind: 'device.state', id: unit.device.id, from: state, to: 'suspended', at }],
      audit: [
        {
          at,
          actor: OPERATOR,
          action: 'device.state_changed',
          outcome: 'done',
          subject: { deviceId: unit.device.id },
          detail: { from: state, to: 'suspended' },
        },
      ],
    })
    for (const [path, der] of [
      [PATH, unit.record.der],
      ['/.well-known/est/simpleenroll', unit.birth.der],
    ] as const) {
      const reply = await est(path, { certificates: [der], body: renewalCsrDer(unit.key, unit.record.der) })
      assert.equal(reply.status, 403)
      assert.match(reply.text, /^device\.suspended: /)
    }
  })

  test('expired: only within the grace time of its profile, or of the rule that grants', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await operational(instance)
    const asking = async ({ record, key }: typeof unit) =>
      est(PATH, { certificates: [record.der], body: renewalCsrDer(key, record.der) })
    const rules = (grace: { readonly graceAfterExpirySeconds?: number }) =>
      useRules(instance, [
        { name: 'renewing', outcome: 'grant', when: { operation: ['renew'] }, ...grace },
        { name: 'enrolling', outcome: 'grant', when: { operation: ['enrol'] } },
      ])
    instance.clock.advance(46 * DAY)
    await rules({ graceAfterExpirySeconds: 0 })
    const late = await asking(unit)
    assert.equal(late.status, 403)
    assert.match(late.text, /^evidence\.certificate_expired: /)
    await rules({ graceAfterExpirySeconds: 2 * DAY })
    assert.equal((await asking(unit)).status, 200)
    instance.clock.advance(2 * DAY)
    assert.match((await asking(unit)).text, /^evidence\.certificate_expired: /)

    await rules({})
    const other = await operational(instance)
    instance.clock.advance(74 * DAY)
    assert.equal((await asking(other)).status, 200, 'the profile ldevid allows for thirty days')
    instance.clock.advance(2 * DAY)
    assert.match((await asking(other)).text, /^evidence\.certificate_expired: /)
  })
})

function utf8Subject(organization: string, serialNumber = 'SN'): Uint8Array {
  return encodeName([
    [{ type: '2.5.4.10', value: organization, tag: TAG.UTF8_STRING }],
    [{ type: '2.5.4.5', value: serialNumber, tag: TAG.UTF8_STRING }],
  ])
}

function sanOf(der: Uint8Array) {
  return findExtension(parseCertificate(der).extensions, OID.subjectAltName)!
}
