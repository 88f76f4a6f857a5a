// CRLs (RFC 5280 §5): round trips, and OpenSSL as judge over what we write.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { DerError } from '../../src/core/asn1/der-error.ts'
import { parsePemBlock } from '../../src/core/asn1/pem.ts'
import { readDer } from '../../src/core/asn1/reader.ts'
import { type DerWriter, writeDer } from '../../src/core/asn1/writer.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { encodeAlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import {
  type CertificateList,
  type CrlEntry,
  encodeCrlEntry,
  encodeTbsCertList,
  findRevoked,
  parseCertificateList,
  type TbsCertListFields,
} from '../../src/core/pki/crl.ts'
import {
  encodeCrlNumber,
  encodeDeltaCrlIndicator,
  encodeIssuingDistributionPoint,
  parseCrlNumber,
  parseDeltaCrlIndicator,
  parseIssuingDistributionPoint,
} from '../../src/core/pki/crl-extensions.ts'
import { CRL_REASONS, type CrlReason, crlReasonOf, isCrlReason, REASON_FLAGS } from '../../src/core/pki/crl-reason.ts'
import { findExtension } from '../../src/core/pki/extension.ts'
import { encodeAuthorityKeyIdentifier, extension, parseSubjectKeyIdentifier } from '../../src/core/pki/extensions.ts'
import { encodeName, parseName } from '../../src/core/pki/name.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'
import { PKITS_CRLS, pkitsCrlOctets } from '../support/pkits.ts'
import { requireTool } from '../support/tools.ts'

const ECDSA_SHA256 = encodeAlgorithmIdentifier('1.2.840.10045.4.3.2')
const ISSUER = encodeName([[{ type: '2.5.4.3', value: 'Example Issuing CA' }]])
const OTHER_ISSUER = encodeName([[{ type: '2.5.4.3', value: 'Another CA' }]])

const FIELDS: TbsCertListFields = {
  issuer: ISSUER,
  signatureAlgorithm: ECDSA_SHA256,
  thisUpdate: 1_700_000_000,
  nextUpdate: 1_700_600_000,
  extensions: [
    extension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier({ keyIdentifier: new Uint8Array(20) })),
    extension(OID.cRLNumber, false, encodeCrlNumber(7)),
  ],
}

const REASONS = Object.keys(CRL_REASONS) as CrlReason[]
const second = fc.integer({ min: -2_208_988_800, max: 253_402_300_799 })

const entry: fc.Arbitrary<CrlEntry> = fc.record(
  {
    serialNumber: fc.uint8Array({ minLength: 1, maxLength: 20 }),
    revocationDate: second,
    reason: fc.constantFrom(...REASONS),
    invalidityDate: second,
  },
  { requiredKeys: ['serialNumber', 'revocationDate'] },
)

function signed(tbs: Uint8Array): Uint8Array {
  return encodeSigned(tbs, ECDSA_SHA256, new Uint8Array(70))
}

function expected(entries: readonly CrlEntry[]): unknown[] {
  return entries.map(({ serialNumber, revocationDate, reason, invalidityDate }) => ({
    serialNumber: toHex(
      readDer(
        writeDer(w => w.unsigned(serialNumber)),
        r => r.unsignedBytes(),
      ),
    ),
    revocationDate,
    reason: reason ?? 'unspecified',
    invalidityDate,
  }))
}

function found(crl: CertificateList): unknown[] {
  return Array.from(crl.entries(), ({ serialNumber, revocationDate, reason, invalidityDate }) => ({
    serialNumber,
    revocationDate,
    reason,
    invalidityDate,
  }))
}

describe('reason codes (RFC 5280 5.3.1)', () => {
  it('has ten reasons, and no number 7', () => {
    assert.equal(REASONS.length, 10)
    assert.deepEqual(
      REASONS.map(reason => CRL_REASONS[reason]),
      [0, 1, 2, 3, 4, 5, 6, 8, 9, 10],
    )
    assert.equal(crlReasonOf(7), undefined)
    assert.equal(crlReasonOf(11), undefined)
    for (const reason of REASONS) assert.equal(crlReasonOf(CRL_REASONS[reason]), reason)
  })

  it('knows its words and nothing that an object inherits', () => {
    assert.ok(isCrlReason('keyCompromise'))
    assert.ok(!isCrlReason('constructor'))
    assert.ok(!isCrlReason('KeyCompromise'))
  })
})

