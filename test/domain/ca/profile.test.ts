// Profiles as documents: parsed whole, refused with every problem and its path, and nothing of a request that they do not let in.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import { type Extension, findExtension } from '../../../src/core/pki/extension.ts'
import {
  encodeBasicConstraints,
  encodeKeyUsage,
  encodeSubjectAltName,
  extension,
  parseSubjectAltName,
} from '../../../src/core/pki/extensions.ts'
import { encodeHardwareModuleName, type GeneralName } from '../../../src/core/pki/general-name.ts'
import { attributeValue } from '../../../src/core/pki/name.ts'
import { OID } from '../../../src/core/pki/oids.ts'
import { systemRandom } from '../../../src/crypto/random.ts'
import { catalogueProfile, profileCatalogue } from '../../../src/domain/ca/catalogue.ts'
import { nameFromText } from '../../../src/domain/ca/name-text.ts'
import { prepareCertificate } from '../../../src/domain/ca/prepare.ts'
import { parseProfile } from '../../../src/domain/ca/profile.ts'
import { type ProfileConfig, profileJsonSchema } from '../../../src/domain/ca/profile-config.ts'
import { parseSettings, settingsDocument, settingsJsonSchema, uuidOid } from '../../../src/domain/ca/settings.ts'
import { signPrepared } from '../../../src/domain/ca/sign.ts'
import { authorities, profile, request, settings, settingsConfig } from './fixture.ts'

/** The paths of the problems that a profile is refused with. */
function problems(config: unknown): string[] {
  try {
    parseProfile(config)
  } catch (error) {
    assert.ok(error instanceof TouchmarkError && error.code === 'profile.invalid', String(error))
    assert.equal(error.kind, 'malformed')
    return Object.keys(error.evidence).sort()
  }
  return []
}

const ldevid = catalogueProfile('ldevid')!

describe('a profile document', () => {
  it('of the catalogue is readable from its JSON', () => {
    for (const config of profileCatalogue) {
      const { name, version } = parseProfile(JSON.parse(JSON.stringify(config)))
      assert.deepEqual([name, version], [config.name, config.version])
    }
    assert.equal(new Set(profileCatalogue.map(({ name }) => name)).size, profileCatalogue.length)
  })

  it('is refused with every problem at once, each with its path', () => {
    const config = {
      ...ldevid,
      name: 'LDevID',
      version: 0,
      keyAlgorithms: ['P-255'],
      keyUsage: [],
      validity: { days: 1, seconds: 3600 },
      subject: [{}],
      surprise: true,
    }
    assert.deepEqual(problems(config), [
      'document',
      'keyAlgorithms.0',
      'keyUsage',
      'name',
      'subject.0',
      'validity',
      'version',
    ])
  })

  it('is refused where its parts do not compile, each with its path', () => {
    const config = {
      ...ldevid,
      subject: [{ CN: '{device.color}' }],
      subjectAltName: {
        names: [
          { kind: 'dNSName', value: '{' },
          { kind: 'dNSName', value: 'ok.example' },
        ],
      },
      privateExtensions: [{ oid: '1.2.3', utf8String: '}' }],
    }
    assert.deepEqual(problems(config), ['privateExtensions.0', 'subject', 'subjectAltName.names.0'])
  })

  it('may not read of the request what it does not let in', () => {
    assert.deepEqual(problems({ ...ldevid, subject: [{ CN: '{request.commonName}' }] }), [
      'requestInfluence.subject.commonName',
    ])
  })

  it('may not read of a device where the holder is none', () => {
    assert.deepEqual(problems({ ...catalogueProfile('server-tls')!, subject: [{ CN: '{device.model}' }] }), ['holder'])
  })

  const nonsense: Record<string, [Partial<Record<keyof ProfileConfig, unknown>>, string[]]> = {
    'cA outside of an authority': [{ basicConstraints: { cA: true } }, ['basicConstraints.cA', 'keyUsage']],
    'keyCertSign without cA': [{ keyUsage: ['digitalSignature', 'keyCertSign'] }, ['keyUsage']],
    'a path length without cA': [
      { basicConstraints: { cA: false, pathLenConstraint: 0 } },
      ['basicConstraints.pathLenConstraint'],
    ],
    'name constraints outside of a CA': [
      { nameConstraints: { permitted: [{ kind: 'dNSName', value: 'x' }] } },
      ['nameConstraints'],
    ],
    'no name at all': [{ subject: [], subjectAltName: { names: [] } }, ['subject']],
    'ocspNoCheck outside of an OCSP signer': [{ ocspNoCheck: true }, ['ocspNoCheck']],
    'a standard extension as a private one': [
      { privateExtensions: [{ oid: '2.5.29.19', der: '3000' }] },
      ['privateExtensions.0.oid'],
    ],
    'a private extension twice': [
      {
        privateExtensions: [
          { oid: '1.2.3', der: '0500' },
          { oid: '1.2.3', der: '0500' },
        ],
      },
      ['privateExtensions.1.oid'],
    ],
    'a private extension without a value': [{ privateExtensions: [{ oid: '1.2.3' }] }, ['privateExtensions.0']],
    'the same algorithm twice': [{ keyAlgorithms: ['P-256', 'P-256'] }, ['keyAlgorithms']],
    'an attribute type that nobody knows': [{ subject: [{ Colour: 'red' }] }, ['subject']],
    'an OID that is none': [{ certificatePolicies: [{ oid: '1.99.3' }] }, ['certificatePolicies.0.oid']],
    'an address range with bits below its prefix': [
      { requestInfluence: { subjectAltName: [{ kind: 'iPAddress', ranges: ['10.0.0.1/8'] }] } },
      ['requestInfluence'],
    ],
  }
  for (const [what, [changes, paths]] of Object.entries(nonsense)) {
    it(`is refused for ${what}`, () => assert.deepEqual(problems({ ...ldevid, ...changes }), paths))
  }

  it('has a JSON Schema that names every field', () => {
    const schema = profileJsonSchema() as { properties: Record<string, unknown>; additionalProperties: boolean }
    assert.equal(schema.additionalProperties, false)
    for (const config of profileCatalogue) {
      for (const field of Object.keys(config)) assert.ok(schema.properties[field], field)
    }
  })
})

