// Certificate extensions (RFC 5280 §4.2): round trips, and what OpenSSL wrote, read by us and written again.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DerError } from '../../src/core/asn1/der-error.ts'
import { parsePemBlock } from '../../src/core/asn1/pem.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { type Certificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import {
  type DistributionPoint,
  encodeCRLDistributionPoints,
  encodeFreshestCRL,
  parseCRLDistributionPoints,
  parseFreshestCRL,
} from '../../src/core/pki/distribution-point.ts'
import { findExtension } from '../../src/core/pki/extension.ts'
import {
  encodeAuthorityInfoAccess,
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeIssuerAltName,
  encodeKeyUsage,
  encodeOcspNoCheck,
  encodeSubjectAltName,
  encodeSubjectDirectoryAttributes,
  encodeSubjectInfoAccess,
  encodeSubjectKeyIdentifier,
  type KeyUsageBit,
  parseAuthorityInfoAccess,
  parseAuthorityKeyIdentifier,
  parseBasicConstraints,
  parseExtendedKeyUsage,
  parseIssuerAltName,
  parseKeyUsage,
  parseOcspNoCheck,
  parseSubjectAltName,
  parseSubjectDirectoryAttributes,
  parseSubjectInfoAccess,
  parseSubjectKeyIdentifier,
} from '../../src/core/pki/extensions.ts'
import { parseHardwareModuleName, parsePermanentIdentifier } from '../../src/core/pki/general-name.ts'
import { formatName } from '../../src/core/pki/name.ts'
import { encodeNameConstraints, parseNameConstraints } from '../../src/core/pki/name-constraints.ts'
import { OID } from '../../src/core/pki/oids.ts'
import {
  encodeCertificatePolicies,
  encodeInhibitAnyPolicy,
  encodePolicyConstraints,
  encodePolicyMappings,
  parseCertificatePolicies,
  parseInhibitAnyPolicy,
  parsePolicyConstraints,
  parsePolicyMappings,
} from '../../src/core/pki/policies.ts'

const VECTORS = join(import.meta.dirname, '../vectors/x509')
const read = (file: string): Certificate =>
  parseCertificate(parsePemBlock(readFileSync(join(VECTORS, file), 'utf8'), 'CERTIFICATE'))
const every = read('every.pem')
const root = read('root.pem')

function value(certificate: Certificate, oid: string, critical: boolean): Uint8Array {
  const found = findExtension(certificate.extensions, oid)
  assert.ok(found, `no extension ${oid}`)
  assert.equal(found.critical, critical, oid)
  return found.value
}

/** Reads what OpenSSL wrote, checks that we write the same octets, and hands back what was read. */
function judged<T>(
  oid: string,
  critical: boolean,
  parse: (value: Uint8Array) => T,
  encode: (parsed: T) => Uint8Array,
): T {
  const der = value(every, oid, critical)
  const parsed = parse(der)
  assert.equal(toHex(encode(parsed)), toHex(der), `${oid} is written otherwise than OpenSSL does`)
  return parsed
}