describe('CRL entries (RFC 5280 5.1.2.6, 5.3)', () => {
  it('encodes an entry as the grammar says', () => {
    const der = encodeCrlEntry({
      serialNumber: fromHex('00ff01'),
      revocationDate: 1_700_000_000,
      reason: 'keyCompromise',
    })
    assert.equal(
      toHex(der),
      '30220203 00ff01 170d3233313131343232313332305a 300c300a0603551d1504030a0101'.replaceAll(' ', ''),
    )
  })

  it('leaves a reason of unspecified out (5.3.1)', () => {
    const plain = { serialNumber: fromHex('05'), revocationDate: 0 }
    assert.deepEqual(encodeCrlEntry({ ...plain, reason: 'unspecified' }), encodeCrlEntry(plain))
  })
})

describe('certificate lists (RFC 5280 5.1)', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), entries => {
        const tbs = encodeTbsCertList(FIELDS, entries)
        const crl = parseCertificateList(signed(tbs))
        assert.equal(crl.version, 'v2')
        assert.deepEqual(crl.issuer.raw, ISSUER)
        assert.equal(crl.thisUpdate, FIELDS.thisUpdate)
        assert.equal(crl.nextUpdate, FIELDS.nextUpdate)
        assert.deepEqual(crl.crlExtensions, FIELDS.extensions)
        assert.deepEqual(crl.tbs, tbs)
        assert.deepEqual(found(crl), expected(entries))
      }),
      { numRuns: 200 },
    )
  })

  it('reads 50,000 entries, and finds each of them', () => {
    const count = 50_000
    const entries = Array.from({ length: count }, (_, i): CrlEntry => {
      const serialNumber = new Uint8Array(16)
      const view = new DataView(serialNumber.buffer)
      view.setUint32(0, 0x40000000 + i)
      view.setUint32(12, i)
      return { serialNumber, revocationDate: 1_700_000_000 + i, reason: REASONS[i % REASONS.length]! }
    })
    const crl = parseCertificateList(signed(encodeTbsCertList(FIELDS, entries)))
    assert.equal(
      crl.entriesLength,
      entries.reduce((sum, each) => sum + encodeCrlEntry(each).length, 0),
    )
    let i = 0
    for (const { revocationDate, reason } of crl.entries()) {
      assert.equal(revocationDate, 1_700_000_000 + i)
      assert.equal(reason, REASONS[i % REASONS.length])
      i++
    }
    assert.equal(i, count)
    const last = `4000c34f${'00'.repeat(8)}0000c34f`
    assert.equal(findRevoked(crl, last)?.revocationDate, 1_700_000_000 + count - 1)
    assert.equal(findRevoked(crl, '01'), undefined)
  })

  it('reads a CRL that is larger than other messages may be', () => {
    const entries = [{ serialNumber: fromHex('01'), revocationDate: 0 }]
    const large = extension('1.2.3.4', false, new Uint8Array(17 * 1024 * 1024))
    const tbs = encodeTbsCertList({ ...FIELDS, extensions: [large] }, entries)
    assert.equal(findRevoked(parseCertificateList(signed(tbs)), '01')?.serialNumber, '01')
  })

  it('leaves the list out where nothing is revoked (5.1.2.6), and reads one that is empty', () => {
    const tbs = encodeTbsCertList(FIELDS, [])
    assert.equal(parseCertificateList(signed(tbs)).entriesLength, 0)
    const empty = writeDer(w =>
      w.sequence(() =>
        w
          .integer(1)
          .raw(ECDSA_SHA256)
          .raw(ISSUER)
          .time(0)
          .time(1)
          .sequence(() => undefined),
      ),
    )
    assert.deepEqual([...parseCertificateList(signed(empty)).entries()], [])
  })

  it('reads version 1 without nextUpdate, and refuses extensions in it (5.1.2.1)', () => {
    const v1 = (more: (w: DerWriter) => void) =>
      writeDer(w =>
        w.sequence(() => {
          w.raw(ECDSA_SHA256).raw(ISSUER).time(5)
          more(w)
        }),
      )
    const crl = parseCertificateList(signed(v1(() => undefined)))
    assert.equal(crl.version, 'v1')
    assert.equal(crl.nextUpdate, undefined)
    const withExtensions = v1(w =>
      w.constructed(0xa0, () => w.sequence(() => w.sequence(() => w.oid('2.5.29.20').octetString(encodeCrlNumber(1))))),
    )
    assert.throws(() => parseCertificateList(signed(withExtensions)), { code: 'der.value_invalid' })
  })

  it('refuses a list whose two signature algorithms differ (5.1.1.2)', () => {
    const tbs = encodeTbsCertList(FIELDS, [])
    const other = encodeSigned(tbs, encodeAlgorithmIdentifier('1.2.840.10045.4.3.3'), new Uint8Array(8))
    assert.throws(() => parseCertificateList(other), { code: 'der.value_invalid' })
  })

  it('says at which octet of the whole input an entry is broken', () => {
    const der = signed(encodeTbsCertList(FIELDS, [{ serialNumber: fromHex('1122334455'), revocationDate: 0 }]))
    const at = toHex(der).indexOf('02051122334455') / 2
    const broken = Uint8Array.from(der)
    broken[at] = 0x04
    const crl = parseCertificateList(broken)
    assert.throws(
      () => [...crl.entries()],
      (thrown: unknown) => thrown instanceof DerError && thrown.code === 'der.tag_unexpected' && thrown.offset === at,
    )
  })

  it('refuses a reason that is none of the ten (5.3.1)', () => {
    const der = signed(
      encodeTbsCertList(FIELDS, [{ serialNumber: fromHex('01'), revocationDate: 0, reason: 'superseded' }]),
    )
    const at = toHex(der).indexOf('0a0104') / 2
    der[at + 2] = 7
    assert.throws(() => findRevoked(parseCertificateList(der), '01'), { code: 'der.value_invalid' })
  })
})

