// Certificates (RFC 5280 §4.1): what OpenSSL, Node and @peculiar/x509 say about the same octets; round trips; hostile input.
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import * as peculiar from '@peculiar/x509'
import fc from 'fast-check'
import { DerError } from '../../src/core/asn1/der-error.ts'
import { parsePem, parsePemBlock, toPem } from '../../src/core/asn1/pem.ts'
import { readDer } from '../../src/core/asn1/reader.ts'
import { TAG } from '../../src/core/asn1/tag.ts'
import { NO_EXPIRY } from '../../src/core/asn1/time.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { concat } from '../../src/core/bytes/bytes.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { encodeAlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import {
  compileExtensions,
  encodeTbsCertificate,
  MAX_CERTIFICATE_OCTETS,
  parseCertificate,
  parseTbsCertificate,
  readCertificateSerialNumber,
  type TbsCertificate,
} from '../../src/core/pki/certificate.ts'
import type { Extension } from '../../src/core/pki/extension.ts'
import { encodeSubjectAltName, extension, parseSubjectAltName } from '../../src/core/pki/extensions.ts'
import { encodeHardwareModuleName } from '../../src/core/pki/general-name.ts'
import { ATTRIBUTE, attributeValue, encodeName, formatName, parseNameText } from '../../src/core/pki/name.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'
import { encodeSubjectPublicKeyInfo } from '../../src/core/pki/spki.ts'
import { ECDSA_SHA256, makeCertificate, p256Key, signTbs, TEST_NOW } from '../support/certificates.ts'
import { requireConformance } from '../support/conformance.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'
import { PKITS_CERTIFICATES, pkitsCertificateOctets } from '../support/pkits.ts'
import { requireTool } from '../support/tools.ts'

const VECTORS = join(import.meta.dirname, '../vectors/x509')
const FILES = ['root.pem', 'every.pem', 'device.pem', 'rsa-pss.pem', 'ed25519.pem'] as const
const der = (file: string) => parsePemBlock(readFileSync(join(VECTORS, file), 'utf8'), 'CERTIFICATE')
const key = p256Key()

/** A certificate of any contents; whoever signs it does not matter here. */
function tbsWith(change: Partial<TbsCertificate> = {}): TbsCertificate {
  return {
    serialNumber: fromHex('0a0b'),
    signatureAlgorithm: ECDSA_SHA256,
    issuer: encodeName(parseNameText('CN=issuer')),
    notBefore: TEST_NOW,
    notAfter: NO_EXPIRY,
    subject: encodeName(parseNameText('CN=subject')),
    subjectPublicKeyInfo: key.spki,
    extensions: [],
    ...change,
  }
}

describe('Certificates that OpenSSL made', () => {
  it('the fields are those that Node reads', () => {
    for (const file of FILES) {
      const bytes = der(file)
      const ours = parseCertificate(bytes)
      const theirs = new X509Certificate(bytes)
      assert.equal(ours.serialNumber.replace(/^0/, ''), theirs.serialNumber.toLowerCase().replace(/^0/, ''), file)
      assert.equal(ours.notBefore, theirs.validFromDate.getTime() / 1000, file)
      assert.equal(ours.notAfter, theirs.validToDate.getTime() / 1000, file)
      assert.deepEqual(
        Buffer.from(ours.subjectPublicKeyInfo.raw),
        theirs.publicKey.export({ type: 'spki', format: 'der' }),
        file,
      )
      assert.deepEqual(Buffer.from(ours.raw), theirs.raw, file)
    }
  })

  it('the fields are those that @peculiar/x509 reads', () => {
    for (const file of FILES) {
      const bytes = der(file)
      const ours = parseCertificate(bytes)
      const theirs = new peculiar.X509Certificate(bytes)
      assert.equal(BigInt(`0x${ours.serialNumber}`), BigInt(`0x${theirs.serialNumber}`), file)
      assert.deepEqual(ours.subject.raw, new Uint8Array(theirs.subjectName.toArrayBuffer()), file)
      assert.deepEqual(ours.issuer.raw, new Uint8Array(theirs.issuerName.toArrayBuffer()), file)
      assert.deepEqual(ours.signature, new Uint8Array(theirs.signature), file)
      assert.deepEqual(
        ours.extensions.map(({ oid, critical, value }) => [oid, critical, toHex(value)]),
        Array.from(theirs.extensions, entry => [entry.type, entry.critical, toHex(new Uint8Array(entry.value))]),
        file,
      )
    }
  })

  it('a P-384 CA with a UTF-8 subject', () => {
    const every = parseCertificate(der('every.pem'))
    assert.equal(every.version, 3)
    assert.equal(every.serialNumber, 'ff01')
    assert.equal(formatName(every.subject), 'CN=Every extension,OU=Ä 中,O=Example Oy,C=FI')
    assert.equal(every.signatureAlgorithm.oid, '1.2.840.10045.4.3.3')
    assert.equal(every.signatureAlgorithm.parameters, undefined)
    assert.equal(every.extensions.length, 19)
  })

  it('a device with a multi-valued RDN and a date after 2049', () => {
    const device = parseCertificate(der('device.pem'))
    assert.equal(attributeValue(device.subject, ATTRIBUTE.serialNumber), 'SN-0007')
    assert.equal(device.subject.rdns.length, 2)
    assert.ok(device.notAfter > Date.UTC(2050) / 1000)
    assert.equal(device.serialNumber, '5a'.repeat(16))
  })

  it('version 1, RSA-PSS parameters kept as octets', () => {
    const pss = parseCertificate(der('rsa-pss.pem'))
    assert.equal(pss.version, 1)
    assert.deepEqual(pss.extensions, [])
    assert.ok(pss.signatureAlgorithm.parameters && pss.signatureAlgorithm.parameters.length > 10)
    assert.equal(
      formatName(pss.subject),
      'postalCode=00100,dnQualifier=Q,SN=S,GN=G,title=T,STREET=Way 1,emailAddress=unit@example.com,UID=u7,DC=test,DC=example',
    )
  })

  it('what was parsed encodes back to the octets that were signed', () => {
    for (const file of FILES) {
      const parsed = parseCertificate(der(file))
      if (parsed.version !== 3) continue
      const again = encodeTbsCertificate({
        serialNumber: fromHex(parsed.serialNumber),
        signatureAlgorithm: parsed.signatureAlgorithm.raw,
        issuer: parsed.issuer.raw,
        notBefore: parsed.notBefore,
        notAfter: parsed.notAfter,
        subject: parsed.subject.raw,
        subjectPublicKeyInfo: parsed.subjectPublicKeyInfo.raw,
        extensions: parsed.extensions,
      })
      assert.deepEqual(again, Uint8Array.from(parsed.tbs), file)
    }
  })
})

describe('Certificates of public collections', () => {
  it('NIST PKITS: every certificate reads, but three that break DER or RFC 5280', () => {
    const refused: string[] = []
    for (const name of PKITS_CERTIFICATES) {
      const bytes = pkitsCertificateOctets(name)
      try {
        const parsed = parseCertificate(bytes)
        assert.deepEqual(Uint8Array.from(parsed.subject.raw), encodeName(parsed.subject.rdns), name)
        assert.equal(readCertificateSerialNumber(bytes), parsed.serialNumber, name)
        assert.deepEqual(Buffer.from(parsed.subjectPublicKeyInfo.raw).length > 0, true)
      } catch (error) {
        assert.ok(error instanceof DerError, name)
        refused.push(name)
      }
    }
    assert.deepEqual(refused.sort(), [
      'BadSignedCACert',
      'InvalidDSASignatureTest6EE',
      'InvalidNegativeSerialNumberTest15EE',
    ])
  })

  it('ML-DSA, ML-KEM, SLH-DSA certificates and those of the OpenSSL test suite: what is refused, and why', t => {
    let read = 0
    const refused: string[] = []
    for (const suite of ['ml-dsa-rfc9881', 'ml-kem-certs', 'slh-dsa-rfc9909', 'openssl-tests']) {
      const folder = requireConformance(t, suite)
      if (folder === undefined) return
      for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(pem|crt)$/.test(file)) continue
        const blocks = parsePem(readFileSync(join(folder, file), 'latin1'))
        for (const { label, der } of blocks) {
          if (label !== 'CERTIFICATE') continue
          try {
            assert.equal(readCertificateSerialNumber(der), parseCertificate(der).serialNumber, file)
            read++
          } catch (error) {
            assert.ok(error instanceof DerError, file)
            refused.push(`${basename(file)}: ${error.code}`)
          }
        }
      }
    }
    assert.ok(read > 200, `${read} certificates`)
    // Four with thousands of attributes in the subject, beyond our limit, and one with a negative serial number.
    assert.deepEqual(refused.sort(), [
      'badrsa.pem: der.integer_invalid',
      'many-names1.pem: der.too_large',
      'many-names3.pem: der.too_large',
      'some-names1.pem: der.too_large',
      'some-names3.pem: der.too_large',
    ])
  })
})

