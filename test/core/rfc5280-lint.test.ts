// Lint (RFC 5280 §4): certificates of ours and of OpenSSL pass; each rule is broken once, and found by its code and section.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parsePemBlock } from '../../src/core/asn1/pem.ts'
import { readDer } from '../../src/core/asn1/reader.ts'
import { TAG } from '../../src/core/asn1/tag.ts'
import { NO_EXPIRY } from '../../src/core/asn1/time.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { encodeAlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import { encodeTbsCertificate, parseCertificate, type TbsCertificate } from '../../src/core/pki/certificate.ts'
import { encodeCRLDistributionPoints } from '../../src/core/pki/distribution-point.ts'
import type { Extension } from '../../src/core/pki/extension.ts'
import {
  encodeAuthorityInfoAccess,
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeOcspNoCheck,
  encodeSubjectAltName,
  encodeSubjectDirectoryAttributes,
  encodeSubjectKeyIdentifier,
  extension,
  type KeyUsageBit,
} from '../../src/core/pki/extensions.ts'
import { encodeHardwareModuleName, type GeneralName } from '../../src/core/pki/general-name.ts'
import { LINT_RULES } from '../../src/core/pki/lint/rules.ts'
import { type LintContext, lintCertificateFields, lintTbsCertificate } from '../../src/core/pki/lint.ts'
import { ATTRIBUTE, type AttributeInput, encodeName, parseNameText } from '../../src/core/pki/name.ts'
import { encodeNameConstraints } from '../../src/core/pki/name-constraints.ts'
import { OID } from '../../src/core/pki/oids.ts'
import {
  encodeCertificatePolicies,
  encodeInhibitAnyPolicy,
  encodePolicyConstraints,
  encodePolicyMappings,
} from '../../src/core/pki/policies.ts'
import { encodeSubjectPublicKeyInfo } from '../../src/core/pki/spki.ts'
import { ECDSA_SHA256, makeCertificate, p256Key, TEST_NOW } from '../support/certificates.ts'

const key = p256Key()
const issuer = makeCertificate({ subject: 'CN=issuing,O=Example,C=FI', ca: 0 })

const ski = extension(OID.subjectKeyIdentifier, false, encodeSubjectKeyIdentifier(key.identifier))
const aki = extension(
  OID.authorityKeyIdentifier,
  false,
  encodeAuthorityKeyIdentifier({ keyIdentifier: issuer.key.identifier }),
)
const notCA = extension(OID.basicConstraints, true, encodeBasicConstraints({ cA: false }))
const isCA = extension(OID.basicConstraints, true, encodeBasicConstraints({ cA: true }))
const usage = (...bits: readonly KeyUsageBit[]) => extension(OID.keyUsage, true, encodeKeyUsage(bits))
const purposes = (...oids: readonly string[]) => extension(OID.extKeyUsage, false, encodeExtendedKeyUsage(oids))
const san = (...names: readonly GeneralName[]) => extension(OID.subjectAltName, false, encodeSubjectAltName(names))
const uri = (value: string): GeneralName => ({ kind: 'uniformResourceIdentifier', value })
const points = (...list: Parameters<typeof encodeCRLDistributionPoints>[0]) =>
  extension(OID.cRLDistributionPoints, false, encodeCRLDistributionPoints(list))
const constraints = (...[value]: Parameters<typeof encodeNameConstraints>) =>
  extension(OID.nameConstraints, true, encodeNameConstraints(value))
const text = (value: string) => encodeName(parseNameText(value))

function tbs(change: Partial<TbsCertificate> = {}): Uint8Array {
  return encodeTbsCertificate({
    serialNumber: fromHex('4000000000000001'),
    signatureAlgorithm: ECDSA_SHA256,
    issuer: issuer.certificate.subject.raw,
    notBefore: TEST_NOW,
    notAfter: NO_EXPIRY,
    subject: text('serialNumber=SN-7,CN=unit,O=Example'),
    subjectPublicKeyInfo: key.spki,
    extensions: device(),
    ...change,
  })
}