describe('revocation status from a list (RFC 5280 5.3, 6.3)', () => {
  const rawList = (write: (w: DerWriter) => void) =>
    parseCertificateList(
      signed(
        writeDer(w =>
          w.sequence(() =>
            w
              .integer(1)
              .raw(ECDSA_SHA256)
              .raw(ISSUER)
              .time(0)
              .time(1)
              .sequence(() => write(w)),
          ),
        ),
      ),
    )
  const rawEntry = (w: DerWriter, serial: string, oid: string, critical: boolean, value: Uint8Array) =>
    w.sequence(() =>
      w
        .unsigned(fromHex(serial))
        .time(9)
        .sequence(() =>
          w.sequence(() => {
            w.oid(oid)
            if (critical) w.boolean(true)
            w.octetString(value)
          }),
        ),
    )

  it('does not answer from a list with an unknown critical entry extension (5.3)', () => {
    const crl = rawList(w => {
      rawEntry(w, '01', '1.2.3.4', true, new Uint8Array([5, 0]))
      rawEntry(w, '02', '1.2.3.4', false, new Uint8Array([5, 0]))
    })
    assert.throws(
      () => findRevoked(crl, '02'),
      (thrown: unknown) => thrown instanceof TouchmarkError && thrown.code === 'crl.extension_unknown',
    )
    assert.equal([...crl.entries()][1]!.extensions[0]!.oid, '1.2.3.4')
  })

  it('ascribes the entries of an indirect CRL to the issuer named last (5.3.3)', () => {
    const names = (issuer: Uint8Array) => writeDer(w => w.sequence(() => w.constructed(0xa4, () => w.raw(issuer))))
    const crl = rawList(w => {
      w.sequence(() => w.integer(1).time(1))
      rawEntry(w, '02', OID.certificateIssuer, true, names(OTHER_ISSUER))
      w.sequence(() => w.integer(1).time(3))
      rawEntry(w, '03', OID.certificateIssuer, true, names(ISSUER))
      w.sequence(() => w.integer(4).time(5))
    })
    const other = readDer(OTHER_ISSUER, parseName)
    assert.equal(findRevoked(crl, '01')?.revocationDate, 1)
    assert.equal(findRevoked(crl, '01', other)?.revocationDate, 3)
    assert.equal(findRevoked(crl, '02'), undefined)
    assert.equal(findRevoked(crl, '02', other)?.revocationDate, 9)
    assert.equal(findRevoked(crl, '04')?.revocationDate, 5)
    assert.equal(findRevoked(crl, '04', other), undefined)
  })
})