describe('the settings document', () => {
  it('comes back from its JSON', () => {
    const { body } = settingsDocument(settingsConfig, 1, 0)
    const again = parseSettings(JSON.parse(body))
    assert.equal(again.hardwareType('sensor-2'), '1.3.6.1.4.1.32473.2')
    assert.equal(again.hardwareType('unknown'), '1.3.6.1.4.1.32473.1')
    assert.equal(again.hardwareType(null), '1.3.6.1.4.1.32473.1')
  })

  it('wants a plain http address: status that needs TLS to be checked could not be checked (RFC 5280 §8)', () => {
    for (const publicHttpUrl of [
      'https://pki.example',
      'http://pki.example/',
      'pki.example',
      'http://u@pki.example',
      'http://pki.example?x',
      'HTTP://pki.example',
    ]) {
      assert.throws(
        () => parseSettings({ ...settingsConfig, publicHttpUrl }),
        { code: 'settings.invalid' },
        publicHttpUrl,
      )
    }
    assert.equal(
      parseSettings({ ...settingsConfig, publicHttpUrl: 'http://[2001:db8::1]:8080/pki' }).publicHttpUrl,
      'http://[2001:db8::1]:8080/pki',
    )
  })

  it('has a JSON Schema', () => {
    assert.ok(JSON.stringify(settingsJsonSchema()).includes('publicHttpUrl'))
  })

  it('can draw an OID of its own under 2.25 (ITU-T X.667), that of a random UUID', () => {
    const zeros = uuidOid(new Uint8Array(16))
    // 00000000-0000-4000-8000-000000000000
    assert.equal(zeros, `2.25.${0x40008000000000000000n}`)
    assert.doesNotThrow(() =>
      parseSettings({ ...settingsConfig, hardwareType: { default: uuidOid(systemRandom.bytes(16)) } }),
    )
  })
})

/** Issues under a profile for a request that asks for this and that. */
async function asked(changes: Partial<ProfileConfig>, wish: { subject?: string; extensions?: Extension[] }) {
  const { issuing } = await authorities()
  const wanted = await request(profile('ldevid', changes), 'P-256', {
    ...(wish.subject !== undefined && { requestedSubject: nameFromText(wish.subject) }),
    ...(wish.extensions && { requestedExtensions: wish.extensions }),
  })
  const prepared = prepareCertificate(wanted, issuing, { settings, random: systemRandom })
  const certificate = parseCertificate((await signPrepared(prepared, issuing.signer)).der)
  const altName = findExtension(certificate.extensions, OID.subjectAltName)
  return { certificate, names: altName ? parseSubjectAltName(altName.value) : [] }
}