/** The extensions of a device, some replaced or added by OID. */
function device(...own: readonly Extension[]): Extension[] {
  return replaced([aki, ski, notCA, usage('digitalSignature')], own)
}

/** The extensions of a CA, some replaced or added by OID. */
function ca(...own: readonly Extension[]): Extension[] {
  return replaced([aki, ski, isCA, usage('keyCertSign', 'cRLSign')], own)
}

function replaced(usual: readonly Extension[], own: readonly Extension[]): Extension[] {
  return [...usual.filter(({ oid }) => !own.some(other => other.oid === oid)), ...own]
}

const without = (list: readonly Extension[], oid: string) => list.filter(entry => entry.oid !== oid)

/** TBSCertificate with other octets in place of some. */
function patched(der: Uint8Array, from: string, to: string): Uint8Array {
  const body = toHex(readDer(der, reader => reader.content(TAG.SEQUENCE)))
  assert.ok(body.includes(from), `no ${from} to patch`)
  return writeDer(w => w.sequence(() => w.raw(fromHex(body.replace(from, to)))))
}

const upper = makeCertificate({ subject: 'CN=issuing,O=Example,C=FI', ca: 1, key: issuer.key })
const VALIDITY = (notBefore: string, notAfter: string) =>
  `30${((notBefore.length + notAfter.length) / 2).toString(16)}${notBefore}${notAfter}`
const time = (value: string) =>
  `${value.length === 13 ? '17' : '18'}${value.length.toString(16).padStart(2, '0')}${Buffer.from(value).toString('hex')}`
const OUR_VALIDITY = VALIDITY(time('260101000000Z'), time('99991231235959Z'))

function subject(...attributes: readonly AttributeInput[]): Uint8Array {
  return tbs({ subject: encodeName(attributes.map(attribute => [attribute])) })
}