describe('CRL extensions (RFC 5280 5.2)', () => {
  it('round-trips CRL numbers of up to 20 octets (5.2.3) and refuses others', () => {
    const largest = 2n ** 159n - 1n
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: largest }), number => {
        assert.equal(parseCrlNumber(encodeCrlNumber(number)), number)
        assert.equal(parseDeltaCrlIndicator(encodeDeltaCrlIndicator(number)), number)
      }),
    )
    assert.equal(encodeCrlNumber(largest).length, 22)
    for (const bad of [-1n, 2n ** 159n, 2n ** 200n]) {
      assert.throws(() => encodeCrlNumber(bad), { code: 'der.value_invalid' })
    }
    assert.throws(() => parseCrlNumber(fromHex('0201ff')), { code: 'der.integer_invalid' })
    assert.throws(() => parseCrlNumber(writeDer(w => w.unsigned(new Uint8Array(21).fill(1)))), {
      code: 'der.value_invalid',
    })
  })

  it('round-trips issuing distribution points (5.2.5)', () => {
    const flags = Object.keys(REASON_FLAGS) as (keyof typeof REASON_FLAGS)[]
    const point = fc
      .record({
        distributionPoint: fc.option(
          fc.stringMatching(/^[a-z]{1,20}$/).map(host => ({
            kind: 'fullName' as const,
            names: [{ kind: 'uniformResourceIdentifier' as const, value: `http://${host}.example/1` }],
          })),
          { nil: undefined },
        ),
        only: fc.constantFrom('none', 'user', 'ca', 'attribute'),
        onlySomeReasons: fc.option(fc.subarray(flags, { minLength: 1 }), { nil: undefined }),
        indirectCRL: fc.boolean(),
      })
      .map(({ only, ...rest }) => ({
        ...rest,
        onlyContainsUserCerts: only === 'user',
        onlyContainsCACerts: only === 'ca',
        onlyContainsAttributeCerts: only === 'attribute',
      }))
      .filter(value => Object.values(value).some(Boolean))
    fc.assert(
      fc.property(point, value =>
        assert.deepEqual(parseIssuingDistributionPoint(encodeIssuingDistributionPoint(value)), value),
      ),
    )
  })

  it('refuses an issuing distribution point that 5.2.5 forbids', () => {
    const invalid = { code: 'der.value_invalid' }
    assert.throws(() => encodeIssuingDistributionPoint({}), invalid)
    assert.throws(
      () => encodeIssuingDistributionPoint({ onlyContainsUserCerts: true, onlyContainsCACerts: true }),
      invalid,
    )
    assert.throws(() => parseIssuingDistributionPoint(fromHex('3000')), invalid)
    assert.throws(() => parseIssuingDistributionPoint(fromHex('30068101ff8201ff')), invalid)
    // onlyContainsUserCerts FALSE, written out although it is the default.
    assert.throws(() => parseIssuingDistributionPoint(fromHex('3006810100840 1ff'.replace(' ', ''))), invalid)
  })
})