const dns = (value: string): GeneralName => ({ kind: 'dNSName', value })
const ip = (...octets: number[]): GeneralName => ({ kind: 'iPAddress', bytes: new Uint8Array(octets) })
const altNames = (...names: GeneralName[]) => extension(OID.subjectAltName, false, encodeSubjectAltName(names))

describe('what a request may influence', () => {
  const refusal = { code: 'profile.request_not_allowed', kind: 'forbidden' }

  it('is its key and nothing else, unless the profile says so', async () => {
    const extensions = [
      altNames(dns('evil.example')),
      extension(OID.basicConstraints, true, encodeBasicConstraints({ cA: true })),
      extension(OID.keyUsage, true, encodeKeyUsage(['keyCertSign'])),
      extension('1.3.6.1.4.1.32473.66', false, new Uint8Array([5, 0])),
    ]
    const plain = await asked({}, {})
    const { certificate, names } = await asked({}, { subject: 'CN=evil,serialNumber=OTHER', extensions })
    assert.deepEqual(certificate.subject.raw, plain.certificate.subject.raw)
    assert.deepEqual(
      certificate.extensions.map(({ oid }) => oid),
      plain.certificate.extensions.map(({ oid }) => oid),
    )
    assert.deepEqual(
      names.map(({ kind }) => kind),
      ['otherName'],
    )
    assert.equal(findExtension(certificate.extensions, OID.basicConstraints), undefined)
  })

  it('is a subject attribute where the profile lists it and the value matches', async () => {
    const changes: Partial<ProfileConfig> = {
      subject: [{ serialNumber: '{device.serialNumber}' }, { CN: { value: '{request.commonName}', optional: true } }],
      requestInfluence: { subject: { commonName: ['unit *', '{device.serialNumber}'] } },
    }
    const named = await asked(changes, { subject: 'CN=unit 7' })
    assert.equal(attributeValue(named.certificate.subject, '2.5.4.3'), 'unit 7')
    assert.equal(
      attributeValue((await asked(changes, { subject: 'CN=SN-0042' })).certificate.subject, '2.5.4.3'),
      'SN-0042',
    )
    assert.equal(attributeValue((await asked(changes, {})).certificate.subject, '2.5.4.3'), undefined)
    await assert.rejects(asked(changes, { subject: 'CN=unit.7.evil' }), refusal)
    await assert.rejects(asked(changes, { subject: 'CN=SN-0043' }), refusal)
  })

  it('is alternative names of the listed kinds that match, so many and no more', async () => {
    const changes: Partial<ProfileConfig> = {
      requestInfluence: {
        subjectAltName: [
          { kind: 'dNSName', patterns: ['*.{device.serialNumber}.example.net'], maximum: 2 },
          { kind: 'iPAddress', ranges: ['10.0.0.0/8', '2001:db8::/32'] },
        ],
      },
    }
    const { names } = await asked(changes, {
      extensions: [altNames(dns('a.sn-0042.example.net'), ip(10, 1, 2, 3), dns('A.SN-0042.example.net'))],
    })
    assert.deepEqual(names.slice(1), [dns('a.sn-0042.example.net'), ip(10, 1, 2, 3)])
    const wishes = [
      [dns('a.sn-0043.example.net')],
      [dns('a.b.sn-0042.example.net')],
      [dns('a_b.sn-0042.example.net')],
      [ip(11, 0, 0, 1)],
      [ip(10, 0, 0, 1), ip(192, 0, 2, 1)],
      ['a', 'b', 'c'].map(label => dns(`${label}.sn-0042.example.net`)),
    ]
    for (const wish of wishes) await assert.rejects(asked(changes, { extensions: [altNames(...wish)] }), refusal)
    // A kind that is not listed has no say.
    assert.equal(
      (await asked(changes, { extensions: [altNames({ kind: 'rfc822Name', value: 'a@b.c' })] })).names.length,
      1,
    )
  })

  it('is refused beyond that where the profile is strict', async () => {
    const changes: Partial<ProfileConfig> = { requestInfluence: { unlisted: 'refuse' } }
    const wishes = [
      { subject: 'CN=other' },
      { subject: 'serialNumber=SN-0043' },
      { extensions: [altNames(dns('a.example'))] },
      { extensions: [extension(OID.keyUsage, true, encodeKeyUsage(['digitalSignature', 'keyAgreement']))] },
      { extensions: [extension(OID.basicConstraints, true, encodeBasicConstraints({ cA: true }))] },
    ]
    for (const wish of wishes) await assert.rejects(asked(changes, wish), refusal)
    // What it gets anyway, it may ask for.
    const own = encodeHardwareModuleName('1.3.6.1.4.1.32473.1', Buffer.from('SN-0042'))
    await asked(changes, {
      subject: 'serialNumber=SN-0042,O=Example Devices',
      extensions: [altNames(own), extension(OID.keyUsage, true, encodeKeyUsage(['digitalSignature']))],
    })
  })

  it('is not what cannot be read', async () => {
    await assert.rejects(asked({}, { extensions: [extension(OID.subjectAltName, false, new Uint8Array([0x30, 5]))] }), {
      code: 'der.truncated',
    })
  })
})

