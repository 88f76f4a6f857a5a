// Certification requests: PKCS#10 (RFC 2986) with the attributes of RFC 2985 and RFC 7030 §4.4.1.
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPublicKey, verify } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import * as peculiar from '@peculiar/x509'
import fc from 'fast-check'
import { DerError } from '../../src/core/asn1/der-error.ts'
import { parsePemBlock, toPem } from '../../src/core/asn1/pem.ts'
import { readDer } from '../../src/core/asn1/reader.ts'
import { TAG } from '../../src/core/asn1/tag.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { concat } from '../../src/core/bytes/bytes.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import {
  asymmetricDecryptKeyIdentifier,
  asymmetricDecryptKeyIdentifierAttribute,
  type CertificationRequestInfo,
  challengePasswordAttribute,
  decryptKeyIdentifier,
  decryptKeyIdentifierAttribute,
  encodeCertificationRequestInfo,
  extensionRequestAttribute,
  MAX_REQUEST_OCTETS,
  parseCertificationRequest,
  smimeCapabilities,
  smimeCapabilitiesAttribute,
} from '../../src/core/pki/csr.ts'
import {
  type Attribute,
  encodeKeyUsage,
  encodeSubjectAltName,
  extension,
  parseSubjectAltName,
} from '../../src/core/pki/extensions.ts'
import { encodeName, formatName, parseNameText } from '../../src/core/pki/name.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { p256Key, signTbs } from '../support/certificates.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'
import { requireTool } from '../support/tools.ts'

const VECTORS = join(import.meta.dirname, '../vectors/x509')
const der = (file: string) => parsePemBlock(readFileSync(join(VECTORS, file), 'utf8'), 'CERTIFICATE REQUEST')
const key = p256Key()

function request(change: Partial<CertificationRequestInfo> = {}): Uint8Array {
  const info = encodeCertificationRequestInfo({
    subject: encodeName(parseNameText('CN=unit 7,O=Example')),
    subjectPublicKeyInfo: key.spki,
    ...change,
  })
  return signTbs(info, key)
}

const withAttributes = (...attributes: readonly Attribute[]) => request({ attributes })

describe('Requests that OpenSSL made', () => {
  it('without attributes', () => {
    const bare = parseCertificationRequest(der('bare.csr.pem'))
    assert.equal(formatName(bare.subject), 'CN=bare')
    assert.deepEqual(bare.attributes, [])
    assert.deepEqual(bare.requestedExtensions, [])
    assert.equal(bare.challengePassword, undefined)
  })

  it('with extensionRequest, challengePassword and an attribute that nobody here interprets', () => {
    const full = parseCertificationRequest(der('full.csr.pem'))
    assert.equal(formatName(full.subject), 'CN=unit 7,O=Example Oy')
    assert.equal(full.challengePassword, 'one-time token')
    assert.deepEqual(
      full.requestedExtensions.map(({ oid, critical }) => [oid, critical]),
      [
        [OID.subjectAltName, false],
        [OID.keyUsage, true],
      ],
    )
    assert.deepEqual(parseSubjectAltName(full.requestedExtensions[0]!.value), [
      { kind: 'dNSName', value: 'device.example' },
    ])
    const unstructuredName = full.attributes.find(({ oid }) => oid === '1.2.840.113549.1.9.2')
    assert.equal(toHex(unstructuredName!.values[0]!), '0c06756e69742037')
  })

  it('the signature verifies over what was received', () => {
    for (const file of ['bare.csr.pem', 'full.csr.pem']) {
      const { tbs, signature, subjectPublicKeyInfo } = parseCertificationRequest(der(file))
      const publicKey = createPublicKey({ key: Buffer.from(subjectPublicKeyInfo.raw), format: 'der', type: 'spki' })
      assert.ok(verify('sha256', tbs, publicKey, signature), file)
    }
  })

  it('what was parsed encodes back to the octets that were signed', () => {
    for (const file of ['bare.csr.pem', 'full.csr.pem']) {
      const parsed = parseCertificationRequest(der(file))
      const again = encodeCertificationRequestInfo({
        subject: parsed.subject.raw,
        subjectPublicKeyInfo: parsed.subjectPublicKeyInfo.raw,
        attributes: parsed.attributes,
      })
      assert.deepEqual(again, Uint8Array.from(parsed.tbs), file)
    }
  })
})