/** What breaks which rules. The context is that of the issuing CA, unless the row says otherwise. */
const ROWS: readonly [what: string, der: Uint8Array, codes: readonly string[], context?: LintContext][] = [
  ['octets that are no TBSCertificate', fromHex('3003020101'), ['lint.version_not_3', 'lint.malformed']],
  ['trailing octets', fromHex(`${toHex(tbs())}00`), ['lint.malformed']],

  // The frame
  [
    'version 1, left out',
    patched(tbs({ extensions: [] }), 'a003020102', ''),
    ['lint.version_not_3', 'lint.authority_key_identifier_missing'],
  ],
  [
    'version 1, written out',
    patched(tbs({ extensions: [] }), 'a003020102', 'a003020100'),
    ['lint.default_encoded', 'lint.version_not_3', 'lint.authority_key_identifier_missing'],
  ],
  ['version 2 with extensions', patched(tbs(), 'a003020102', 'a003020101'), ['lint.version_not_3']],
  ['serial number 0', tbs({ serialNumber: fromHex('00') }), ['lint.serial_not_positive']],
  ['a negative serial number', patched(tbs(), '02084000', '0208c000'), ['lint.serial_not_positive']],
  ['21 octets of serial number', tbs({ serialNumber: fromHex('01'.repeat(21)) }), ['lint.serial_too_long']],
  ['20 octets that need a sign octet', tbs({ serialNumber: fromHex('ff'.repeat(20)) }), ['lint.serial_too_long']],
  ['an end before the beginning', tbs({ notAfter: TEST_NOW - 1 }), ['lint.validity_order']],
  [
    'GeneralizedTime before 2050',
    patched(tbs(), OUR_VALIDITY, VALIDITY(time('20260101000000Z'), time('99991231235959Z'))),
    ['lint.validity_time_form'],
  ],
  [
    'unique identifiers',
    patched(tbs({ extensions: [] }), toHex(key.spki), `${toHex(key.spki)}81020001`),
    ['lint.unique_identifier', 'lint.authority_key_identifier_missing'],
  ],
  ['an extension twice', tbs({ extensions: [...device(), ski] }), ['lint.extension_duplicate']],
  [
    'critical FALSE, written out',
    tbs({
      precompiledExtensions: extensionDer(ski, '010100'),
      extensions: without(device(), OID.subjectKeyIdentifier),
    }),
    ['lint.default_encoded'],
  ],

  // Names
  ['an empty issuer', tbs({ issuer: text('') }), ['lint.issuer_empty', 'lint.issuer_mismatch']],
  ['another issuer', tbs({ issuer: text('CN=issuing') }), ['lint.issuer_mismatch']],
  [
    'the issuer in another string type',
    tbs({
      issuer: encodeName([
        [{ type: ATTRIBUTE.C, value: 'FI' }],
        [{ type: ATTRIBUTE.O, value: 'Example', tag: TAG.PRINTABLE_STRING }],
        [{ type: ATTRIBUTE.CN, value: 'issuing' }],
      ]),
    }),
    ['lint.issuer_mismatch'],
  ],
  ['an empty subject without alternative names', tbs({ subject: text('') }), ['lint.subject_empty_without_san']],
  [
    'an empty subject with alternative names that are not critical',
    tbs({ subject: text(''), extensions: device(san({ kind: 'dNSName', value: 'a.example' })) }),
    ['lint.subject_empty_without_san'],
  ],
  [
    'a CA with an empty subject',
    tbs({ subject: text(''), extensions: ca({ ...san({ kind: 'dNSName', value: 'a.example' }), critical: true }) }),
    ['lint.subject_empty_ca'],
    { issuer: upper.certificate },
  ],
  ['an empty attribute', subject({ type: ATTRIBUTE.CN, value: '' }), ['lint.name_value_empty']],
  [
    'a common name of 65 characters',
    subject({ type: ATTRIBUTE.CN, value: 'x'.repeat(65) }),
    ['lint.name_value_too_long'],
  ],
  [
    'a locality of 129 characters',
    subject({ type: ATTRIBUTE.L, value: 'ä'.repeat(129) }),
    ['lint.name_value_too_long'],
  ],
  [
    'an e-mail address of 256 characters',
    subject({ type: ATTRIBUTE.emailAddress, value: `${'a'.repeat(246)}@x.example` }),
    ['lint.name_value_too_long'],
  ],
  ['a country of three letters', subject({ type: ATTRIBUTE.C, value: 'FIN' }), ['lint.name_country']],
  [
    'a country as UTF8String',
    subject({ type: ATTRIBUTE.C, value: 'FI', tag: TAG.UTF8_STRING }),
    ['lint.name_string_type'],
  ],
  [
    'a common name as T.61',
    subject({ type: ATTRIBUTE.CN, value: 'x', tag: TAG.TELETEX_STRING }),
    ['lint.name_string_type'],
  ],
  [
    'a serial number as UTF8String',
    subject({ type: ATTRIBUTE.serialNumber, value: 'x', tag: TAG.UTF8_STRING }),
    ['lint.name_string_type'],
  ],
  [
    'an underscore in a PrintableString',
    patched(
      subject({ type: ATTRIBUTE.serialNumber, value: 'SN-7' }),
      Buffer.from('SN-7').toString('hex'),
      Buffer.from('SN_7').toString('hex'),
    ),
    ['lint.name_string_alphabet'],
  ],

  // Alternative names
  [
    'no alternative names in the list',
    tbs({ extensions: device(extension(OID.subjectAltName, false, fromHex('3000'))) }),
    ['lint.extension_malformed'],
  ],
  ['an empty dNSName', withSan({ kind: 'dNSName', value: '' }), ['lint.general_name_empty']],
  ['a blank dNSName', withSan({ kind: 'dNSName', value: ' ' }), ['lint.dns_name_syntax']],
  ['a dNSName with an underscore', withSan({ kind: 'dNSName', value: 'a_b.example' }), ['lint.dns_name_syntax']],
  [
    'a dNSName with a label of 64',
    withSan({ kind: 'dNSName', value: `${'a'.repeat(64)}.example` }),
    ['lint.dns_name_syntax'],
  ],
  ['a wildcard inside', withSan({ kind: 'dNSName', value: 'a.*.example' }), ['lint.dns_name_syntax']],
  ['an empty rfc822Name', withSan({ kind: 'rfc822Name', value: '' }), ['lint.general_name_empty']],
  [
    'an rfc822Name with a display name',
    withSan({ kind: 'rfc822Name', value: 'A <a@b.example>' }),
    ['lint.mailbox_syntax'],
  ],
  ['an rfc822Name without a host', withSan({ kind: 'rfc822Name', value: 'a@' }), ['lint.mailbox_syntax']],
  ['an empty URI', withSan(uri('')), ['lint.general_name_empty']],
  ['a relative URI', withSan(uri('/path')), ['lint.uri_not_absolute']],
  ['a URI with a space', withSan(uri('http://a.example/a b')), ['lint.uri_not_absolute']],
  ['a URI with a host that is none', withSan(uri('http://a_b/')), ['lint.uri_host']],
  [
    'an address of five octets',
    withSan({ kind: 'iPAddress', bytes: fromHex('0102030405') }),
    ['lint.ip_address_length'],
  ],
  [
    'a HardwareModuleName that is none',
    withSan({ kind: 'otherName', typeId: OID.hardwareModuleName, value: fromHex('0500') }),
    ['lint.other_name_malformed'],
  ],

  // Key identifiers
  [
    'no authority key identifier',
    tbs({ extensions: without(device(), OID.authorityKeyIdentifier) }),
    ['lint.authority_key_identifier_missing'],
  ],
  [
    'an authority key identifier of another key',
    tbs({
      extensions: device(
        extension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier({ keyIdentifier: fromHex('01') })),
      ),
    }),
    ['lint.authority_key_identifier_mismatch'],
  ],
  [
    'an authority certificate by name without number',
    tbs({
      extensions: device(
        extension(
          OID.authorityKeyIdentifier,
          false,
          encodeAuthorityKeyIdentifier({ keyIdentifier: issuer.key.identifier, authorityCertIssuer: [uri('a:b')] }),
        ),
      ),
    }),
    ['lint.authority_cert_incomplete'],
  ],
  [
    'a critical authority key identifier',
    tbs({ extensions: device({ ...aki, critical: true }) }),
    ['lint.extension_must_not_be_critical'],
  ],
  [
    'a CA without subject key identifier',
    tbs({ extensions: without(ca(), OID.subjectKeyIdentifier) }),
    ['lint.subject_key_identifier_missing'],
    { issuer: upper.certificate, kind: 'ca' },
  ],

  // Key usage and basic constraints
  [
    'a CA without keyUsage',
    tbs({ extensions: without(ca(), OID.keyUsage) }),
    ['lint.key_usage_missing'],
    { issuer: upper.certificate },
  ],
  ['keyUsage without a bit', tbs({ extensions: device(usage()) }), ['lint.key_usage_empty']],
  [
    'a zero bit at the end',
    tbs({ extensions: device(extension(OID.keyUsage, true, fromHex('03020080'))) }),
    ['lint.named_bits_not_minimal'],
  ],
  [
    'a device that signs certificates',
    tbs({ extensions: device(usage('digitalSignature', 'keyCertSign')) }),
    ['lint.key_usage_cert_sign_without_ca'],
  ],
  [
    'encipherOnly alone',
    tbs({ extensions: device(usage('digitalSignature', 'encipherOnly')) }),
    ['lint.key_usage_only_without_agreement'],
  ],
  [
    'keyEncipherment with an EC key',
    tbs({ extensions: device(usage('digitalSignature', 'keyEncipherment')) }),
    ['lint.key_usage_for_key'],
  ],
  [
    'keyAgreement with an ML-DSA key',
    tbs({
      subjectPublicKeyInfo: encodeSubjectPublicKeyInfo(
        encodeAlgorithmIdentifier('2.16.840.1.101.3.4.3.18'),
        new Uint8Array(1952),
      ),
      extensions: device(usage('digitalSignature', 'keyAgreement')),
    }),
    ['lint.key_usage_for_key'],
  ],
  [
    'serverAuth with a key for nothing of the sort',
    tbs({ extensions: device(usage('contentCommitment'), purposes(OID.serverAuth)) }),
    ['lint.key_usage_for_purpose'],
  ],
  [
    'no purpose in extKeyUsage',
    tbs({ extensions: device(extension(OID.extKeyUsage, false, fromHex('3000'))) }),
    ['lint.extension_malformed'],
  ],
  [
    'timeStamping beside another purpose',
    tbs({ extensions: device(purposes(OID.timeStamping, OID.clientAuth)) }),
    ['lint.extended_key_usage_time_stamping'],
  ],
  [
    'timeStamping that is not critical',
    tbs({ extensions: device(purposes(OID.timeStamping)) }),
    ['lint.extended_key_usage_time_stamping'],
  ],
  [
    'a device where a CA was meant',
    tbs(),
    ['lint.basic_constraints_missing'],
    { issuer: upper.certificate, kind: 'ca' },
  ],
  [
    'a CA where a device was meant',
    tbs({ extensions: ca() }),
    ['lint.kind_mismatch'],
    { issuer: upper.certificate, kind: 'end-entity' },
  ],
  [
    'basicConstraints of a CA that is not critical',
    tbs({ extensions: ca({ ...isCA, critical: false }) }),
    ['lint.extension_must_be_critical'],
    { issuer: upper.certificate },
  ],
  [
    'cA FALSE, written out',
    tbs({ extensions: device(extension(OID.basicConstraints, true, fromHex('3003010100'))) }),
    ['lint.default_encoded'],
  ],
  [
    'a path length without cA',
    tbs({ extensions: device(extension(OID.basicConstraints, true, fromHex('3003020100'))) }),
    ['lint.path_length_without_ca'],
  ],
  [
    'a path length without keyCertSign',
    tbs({
      extensions: ca(
        usage('cRLSign'),
        extension(OID.basicConstraints, true, encodeBasicConstraints({ cA: true, pathLenConstraint: 0 })),
      ),
    }),
    ['lint.path_length_without_ca'],
    { issuer: upper.certificate },
  ],
  ['a CA below one that allows none', tbs({ extensions: ca() }), ['lint.issuer_path_length']],
  [
    'an issuer that is no CA',
    tbs({
      issuer: text('CN=plain'),
      extensions: without(device(), OID.authorityKeyIdentifier).concat(
        extension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier({ keyIdentifier: key.identifier })),
      ),
    }),
    ['lint.issuer_not_ca'],
    { issuer: makeCertificate({ subject: 'CN=plain', key }).certificate },
  ],
  [
    'basicConstraints that cannot be read',
    tbs({ extensions: device(extension(OID.basicConstraints, true, fromHex('0500'))) }),
    ['lint.extension_malformed'],
  ],

  // Policies
  [
    'a policy twice',
    tbs({
      extensions: device(
        policies(
          { policyIdentifier: '1.2.3', policyQualifiers: [] },
          { policyIdentifier: '1.2.3', policyQualifiers: [] },
        ),
      ),
    }),
    ['lint.policy_duplicate'],
  ],
  [
    'a notice of 201 characters',
    tbs({
      extensions: device(
        policies({
          policyIdentifier: '1.2.3',
          policyQualifiers: [{ kind: 'userNotice', explicitText: 'x'.repeat(201) }],
        }),
      ),
    }),
    ['lint.policy_notice_length'],
  ],
  [
    'a foreign qualifier of anyPolicy',
    tbs({
      extensions: device(
        policies({
          policyIdentifier: OID.anyPolicy,
          policyQualifiers: [{ kind: 'other', oid: '1.2.3', value: fromHex('0500') }],
        }),
      ),
    }),
    ['lint.policy_any_qualifier'],
  ],
  [
    'a practice statement that is no URI',
    tbs({
      extensions: device(
        policies({ policyIdentifier: '1.2.3', policyQualifiers: [{ kind: 'cps', uri: 'see web site' }] }),
      ),
    }),
    ['lint.uri_not_absolute'],
  ],
  [
    'anyPolicy, mapped',
    tbs({
      extensions: ca(
        extension(
          OID.policyMappings,
          true,
          encodePolicyMappings([{ issuerDomainPolicy: OID.anyPolicy, subjectDomainPolicy: '1.2.3' }]),
        ),
      ),
    }),
    ['lint.policy_mapping_any'],
    { issuer: upper.certificate },
  ],
  [
    'policyConstraints that say nothing',
    tbs({ extensions: ca(extension(OID.policyConstraints, true, encodePolicyConstraints({}))) }),
    ['lint.policy_constraints_empty'],
    { issuer: upper.certificate },
  ],
  [
    'policyConstraints and inhibitAnyPolicy that are not critical',
    tbs({
      extensions: ca(
        extension(OID.policyConstraints, false, encodePolicyConstraints({ requireExplicitPolicy: 0 })),
        extension(OID.inhibitAnyPolicy, false, encodeInhibitAnyPolicy(0)),
      ),
    }),
    ['lint.extension_must_be_critical', 'lint.extension_must_be_critical'],
    { issuer: upper.certificate },
  ],
  [
    'inhibitAnyPolicy in a device',
    tbs({ extensions: device(extension(OID.inhibitAnyPolicy, true, encodeInhibitAnyPolicy(0))) }),
    ['lint.extension_only_in_ca'],
  ],

  // Name constraints
  [
    'nameConstraints in a device',
    tbs({ extensions: device(constraints({ excludedSubtrees: [{ base: { kind: 'dNSName', value: 'a' } }] })) }),
    ['lint.extension_only_in_ca'],
  ],
  ['nameConstraints that say nothing', constrained({}), ['lint.name_constraints_empty'], { issuer: upper.certificate }],
  [
    'nameConstraints that are not critical',
    tbs({
      extensions: ca({
        ...constraints({ excludedSubtrees: [{ base: { kind: 'dNSName', value: 'a' } }] }),
        critical: false,
      }),
    }),
    ['lint.extension_must_be_critical'],
    { issuer: upper.certificate },
  ],
  [
    'a maximum',
    constrained({ permittedSubtrees: [{ base: { kind: 'dNSName', value: 'a' }, maximum: 2 }] }),
    ['lint.name_constraints_range'],
    { issuer: upper.certificate },
  ],
  [
    'minimum 0, written out',
    tbs({ extensions: ca(extension(OID.nameConstraints, true, fromHex('300aa008300682016180' + '0100'))) }),
    ['lint.default_encoded'],
    { issuer: upper.certificate },
  ],
  [
    'a range of addresses with a hole in the mask',
    constrained({ permittedSubtrees: [{ base: { kind: 'iPAddress', bytes: fromHex('c0000200ff00ff00') } }] }),
    ['lint.name_constraints_base'],
    { issuer: upper.certificate },
  ],
  [
    'a URI where a host must stand',
    constrained({ permittedSubtrees: [{ base: uri('http://a.example/') }] }),
    ['lint.name_constraints_base'],
    { issuer: upper.certificate },
  ],

  // Distribution points and access
  [
    'a distribution point with reasons only',
    tbs({ extensions: device(points({ reasons: ['keyCompromise'] }, { cRLIssuer: [uri('a:b')] })) }),
    ['lint.distribution_point_empty'],
  ],
  [
    'no distribution point for all reasons',
    tbs({
      extensions: device(
        points({
          distributionPoint: { kind: 'fullName', names: [uri('http://a.example/')] },
          reasons: ['keyCompromise'],
        }),
      ),
    }),
    ['lint.distribution_point_all_reasons'],
  ],
  [
    'a distribution point with a relative URI',
    tbs({ extensions: device(points({ distributionPoint: { kind: 'fullName', names: [uri('a.crl')] } })) }),
    ['lint.uri_not_absolute'],
  ],
  [
    'freshestCRL and authorityInfoAccess that are critical',
    tbs({
      extensions: device(
        {
          ...points({ distributionPoint: { kind: 'fullName', names: [uri('http://a.example/')] } }),
          oid: OID.freshestCRL,
          critical: true,
        },
        extension(
          OID.authorityInfoAccess,
          true,
          encodeAuthorityInfoAccess([{ accessMethod: OID.ocsp, accessLocation: uri('http://a.example/') }]),
        ),
      ),
    }),
    ['lint.extension_must_not_be_critical', 'lint.extension_must_not_be_critical'],
  ],
  [
    'subjectDirectoryAttributes that are critical',
    tbs({
      extensions: device(
        extension(
          OID.subjectDirectoryAttributes,
          true,
          encodeSubjectDirectoryAttributes([{ oid: '1.2.3', values: [fromHex('0500')] }]),
        ),
      ),
    }),
    ['lint.extension_must_not_be_critical'],
  ],
  [
    'a nocheck with content',
    tbs({ extensions: device(extension(OID.ocspNoCheck, false, fromHex('0400'))) }),
    ['lint.extension_malformed'],
  ],
]