describe('Extensions as OpenSSL writes them, read and written again', () => {
  it('authorityKeyIdentifier (RFC 5280 4.2.1.1)', () => {
    const identifier = judged(
      OID.authorityKeyIdentifier,
      false,
      parseAuthorityKeyIdentifier,
      encodeAuthorityKeyIdentifier,
    )
    assert.deepEqual(identifier.keyIdentifier, parseSubjectKeyIdentifier(value(root, OID.subjectKeyIdentifier, false)))
    assert.equal(identifier.authorityCertSerialNumber, root.serialNumber)
    assert.equal(identifier.authorityCertIssuer?.[0]?.kind, 'directoryName')
  })

  it('subjectKeyIdentifier (4.2.1.2)', () => {
    const identifier = judged(OID.subjectKeyIdentifier, false, parseSubjectKeyIdentifier, encodeSubjectKeyIdentifier)
    assert.equal(identifier.length, 20)
  })

  it('keyUsage (4.2.1.3)', () => {
    assert.deepEqual(judged(OID.keyUsage, true, parseKeyUsage, encodeKeyUsage), [
      'digitalSignature',
      'keyCertSign',
      'cRLSign',
    ])
  })

  it('certificatePolicies (4.2.1.4)', () => {
    // OpenSSL writes the organisation as VisibleString, we as UTF8String; the rest is compared after a second reading.
    const policies = parseCertificatePolicies(value(every, OID.certificatePolicies, false))
    assert.deepEqual(policies, [
      { policyIdentifier: '1.3.6.1.4.1.32473.2.1', policyQualifiers: [] },
      {
        policyIdentifier: '1.3.6.1.4.1.32473.2.3',
        policyQualifiers: [
          { kind: 'cps', uri: 'https://pki.example/cps' },
          {
            kind: 'userNotice',
            noticeRef: { organization: 'Example', noticeNumbers: [1, 2] },
            explicitText: 'Only for devices',
          },
        ],
      },
    ])
    assert.deepEqual(parseCertificatePolicies(encodeCertificatePolicies(policies)), policies)
  })

  it('policyMappings (4.2.1.5)', () => {
    assert.deepEqual(judged(OID.policyMappings, false, parsePolicyMappings, encodePolicyMappings), [
      { issuerDomainPolicy: '1.3.6.1.4.1.32473.2.1', subjectDomainPolicy: '1.3.6.1.4.1.32473.2.2' },
    ])
  })

  it('subjectAltName with every kind of name (4.2.1.6)', () => {
    const names = judged(OID.subjectAltName, false, parseSubjectAltName, encodeSubjectAltName)
    const texts = names.map(entry => {
      switch (entry.kind) {
        case 'iPAddress':
          return `ip ${toHex(entry.bytes)}`
        case 'directoryName':
          return formatName(entry.name)
        case 'registeredID':
          return entry.oid
        case 'otherName':
          return entry.typeId
        case 'other':
          return `other ${entry.tag}`
        default:
          return `${entry.kind} ${entry.value}`
      }
    })
    assert.deepEqual(texts, [
      'dNSName device.example',
      'dNSName *.field.example',
      'rfc822Name unit@example.com',
      'uniformResourceIdentifier urn:dev:sn:0123',
      'ip c0000207',
      'ip 20010db8000000000000000000000007',
      '1.3.6.1.4.1.32473.5',
      'CN=unit 7,C=FI',
      OID.hardwareModuleName,
      OID.permanentIdentifier,
    ])
    const hardware = parseHardwareModuleName(names[8]!)!
    assert.equal(hardware.hwType, '1.3.6.1.4.1.32473.1.7')
    assert.equal(toHex(hardware.hwSerialNum), '00a1b2')
    assert.deepEqual(parsePermanentIdentifier(names[9]!), {
      identifierValue: 'unit-7',
      assigner: '1.3.6.1.4.1.32473.1.7',
    })
  })

  it('issuerAltName (4.2.1.7)', () => {
    assert.deepEqual(judged(OID.issuerAltName, false, parseIssuerAltName, encodeIssuerAltName), [
      { kind: 'uniformResourceIdentifier', value: 'https://pki.example/ca' },
    ])
  })

  it('subjectDirectoryAttributes (4.2.1.8)', () => {
    const attributes = judged(
      OID.subjectDirectoryAttributes,
      false,
      parseSubjectDirectoryAttributes,
      encodeSubjectDirectoryAttributes,
    )
    assert.equal(attributes[0]?.oid, '1.3.6.1.5.5.7.9.1')
    assert.equal(attributes[0]?.values.length, 1)
  })

  it('basicConstraints (4.2.1.9)', () => {
    assert.deepEqual(judged(OID.basicConstraints, true, parseBasicConstraints, encodeBasicConstraints), {
      cA: true,
      pathLenConstraint: 1,
    })
  })

  it('nameConstraints (4.2.1.10)', () => {
    const { permittedSubtrees, excludedSubtrees } = judged(
      OID.nameConstraints,
      true,
      parseNameConstraints,
      encodeNameConstraints,
    )
    assert.deepEqual(
      permittedSubtrees?.map(({ base }) => base.kind),
      ['dNSName', 'rfc822Name', 'iPAddress', 'directoryName'],
    )
    assert.deepEqual(
      excludedSubtrees?.map(({ base }) => base.kind),
      ['uniformResourceIdentifier', 'dNSName'],
    )
  })

  it('policyConstraints (4.2.1.11)', () => {
    assert.deepEqual(judged(OID.policyConstraints, true, parsePolicyConstraints, encodePolicyConstraints), {
      requireExplicitPolicy: 0,
      inhibitPolicyMapping: 2,
    })
  })

  it('extKeyUsage (4.2.1.12)', () => {
    assert.deepEqual(judged(OID.extKeyUsage, false, parseExtendedKeyUsage, encodeExtendedKeyUsage), [
      OID.clientAuth,
      OID.serverAuth,
    ])
  })

  it('cRLDistributionPoints with full name, reasons, CRL issuer and relative name (4.2.1.13)', () => {
    const points = judged(OID.cRLDistributionPoints, false, parseCRLDistributionPoints, encodeCRLDistributionPoints)
    assert.deepEqual(points[0]?.distributionPoint, {
      kind: 'fullName',
      names: [{ kind: 'uniformResourceIdentifier', value: 'http://pki.example/1.crl' }],
    })
    assert.deepEqual(points[0]?.reasons, ['keyCompromise', 'cACompromise'])
    assert.equal(points[0]?.cRLIssuer?.length, 1)
    assert.equal(points[1]?.distributionPoint?.kind, 'nameRelativeToCRLIssuer')
  })

  it('inhibitAnyPolicy (4.2.1.14)', () => {
    assert.equal(judged(OID.inhibitAnyPolicy, true, parseInhibitAnyPolicy, encodeInhibitAnyPolicy), 3)
  })

  it('freshestCRL (4.2.1.15)', () => {
    assert.equal(judged(OID.freshestCRL, false, parseFreshestCRL, encodeFreshestCRL).length, 1)
  })

  it('authorityInfoAccess and subjectInfoAccess (4.2.2)', () => {
    const access = judged(OID.authorityInfoAccess, false, parseAuthorityInfoAccess, encodeAuthorityInfoAccess)
    assert.deepEqual(
      access.map(({ accessMethod }) => accessMethod),
      [OID.ocsp, OID.caIssuers],
    )
    const subject = judged(OID.subjectInfoAccess, false, parseSubjectInfoAccess, encodeSubjectInfoAccess)
    assert.equal(subject[0]?.accessMethod, OID.caRepository)
  })

  it('id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1)', () => {
    assert.equal(judged(OID.ocspNoCheck, false, parseOcspNoCheck, encodeOcspNoCheck), true)
  })

  it('an extension that nobody knows survives', () => {
    assert.equal(toHex(value(every, '1.3.6.1.4.1.32473.9.9', false)), '0403010203')
  })
})

