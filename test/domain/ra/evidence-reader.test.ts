// Which certificates and tokens count as evidence, and why the others do not.
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as x509 from '@peculiar/x509'
import { writeDer } from '../../../src/core/asn1/writer.ts'
import { encodeSubjectAltName } from '../../../src/core/pki/extensions.ts'
import { encodeHardwareModuleName, encodePermanentIdentifier } from '../../../src/core/pki/general-name.ts'
import { generateKeyPair } from '../../../src/crypto/keys.ts'
import type { Write } from '../../../src/domain/ports.ts'
import { createToken } from '../../../src/domain/ra/create-token.ts'
import type { TrustAnchorsConfig } from '../../../src/domain/ra/trust-anchors.ts'
import { releaseCertificate, revokeCertificate } from '../../../src/domain/revocation/revoke.ts'
import {
  bornDevice,
  certify,
  countEverything,
  OPERATOR,
  registerDevice,
  type TestInstance,
  testInstance,
  trustManufacturer,
} from '../../support/instance.ts'

async function judge(instance: TestInstance, ...certificates: Uint8Array[]): Promise<string> {
  const found = await instance.evidence.fromCertificates(certificates, instance.clock.now())
  switch (found.kind) {
    case 'none':
      return 'none'
    case 'refused':
      return found.refusal.code
    case 'evidence':
      return found.evidence.kind
    default:
      return found satisfies never
  }
}

async function write(instance: TestInstance, ...writes: Write[]): Promise<void> {
  await instance.store.commit({
    writes,
    audit: [{ at: instance.clock.now(), actor: OPERATOR, action: 'server.started', outcome: 'done', subject: {} }],
  })
}

describe('a certificate of ours', () => {
  test('is known by its octets', async t => {
    const instance = await testInstance(t)
    const unit = await bornDevice(instance)
    assert.equal(await judge(instance, unit.record.der), 'own-certificate')
    const forged = Uint8Array.from(unit.record.der)
    forged[forged.length - 1]! ^= 1
    assert.notEqual(await judge(instance, forged), 'own-certificate')
    assert.equal(await judge(instance), 'none')
  })

  test('is judged by its status at every call', async t => {
    const instance = await testInstance(t)
    const unit = await bornDevice(instance)
    const { der, serialNumber } = unit.record
    await revokeCertificate({ serialNumber }, 'certificateHold', OPERATOR, instance)
    assert.equal(await judge(instance, der), 'evidence.certificate_held')
    await releaseCertificate({ serialNumber }, OPERATOR, instance)
    assert.equal(await judge(instance, der), 'own-certificate')
    await revokeCertificate({ serialNumber }, 'cessationOfOperation', OPERATOR, instance)
    assert.equal(await judge(instance, der), 'evidence.certificate_revoked')
  })

  test('is evidence of how long ago it expired; rules decide whether that counts', async t => {
    const instance = await testInstance(t)
    const unit = await bornDevice(instance)
    const key = await generateKeyPair('P-256')
    const record = await certify(instance, unit.device, key, 'ldevid')
    instance.clock.advance(record.notAfter - instance.clock.now())
    const last = await instance.evidence.fromCertificates([record.der], instance.clock.now())
    assert.ok(last.kind === 'evidence' && last.evidence.kind === 'own-certificate')
    assert.equal(last.evidence.expiredForSeconds, 0, 'the last second counts')
    instance.clock.advance(5)
    const late = await instance.evidence.fromCertificates([record.der], instance.clock.now())
    assert.ok(late.kind === 'evidence' && late.evidence.kind === 'own-certificate')
    assert.equal(late.evidence.expiredForSeconds, 5)
  })

  test('is refused before its time', async t => {
    const instance = await testInstance(t)
    const unit = await bornDevice(instance)
    const found = await instance.evidence.fromCertificates([unit.record.der], unit.record.notBefore - 1)
    assert.ok(found.kind === 'refused')
    assert.equal(found.refusal.code, 'evidence.certificate_not_yet_valid')
  })

  test('speaks for no device where it is an authority', async t => {
    const instance = await testInstance(t)
    const [authority] = await instance.authorities.all()
    assert.equal(await judge(instance, authority!.certificate!), 'evidence.certificate_not_of_device')
  })

  const states = [
    ['suspended', 'evidence.key_suspended'],
    ['archived', 'evidence.key_unusable'],
    ['compromised', 'evidence.key_unusable'],
    ['destroyed', 'evidence.key_unusable'],
  ] as const
  for (const [to, code] of states) {
    test(`is refused while its key is ${to}`, async t => {
      const instance = await testInstance(t)
      const unit = await bornDevice(instance)
      await write(instance, {
        kind: 'key.state',
        id: unit.record.keyId,
        from: 'established',
        to,
        at: instance.clock.now(),
      })
      assert.equal(await judge(instance, unit.record.der), code)
    })
  }

  test('that was signed with our key and is not on record is an alarm of its own', async t => {
    const instance = await testInstance(t)
    const unit = await bornDevice(instance)
    const profile = await instance.authorities.profile('ldevid')
    const key = await generateKeyPair('P-256')
    const prepared = await instance.issuer.prepare({
      profile,
      device: unit.device,
      spki: key.publicKey,
      replaces: null,
      now: instance.clock.now(),
    })
    const { der } = await instance.issuer.sign(prepared)
    assert.equal(await judge(instance, der), 'evidence.certificate_unrecorded')
  })
})

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

