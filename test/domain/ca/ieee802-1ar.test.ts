// IEEE 802.1AR-2018 clause 8 and RFC 4108 §5, octet by octet: what the profiles idevid and ldevid put into a certificate.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeOid } from '../../../src/core/asn1/oid.ts'
import { concat } from '../../../src/core/bytes/bytes.ts'
import { fromHex, toHex } from '../../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../../src/core/bytes/utf8.ts'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import { findExtension } from '../../../src/core/pki/extension.ts'
import { parseSubjectAltName } from '../../../src/core/pki/extensions.ts'
import { parseHardwareModuleName } from '../../../src/core/pki/general-name.ts'
import { attributeValue } from '../../../src/core/pki/name.ts'
import { OID } from '../../../src/core/pki/oids.ts'
import { systemRandom } from '../../../src/crypto/random.ts'
import { prepareCertificate } from '../../../src/domain/ca/prepare.ts'
import { signPrepared } from '../../../src/domain/ca/sign.ts'
import { authorities, device, keyOf, profile, request, settings } from './fixture.ts'

/** DER by hand: an independent writer, for expectations only. Lengths up to 65,535. */
function tlv(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const content = concat(...parts)
  const { length } = content
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return concat(new Uint8Array([tag, ...head]), content)
}
const oid = (dotted: string) => tlv(0x06, encodeOid(dotted))
const extension = (id: string, critical: boolean, value: Uint8Array) =>
  tlv(0x30, oid(id), ...(critical ? [fromHex('0101ff')] : []), tlv(0x04, value))
const uri = (text: string) => tlv(0x86, toUtf8(text))

describe('IDevID (IEEE 802.1AR-2018 clause 8)', () => {
  it('is these octets and no others', async () => {
    const { issuing } = await authorities()
    const { publicKey } = await keyOf('P-256')
    const prepared = prepareCertificate(await request(profile('idevid')), issuing, { settings, random: systemRandom })
    const { facts, der } = await signPrepared(prepared, issuing.signer)
    const keyIdentifier = findExtension(issuing.certificate.extensions, OID.subjectKeyIdentifier)!.value.subarray(2)
    const expected = tlv(
      0x30,
      fromHex('a003020102'),
      // RFC 5280 §4.1.2.2: 16 octets, positive.
      tlv(0x02, fromHex(facts.serialNumber)),
      tlv(0x30, oid('1.2.840.10045.4.3.2')),
      issuing.certificate.subject.raw,
      // notBefore is the second of issue; notAfter has no well-defined date (clause 8.7: 99991231235959Z).
      tlv(0x30, tlv(0x17, toUtf8('260615120000Z')), tlv(0x18, toUtf8('99991231235959Z'))),
      // O as UTF8String; serialNumber (2.5.4.5) as the PrintableString that X.520 wants (clause 8.6).
      tlv(
        0x30,
        tlv(0x31, tlv(0x30, fromHex('060355040a'), tlv(0x0c, toUtf8('Example Devices')))),
        tlv(0x31, tlv(0x30, fromHex('0603550405'), tlv(0x13, toUtf8('SN-0042')))),
      ),
      publicKey,
      tlv(
        0xa3,
        tlv(
          0x30,
          extension('2.5.29.35', false, tlv(0x30, tlv(0x80, keyIdentifier))),
          // digitalSignature alone, critical: BIT STRING of one bit.
          extension('2.5.29.15', true, fromHex('03020780')),
          extension(
            '2.5.29.31',
            false,
            tlv(0x30, tlv(0x30, tlv(0xa0, tlv(0xa0, uri('http://pki.example:8080/crl/issuing-1/0.crl'))))),
          ),
          extension(
            '1.3.6.1.5.5.7.1.1',
            false,
            tlv(
              0x30,
              tlv(0x30, oid('1.3.6.1.5.5.7.48.1'), uri('http://pki.example:8080/ocsp')),
              tlv(0x30, oid('1.3.6.1.5.5.7.48.2'), uri('http://pki.example:8080/ca/issuing-1.cer')),
            ),
          ),
          // RFC 4108 §5: SEQUENCE { hwType, hwSerialNum } in an otherName.
          extension(
            '2.5.29.17',
            false,
            tlv(
              0x30,
              tlv(
                0xa0,
                oid('1.3.6.1.5.5.7.8.4'),
                tlv(0xa0, tlv(0x30, oid('1.3.6.1.4.1.32473.1'), tlv(0x04, toUtf8('SN-0042')))),
              ),
            ),
          ),
        ),
      ),
    )
    assert.equal(toHex(parseCertificate(der).tbs), toHex(expected))
    assert.equal(fromHex(facts.serialNumber).length, 16)
  })

  it('has no basicConstraints and no subjectKeyIdentifier: it is no CA, and nothing is issued below it', async () => {
    const certificate = await issued('idevid')
    assert.equal(findExtension(certificate.extensions, OID.basicConstraints), undefined)
    assert.equal(findExtension(certificate.extensions, OID.subjectKeyIdentifier), undefined)
  })

  it('takes hwType from the model where the model has one of its own', async () => {
    const certificate = await issued('idevid', { ...device, model: 'sensor-2' })
    const [name] = parseSubjectAltName(findExtension(certificate.extensions, OID.subjectAltName)!.value)
    assert.equal(parseHardwareModuleName(name!)?.hwType, '1.3.6.1.4.1.32473.2')
  })

  it('refuses a serial number that PrintableString cannot say', async () => {
    await assert.rejects(issued('idevid', { ...device, serialNumber: 'SN_42' }), { code: 'name.value_invalid' })
  })

  it('refuses a serial number of more than 64 characters (RFC 5280 A.1, ub-serial-number)', async () => {
    await assert.rejects(issued('idevid', { ...device, serialNumber: 'x'.repeat(65) }), { code: 'lint.failed' })
  })
})

describe('LDevID', () => {
  it('is bound to the IDevID of the device by the same serialNumber and hardwareModuleName', async () => {
    const [idevid, ldevid] = [await issued('idevid'), await issued('ldevid')]
    assert.equal(attributeValue(ldevid.subject, '2.5.4.5'), attributeValue(idevid.subject, '2.5.4.5'))
    assert.equal(toHex(ldevid.subject.raw), toHex(idevid.subject.raw))
    const names = [idevid, ldevid].map(each => toHex(findExtension(each.extensions, OID.subjectAltName)!.value))
    assert.equal(names[0], names[1])
  })

  it('ends, and says what it is for', async () => {
    const ldevid = await issued('ldevid')
    assert.equal(ldevid.notAfter - ldevid.notBefore, 90 * 86_400 + 300 - 1)
    assert.ok(findExtension(ldevid.extensions, OID.extKeyUsage))
  })
})

async function issued(name: string, of = device) {
  const { issuing } = await authorities()
  const wanted = await request(profile(name), 'P-256', { device: of })
  const prepared = prepareCertificate(wanted, issuing, { settings, random: systemRandom })
  return parseCertificate((await signPrepared(prepared, issuing.signer)).der)
}