describe('Requests that @peculiar/x509 made', () => {
  it('the fields are the same', async () => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const theirs = await peculiar.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=unit 7, O=Example',
      keys,
      signingAlgorithm: algorithm,
      extensions: [new peculiar.SubjectAlternativeNameExtension([{ type: 'dns', value: 'unit.example' }])],
      attributes: [new peculiar.ChallengePasswordAttribute('token')],
    })
    const ours = parseCertificationRequest(new Uint8Array(theirs.rawData))
    assert.deepEqual(ours.subject.raw, new Uint8Array(theirs.subjectName.toArrayBuffer()))
    assert.deepEqual(ours.subjectPublicKeyInfo.raw, new Uint8Array(theirs.publicKey.rawData))
    assert.deepEqual(ours.signature, new Uint8Array(theirs.signature))
    assert.equal(ours.challengePassword, 'token')
    assert.deepEqual(
      ours.requestedExtensions.map(({ oid }) => oid),
      Array.from(theirs.extensions, ({ type }) => type),
    )
  })
})

describe('Requests of ours (RFC 2986 4)', () => {
  it('read back to what was written, attributes in DER order', () => {
    const attribute = fc.record({
      oid: fc.constantFrom('1.2.3.4', '1.3.6.1.4.1.32473.1', '2.999.5', '1.2.840.113549.1.9.2'),
      values: fc.array(
        fc.uint8Array({ maxLength: 40 }).map(octets => writeDer(w => w.octetString(octets))),
        { minLength: 1, maxLength: 3 },
      ),
    })
    const distinct = fc.uniqueArray(attribute, { maxLength: 4, selector: ({ oid }) => oid })
    fc.assert(
      fc.property(distinct, attributes => {
        const info = encodeCertificationRequestInfo({
          subject: encodeName([]),
          subjectPublicKeyInfo: key.spki,
          attributes,
        })
        const parsed = parseCertificationRequest(signTbs(info, key))
        const plain = (list: readonly Attribute[]) =>
          list.map(({ oid, values }) => `${oid} ${values.map(toHex).sort().join()}`).sort()
        assert.deepEqual(plain(parsed.attributes), plain(attributes))
        const members = readDer(info, reader =>
          reader.sequence(fields => {
            for (let i = 0; i < 3; i++) fields.any()
            return fields.listOf(member => toHex(member.any().raw), { tag: 0xa0 })
          }),
        )
        assert.deepEqual(members, [...members].sort())
      }),
      { numRuns: 60 },
    )
  })

  it('extensionRequest and challengePassword (RFC 2985 5.4)', () => {
    const parsed = parseCertificationRequest(
      withAttributes(
        extensionRequestAttribute([
          extension(OID.subjectAltName, true, encodeSubjectAltName([{ kind: 'dNSName', value: 'a.example' }])),
          extension(OID.keyUsage, true, encodeKeyUsage(['digitalSignature'])),
        ]),
        challengePasswordAttribute('pass word'),
      ),
    )
    assert.equal(parsed.challengePassword, 'pass word')
    assert.deepEqual(
      parsed.requestedExtensions.map(({ oid }) => oid),
      [OID.subjectAltName, OID.keyUsage],
    )
  })

  it('challengePassword is PrintableString where it can be, UTF8String where not, and read in any string type', () => {
    assert.equal(challengePasswordAttribute('abc 1').values[0]![0], TAG.PRINTABLE_STRING)
    assert.equal(challengePasswordAttribute('ä_').values[0]![0], TAG.UTF8_STRING)
    for (const [tag, hex, text] of [
      [TAG.IA5_STRING, '615f', 'a_'],
      [TAG.BMP_STRING, '00e4', 'ä'],
      [TAG.TELETEX_STRING, 'e4', 'ä'],
      [TAG.UTF8_STRING, 'c3a4', 'ä'],
    ] as const) {
      const value = writeDer(w => w.primitive(tag, fromHex(hex)))
      const parsed = parseCertificationRequest(withAttributes({ oid: OID.challengePassword, values: [value] }))
      assert.equal(parsed.challengePassword, text)
    }
  })

  it('key identifiers and capabilities for keys that the server makes (RFC 7030 4.4.1)', () => {
    const aes256 = '2.16.840.1.101.3.4.1.42'
    const { attributes } = parseCertificationRequest(
      withAttributes(
        smimeCapabilitiesAttribute([
          { capabilityID: aes256 },
          { capabilityID: '1.2.840.113549.3.2', parameters: fromHex('02020080') },
        ]),
        decryptKeyIdentifierAttribute(fromHex('010203')),
        asymmetricDecryptKeyIdentifierAttribute(fromHex('0405')),
      ),
    )
    const capabilities = smimeCapabilities(attributes)!
    assert.equal(capabilities[0]!.capabilityID, aes256)
    assert.equal(capabilities[0]!.parameters, undefined)
    assert.equal(toHex(capabilities[1]!.parameters!), '02020080')
    assert.equal(toHex(decryptKeyIdentifier(attributes)!), '010203')
    assert.equal(toHex(asymmetricDecryptKeyIdentifier(attributes)!), '0405')
    assert.equal(smimeCapabilities([]), undefined)
    assert.equal(decryptKeyIdentifier([]), undefined)
    assert.equal(asymmetricDecryptKeyIdentifier([]), undefined)
  })

  it('openssl verifies a request of ours and prints what it asks for', t => {
    if (!requireTool(t, 'openssl')) return
    const folder = mkdtempSync(join(tmpdir(), 'touchmark-csr-'))
    try {
      const file = join(folder, 'request.pem')
      const names = encodeSubjectAltName([{ kind: 'uniformResourceIdentifier', value: 'urn:dev:sn:7' }])
      const attributes = [
        extensionRequestAttribute([extension(OID.subjectAltName, false, names)]),
        challengePasswordAttribute('token'),
      ]
      writeFileSync(file, toPem('CERTIFICATE REQUEST', request({ attributes })))
      const args = ['req', '-in', file, '-noout', '-verify', '-text']
      const text = execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
      assert.match(text, /URI:urn:dev:sn:7/)
      assert.match(text, /challengePassword\s*:token/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('What devices get wrong and we let pass', () => {
  const parts = (attributes: Uint8Array) =>
    signTbs(
      writeDer(w =>
        w.sequence(() =>
          w
            .integer(0)
            .raw(encodeName(parseNameText('CN=x')))
            .raw(key.spki)
            .raw(attributes),
        ),
      ),
      key,
    )

  it('attributes [0] left out where it would be empty', () => {
    assert.deepEqual(parseCertificationRequest(parts(new Uint8Array(0))).attributes, [])
  })

  it('attributes that are not in DER order', () => {
    const challenge = '301406092a864886f70d010907310713056162636465'
    const name = '301306092a864886f70d01090231061604756e6974'
    const parsed = parseCertificationRequest(parts(fromHex(`a02b${challenge}${name}`)))
    assert.equal(parsed.challengePassword, 'abcde')
    assert.equal(parsed.attributes.length, 2)
  })

  it('an extensionRequest that asks for nothing', () => {
    const parsed = parseCertificationRequest(withAttributes({ oid: OID.extensionRequest, values: [fromHex('3000')] }))
    assert.deepEqual(parsed.requestedExtensions, [])
  })
})

describe('Requests that are refused', () => {
  it('a version other than 0 (RFC 2986 4.1)', () => {
    const tbs = writeDer(w => w.sequence(() => w.integer(1).raw(encodeName([])).raw(key.spki).raw(fromHex('a000'))))
    assert.throws(() => parseCertificationRequest(signTbs(tbs, key)), { code: 'der.value_invalid' })
  })

  it('an attribute that stands twice, or has not exactly one value where it must', () => {
    const challenge = challengePasswordAttribute('a')
    assert.throws(() => parseCertificationRequest(withAttributes(challenge, challengePasswordAttribute('b'))), {
      code: 'der.value_invalid',
    })
    const two = { ...challenge, values: [...challenge.values, ...challenge.values] }
    assert.throws(() => parseCertificationRequest(withAttributes(two)), { code: 'der.value_invalid' })
    assert.throws(() => parseCertificationRequest(withAttributes({ ...challenge, values: [] })), {
      code: 'der.value_invalid',
    })
  })

  it('a challengePassword that is no text, an extensionRequest that is no Extensions', () => {
    for (const attribute of [
      { oid: OID.challengePassword, values: [fromHex('0500')] },
      { oid: OID.challengePassword, values: [fromHex('0c01ff')] },
      { oid: OID.extensionRequest, values: [fromHex('0500')] },
      { oid: OID.extensionRequest, values: [fromHex('30020500')] },
    ]) {
      assert.throws(() => parseCertificationRequest(withAttributes(attribute)), DerError)
    }
  })

  it('an extension that is asked for twice (RFC 5280 4.2)', () => {
    const usage = extension(OID.keyUsage, true, encodeKeyUsage(['digitalSignature']))
    assert.throws(() => parseCertificationRequest(withAttributes(extensionRequestAttribute([usage, usage]))), {
      code: 'der.value_invalid',
    })
  })

  it('more than 64 attributes, more than 256 KiB, octets after the end', () => {
    const many = Array.from({ length: 65 }, (_, i) => ({ oid: `1.2.3.${i}`, values: [fromHex('0500')] }))
    assert.throws(() => parseCertificationRequest(withAttributes(...many)), { code: 'der.too_large' })
    const large = writeDer(w => w.octetString(new Uint8Array(MAX_REQUEST_OCTETS)))
    assert.throws(() => parseCertificationRequest(withAttributes({ oid: '1.2.3', values: [large] })), {
      code: 'der.too_large',
    })
    assert.throws(() => parseCertificationRequest(concat(request(), fromHex('00'))), { code: 'der.trailing_data' })
  })
})

describe('Mutated requests', () => {
  it('every change of one octet and every truncation ends in a request or a DerError', () => {
    for (const original of [der('full.csr.pem'), der('bare.csr.pem')]) {
      const bytes = Uint8Array.from(original)
      for (let at = 0; at < bytes.length; at++) {
        const kept = bytes[at]!
        for (const value of [0x00, 0x80, 0xff, kept ^ 0x01, kept ^ 0x20, kept + 1]) {
          bytes[at] = value
          onlyDerErrors(() => parseCertificationRequest(bytes))
        }
        bytes[at] = kept
        assert.throws(() => parseCertificationRequest(bytes.subarray(0, at)), DerError)
      }
    }
  })

  it('several changes at once, too', () => {
    const rich = withAttributes(
      smimeCapabilitiesAttribute([{ capabilityID: '2.16.840.1.101.3.4.1.42' }]),
      decryptKeyIdentifierAttribute(fromHex('010203')),
      asymmetricDecryptKeyIdentifierAttribute(fromHex('0405')),
      challengePasswordAttribute('token'),
    )
    assertOnlyTypedErrors(
      [der('full.csr.pem'), rich],
      bytes => {
        const { attributes } = parseCertificationRequest(bytes)
        smimeCapabilities(attributes)
        decryptKeyIdentifier(attributes)
        asymmetricDecryptKeyIdentifier(attributes)
      },
      2000,
    )
  })

  function onlyDerErrors(body: () => unknown): void {
    try {
      body()
    } catch (error) {
      assert.ok(error instanceof DerError, String(error))
    }
  }
})