describe('what a profile can put into a certificate', () => {
  it('multi-valued RDNs in DER order, dotted types, other string types', async () => {
    const subject: ProfileConfig['subject'] = [
      { serialNumber: '{device.serialNumber}', CN: { value: '{device.model}', string: 'printable' } },
    ]
    const { certificate } = await asked({ subject }, {})
    const [rdn] = certificate.subject.rdns
    assert.deepEqual(
      rdn?.map(({ type, tag }) => [type, tag]),
      [
        // SET OF: the shorter encoding first, whatever the profile's order.
        ['2.5.4.5', 0x13],
        ['2.5.4.3', 0x13],
      ],
    )
  })

  it('an empty subject, and then a critical subjectAltName (RFC 5280 §4.2.1.6)', async () => {
    const { certificate } = await asked({ subject: [] }, {})
    assert.equal(certificate.subject.rdns.length, 0)
    assert.equal(findExtension(certificate.extensions, OID.subjectAltName)?.critical, true)
  })

  it('policies with a CPS address, private extensions fixed and filled in', async () => {
    const { certificate } = await asked(
      {
        certificatePolicies: [{ oid: '1.3.6.1.4.1.32473.5', cps: 'https://example.net/cps' }],
        privateExtensions: [
          { oid: '1.3.6.1.4.1.32473.6', der: '0101ff' },
          { oid: '1.3.6.1.4.1.32473.7', utf8String: 'site {device.model}' },
        ],
      },
      {},
    )
    const value = (oid: string) => Buffer.from(findExtension(certificate.extensions, oid)!.value)
    assert.ok(value(OID.certificatePolicies).includes('https://example.net/cps'))
    assert.equal(value('1.3.6.1.4.1.32473.6').toString('hex'), '0101ff')
    assert.equal(value('1.3.6.1.4.1.32473.7').subarray(2).toString(), 'site sensor-1')
  })

  it('every kind of alternative name', async () => {
    const { names } = await asked(
      {
        subjectAltName: {
          names: [
            { kind: 'permanentIdentifier', identifierValue: '{device.serialNumber}', assigner: '1.3.6.1.4.1.32473.8' },
            { kind: 'uniformResourceIdentifier', value: 'urn:dev:{device.serialNumber}' },
            { kind: 'rfc822Name', value: 'ops@example.net' },
            { kind: 'registeredID', value: '1.3.6.1.4.1.32473.9' },
            { kind: 'otherName', typeId: '1.3.6.1.4.1.32473.10', value: 'x', string: 'utf8' },
            { kind: 'dNSName', value: '{device.labels.dnsNames}', list: true },
            { kind: 'iPAddress', value: '{device.labels.ipAddresses}', list: true },
          ],
        },
      },
      {},
    )
    assert.deepEqual(
      names.map(({ kind }) => kind),
      [
        'otherName',
        'uniformResourceIdentifier',
        'rfc822Name',
        'registeredID',
        'otherName',
        'dNSName',
        'dNSName',
        'iPAddress',
        'iPAddress',
      ],
    )
  })
})