interface Maker {
  readonly pem: string
  issue(subject: string, options?: { extensions?: x509.Extension[]; days?: number }): Promise<Uint8Array>
}

/** Another maker's hierarchy, made by another library. */
async function maker(
  instance: TestInstance,
  intermediate = false,
): Promise<Maker & { readonly intermediates: Uint8Array[] }> {
  const now = instance.clock.now() * 1000
  const day = 86_400_000
  const make = async (
    subject: string,
    issuer: { name: string; key: CryptoKey } | null,
    ca: boolean,
    extensions: x509.Extension[] = [],
    days = 3650,
  ) => {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: issuer?.name ?? subject,
      notBefore: new Date(now - day),
      notAfter: new Date(now + days * day),
      publicKey: keys.publicKey,
      signingKey: issuer?.key ?? keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(ca, undefined, true),
        new x509.KeyUsagesExtension(ca ? x509.KeyUsageFlags.keyCertSign : x509.KeyUsageFlags.digitalSignature, true),
        ...extensions,
      ],
    })
    return { certificate, key: keys.privateKey, name: certificate.subject }
  }
  const root = await make('CN=Acme Root,O=Acme', null, true)
  const middle = intermediate ? await make('CN=Acme Factory,O=Acme', root, true) : root
  return {
    pem: root.certificate.toString('pem'),
    intermediates: intermediate ? [new Uint8Array(middle.certificate.rawData)] : [],
    async issue(subject, options = {}) {
      const leaf = await make(subject, middle, false, options.extensions, options.days)
      return new Uint8Array(leaf.certificate.rawData)
    },
  }
}

const anchors = (pem: string, fields: Partial<TrustAnchorsConfig> = {}): TrustAnchorsConfig => ({
  name: 'acme',
  certificates: [pem],
  model: { fixed: 'acme-1' },
  ...fields,
})

const raw = (oid: string, der: Uint8Array, critical = false) => new x509.Extension(oid, critical, der)