describe('Extensions: values to DER and back', () => {
  const bits: readonly KeyUsageBit[] = [
    'digitalSignature',
    'contentCommitment',
    'keyEncipherment',
    'dataEncipherment',
    'keyAgreement',
    'keyCertSign',
    'cRLSign',
    'encipherOnly',
    'decipherOnly',
  ]

  it('keyUsage: every set of bits', () => {
    for (let mask = 0; mask < 512; mask++) {
      const chosen = bits.filter((_, i) => mask & (1 << i))
      assert.deepEqual(parseKeyUsage(encodeKeyUsage(chosen)), chosen)
    }
    assert.equal(toHex(encodeKeyUsage(['digitalSignature'])), '03020780')
    assert.equal(toHex(encodeKeyUsage(['decipherOnly'])), '0303070080')
  })

  it('basicConstraints: defaults are left out', () => {
    assert.equal(toHex(encodeBasicConstraints({ cA: false })), '3000')
    assert.equal(toHex(encodeBasicConstraints({ cA: true })), '30030101ff')
    assert.equal(toHex(encodeBasicConstraints({ cA: true, pathLenConstraint: 0 })), '30060101ff020100')
    fc.assert(
      fc.property(fc.boolean(), fc.option(fc.nat(), { nil: undefined }), (cA, pathLenConstraint) => {
        const back = parseBasicConstraints(encodeBasicConstraints({ cA, pathLenConstraint }))
        assert.deepEqual(back, { cA, pathLenConstraint })
      }),
    )
  })

  it('cRLDistributionPoints: any mix of fields', () => {
    const point: fc.Arbitrary<DistributionPoint> = fc.record(
      {
        distributionPoint: fc.option(
          fc.constant({
            kind: 'fullName' as const,
            names: [{ kind: 'uniformResourceIdentifier' as const, value: 'http://a.example/' }],
          }),
          { nil: undefined },
        ),
        reasons: fc.option(fc.constant(['keyCompromise' as const, 'aACompromise' as const]), { nil: undefined }),
        cRLIssuer: fc.option(fc.constant([{ kind: 'dNSName' as const, value: 'x' }]), { nil: undefined }),
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 4 }), points => {
        assert.deepEqual(parseCRLDistributionPoints(encodeCRLDistributionPoints(points)), points)
      }),
    )
  })

  it('authorityKeyIdentifier: a serial number with its first bit set stays positive', () => {
    const der = encodeAuthorityKeyIdentifier({
      authorityCertIssuer: [{ kind: 'dNSName', value: 'x' }],
      authorityCertSerialNumber: 'ff01',
    })
    assert.equal(toHex(der), '300aa10382017882' + '0300ff01')
    assert.equal(parseAuthorityKeyIdentifier(der).authorityCertSerialNumber, 'ff01')
  })

  it('refuses what the syntax does not have', () => {
    const cases: readonly [string, (value: Uint8Array) => unknown, string][] = [
      ['an empty extKeyUsage', parseExtendedKeyUsage, '3000'],
      ['an empty subjectAltName', parseSubjectAltName, '3000'],
      ['empty policies', parseCertificatePolicies, '3000'],
      ['an empty authorityInfoAccess', parseAuthorityInfoAccess, '3000'],
      ['an empty list of subtrees', parseNameConstraints, '3002a000'],
      ['a negative path length', parseBasicConstraints, '30060101ff0201ff'],
      ['fields in the wrong order', parseBasicConstraints, '30060201000101ff'],
      ['a tenth bit of keyUsage', parseKeyUsage, '0303060040'],
      ['unused bits that are not zero', parseKeyUsage, '03020781'],
      ['trailing octets', parseSubjectKeyIdentifier, '04010100'],
      ['a nocheck with content', parseOcspNoCheck, '050100'],
      ['a reason that is none', parseCRLDistributionPoints, '300730058103060040'],
      ['a notice as a number', parseCertificatePolicies, '301a301806022a033012301006082b060105050702023004020101'],
    ]
    for (const [what, parse, hex] of cases) assert.throws(() => parse(fromHex(hex)), DerError, what)
  })
})
