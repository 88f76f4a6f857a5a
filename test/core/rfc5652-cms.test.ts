// CMS grammar (RFC 5652 §3 to §6, RFC 5083): what is written reads back, what the RFC forbids is refused.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readDer } from '../../src/core/asn1/reader.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { compareBytes } from '../../src/core/bytes/bytes.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { CMS_ATTRIBUTE, encodeAttributeSet, encodeSignedAttributes } from '../../src/core/cms/attributes.ts'
import type { CertificateIdentifier } from '../../src/core/cms/certificate-identifier.ts'
import { encodeCertsOnly, parseCertsOnly } from '../../src/core/cms/certs-only.ts'
import { CONTENT_TYPE, encodeContentInfo, parseContentInfo } from '../../src/core/cms/content-info.ts'
import { encodeAuthEnvelopedData, encodeEnvelopedData, parseEnvelope } from '../../src/core/cms/enveloped-data.ts'
import type { RecipientInfoFields } from '../../src/core/cms/recipient-info.ts'
import { encodeSignedData, parseSignedData, type SignedDataFields } from '../../src/core/cms/signed-data.ts'
import { encodeAlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import { encodeName, parseName } from '../../src/core/pki/name.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'

const SHA256 = encodeAlgorithmIdentifier('2.16.840.1.101.3.4.2.1')
const ECDSA = encodeAlgorithmIdentifier('1.2.840.10045.4.3.2')
const AES = encodeAlgorithmIdentifier('2.16.840.1.101.3.4.1.42', fromHex(`0410${'00'.repeat(16)}`))
const ISSUER = readDer(encodeName([[{ type: '2.5.4.3', value: 'CA' }]]), parseName)

const octets = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength })
const element = octets(0, 60).map(content => writeDer(w => w.sequence(() => w.octetString(content))))
const identifier: fc.Arbitrary<CertificateIdentifier> = fc.oneof(
  octets(1, 20).map(magnitude => ({
    kind: 'issuerAndSerialNumber' as const,
    issuer: ISSUER,
    serialNumber: toHex(magnitude).replace(/^(00)+(?=..)/, ''),
  })),
  octets(1, 20).map(keyIdentifier => ({ kind: 'subjectKeyIdentifier' as const, keyIdentifier })),
)
const attribute = fc.integer({ min: 1, max: 1000 }).map(n => ({ oid: `1.2.3.${n}`, values: [fromHex('0500')] }))
const uniqueAttributes = fc.uniqueArray(attribute, { minLength: 1, maxLength: 3, selector: value => value.oid })

const signer = fc
  .record({
    sid: identifier,
    messageDigest: octets(32, 32),
    signingTime: fc.option(fc.integer({ min: 0, max: 4_000_000_000 }), { nil: undefined }),
    others: fc.option(uniqueAttributes, { nil: undefined }),
    signature: octets(1, 80),
    unsignedAttributes: fc.option(uniqueAttributes, { nil: undefined }),
    isSigned: fc.boolean(),
  })
  .map(({ messageDigest, signingTime, others, isSigned, ...rest }) => ({
    digestAlgorithm: SHA256,
    signatureAlgorithm: ECDSA,
    ...rest,
    signedAttributes: isSigned
      ? encodeSignedAttributes({ contentType: CONTENT_TYPE.data, messageDigest, signingTime, others })
      : undefined,
    signingTime: isSigned ? signingTime : undefined,
  }))

const sorted = (members: readonly Uint8Array[]) => [...members].sort(compareBytes)

describe('ContentInfo (RFC 5652 3)', () => {
  it('reads back, and names the type that it is not', () => {
    const content = fromHex('0403616263')
    const der = encodeContentInfo(CONTENT_TYPE.data, content)
    assert.deepEqual(parseContentInfo(der), { contentType: CONTENT_TYPE.data, content })
    assert.throws(() => parseSignedData(der), {
      code: 'cms.content_type',
      kind: 'malformed',
      evidence: { expected: CONTENT_TYPE.signedData, found: CONTENT_TYPE.data },
    })
    assert.throws(() => parseEnvelope(der), { code: 'cms.content_type' })
  })
})