describe('a certificate of another maker', () => {
  test('names model and serial number where its trust anchor list says', async t => {
    const instance = await testInstance(t)
    const acme = await maker(instance)
    await trustManufacturer(instance, anchors(acme.pem))
    const der = await acme.issue('CN=x,2.5.4.5=#1303412d39')
    const found = await instance.evidence.fromCertificates([der], instance.clock.now())
    assert.ok(found.kind === 'evidence' && found.evidence.kind === 'manufacturer-certificate', JSON.stringify(found))
    const { anchor, model, serialNumber, device, keyAlgorithm } = found.evidence
    assert.deepEqual([anchor, model, serialNumber, device, keyAlgorithm], ['acme', 'acme-1', 'A-9', null, 'P-256'])
  })

  test('finds the device that is registered under that name', async t => {
    const instance = await testInstance(t)
    const acme = await maker(instance)
    await trustManufacturer(instance, anchors(acme.pem, { serialNumber: 'subject.CN' }))
    const device = await registerDevice(instance, { model: 'acme-1', serialNumber: 'A-9' })
    const found = await instance.evidence.fromCertificates([await acme.issue('CN=A-9')], instance.clock.now())
    assert.ok(found.kind === 'evidence')
    assert.equal(found.evidence.kind === 'manufacturer-certificate' && found.evidence.device?.id, device.id)
  })

  test('may come with its intermediate, and not without', async t => {
    const instance = await testInstance(t)
    const acme = await maker(instance, true)
    await trustManufacturer(instance, anchors(acme.pem, { serialNumber: 'subject.CN' }))
    const der = await acme.issue('CN=A-9')
    assert.equal(await judge(instance, der, ...acme.intermediates), 'manufacturer-certificate')
    assert.equal(await judge(instance, der), 'evidence.issuer_unknown')
  })

  test('reads HardwareModuleName (RFC 4108 5): hwType as model, hwSerialNum as text or hexadecimal', async t => {
    const instance = await testInstance(t)
    const acme = await maker(instance)
    await trustManufacturer(
      instance,
      anchors(acme.pem, {
        model: { hwType: { '1.3.6.1.4.1.99999.1': 'acme-hw' } },
        serialNumber: 'hardwareModuleName',
      }),
    )
    const named = async (octets: Uint8Array, type = '1.3.6.1.4.1.99999.1') => {
      const san = encodeSubjectAltName([encodeHardwareModuleName(type, octets)])
      const der = await acme.issue('CN=x', { extensions: [raw('2.5.29.17', san)] })
      const found = await instance.evidence.fromCertificates([der], instance.clock.now())
      if (found.kind !== 'evidence' || found.evidence.kind !== 'manufacturer-certificate')
        return found.kind === 'refused' ? found.refusal.code : found.kind
      return `${found.evidence.model} ${found.evidence.serialNumber}`
    }
    assert.equal(await named(Buffer.from('HW-7')), 'acme-hw HW-7')
    assert.equal(await named(Uint8Array.of(0xde, 0xad, 0x00)), 'acme-hw dead00')
    assert.equal(await named(Buffer.from('HW-7'), '1.3.6.1.4.1.99999.2'), 'evidence.identity_missing')
  })

  test('reads PermanentIdentifier (RFC 4043 2)', async t => {
    const instance = await testInstance(t)
    const acme = await maker(instance)
    await trustManufacturer(instance, anchors(acme.pem, { serialNumber: 'permanentIdentifier' }))
    const san = encodeSubjectAltName([encodePermanentIdentifier('P-5')])
    const der = await acme.issue('CN=x', { extensions: [raw('2.5.29.17', san)] })
    assert.equal(await judge(instance, der), 'manufacturer-certificate')
  })

  test('may speak only for the models of its maker', async t => {
    const instance = await testInstance(t)
    const acme = await maker(instance)
    await trustManufacturer(
      instance,
      anchors(acme.pem, { model: { subject: 'OU', allowed: ['acme-*'] }, serialNumber: 'subject.CN' }),
    )
    assert.equal(await judge(instance, await acme.issue('CN=1,OU=acme-7')), 'manufacturer-certificate')
    assert.equal(await judge(instance, await acme.issue('CN=1,OU=sensor-9')), 'evidence.identity_missing')
    assert.equal(await judge(instance, await acme.issue('CN=1')), 'evidence.identity_missing')
  })

  const strange: readonly [string, string][] = [
    ['a serial number with a control character', 'CN=A\\0a9'],
    ['a serial number of 65 characters', `CN=${'9'.repeat(65)}`],
    ['a serial number that is not ASCII', 'CN=Ä-9'],
  ]
  test('does not take a serial number that no line of text could hold', async t => {
    const instance = await testInstance(t)
    const acme = await maker(instance)
    await trustManufacturer(instance, anchors(acme.pem, { serialNumber: 'subject.CN' }))
    for (const [name, subject] of strange) {
      assert.equal(await judge(instance, await acme.issue(subject)), 'evidence.identity_missing', name)
    }
  })

  test('is refused when it has expired, and when nobody trusts its maker', async t => {
    const instance = await testInstance(t)
    const acme = await maker(instance)
    const stranger = await maker(instance)
    await trustManufacturer(instance, anchors(acme.pem, { serialNumber: 'subject.CN' }))
    assert.equal(await judge(instance, await stranger.issue('CN=A-9')), 'evidence.issuer_unknown')
    const der = await acme.issue('CN=A-9', { days: 1 })
    instance.clock.advance(2 * 86_400)
    assert.equal(await judge(instance, der), 'evidence.certificate_expired')
  })

  test('is refused where it breaks a rule of the path (RFC 5280 6.1.5): an unknown critical extension', async t => {
    const instance = await testInstance(t)
    const acme = await maker(instance)
    await trustManufacturer(instance, anchors(acme.pem, { serialNumber: 'subject.CN' }))
    const extensions = [
      raw(
        '1.3.6.1.4.1.99999.7',
        writeDer(w => w.null()),
        true,
      ),
    ]
    assert.equal(await judge(instance, await acme.issue('CN=A-9', { extensions })), 'evidence.path_invalid')
  })

  test('is refused where its key is known under another device: one of the two is a copy', async t => {
    const instance = await testInstance(t)
    const acme = await maker(instance)
    await trustManufacturer(instance, anchors(acme.pem, { serialNumber: 'subject.CN' }))
    const der = await acme.issue('CN=A-9')
    const found = await instance.evidence.fromCertificates([der], instance.clock.now())
    assert.ok(found.kind === 'evidence' && found.evidence.kind === 'manufacturer-certificate')
    const other = await registerDevice(instance)
    const at = instance.clock.now()
    await write(instance, {
      kind: 'key.insert',
      key: {
        id: found.evidence.keyId,
        deviceId: other.id,
        algorithm: 'P-256',
        origin: 'imported',
        state: 'in_use',
        createdAt: at,
        stateChangedAt: at,
      },
    })
    assert.equal(await judge(instance, der), 'evidence.key_known_elsewhere')
  })

  test('octets that are no certificate are none', async t => {
    const instance = await testInstance(t)
    assert.equal(await judge(instance, Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x00)), 'evidence.certificate_malformed')
    const unit = await bornDevice(instance)
    assert.equal(await judge(instance, unit.record.der.slice(0, -1)), 'evidence.certificate_malformed')
  })
})

