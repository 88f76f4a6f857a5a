// CMS with keys (RFC 5652 §5.4 to §6.5, RFC 5083, RFC 5753, RFC 8419, RFC 9882): OpenSSL reads what we write and the other way
// round; whatever is wrong with a message is refused with its code.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { parsePemBlock } from '../../src/core/asn1/pem.ts'
import { readDer } from '../../src/core/asn1/reader.ts'
import { compareBytes } from '../../src/core/bytes/bytes.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { encodeSignedAttributes } from '../../src/core/cms/attributes.ts'
import { identifierOf } from '../../src/core/cms/certificate-identifier.ts'
import { encodeCertsOnly, parseCertsOnly } from '../../src/core/cms/certs-only.ts'
import { CONTENT_TYPE, parseContentInfo, parseContentOf } from '../../src/core/cms/content-info.ts'
import { parseEnvelope } from '../../src/core/cms/enveloped-data.ts'
import { encodeSignedData, parseSignedData, readSignedData } from '../../src/core/cms/signed-data.ts'
import { encodeAlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import { type Certificate, encodeTbsCertificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import { encodeName } from '../../src/core/pki/name.ts'
import { encodeAsymmetricKeyPackage, parseAsymmetricKeyPackage } from '../../src/core/pki/pkcs8.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'
import { keyAlgorithms, type SignatureAlgorithmName, signatureAlgorithm } from '../../src/crypto/algorithms.ts'
import { openEnvelope, recipientOf, sealForRecipient, signData, verifySignedData } from '../../src/crypto/cms.ts'
import { contentCipher, encryptContent } from '../../src/crypto/cms-content-encryption.ts'
import { digest } from '../../src/crypto/cms-digest.ts'
import { generateKeyPair, importPkcs8, type PrivateKey } from '../../src/crypto/keys.ts'
import type { Random } from '../../src/crypto/random.ts'
import { type Signer, softwareSigner } from '../../src/crypto/signer.ts'
import { requireConformance } from '../support/conformance.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'
import { hasTool, requireTool } from '../support/tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'touchmark-cms-'))
after(() => rmSync(folder, { recursive: true }))

const at = (name: string) => join(folder, name)
const openssl = (...args: string[]) =>
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
const readOctets = (name: string) => new Uint8Array(readFileSync(at(name)))
const text = (octets: Uint8Array) => Buffer.from(octets).toString()

interface Party {
  readonly name: string
  readonly key: PrivateKey
  readonly keyObject: KeyObject
  readonly certificate: Certificate
}

const NEW_KEY: Readonly<Record<string, readonly string[]>> = {
  'P-256': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'P-384': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  'P-521': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  RSA: ['rsa:2048'],
  Ed25519: ['ed25519'],
}
const parties = new Map<string, Party>()

before(() => {
  if (!hasTool('openssl')) return
  writeFileSync(at('content.txt'), 'from openssl')
  for (const [name, kind] of Object.entries(NEW_KEY)) {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`]
    openssl('req', '-x509', '-newkey', ...kind, '-nodes', ...files, '-subj', `/CN=${name}`, '-days', '2')
    const keyObject = createPrivateKey(readFileSync(at(`${name}.key`)))
    const key = importPkcs8(new Uint8Array(keyObject.export({ format: 'der', type: 'pkcs8' })))
    const certificate = parseCertificate(parsePemBlock(readFileSync(at(`${name}.pem`), 'utf8'), 'CERTIFICATE'))
    parties.set(name, { name, key, keyObject, certificate })
  }
})

function party(name: string): Party {
  const found = parties.get(name)
  assert.ok(found)
  return found
}

function signerOf({ key, name }: Party, algorithm?: SignatureAlgorithmName): Signer {
  return softwareSigner(key, `software:${name}`, algorithm)
}

/** A certificate good enough to name a key: nobody here looks at its signature. */
function certificateFor(spki: Uint8Array): Certificate {
  const signatureAlgorithm = encodeAlgorithmIdentifier('1.2.840.10045.4.3.2')
  const name = encodeName([[{ type: '2.5.4.3', value: 'nobody' }]])
  const tbs = encodeTbsCertificate({
    serialNumber: new Uint8Array([7]),
    signatureAlgorithm,
    issuer: name,
    notBefore: 0,
    notAfter: 1,
    subject: name,
    subjectPublicKeyInfo: spki,
    extensions: [],
  })
  return parseCertificate(encodeSigned(tbs, signatureAlgorithm, new Uint8Array(8)))
}

async function localParty(algorithm: 'P-256' | 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87' | 'Ed25519'): Promise<Party> {
  const key = await generateKeyPair(algorithm)
  const keyObject = createPrivateKey({ key: Buffer.from(key.toPkcs8()), format: 'der', type: 'pkcs8' })
  return { name: algorithm, key, keyObject, certificate: certificateFor(key.publicKey) }
}

const refused = (code: string) => ({ code, kind: 'unauthenticated' })

describe('signing (RFC 5652 5.4)', () => {
  const algorithms: readonly [string, SignatureAlgorithmName][] = [
    ['P-256', 'ecdsa-with-SHA256'],
    ['P-384', 'ecdsa-with-SHA384'],
    ['P-521', 'ecdsa-with-SHA512'],
    ['RSA', 'sha256WithRSAEncryption'],
    ['RSA', 'sha512WithRSAEncryption'],
    ['RSA', 'RSASSA-PSS-SHA256'],
  ]
  // OpenSSL 3.0 does not know Ed25519 and ML-DSA in CMS; for those see the examples of RFC 9882 below.
  for (const [name, algorithm] of algorithms) {
    it(`openssl verifies our ${algorithm}`, async t => {
      if (!requireTool(t, 'openssl')) return
      const who = party(name)
      const content = toUtf8('signed here')
      const fields = {
        content,
        signer: signerOf(who, algorithm),
        certificate: who.certificate,
        signingTime: 1_700_000_000,
      }
      writeFileSync(at('s.der'), await signData(fields))
      const common = [
        'cms',
        '-verify',
        '-inform',
        'DER',
        '-in',
        's.der',
        '-CAfile',
        `${name}.pem`,
        '-purpose',
        'any',
        '-binary',
      ]
      assert.equal(text(openssl(...common)), 'signed here')
      writeFileSync(at('s.der'), await signData({ ...fields, detached: true }))
      writeFileSync(at('c.txt'), content)
      assert.equal(text(openssl(...common, '-content', 'c.txt')), 'signed here')
    })
  }

  it('calls RSA PKCS#1 v1.5 rsaEncryption, which every reader knows (RFC 3370 3.2)', async t => {
    if (!requireTool(t, 'openssl')) return
    const who = party('RSA')
    const der = await signData({ content: toUtf8('x'), signer: signerOf(who), certificate: who.certificate })
    assert.equal(parseSignedData(der).signerInfos[0]!.signatureAlgorithm.oid, '1.2.840.113549.1.1.1')
  })

  it('signs and verifies with ML-DSA and Ed25519, digest SHA-512 (RFC 9882 3.3, RFC 8419 2.3)', async () => {
    for (const algorithm of ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87', 'Ed25519'] as const) {
      const who = await localParty(algorithm)
      const der = await signData({ content: toUtf8('x'), signer: signerOf(who), certificate: who.certificate })
      const [{ signerInfo, certificate }] = verifySignedData(parseSignedData(der))
      assert.equal(signerInfo.digestAlgorithm.oid, '2.16.840.1.101.3.4.2.3')
      assert.deepEqual(certificate.raw, who.certificate.raw)
    }
  })

  it('does not sign with a certificate of another key', async () => {
    const [one, other] = [await localParty('P-256'), await localParty('P-256')]
    await assert.rejects(signData({ content: toUtf8('x'), signer: signerOf(one), certificate: other.certificate }), {
      code: 'cms.signer_mismatch',
    })
  })
})

describe('verification (RFC 5652 5.6)', () => {
  const variants: readonly [string, readonly string[]][] = [
    ['with signed attributes', ['-nodetach']],
    ['without signed attributes', ['-nodetach', '-noattr']],
    ['that name the signer by key', ['-nodetach', '-keyid']],
    ['in BER with indefinite lengths', ['-nodetach', '-stream']],
    ['with SHA-384', ['-nodetach', '-md', 'sha384']],
  ]
  for (const [what, options] of variants) {
    it(`reads messages of openssl ${what}`, t => {
      if (!requireTool(t, 'openssl')) return
      for (const who of parties.values()) {
        if (who.name === 'Ed25519') continue
        const files = ['-in', 'content.txt', '-signer', `${who.name}.pem`, '-inkey', `${who.name}.key`, '-out', 'o.der']
        openssl('cms', '-sign', '-binary', '-outform', 'DER', ...files, ...options)
        const signedData = parseSignedData(readOctets('o.der'))
        assert.equal(text(signedData.content!), 'from openssl')
        const signers = verifySignedData(signedData)
        assert.equal(signers.length, 1)
        assert.deepEqual(signers[0].certificate.raw, who.certificate.raw)
      }
    })
  }

  it('reads PSS and several signers', t => {
    if (!requireTool(t, 'openssl')) return
    const pss = ['-keyopt', 'rsa_padding_mode:pss', '-keyopt', 'rsa_pss_saltlen:digest']
    openssl(
      ...['cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-in', 'content.txt', '-out', 'o.der'],
      ...['-signer', 'RSA.pem', '-inkey', 'RSA.key', ...pss, '-signer', 'P-256.pem', '-inkey', 'P-256.key'],
    )
    const signers = verifySignedData(parseSignedData(readOctets('o.der')))
    assert.deepEqual(signers.map(({ certificate }) => certificate.subject.rdns[0]![0]!.value).sort(), ['P-256', 'RSA'])
  })

  it('takes detached content and a certificate from beside the message', t => {
    if (!requireTool(t, 'openssl')) return
    const { certificate } = party('P-256')
    const files = ['-in', 'content.txt', '-signer', 'P-256.pem', '-inkey', 'P-256.key', '-out', 'o.der']
    openssl('cms', '-sign', '-binary', '-outform', 'DER', '-nocerts', ...files)
    const signedData = parseSignedData(readOctets('o.der'))
    const content = readOctets('content.txt')
    assert.equal(verifySignedData(signedData, { content, certificates: [certificate] }).length, 1)
    assert.throws(() => verifySignedData(signedData, { content }), refused('cms.signer_unknown'))
    assert.throws(() => verifySignedData(signedData), { code: 'cms.content_missing', kind: 'malformed' })
    const other = { content: toUtf8('another'), certificates: [certificate] }
    assert.throws(() => verifySignedData(signedData, other), refused('cms.digest_mismatch'))
  })

  it('refuses what is not signed, or not by the key that it names', async () => {
    assert.throws(
      () => verifySignedData(parseSignedData(encodeCertsOnly([])), { content: new Uint8Array(0) }),
      refused('cms.not_signed'),
    )
    const [who, other] = [await localParty('P-256'), await localParty('P-256')]
    const signed = parseSignedData(
      await signData({ content: toUtf8('x'), signer: signerOf(who), certificate: who.certificate }),
    )
    // The same issuer and serial number over another key.
    const impostor = { ...signed, certificates: [other.certificate.raw] }
    assert.throws(() => verifySignedData(impostor), refused('cms.signature_invalid'))
    assert.throws(() => verifySignedData({ ...signed, content: toUtf8('y') }), refused('cms.digest_mismatch'))
    const retyped = { ...signed, contentType: CONTENT_TYPE.asymmetricKeyPackage }
    assert.throws(() => verifySignedData(retyped), refused('cms.content_type_mismatch'))
  })

  it('refuses a type of content that is not signed (5.3)', async () => {
    const who = await localParty('P-256')
    const content = toUtf8('x')
    const bare = (contentType: string, signature: Uint8Array) =>
      parseSignedData(
        encodeSignedData({
          contentType,
          content,
          certificates: [who.certificate.raw],
          signers: [
            {
              sid: identifierOf(who.certificate),
              digestAlgorithm: encodeAlgorithmIdentifier('2.16.840.1.101.3.4.2.1'),
              signatureAlgorithm: signatureAlgorithm('ecdsa-with-SHA256').algorithmIdentifier,
              signature,
            },
          ],
        }),
      )
    const signature = await signerOf(who).sign(content)
    assert.equal(verifySignedData(bare(CONTENT_TYPE.data, signature)).length, 1)
    assert.throws(
      () => verifySignedData(bare(CONTENT_TYPE.asymmetricKeyPackage, signature)),
      refused('cms.content_type_mismatch'),
    )
  })

  it('refuses a digest that does not go with the signature algorithm', async () => {
    for (const [algorithm, digestOid, isAccepted] of [
      ['P-256', '2.16.840.1.101.3.4.2.2', false],
      ['P-256', '1.3.14.3.2.26', false],
      ['Ed25519', '2.16.840.1.101.3.4.2.1', false],
      ['ML-DSA-44', '2.16.840.1.101.3.4.2.1', true],
      ['ML-DSA-65', '2.16.840.1.101.3.4.2.1', false],
      ['ML-DSA-65', '2.16.840.1.101.3.4.2.2', true],
      ['ML-DSA-87', '2.16.840.1.101.3.4.2.2', false],
    ] as const) {
      const who = await localParty(algorithm)
      const signer = signerOf(who)
      const content = toUtf8('x')
      const messageDigest = digest(digestOid.endsWith('.2') ? 'sha384' : 'sha256', content)
      const signedAttributes = encodeSignedAttributes({ contentType: CONTENT_TYPE.data, messageDigest })
      const signed = parseSignedData(
        encodeSignedData({
          contentType: CONTENT_TYPE.data,
          content,
          certificates: [who.certificate.raw],
          signers: [
            {
              sid: identifierOf(who.certificate),
              digestAlgorithm: encodeAlgorithmIdentifier(digestOid),
              signedAttributes,
              signatureAlgorithm: signer.algorithm.algorithmIdentifier,
              signature: await signer.sign(signedAttributes),
            },
          ],
        }),
      )
      if (isAccepted) assert.equal(verifySignedData(signed).length, 1)
      else assert.throws(() => verifySignedData(signed), { code: 'cms.algorithm_unsupported', kind: 'malformed' })
    }
  })

  it('verifies the ML-DSA examples of RFC 9882', t => {
    const examples = requireConformance(t, 'cms-ml-dsa/examples')
    const certificates = requireConformance(t, 'ml-dsa-rfc9881/examples')
    if (!examples || !certificates) return
    for (const set of [44, 65, 87]) {
      const message = parsePemBlock(readFileSync(join(examples, `mldsa${set}-signed-attrs.pem`), 'utf8'), 'CMS')
      const pem = readFileSync(join(certificates, `ML-DSA-${set}.crt`), 'utf8')
      const certificate = parseCertificate(parsePemBlock(pem, 'CERTIFICATE'))
      const signed = parseSignedData(message)
      assert.equal(text(signed.content!), `ML-DSA-${set} signed-data example with signed attributes`)
      assert.equal(verifySignedData(signed, { certificates: [certificate] }).length, 1)
      const spoiled = {
        ...signed,
        signerInfos: signed.signerInfos.map(info => ({ ...info, signature: info.signature.slice(1) })),
      }
      assert.throws(() => verifySignedData(spoiled, { certificates: [certificate] }), refused('cms.signature_invalid'))
    }
  })

  it('refuses the bad attributes of the OpenSSL test suite (5.3, 11)', t => {
    const suite = requireConformance(t, 'openssl-tests/80-test_cms_data')
    if (!suite) return
    for (const name of ['bad_signtime_attr.cms', 'ct_multiple_attr.cms', 'no_ct_attr.cms', 'no_md_attr.cms']) {
      const der = new Uint8Array(readFileSync(join(suite, name)))
      assert.throws(() => parseSignedData(der), { code: 'der.value_invalid' }, name)
    }
  })

  it('gives typed errors only for mutated messages', async () => {
    const who = await localParty('P-256')
    const der = await signData({
      content: toUtf8('x'),
      signer: signerOf(who),
      certificate: who.certificate,
      signingTime: 0,
    })
    assertOnlyTypedErrors([der], bytes => verifySignedData(parseSignedData(bytes)), 1500)
  })
})

const CIPHERS = ['aes128-CBC', 'aes192-CBC', 'aes256-CBC', 'aes128-GCM', 'aes192-GCM', 'aes256-GCM'] as const
const RECIPIENTS = ['P-256', 'P-384', 'P-521', 'RSA'] as const

describe('envelopes (RFC 5652 6, RFC 5083)', () => {
  const failed = { code: 'cms.decrypt_failed', kind: 'malformed' }

  for (const name of RECIPIENTS) {
    it(`openssl opens what we seal for ${name}`, t => {
      if (!requireTool(t, 'openssl')) return
      const { certificate, keyObject } = party(name)
      const schemes = name === 'RSA' ? (['rsaes-oaep', 'rsaes-pkcs1-v1_5'] as const) : ([undefined] as const)
      for (const cipher of CIPHERS) {
        for (const keyTransport of schemes) {
          const fields = { recipient: recipientOf(certificate), content: toUtf8('for your eyes'), cipher, keyTransport }
          const der = sealForRecipient(fields)
          writeFileSync(at('e.der'), der)
          const files = ['-in', 'e.der', '-inkey', `${name}.key`, '-recip', `${name}.pem`]
          assert.equal(text(openssl('cms', '-decrypt', '-inform', 'DER', '-binary', ...files)), 'for your eyes')
          const opened = openEnvelope(der, { kind: 'privateKey', privateKey: keyObject, certificate })
          assert.deepEqual([opened.contentType, text(opened.content)], [CONTENT_TYPE.data, 'for your eyes'])
        }
      }
    })

    it(`we open what openssl seals for ${name}`, t => {
      if (!requireTool(t, 'openssl')) return
      const { certificate, keyObject: privateKey } = party(name)
      const keyOptions =
        name === 'RSA'
          ? [[], ['rsa_padding_mode:oaep'], ['rsa_padding_mode:oaep', 'rsa_oaep_md:sha256']]
          : [[], ['ecdh_kdf_md:sha256'], ['ecdh_kdf_md:sha384'], ['ecdh_kdf_md:sha512']]
      const variants = [
        ['-aes-256-cbc'],
        ['-aes-192-cbc'],
        ['-aes-128-gcm'],
        ['-aes-256-cbc', '-keyid'],
        ['-aes-256-cbc', '-stream'],
      ]
      for (const keyOption of keyOptions) {
        for (const [cipher, ...options] of variants) {
          const recipient = ['-recip', `${name}.pem`, ...keyOption.flatMap(option => ['-keyopt', option])]
          const files = ['-in', 'content.txt', '-out', 'e.der', '-outform', 'DER', '-binary']
          openssl('cms', '-encrypt', ...files, cipher!, ...options, ...recipient)
          const { content } = openEnvelope(readOctets('e.der'), { kind: 'privateKey', privateKey, certificate })
          assert.equal(text(content), 'from openssl', [cipher, ...options, ...keyOption].join(' '))
        }
      }
    })
  }

  it('shares a key encryption key with openssl (6.2.3)', t => {
    if (!requireTool(t, 'openssl')) return
    for (const [bits, cipher] of [
      [16, '-aes-128-cbc'],
      [32, '-aes-256-cbc'],
    ] as const) {
      const key = new Uint8Array(bits).fill(0x5a)
      const keyIdentifier = fromHex('c0ffee')
      const secret = ['-secretkey', toHex(key), '-secretkeyid', toHex(keyIdentifier)]
      writeFileSync(
        at('e.der'),
        sealForRecipient({ recipient: { kind: 'keyEncryptionKey', keyIdentifier, key }, content: toUtf8('kek') }),
      )
      assert.equal(text(openssl('cms', '-decrypt', '-inform', 'DER', '-in', 'e.der', '-binary', ...secret)), 'kek')
      openssl('cms', '-encrypt', '-in', 'content.txt', '-out', 'e.der', '-outform', 'DER', '-binary', cipher, ...secret)
      const mine = { kind: 'keyEncryptionKey', keyIdentifier, key } as const
      assert.equal(text(openEnvelope(readOctets('e.der'), mine).content), 'from openssl')
      const other = { ...mine, keyIdentifier: fromHex('00') }
      assert.throws(() => openEnvelope(readOctets('e.der'), other), { code: 'cms.recipient_missing' })
      assert.throws(() => openEnvelope(readOctets('e.der'), { ...mine, key: new Uint8Array(bits) }), failed)
    }
  })

  it('draws the content key first and the IV second, and nothing else', () => {
    const draws: number[] = []
    let next = 1
    const random: Random = {
      bytes(count) {
        draws.push(count)
        return new Uint8Array(count).fill(next++)
      },
    }
    const key = new Uint8Array(32)
    const recipient = { kind: 'keyEncryptionKey', keyIdentifier: new Uint8Array(1), key } as const
    const envelope = parseEnvelope(sealForRecipient({ recipient, content: toUtf8('x'), random }))
    assert.deepEqual(draws, [32, 16])
    assert.equal(toHex(envelope.contentEncryptionAlgorithm.parameters!), `0410${'02'.repeat(16)}`)
  })

  it('names the recipient as the recipient asked for (RFC 7030 4.4.1.2)', async () => {
    const who = await localParty('P-256')
    const keyIdentifier = fromHex('0102030405')
    const der = sealForRecipient({
      recipient: {
        kind: 'publicKey',
        identifier: { kind: 'subjectKeyIdentifier', keyIdentifier },
        subjectPublicKeyInfo: who.key.publicKey,
      },
      content: toUtf8('x'),
    })
    const mine = { kind: 'privateKey', privateKey: who.keyObject } as const
    assert.equal(text(openEnvelope(der, { ...mine, keyIdentifier }).content), 'x')
    assert.equal(text(openEnvelope(der, mine).content), 'x')
    const missing = { code: 'cms.recipient_missing' }
    assert.throws(() => openEnvelope(der, { ...mine, keyIdentifier: fromHex('0102030406') }), missing)
    assert.throws(() => openEnvelope(der, { ...mine, certificate: who.certificate }), missing)
  })

  it('cannot be sealed for keys that only sign, or for weak ones', () => {
    const spkis = [
      generateKeyPairSync('ed25519').publicKey,
      generateKeyPairSync('ml-dsa-44').publicKey,
      generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey,
    ].map(key => new Uint8Array(key.export({ format: 'der', type: 'spki' })))
    const offCurve = Uint8Array.from(keyAlgorithms[0]!.algorithmIdentifier)
    spkis.push(fromHex(`3059${toHex(offCurve)}034200 04${'11'.repeat(64)}`.replace(' ', '')))
    for (const spki of spkis) {
      assert.throws(
        () => sealForRecipient({ recipient: recipientOf(certificateFor(spki)), content: new Uint8Array(1) }),
        {
          code: 'cms.recipient_unsupported',
        },
      )
    }
  })

  it('say one thing only, whatever is wrong with keys and ciphertext (14)', async () => {
    const who = await localParty('P-256')
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const otherCurve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    for (const cipher of ['aes256-CBC', 'aes256-GCM'] as const) {
      const der = sealForRecipient({ recipient: recipientOf(who.certificate), content: toUtf8('x'), cipher })
      for (const privateKey of [stranger, otherCurve]) {
        assert.throws(() => openEnvelope(der, { kind: 'privateKey', privateKey }), failed)
      }
    }
    const sealed = parseEnvelope(
      sealForRecipient({ recipient: recipientOf(who.certificate), content: toUtf8('x'), cipher: 'aes256-GCM' }),
    )
    assert.ok(sealed.kind === 'authEnvelopedData')
    const mine = { kind: 'privateKey', privateKey: who.keyObject } as const
    assert.equal(text(openEnvelope(sealed, mine).content), 'x')
    assert.throws(() => openEnvelope({ ...sealed, encryptedContent: fromHex('00') }, mine), failed)
    assert.throws(() => openEnvelope({ ...sealed, mac: new Uint8Array(16) }, mine), failed)
    assert.throws(() => openEnvelope({ ...sealed, mac: new Uint8Array(12) }, mine), { code: 'cms.parameters_invalid' })
    assert.throws(() => openEnvelope({ ...sealed, encryptedContent: undefined }, mine), { code: 'cms.content_missing' })
  })

  it('say nothing about the padding of RSA PKCS#1 v1.5 (RFC 3218)', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const certificate = certificateFor(new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })))
    const fields = { recipient: recipientOf(certificate), content: toUtf8('x'), cipher: 'aes128-GCM' } as const
    const sealed = parseEnvelope(sealForRecipient({ ...fields, keyTransport: 'rsaes-pkcs1-v1_5' }))
    const [info] = sealed.recipientInfos
    assert.ok(info?.kind === 'keyTransport')
    for (const encryptedKey of [
      new Uint8Array(256).fill(1),
      new Uint8Array(256),
      new Uint8Array(1),
      new Uint8Array(300).fill(255),
    ]) {
      const spoiled = { ...sealed, recipientInfos: [{ ...info, encryptedKey }] }
      assert.throws(() => openEnvelope(spoiled, { kind: 'privateKey', privateKey }), failed)
    }
  })

  it('authenticate the type of their content with GCM (RFC 5083 2.1)', async () => {
    const who = await localParty('P-256')
    const fields = { recipient: recipientOf(who.certificate), content: toUtf8('x'), cipher: 'aes256-GCM' } as const
    const sealed = parseEnvelope(sealForRecipient({ ...fields, contentType: CONTENT_TYPE.signedData }))
    const mine = { kind: 'privateKey', privateKey: who.keyObject } as const
    assert.equal(openEnvelope(sealed, mine).contentType, CONTENT_TYPE.signedData)
    assert.throws(() => openEnvelope({ ...sealed, contentType: CONTENT_TYPE.asymmetricKeyPackage }, mine), failed)
  })

  it('with GCM is no EnvelopedData, and with CBC no AuthEnvelopedData (RFC 5084 1.1)', () => {
    const key = new Uint8Array(32)
    const recipient = { kind: 'keyEncryptionKey', keyIdentifier: new Uint8Array(1), key } as const
    const cbc = parseEnvelope(sealForRecipient({ recipient, content: toUtf8('x') }))
    const random: Random = { bytes: count => new Uint8Array(count) }
    const { algorithm } = encryptContent(contentCipher('aes256-GCM'), key, toUtf8('x'), new Uint8Array(0), random)
    const contentEncryptionAlgorithm = {
      ...cbc.contentEncryptionAlgorithm,
      oid: contentCipher('aes256-GCM').oid,
      raw: algorithm,
    }
    assert.throws(() => openEnvelope({ ...cbc, contentEncryptionAlgorithm }, recipient), {
      code: 'cms.algorithm_unsupported',
    })
  })

  it('carry a generated key to its device as EST wants it (RFC 7030 4.4.2)', async t => {
    if (!requireTool(t, 'openssl')) return
    const [generator, device] = [party('P-384'), party('P-256')]
    const made = await generateKeyPair('P-256')
    const keyPackage = encodeAsymmetricKeyPackage([made.toPkcs8()])
    const signed = await signData({
      content: keyPackage,
      contentType: CONTENT_TYPE.asymmetricKeyPackage,
      signer: signerOf(generator),
      certificate: generator.certificate,
    })
    const der = sealForRecipient({
      recipient: recipientOf(device.certificate),
      content: parseContentOf(signed, CONTENT_TYPE.signedData),
      contentType: CONTENT_TYPE.signedData,
    })
    const mine = { kind: 'privateKey', privateKey: device.keyObject, certificate: device.certificate } as const
    const { contentType, content } = openEnvelope(der, mine)
    assert.equal(contentType, CONTENT_TYPE.signedData)
    const inner = readDer(content, readSignedData)
    assert.deepEqual(verifySignedData(inner)[0].certificate.raw, generator.certificate.raw)
    assert.equal(inner.contentType, CONTENT_TYPE.asymmetricKeyPackage)
    assert.deepEqual(parseAsymmetricKeyPackage(inner.content!)[0]!.raw, made.toPkcs8())
    writeFileSync(at('e.der'), der)
    const files = ['-in', 'e.der', '-inkey', 'P-256.key', '-recip', 'P-256.pem']
    assert.deepEqual(new Uint8Array(openssl('cms', '-decrypt', '-inform', 'DER', '-binary', ...files)), content)
  })

  it('are opened as real SCEP clients seal them (strongSwan, sscep)', t => {
    const captured = requireConformance(t, 'scep/captured')
    if (!captured) return
    const privateKey = createPrivateKey(readFileSync(join(captured, 'ca.key')))
    const certificate = parseCertificate(parsePemBlock(readFileSync(join(captured, 'ca.pem'), 'utf8'), 'CERTIFICATE'))
    const names = readdirSync(captured).filter(name => name.endsWith('.req.der'))
    let opened = 0
    for (const name of names) {
      const signed = parseSignedData(new Uint8Array(readFileSync(join(captured, name))))
      const open = () => openEnvelope(signed.content!, { kind: 'privateKey', privateKey, certificate })
      if (/des|micromdm/.test(name)) {
        // Triple DES and single DES: not ours to read.
        assert.throws(open, { code: 'cms.algorithm_unsupported' }, name)
        continue
      }
      assert.equal(open().content[0], 0x30, name)
      if (!name.includes('sha1')) assert.equal(verifySignedData(signed).length, 1, name)
      opened++
    }
    assert.equal(opened, 5)
  })

  it('of the OpenSSL test suite that are malformed are refused', t => {
    const suite = requireConformance(t, 'openssl-tests/80-test_cms_data')
    if (!suite) return
    const read = (name: string) => new Uint8Array(readFileSync(join(suite, name)))
    const privateKey = createPrivateKey(readFileSync(join(suite, 'ecdh-key.pem')))
    assert.throws(() => openEnvelope(read('ecdh-malformed.der'), { kind: 'privateKey', privateKey }), {
      code: 'cms.algorithm_unsupported',
    })
    assert.throws(() => openEnvelope(read('dh-malformed.der'), { kind: 'privateKey', privateKey }), {
      kind: 'malformed',
    })
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    assert.throws(() => openEnvelope(read('rsa-malformed.der'), { kind: 'privateKey', privateKey: rsa }), {
      kind: 'malformed',
    })
  })

  it('give typed errors only where they are mutated', async () => {
    const who = await localParty('P-256')
    const recipient = { kind: 'privateKey', privateKey: who.keyObject, certificate: who.certificate } as const
    const sealed = CIPHERS.map(cipher =>
      sealForRecipient({ recipient: recipientOf(who.certificate), content: toUtf8('x'), cipher }),
    )
    assertOnlyTypedErrors(sealed, bytes => openEnvelope(bytes, recipient), 1500)
  })
})

describe('certs-only messages (RFC 7030 4.1.3, RFC 8951)', () => {
  it('are read by openssl pkcs7, and read by us as openssl writes them', t => {
    if (!requireTool(t, 'openssl')) return
    const certificates = [party('RSA'), party('P-256')].map(({ certificate }) => certificate.raw)
    writeFileSync(at('c.der'), encodeCertsOnly(certificates))
    const printed = text(openssl('pkcs7', '-inform', 'DER', '-in', 'c.der', '-print_certs'))
    assert.deepEqual([...printed.matchAll(/subject=CN = (\S+)/g)].map(match => match[1]).sort(), ['P-256', 'RSA'])
    openssl('crl2pkcs7', '-nocrl', '-certfile', 'RSA.pem', '-certfile', 'P-256.pem', '-outform', 'DER', '-out', 'o.der')
    assert.deepEqual(parseCertsOnly(readOctets('o.der')).sort(compareBytes), [...certificates].sort(compareBytes))
    assert.equal(parseContentInfo(readOctets('o.der')).contentType, CONTENT_TYPE.signedData)
  })

  it('are read by certtool', (t: TestContext) => {
    if (!requireTool(t, 'certtool') || !requireTool(t, 'openssl')) return
    writeFileSync(at('c.der'), encodeCertsOnly([party('P-256').certificate.raw]))
    const args = ['--p7-info', '--inder', '--infile', at('c.der')]
    const printed = execFileSync('certtool', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    assert.match(printed, /BEGIN CERTIFICATE/)
    assert.ok(createPublicKey(printed.slice(printed.indexOf('-----BEGIN CERTIFICATE'))))
  })
})