describe('TBSCertificate, written by us', () => {
  const names = fc.constantFrom('', 'CN=a', 'CN=unit 7,O=Example,C=FI', 'CN=Ä')
  const anyExtension: fc.Arbitrary<Extension> = fc.record({
    oid: fc.constantFrom('1.2.3.4', '2.5.29.14', '1.3.6.1.4.1.32473.7', '2.999.1000000'),
    critical: fc.boolean(),
    value: fc.uint8Array({ maxLength: 300 }),
  })
  const distinct = fc.uniqueArray(anyExtension, { maxLength: 4, selector: ({ oid }) => oid })

  it('reads back to what was written', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 20 }),
        names,
        names,
        fc.integer({ min: -2208988800, max: NO_EXPIRY }),
        fc.integer({ min: -2208988800, max: NO_EXPIRY }),
        distinct,
        (serialNumber, issuer, subject, notBefore, notAfter, extensions) => {
          const tbs = encodeTbsCertificate(
            tbsWith({
              serialNumber,
              issuer: encodeName(parseNameText(issuer)),
              subject: encodeName(parseNameText(subject)),
              notBefore,
              notAfter,
              extensions,
            }),
          )
          const parsed = parseTbsCertificate(tbs)
          assert.equal(BigInt(`0x${parsed.serialNumber}`), BigInt(`0x00${toHex(serialNumber)}`))
          assert.equal(formatName(parsed.issuer), issuer)
          assert.equal(formatName(parsed.subject), subject)
          assert.equal(parsed.notBefore, notBefore)
          assert.equal(parsed.notAfter, notAfter)
          assert.deepEqual(
            parsed.extensions.map(({ oid, critical, value }) => [oid, critical, toHex(value)]),
            extensions.map(({ oid, critical, value }) => [oid, critical, toHex(value)]),
          )
        },
      ),
      { numRuns: 300 },
    )
  })

  it('is octet for octet what nested closures would write', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), distinct, (serialNumber, extensions) => {
        const tbs = tbsWith({ serialNumber, extensions })
        const nested = writeDer(w =>
          w.sequence(() => {
            w.constructed(0xa0, () => w.integer(2))
            w.unsigned(serialNumber).raw(tbs.signatureAlgorithm).raw(tbs.issuer)
            w.sequence(() => w.time(tbs.notBefore).time(tbs.notAfter))
            w.raw(tbs.subject).raw(tbs.subjectPublicKeyInfo)
            if (extensions.length > 0) {
              w.constructed(0xa3, () =>
                w.sequence(() => {
                  for (const { oid, critical, value } of extensions) {
                    w.sequence(() => {
                      w.oid(oid)
                      if (critical) w.boolean(true)
                      w.octetString(value)
                    })
                  }
                }),
              )
            }
          }),
        )
        assert.deepEqual(encodeTbsCertificate(tbs), nested)
      }),
      { numRuns: 200 },
    )
  })

  it('precompiled extensions stand before the others and make no difference', () => {
    fc.assert(
      fc.property(distinct, fc.nat({ max: 4 }), (extensions, split) => {
        const whole = encodeTbsCertificate(tbsWith({ extensions }))
        const precompiled = encodeTbsCertificate(
          tbsWith({
            precompiledExtensions: compileExtensions(extensions.slice(0, split)),
            extensions: extensions.slice(split),
          }),
        )
        assert.deepEqual(precompiled, whole)
      }),
    )
  })

  it('Node and @peculiar/x509 read the certificate, and its signature verifies', async () => {
    const { certificate } = makeCertificate({
      subject: 'CN=unit \\, 7+serialNumber=SN-1,O=Ä,C=FI',
      key,
      extensions: [
        extension(OID.subjectAltName, false, encodeSubjectAltName([{ kind: 'dNSName', value: 'unit.example' }])),
      ],
    })
    const node = new X509Certificate(certificate.raw)
    assert.equal(node.subjectAltName, 'DNS:unit.example')
    assert.ok(node.verify(node.publicKey))
    const theirs = new peculiar.X509Certificate(certificate.raw)
    assert.ok(await theirs.verify({ signatureOnly: true }))
    assert.deepEqual(theirs.subjectName.getField('2.5.4.5'), ['SN-1'])
    assert.deepEqual(theirs.subjectName.getField('O'), ['Ä'])
  })

  it('openssl reads an IDevID of ours: HardwareModuleName, no expiry', t => {
    if (!requireTool(t, 'openssl')) return
    const folder = mkdtempSync(join(tmpdir(), 'touchmark-certificate-'))
    try {
      const root = makeCertificate({ subject: 'CN=root,O=Example', ca: true })
      const { certificate } = makeCertificate({
        subject: 'serialNumber=SN-7,O=Example',
        issuer: root,
        notAfter: NO_EXPIRY,
        extensions: [
          extension(
            OID.subjectAltName,
            false,
            encodeSubjectAltName([encodeHardwareModuleName('1.3.6.1.4.1.32473.1.7', fromHex('0102'))]),
          ),
        ],
      })
      const leaf = join(folder, 'leaf.pem')
      const anchor = join(folder, 'root.pem')
      writeFileSync(leaf, toPem('CERTIFICATE', certificate.raw))
      writeFileSync(anchor, toPem('CERTIFICATE', root.certificate.raw))
      const text = execFileSync('openssl', ['x509', '-in', leaf, '-noout', '-text'], { encoding: 'utf8' })
      assert.match(text, /Not After : Dec 31 23:59:59 9999 GMT/)
      assert.match(text, /othername: 1\.3\.6\.1\.5\.5\.7\.8\.4/)
      const args = ['verify', '-x509_strict', '-attime', String(TEST_NOW), '-CAfile', anchor, leaf]
      assert.match(execFileSync('openssl', args, { encoding: 'utf8' }), /: OK/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('Certificates that are refused (RFC 5280 4.1)', () => {
  const signed = (tbs: Uint8Array) => signTbs(tbs, key)
  const tbs = encodeTbsCertificate(tbsWith({ extensions: [extension('1.2.3', false, fromHex('0500'))] }))
  const body = readDer(tbs, reader => reader.content(TAG.SEQUENCE))
  /** The same TBSCertificate with other octets in place of some. */
  const patched = (from: string, to: string) => {
    const hex = toHex(body)
    assert.ok(hex.includes(from), `no ${from} to patch`)
    return writeDer(w => w.sequence(() => w.raw(fromHex(hex.replace(from, to)))))
  }

  it('two signature algorithms that differ (4.1.1.2)', () => {
    const other = encodeAlgorithmIdentifier('1.2.840.10045.4.3.3')
    assert.throws(() => parseCertificate(encodeSigned(tbs, other, fromHex('00'))), { code: 'der.value_invalid' })
    const withNull = encodeAlgorithmIdentifier('1.2.840.10045.4.3.2', fromHex('0500'))
    assert.throws(() => parseCertificate(encodeSigned(tbs, withNull, fromHex('00'))), { code: 'der.value_invalid' })
  })

  it('a version that is not 1, 2 or 3 (4.1.2.1)', () => {
    assert.throws(() => parseCertificate(signed(patched('a003020102', 'a003020103'))), { code: 'der.value_invalid' })
    assert.throws(() => parseCertificate(signed(patched('a003020102', 'a0030201ff'))), { code: 'der.value_invalid' })
  })

  it('extensions below version 3 (4.1.2.9)', () => {
    assert.throws(() => parseCertificate(signed(patched('a003020102', 'a003020101'))), { code: 'der.value_invalid' })
    assert.throws(() => parseCertificate(signed(patched('a003020102', ''))), { code: 'der.value_invalid' })
  })

  it('a serial number that is negative, padded or beyond 64 octets (4.1.2.2)', () => {
    assert.throws(() => parseCertificate(signed(patched('02020a0b', '0202ff0b'))), { code: 'der.integer_invalid' })
    assert.throws(() => parseCertificate(signed(patched('02020a0b', '0202000b'))), { code: 'der.integer_invalid' })
    assert.throws(() => parseCertificate(signed(patched('02020a0b', `0241${'01'.repeat(65)}`))), {
      code: 'der.integer_too_large',
    })
  })

  it('an extension that stands twice (4.2), an empty list of extensions (4.1.2.9)', () => {
    const twice = [extension('1.2.3', false, fromHex('0500')), extension('1.2.3', true, fromHex('0500'))]
    assert.throws(() => parseCertificate(signed(encodeTbsCertificate(tbsWith({ extensions: twice })))), {
      code: 'der.value_invalid',
    })
    assert.throws(() => parseCertificate(signed(patched('a30c300a300806022a0304020500', 'a3023000'))), {
      code: 'der.value_invalid',
    })
  })

  it('times with fractions, without seconds, with an offset or of no calendar (4.1.2.5)', () => {
    const good = `170d${Buffer.from('260101000000Z').toString('hex')}`
    for (const text of [
      '2601010000Z',
      '260101000000+0000',
      '260229000000Z',
      '261301000000Z',
      '260101240000Z',
      '26010100000Z0',
    ]) {
      const bad = `17${text.length.toString(16).padStart(2, '0')}${Buffer.from(text).toString('hex')}`
      assert.throws(() => parseCertificate(signed(patched(good, bad))), { code: 'der.time_invalid' }, text)
    }
  })

  it('octets after the end, and more than 256 KiB', () => {
    assert.throws(() => parseCertificate(concat(signed(tbs), fromHex('00'))), { code: 'der.trailing_data' })
    const large = encodeTbsCertificate(
      tbsWith({ extensions: [extension('1.2.3', false, new Uint8Array(MAX_CERTIFICATE_OCTETS))] }),
    )
    assert.throws(() => parseCertificate(signed(large)), { code: 'der.too_large' })
  })

  it('the offset of an error counts from the start of the certificate', () => {
    const bytes = signed(patched('02020a0b', '0202ff0b'))
    try {
      parseCertificate(bytes)
      assert.fail('it was accepted')
    } catch (error) {
      assert.ok(error instanceof DerError)
      assert.equal(toHex(bytes.subarray(error.offset, error.offset + 4)), '0202ff0b')
    }
  })

  it('nesting without end', () => {
    let nested: Uint8Array = fromHex('3000')
    for (let i = 0; i < 200; i++) {
      const inner = nested
      nested = writeDer(w => w.constructed(0xa4, () => w.sequence(() => w.raw(inner))))
    }
    // directoryName in directoryName is no Name: the reader gives up at the first wrong tag, not at the bottom.
    assert.throws(() => parseSubjectAltName(writeDer(w => w.sequence(() => w.raw(nested)))), DerError)
    const asSubject = tbsWith({ subject: nested })
    assert.throws(() => parseCertificate(signed(encodeTbsCertificate(asSubject))), DerError)
  })

  it('a key that is not whole octets', () => {
    const spki = encodeSubjectPublicKeyInfo(ECDSA_SHA256, fromHex('80'))
    const odd = fromHex(toHex(spki).replace('03020080', '03020780'))
    const bytes = signed(encodeTbsCertificate(tbsWith({ subjectPublicKeyInfo: odd })))
    assert.throws(() => parseCertificate(bytes), { code: 'der.bit_string_invalid' })
  })
})

describe('Mutated certificates', () => {
  const originals = FILES.map(der)

  it('every change of one octet and every truncation ends in a certificate or a DerError', () => {
    let accepted = 0
    for (const original of [der('device.pem'), der('ed25519.pem')]) {
      const bytes = Uint8Array.from(original)
      for (let at = 0; at < bytes.length; at++) {
        const kept = bytes[at]!
        for (const value of [0x00, 0x80, 0xff, kept ^ 0x01, kept ^ 0x20, kept + 1]) {
          bytes[at] = value
          if (bytes[at] !== kept && tryParse(bytes)) accepted++
        }
        bytes[at] = kept
        assert.equal(tryParse(bytes.subarray(0, at)), false, `accepted when cut at ${at}`)
      }
    }
    // Signatures, keys and texts may hold anything; the frame may not.
    assert.ok(accepted > 100, `${accepted} mutants read as certificates`)
  })

  it('several changes at once, too', () => {
    assertOnlyTypedErrors(originals, readEverything, 3000)
  })

  function tryParse(bytes: Uint8Array): boolean {
    try {
      readEverything(bytes)
      return true
    } catch (error) {
      assert.ok(error instanceof DerError, String(error))
      return false
    }
  }

  function readEverything(bytes: Uint8Array): void {
    const certificate = parseCertificate(bytes)
    formatName(certificate.subject)
    for (const { oid, value } of certificate.extensions) if (oid === OID.subjectAltName) parseSubjectAltName(value)
  }
})