describe('a token', () => {
  const request = { model: 'sensor-9', serialNumber: 'T-1', profile: 'ldevid', actor: OPERATOR } as const

  test('is 256 bits of base64url, stored as a hash only, and registers a device that is unknown', async t => {
    const instance = await testInstance(t)
    const { secret, token, device, registered } = await createToken(request, instance)
    assert.match(secret, /^[A-Za-z0-9_-]{43}$/)
    assert.equal(registered, true)
    assert.equal((await instance.store.read.deviceBySerial('sensor-9', 'T-1'))?.id, device.id)
    assert.equal(JSON.stringify(await instance.store.read.tokenByHash(token.secretHash)).includes(secret), false)
    const again = await createToken(request, instance)
    assert.equal(again.registered, false)
    assert.notEqual(again.secret, secret)
  })

  test('is evidence with the right user name only', async t => {
    const instance = await testInstance(t)
    const { secret } = await createToken(request, instance)
    const codes = await Promise.all(
      [
        ['T-1', secret],
        ['T-2', secret],
        ['T-1', `${secret}A`],
        ['T-1', ''],
        ['T-1', 'x'.repeat(100_000)],
        ['T-1 ', secret],
      ].map(async ([user, password]) => {
        const found = await instance.evidence.fromToken(user!, password!)
        return found.kind === 'refused' ? found.refusal.code : found.kind
      }),
    )
    assert.deepEqual(codes, ['evidence', ...Array.from({ length: 5 }, () => 'token.invalid')])
  })

  const wrong: readonly [string, Partial<Parameters<typeof createToken>[0]>, string][] = [
    ['a profile that is not for devices', { profile: 'ocsp-signer' }, 'profile.not_for_devices'],
    ['a profile that does not exist', { profile: 'nothing' }, 'profile.not_found'],
    ['a life of a second', { lifetimeSeconds: 1 }, 'token.lifetime_invalid'],
    ['a life of ten years', { lifetimeSeconds: 10 * 366 * 86_400 }, 'token.lifetime_invalid'],
    ['half a second', { lifetimeSeconds: 100.5 }, 'token.lifetime_invalid'],
    ['an empty serial number', { serialNumber: '' }, 'device.serial_number_invalid'],
    ['a serial number with a line end', { serialNumber: 'A\n1' }, 'device.serial_number_invalid'],
    ['a model of blanks', { model: ' ' }, 'device.model_invalid'],
  ]
  test('is not made for what could not be used', async t => {
    const instance = await testInstance(t)
    const before = await countEverything(instance)
    for (const [name, fields, code] of wrong) {
      await assert.rejects(createToken({ ...request, ...fields }, instance), { code }, name)
    }
    assert.deepEqual(await countEverything(instance), before)
  })

  test('is not made for a device that may have nothing', async t => {
    const instance = await testInstance(t)
    await registerDevice(instance, { serialNumber: 'T-1', state: 'retired' })
    await assert.rejects(createToken(request, instance), { code: 'device.may_not_enrol' })
  })

  test('two at once for a new device: one registers it, both get a token', async t => {
    const instance = await testInstance(t)
    const made = await Promise.all([createToken(request, instance), createToken(request, instance)])
    assert.equal(made[0].device.id, made[1].device.id)
    assert.deepEqual(made.map(({ registered }) => registered).sort(), [false, true])
  })
})