function withSan(...names: readonly GeneralName[]): Uint8Array {
  return tbs({ extensions: device(san(...names)) })
}

function policies(...list: Parameters<typeof encodeCertificatePolicies>[0]): Extension {
  return extension(OID.certificatePolicies, false, encodeCertificatePolicies(list))
}

function constrained(value: Parameters<typeof encodeNameConstraints>[0]): Uint8Array {
  return tbs({ extensions: ca(constraints(value)) })
}

/** One Extension element with these octets between OID and value. */
function extensionDer({ oid, value }: Extension, critical: string): Uint8Array {
  return writeDer(w => w.sequence(() => w.oid(oid).raw(fromHex(critical)).octetString(value)))
}

const codes = (der: Uint8Array, context: LintContext) => lintTbsCertificate(der, context).map(({ code }) => code)

describe('Certificates without objection', () => {
  const context: LintContext = { issuer: issuer.certificate, kind: 'end-entity' }

  it('a device, with all that an IDevID has', () => {
    assert.deepEqual(lintTbsCertificate(tbs(), context), [])
    const rich = device(
      san(
        encodeHardwareModuleName('1.3.6.1.4.1.32473.1.7', fromHex('0102')),
        { kind: 'dNSName', value: '*.field.example' },
        { kind: 'dNSName', value: 'xn--bcher-kva.example' },
        { kind: 'rfc822Name', value: 'a.b+c@mail.example' },
        { kind: 'iPAddress', bytes: fromHex('c0000201') },
        { kind: 'registeredID', oid: '1.2.3' },
        uri('urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'),
        uri('https://user@[2001:db8::1]:8443/x?y#z'),
        uri('ldap:///cn=x'),
      ),
      purposes(OID.clientAuth, OID.serverAuth),
      points({ distributionPoint: { kind: 'fullName', names: [uri('http://pki.example/1.crl')] } }),
      policies({ policyIdentifier: '1.2.3', policyQualifiers: [{ kind: 'cps', uri: 'https://pki.example/' }] }),
      extension('1.3.6.1.4.1.32473.9', true, fromHex('0500')),
    )
    assert.deepEqual(lintTbsCertificate(tbs({ extensions: rich }), context), [])
  })

  it('an empty subject with critical alternative names (4.1.2.6)', () => {
    const names = { ...san({ kind: 'dNSName', value: 'a.example' }), critical: true }
    assert.deepEqual(lintTbsCertificate(tbs({ subject: text(''), extensions: device(names) }), context), [])
  })

  it('a root, a CA below it, an OCSP responder, a time stamping unit', () => {
    const root = makeCertificate({ subject: 'CN=root,O=Example', ca: true })
    assert.deepEqual(lintCertificateFields(root.certificate, { kind: 'ca' }), [])
    const bare = makeCertificate({ subject: 'CN=root', ca: true, without: [OID.authorityKeyIdentifier] })
    assert.deepEqual(lintCertificateFields(bare.certificate, { kind: 'ca' }), [])
    const sub = makeCertificate({
      subject: 'CN=sub',
      issuer: root,
      ca: 0,
      extensions: [
        purposes(OID.clientAuth),
        constraints({ permittedSubtrees: [{ base: { kind: 'dNSName', value: 'example' } }] }),
      ],
    })
    assert.deepEqual(lintCertificateFields(sub.certificate, { issuer: root.certificate, kind: 'ca' }), [])
    const responder = makeCertificate({
      subject: 'CN=ocsp',
      issuer: sub,
      extensions: [purposes(OID.ocspSigning), extension(OID.ocspNoCheck, false, encodeOcspNoCheck())],
    })
    assert.deepEqual(lintCertificateFields(responder.certificate, { issuer: sub.certificate }), [])
    const stamps = { ...purposes(OID.timeStamping), critical: true }
    const unit = makeCertificate({ subject: 'CN=tsa', issuer: sub, extensions: [stamps] })
    assert.deepEqual(lintCertificateFields(unit.certificate, { issuer: sub.certificate }), [])
  })

  it('what OpenSSL made: only the device of our own configuration is spotless', () => {
    const read = (file: string) =>
      parseCertificate(
        parsePemBlock(readFileSync(join(import.meta.dirname, '../vectors/x509', file), 'utf8'), 'CERTIFICATE'),
      )
    const root = read('root.pem')
    const found = (file: string, context: LintContext) =>
      lintCertificateFields(read(file), context).map(({ code, source }) => `${code} ${source}`)
    assert.deepEqual(found('root.pem', {}), [])
    assert.deepEqual(found('ed25519.pem', {}), [])
    assert.deepEqual(found('device.pem', { issuer: root }), [])
    assert.deepEqual(found('every.pem', { issuer: root }), [])
    assert.deepEqual(found('rsa-pss.pem', {}), ['lint.version_not_3 RFC 5280 4.1.2.1'])
  })
})