describe('judges from outside', () => {
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-crl-'))
  after(() => rmSync(folder, { recursive: true }))

  it('OpenSSL verifies and reads the CRLs that we write', t => {
    if (!requireTool(t, 'openssl')) return
    const at = (name: string) => join(folder, name)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    writeFileSync(at('ca.key'), privateKey.export({ format: 'pem', type: 'pkcs8' }))
    const request = [
      'req',
      '-x509',
      '-new',
      '-key',
      at('ca.key'),
      '-subj',
      '/CN=Judge',
      '-days',
      '2',
      '-out',
      at('ca.pem'),
    ]
    execFileSync('openssl', request, { stdio: 'ignore' })
    const ca = parseCertificate(parsePemBlock(readFileSync(at('ca.pem'), 'utf8'), 'CERTIFICATE'))
    const keyIdentifier = parseSubjectKeyIdentifier(findExtension(ca.extensions, OID.subjectKeyIdentifier)!.value)
    const now = Math.floor(Date.now() / 1000)
    const entries: CrlEntry[] = [
      { serialNumber: fromHex('00a1b2c3'), revocationDate: now - 100 },
      { serialNumber: fromHex('7f'), revocationDate: now - 99, reason: 'keyCompromise', invalidityDate: now - 500 },
      { serialNumber: fromHex('0102'), revocationDate: now - 98, reason: 'certificateHold' },
    ]
    const tbs = encodeTbsCertList(
      {
        issuer: ca.subject.raw,
        signatureAlgorithm: ECDSA_SHA256,
        thisUpdate: now - 60,
        nextUpdate: now + 3600,
        extensions: [
          extension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier({ keyIdentifier })),
          extension(OID.cRLNumber, false, encodeCrlNumber(4660)),
          extension(
            OID.issuingDistributionPoint,
            true,
            encodeIssuingDistributionPoint({
              distributionPoint: {
                kind: 'fullName',
                names: [{ kind: 'uniformResourceIdentifier', value: 'http://crl.example/3' }],
              },
              onlyContainsUserCerts: true,
            }),
          ),
        ],
      },
      entries,
    )
    const key = createPrivateKey(readFileSync(at('ca.key')))
    writeFileSync(at('crl.der'), encodeSigned(tbs, ECDSA_SHA256, sign('sha256', tbs, key)))
    const args = ['crl', '-inform', 'DER', '-in', at('crl.der'), '-noout', '-text', '-CAfile', at('ca.pem'), '-verify']
    const text = execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    for (const wanted of [
      'Serial Number: A1B2C3',
      'Serial Number: 7F',
      'Serial Number: 0102',
      'Key Compromise',
      'Certificate Hold',
      'Invalidity Date',
      'Only User Certificates',
      'URI:http://crl.example/3',
    ]) {
      assert.ok(text.includes(wanted), `openssl does not print "${wanted}":\n${text}`)
    }
    assert.match(text, /X509v3 CRL Number:\s+4660/)
  })

  it('we read the CRLs of NIST PKITS, and find what they revoke', () => {
    let entries = 0
    for (const name of PKITS_CRLS) {
      // This one was spoiled on purpose, in the octet that counts the unused bits of the signature.
      if (name === 'BadCRLSignatureCACRL') continue
      const crl = parseCertificateList(pkitsCrlOctets(name))
      for (const { serialNumber, certificateIssuer } of crl.entries()) {
        if (name === 'UnknownCRLEntryExtensionCACRL') {
          assert.throws(() => findRevoked(crl, serialNumber, certificateIssuer), { code: 'crl.extension_unknown' })
        } else {
          assert.equal(findRevoked(crl, serialNumber, certificateIssuer)?.serialNumber, serialNumber)
        }
        entries++
      }
      const point = findExtension(crl.crlExtensions, OID.issuingDistributionPoint)
      if (!point) continue
      const parsed = parseIssuingDistributionPoint(point.value)
      // These set the bit that is named `unused`, which we do not write.
      if (name.includes('otherreasons')) continue
      assert.deepEqual(encodeIssuingDistributionPoint(parsed), point.value, name)
    }
    assert.equal(entries, 40)
  })

  it('mutated CRLs give typed errors only', () => {
    const crl = signed(
      encodeTbsCertList(FIELDS, [
        { serialNumber: fromHex('01'), revocationDate: 0 },
        { serialNumber: fromHex('7fff'), revocationDate: 2_600_000_000, reason: 'superseded', invalidityDate: 5 },
      ]),
    )
    assertOnlyTypedErrors([crl], bytes => [...parseCertificateList(bytes).entries()].length, 4000)
    const point = encodeIssuingDistributionPoint({ onlySomeReasons: ['keyCompromise'], indirectCRL: true })
    assertOnlyTypedErrors([point], parseIssuingDistributionPoint, 2000)
  })
})