describe('SignedData (RFC 5652 5)', () => {
  it('reads back as written', () => {
    fc.assert(
      fc.property(
        fc.array(signer, { maxLength: 3 }),
        fc.option(octets(0, 300), { nil: undefined }),
        fc.array(element, { maxLength: 3 }),
        fc.array(element, { maxLength: 3 }),
        fc.constantFrom(CONTENT_TYPE.data, CONTENT_TYPE.asymmetricKeyPackage),
        (signers, content, certificates, crls, contentType) => {
          const der = encodeSignedData({ contentType, content, certificates, crls, signers })
          const parsed = parseSignedData(der)
          assert.equal(parsed.contentType, contentType)
          assert.deepEqual(parsed.content, content)
          assert.deepEqual(parsed.certificates, sorted(certificates))
          assert.deepEqual(parsed.crls, sorted(crls))
          assert.equal(parsed.digestAlgorithms.length, signers.length === 0 ? 0 : 1)
          assert.equal(parsed.signerInfos.length, signers.length)
          for (const info of parsed.signerInfos) {
            const wanted = signers.find(
              ({ signature, sid }) => toHex(signature) === toHex(info.signature) && sid.kind === info.sid.kind,
            )
            assert.ok(wanted)
            assert.deepEqual(info.signedAttributes?.raw, wanted.signedAttributes)
            assert.equal(info.signedAttributes?.signingTime, wanted.signingTime)
            assert.equal(info.unsignedAttributes.length, wanted.unsignedAttributes?.length ?? 0)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('has version 1 for plain data signed by issuer and serial number, else 3 (5.1)', () => {
    const byIssuer = { sid: { kind: 'issuerAndSerialNumber', issuer: ISSUER, serialNumber: '01' } } as const
    const byKey = { sid: { kind: 'subjectKeyIdentifier', keyIdentifier: new Uint8Array(20) } } as const
    const rest = { digestAlgorithm: SHA256, signatureAlgorithm: ECDSA, signature: new Uint8Array(8) }
    const versions = (fields: SignedDataFields) => {
      const { content } = parseContentInfo(encodeSignedData(fields))
      return readDer(content, reader => {
        const inner = reader.enter(0x30)
        const version = inner.smallInteger()
        while (!inner.empty) inner.any()
        return version
      })
    }
    const data = CONTENT_TYPE.data
    assert.equal(versions({ contentType: data, signers: [{ ...byIssuer, ...rest }] }), 1)
    assert.equal(versions({ contentType: data, signers: [{ ...byKey, ...rest }] }), 3)
    assert.equal(versions({ contentType: CONTENT_TYPE.asymmetricKeyPackage, signers: [{ ...byIssuer, ...rest }] }), 3)
    assert.equal(versions({ contentType: data, signers: [] }), 1)
  })

  it('refuses signed attributes without content type or message digest, or with one of them twice (5.3, 11)', () => {
    const contentType = { oid: CMS_ATTRIBUTE.contentType, values: [writeDer(w => w.oid(CONTENT_TYPE.data))] }
    const messageDigest = {
      oid: CMS_ATTRIBUTE.messageDigest,
      values: [writeDer(w => w.octetString(new Uint8Array(32)))],
    }
    const time = (...seconds: number[]) => ({
      oid: CMS_ATTRIBUTE.signingTime,
      values: seconds.map(value => writeDer(w => w.time(value))),
    })
    const withAttributes = (attributes: Parameters<typeof encodeAttributeSet>[0]) =>
      encodeSignedData({
        contentType: CONTENT_TYPE.data,
        signers: [
          {
            sid: { kind: 'issuerAndSerialNumber', issuer: ISSUER, serialNumber: '01' },
            digestAlgorithm: SHA256,
            signatureAlgorithm: ECDSA,
            signature: new Uint8Array(8),
            signedAttributes: encodeAttributeSet(attributes),
          },
        ],
      })
    assert.equal(
      parseSignedData(withAttributes([contentType, messageDigest, time(5)])).signerInfos[0]!.signedAttributes
        ?.signingTime,
      5,
    )
    for (const attributes of [
      [],
      [contentType],
      [messageDigest],
      [contentType, contentType, messageDigest],
      [{ ...contentType, values: [] }, messageDigest],
      [{ ...contentType, values: [...contentType.values, ...contentType.values] }, messageDigest],
      [contentType, messageDigest, time(5, 6)],
      [contentType, messageDigest, time()],
    ]) {
      assert.throws(() => parseSignedData(withAttributes(attributes)), { code: 'der.value_invalid' })
    }
  })

  it('keeps certificates and CRLs of other kinds apart (10.2)', () => {
    const der = encodeSignedData({
      contentType: CONTENT_TYPE.data,
      certificates: [fromHex('3000'), fromHex('a2020500')],
      crls: [fromHex('a1020500'), fromHex('30020500')],
      signers: [],
    })
    const parsed = parseSignedData(der)
    assert.deepEqual(parsed.certificates.map(toHex), ['3000'])
    assert.deepEqual(parsed.crls.map(toHex), ['30020500'])
    assert.deepEqual(parsed.others.map(toHex), ['a2020500', 'a1020500'])
  })

  it('has at most 128 certificates and 16 signers', () => {
    const many = (count: number) => encodeCertsOnly(Array.from({ length: count }, () => fromHex('3000')))
    assert.equal(parseCertsOnly(many(128)).length, 128)
    assert.throws(() => parseCertsOnly(many(129)), { code: 'der.too_large' })
    const signers = Array.from({ length: 17 }, (_, i) => ({
      sid: { kind: 'subjectKeyIdentifier' as const, keyIdentifier: new Uint8Array([i]) },
      digestAlgorithm: SHA256,
      signatureAlgorithm: ECDSA,
      signature: new Uint8Array(8),
    }))
    const signed = (count: number) =>
      encodeSignedData({ contentType: CONTENT_TYPE.data, signers: signers.slice(0, count) })
    assert.equal(parseSignedData(signed(16)).signerInfos.length, 16)
    assert.throws(() => parseSignedData(signed(17)), { code: 'der.too_large' })
  })
})

describe('certs-only messages (RFC 5652 5.1, RFC 7030 4.1.3)', () => {
  it('carry certificates and CRLs and nothing else', () => {
    fc.assert(
      fc.property(fc.array(element, { maxLength: 5 }), fc.array(element, { maxLength: 2 }), (certificates, crls) => {
        const der = encodeCertsOnly(certificates, crls)
        assert.deepEqual(parseCertsOnly(der), sorted(certificates))
        assert.deepEqual(parseSignedData(der).crls, sorted(crls))
      }),
      { numRuns: 100 },
    )
  })

  it('are written as RFC 7030 has them: version 1, no digests, no content, no signers', () => {
    assert.equal(
      toHex(encodeCertsOnly([fromHex('3000')])),
      `3027 06092a864886f70d010702 a01a 3018 020101 3100 300b06092a864886f70d010701 a0023000 3100`.replaceAll(' ', ''),
    )
  })

  it('are refused with content or with a signer', () => {
    const notOnly = { code: 'cms.not_certs_only', kind: 'malformed' }
    const data = { contentType: CONTENT_TYPE.data, signers: [] }
    assert.throws(() => parseCertsOnly(encodeSignedData({ ...data, content: fromHex('61') })), notOnly)
    assert.throws(
      () => parseCertsOnly(encodeSignedData({ ...data, contentType: CONTENT_TYPE.asymmetricKeyPackage })),
      notOnly,
    )
  })
})

const locked = { keyEncryptionAlgorithm: ECDSA, encryptedKey: new Uint8Array(40) }
const recipient: fc.Arbitrary<RecipientInfoFields> = fc.oneof(
  identifier.map(rid => ({ kind: 'keyTransport' as const, rid, ...locked })),
  fc
    .tuple(fc.array(identifier, { minLength: 1, maxLength: 3 }), fc.option(octets(1, 30), { nil: undefined }))
    .map(([rids, ukm]) => ({
      kind: 'keyAgreement' as const,
      originatorKey: { algorithm: ECDSA, publicKey: new Uint8Array(65) },
      ukm,
      keyEncryptionAlgorithm: ECDSA,
      recipientEncryptedKeys: rids.map(rid => ({ rid, encryptedKey: new Uint8Array(40) })),
    })),
  octets(1, 20).map(keyIdentifier => ({ kind: 'keyEncryptionKey' as const, keyIdentifier, ...locked })),
)

describe('EnvelopedData and AuthEnvelopedData (RFC 5652 6, RFC 5083 2)', () => {
  it('read back as written', () => {
    fc.assert(
      fc.property(
        fc.array(recipient, { minLength: 1, maxLength: 3 }),
        octets(0, 300),
        fc.boolean(),
        (recipientInfos, encryptedContent, isAuthenticated) => {
          const fields = {
            recipientInfos,
            contentType: CONTENT_TYPE.signedData,
            contentEncryptionAlgorithm: AES,
            encryptedContent,
          }
          const authenticatedAttributes = encodeAttributeSet([{ oid: '1.2.3', values: [fromHex('0500')] }])
          const der = isAuthenticated
            ? encodeAuthEnvelopedData({ ...fields, authenticatedAttributes, mac: new Uint8Array(16).fill(3) })
            : encodeEnvelopedData(fields)
          const parsed = parseEnvelope(der)
          assert.equal(parsed.kind, isAuthenticated ? 'authEnvelopedData' : 'envelopedData')
          assert.equal(parsed.contentType, CONTENT_TYPE.signedData)
          assert.deepEqual(parsed.encryptedContent, encryptedContent)
          assert.deepEqual(parsed.contentEncryptionAlgorithm.raw, AES)
          assert.deepEqual(
            parsed.recipientInfos.map(info => info.kind).sort(),
            recipientInfos.map(info => info.kind).sort(),
          )
          for (const info of parsed.recipientInfos) {
            if (info.kind === 'keyAgreement') {
              assert.equal(info.originator.kind, 'originatorKey')
              assert.ok(
                recipientInfos.some(
                  wanted =>
                    wanted.kind === 'keyAgreement' &&
                    toHex(wanted.ukm ?? new Uint8Array(0)) === toHex(info.ukm ?? new Uint8Array(0)),
                ),
              )
            }
            if (info.kind === 'keyEncryptionKey') {
              assert.ok(
                recipientInfos.some(
                  wanted =>
                    wanted.kind === 'keyEncryptionKey' && toHex(wanted.keyIdentifier) === toHex(info.keyIdentifier),
                ),
              )
            }
          }
          if (parsed.kind === 'authEnvelopedData') {
            assert.deepEqual(parsed.authenticatedAttributes?.raw, authenticatedAttributes)
            assert.deepEqual(parsed.mac, new Uint8Array(16).fill(3))
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('must have a recipient (6.1)', () => {
    const fields = {
      recipientInfos: [],
      contentType: CONTENT_TYPE.data,
      contentEncryptionAlgorithm: AES,
      encryptedContent: new Uint8Array(16),
    }
    assert.throws(() => parseEnvelope(encodeEnvelopedData(fields)), { code: 'der.value_invalid' })
  })

  it('must authenticate the type of content that is no plain data (RFC 5083 2.1)', () => {
    const fields = {
      recipientInfos: [{ kind: 'keyEncryptionKey', keyIdentifier: new Uint8Array(1), ...locked } as const],
      contentEncryptionAlgorithm: AES,
      encryptedContent: new Uint8Array(16),
      mac: new Uint8Array(16),
    }
    assert.equal(
      parseEnvelope(encodeAuthEnvelopedData({ ...fields, contentType: CONTENT_TYPE.data })).kind,
      'authEnvelopedData',
    )
    assert.throws(() => parseEnvelope(encodeAuthEnvelopedData({ ...fields, contentType: CONTENT_TYPE.signedData })), {
      code: 'der.value_invalid',
    })
  })

  it('reads ciphertext in segments, as Go packages and streaming writers send it', () => {
    const body = (encryptedContent: string) =>
      fromHex(
        toHex(
          encodeEnvelopedData({
            recipientInfos: [{ kind: 'keyEncryptionKey', keyIdentifier: new Uint8Array(1), ...locked }],
            contentType: CONTENT_TYPE.data,
            contentEncryptionAlgorithm: AES,
            encryptedContent: fromHex('0404aabbccdd'),
          }),
        ).replace('80060404aabbccdd', encryptedContent),
      )
    assert.deepEqual(parseEnvelope(body('a0060404aabbccdd')).encryptedContent, fromHex('aabbccdd'))
    assert.deepEqual(parseEnvelope(body('a0060401aa0401bb')).encryptedContent, fromHex('aabb'))
  })

  it('keeps recipients of kinds that it does not read (6.2.4, 6.2.5)', () => {
    const other = fromHex('a4050603550406')
    const der = writeDer(w =>
      w.sequence(() =>
        w
          .integer(3)
          .setOf([other])
          .sequence(() => w.oid(CONTENT_TYPE.data).raw(AES)),
      ),
    )
    const parsed = parseEnvelope(encodeContentInfo(CONTENT_TYPE.envelopedData, der))
    assert.deepEqual(parsed.recipientInfos, [{ kind: 'other', tag: 0xa4, raw: other }])
    assert.equal(parsed.encryptedContent, undefined)
  })
})

it('mutated CMS messages give typed errors only', () => {
  const signed = encodeSignedData({
    contentType: CONTENT_TYPE.data,
    content: fromHex('616263'),
    certificates: [fromHex('3000')],
    signers: [
      {
        sid: { kind: 'issuerAndSerialNumber', issuer: ISSUER, serialNumber: '0102' },
        digestAlgorithm: SHA256,
        signedAttributes: encodeSignedAttributes({
          contentType: CONTENT_TYPE.data,
          messageDigest: new Uint8Array(32),
          signingTime: 1_700_000_000,
        }),
        signatureAlgorithm: ECDSA,
        signature: new Uint8Array(70),
      },
    ],
  })
  assertOnlyTypedErrors([signed, encodeCertsOnly([fromHex('3000')])], parseSignedData, 4000)
  const enveloped = encodeEnvelopedData({
    recipientInfos: [
      { kind: 'keyTransport', rid: { kind: 'issuerAndSerialNumber', issuer: ISSUER, serialNumber: '01' }, ...locked },
      {
        kind: 'keyAgreement',
        originatorKey: { algorithm: ECDSA, publicKey: new Uint8Array(65) },
        keyEncryptionAlgorithm: ECDSA,
        recipientEncryptedKeys: [
          {
            rid: { kind: 'subjectKeyIdentifier', keyIdentifier: new Uint8Array(20) },
            encryptedKey: new Uint8Array(40),
          },
        ],
      },
    ],
    contentType: CONTENT_TYPE.data,
    contentEncryptionAlgorithm: AES,
    encryptedContent: new Uint8Array(32),
  })
  assertOnlyTypedErrors([enveloped], parseEnvelope, 4000)
})