describe('Certificates with one fault', () => {
  for (const [what, der, expected, context] of ROWS) {
    it(`${what}: ${expected.join(', ')}`, () => {
      assert.deepEqual(codes(der, context ?? { issuer: issuer.certificate }).sort(), [...expected].sort())
    })
  }

  it('every rule is broken by a row above', () => {
    const broken = new Set(ROWS.flatMap(([, , expected]) => expected))
    assert.deepEqual(
      Object.keys(LINT_RULES).filter(code => !broken.has(code)),
      [],
    )
  })

  it('a finding says what was seen and where the rule stands', () => {
    const [finding] = lintTbsCertificate(tbs({ serialNumber: fromHex('01'.repeat(21)) }), {
      issuer: issuer.certificate,
    })
    assert.deepEqual(finding, {
      code: 'lint.serial_too_long',
      message: 'The serial number has more than 20 octets. (21 octets)',
      source: 'RFC 5280 4.1.2.2',
    })
  })

  it('several faults are reported together', () => {
    const der = tbs({ serialNumber: fromHex('00'), notAfter: TEST_NOW - 1, subject: text('C=FIN'), extensions: [] })
    assert.deepEqual(codes(der, { issuer: issuer.certificate }).sort(), [
      'lint.authority_key_identifier_missing',
      'lint.name_country',
      'lint.serial_not_positive',
      'lint.validity_order',
    ])
  })
})

describe('Hostile octets', () => {
  it('every truncation and every changed octet ends in findings or in none, never in an exception', () => {
    const bytes = Uint8Array.from(tbs({ extensions: device(san(uri('http://a.example/'))) }))
    for (let at = 0; at < bytes.length; at++) {
      assert.ok(codes(bytes.subarray(0, at), {}).includes('lint.malformed'))
      const kept = bytes[at]!
      for (const value of [0x00, 0x7f, 0x80, 0xff, kept ^ 1]) {
        bytes[at] = value
        assert.ok(Array.isArray(lintTbsCertificate(bytes, { issuer: issuer.certificate })))
      }
      bytes[at] = kept
    }
  })
})
