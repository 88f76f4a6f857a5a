// What makes a certificate one that is not to be relied on beside its path: the MUSTs of RFC 5280 that path validation leaves to issuers, old keys and
// signatures, names. Each defect alone, in a chain that is good without it.
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import { fromHex } from '../../../src/core/bytes/hex.ts'
import { encodeAlgorithmIdentifier } from '../../../src/core/pki/algorithm-identifier.ts'
import { type Certificate, encodeTbsCertificate, parseCertificate } from '../../../src/core/pki/certificate.ts'
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeSubjectAltName,
  encodeSubjectKeyIdentifier,
  extension,
} from '../../../src/core/pki/extensions.ts'
import type { GeneralName } from '../../../src/core/pki/general-name.ts'
import { encodeNameConstraints } from '../../../src/core/pki/name-constraints.ts'
import { OID } from '../../../src/core/pki/oids.ts'
import { encodeSigned } from '../../../src/core/pki/signed.ts'
import { judgePath, type PathQuestion } from '../../../src/domain/verdict/judge-path.ts'
import { type CertificateOptions, type Key, type Made, makeCertificate, TEST_NOW } from '../../support/certificates.ts'

const HOST: GeneralName = { kind: 'dNSName', value: 'host.example' }
const san = (...names: GeneralName[]) => extension(OID.subjectAltName, false, encodeSubjectAltName(names))

interface Changes {
  readonly root?: Partial<CertificateOptions>
  readonly ca?: Partial<CertificateOptions>
  readonly leaf?: Partial<CertificateOptions>
  readonly question?: Partial<PathQuestion>
}

function chain({ root: rootChange, ca: caChange, leaf: leafChange }: Changes): { root: Made; ca: Made; leaf: Made } {
  const root = makeCertificate({ subject: 'CN=Root', ca: true, ...rootChange })
  const ca = makeCertificate({ subject: 'CN=CA', ca: 0, issuer: root, ...caChange })
  const leaf = makeCertificate({ subject: 'CN=leaf', issuer: ca, extensions: [san(HOST)], ...leafChange })
  return { root, ca, leaf }
}

function judge(changes: Changes = {}) {
  const { root, ca, leaf } = chain(changes)
  return judgePath({
    leaf: leaf.certificate,
    intermediates: [ca.certificate],
    anchors: [root.certificate],
    at: TEST_NOW,
    ...changes.question,
  })
}

describe('a chain without a defect', () => {
  it('is good for every purpose that it does not exclude', () => {
    for (const purpose of [undefined, 'client', 'server', 'code'] as const) {
      assert.equal(judge({ question: { purpose } }).code, 'good', purpose ?? 'none')
    }
  })

  it('is good where an anchor is asked about itself', () => {
    const { root } = chain({})
    const judgement = judgePath({
      leaf: root.certificate,
      intermediates: [],
      anchors: [root.certificate],
      at: TEST_NOW,
    })
    assert.equal(judgement.code, 'good')
    const late = judgePath({ leaf: root.certificate, intermediates: [], anchors: [root.certificate], at: 4e9 })
    assert.equal(late.code, 'path.leaf_expired')
  })
})

describe('a certificate is refused, whatever it is for,', () => {
  const { authorityKeyIdentifier, subjectKeyIdentifier } = OID
  const identifier = encodeSubjectKeyIdentifier(new Uint8Array(20))
  const DEFECTS: Readonly<Record<string, readonly [Changes, string]>> = {
    'with serial number zero': [{ leaf: { serial: '00' } }, 'lint.serial_not_positive'],
    'without authority key identifier': [
      { leaf: { without: [authorityKeyIdentifier] } },
      'lint.authority_key_identifier_missing',
    ],
    'of a CA without authority key identifier': [
      { ca: { without: [authorityKeyIdentifier] } },
      'lint.authority_key_identifier_missing',
    ],
    'of a CA without subject key identifier': [
      { ca: { without: [subjectKeyIdentifier] } },
      'lint.subject_key_identifier_missing',
    ],
    'of a root without subject key identifier': [
      { root: { without: [subjectKeyIdentifier] } },
      'lint.subject_key_identifier_missing',
    ],
    'with a critical subject key identifier': [
      { root: { extensions: [extension(subjectKeyIdentifier, true, identifier)] } },
      'lint.extension_must_not_be_critical',
    ],
    'with an empty subject and a subjectAltName that is not critical': [
      { leaf: { subject: '' } },
      'lint.subject_empty_without_san',
    ],
    'that signs certificates and is no CA': [
      { leaf: { extensions: [extension(OID.keyUsage, true, encodeKeyUsage(['digitalSignature', 'keyCertSign']))] } },
      'lint.key_usage_cert_sign_without_ca',
    ],
    'with a name that is none': [
      { leaf: { extensions: [san({ kind: 'dNSName', value: 'a_b.example' })] } },
      'lint.dns_name_syntax',
    ],
    'with two at signs in a mailbox': [
      { leaf: { extensions: [san({ kind: 'rfc822Name', value: 'a@b@host.example' })] } },
      'lint.mailbox_syntax',
    ],
    'with an extension that cannot be read': [
      { leaf: { extensions: [extension(OID.authorityInfoAccess, false, fromHex('3000'))] } },
      'lint.extension_malformed',
    ],
    'with name constraints although it is no CA': [
      {
        leaf: {
          extensions: [
            extension(OID.nameConstraints, true, encodeNameConstraints({ permittedSubtrees: [{ base: HOST }] })),
          ],
        },
      },
      'lint.extension_only_in_ca',
    ],
    'with a constraint on names that is none': [
      {
        root: {
          extensions: [
            extension(
              OID.nameConstraints,
              true,
              encodeNameConstraints({ permittedSubtrees: [{ base: { kind: 'dNSName', value: '.example' } }] }),
            ),
          ],
        },
      },
      'lint.name_constraints_base',
    ],
  }
  for (const [what, [changes, code]] of Object.entries(DEFECTS)) {
    it(what, () => {
      const judgement = judge(changes)
      assert.ok(
        judgement.findings.some(finding => finding.code === code),
        JSON.stringify(judgement.findings),
      )
      assert.equal(judgement.valid, false)
      const reported = judge({ ...changes, question: { nonconforming: 'reported' } })
      assert.ok(reported.notes.some(note => note.code === code))
    })
  }

  it('but an anchor may have any serial number and name nobody as its issuer', () => {
    assert.equal(judge({ root: { serial: '00', without: [OID.authorityKeyIdentifier] } }).code, 'good')
  })
})

describe('what is only old', () => {
  const notCritical = { extensions: [extension(OID.basicConstraints, false, encodeBasicConstraints({ cA: true }))] }
  it('counts where the certificate is to be used for something', () => {
    const { code, notes } = judge({ root: notCritical })
    assert.deepEqual([code, notes[0]?.code], ['good', 'lint.extension_must_be_critical'])
    assert.equal(judge({ root: notCritical, question: { purpose: 'server' } }).code, 'lint.extension_must_be_critical')
  })

  const rsa = (bits: number): Key => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits })
    const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
    return { privateKey, spki, identifier: spki.slice(-20) }
  }

  it('as an RSA key of 1024 bits', () => {
    const key = rsa(1024)
    assert.deepEqual([judge({ leaf: { key } }).code, judge({ leaf: { key } }).notes[0]?.code], ['good', 'key.rsa_size'])
    assert.equal(judge({ leaf: { key }, question: { purpose: 'client' } }).code, 'key.rsa_size')
  })

  it('as a signature over SHA-1', () => {
    const { root, ca, leaf } = chain({})
    const old = resigned(leaf.certificate, ca.key)
    const question = { leaf: old, intermediates: [ca.certificate], anchors: [root.certificate], at: TEST_NOW }
    const { code, notes } = judgePath(question)
    assert.deepEqual([code, notes[0]?.code], ['good', 'signature.algorithm_weak'])
    const used = judgePath({ ...question, purpose: 'server' })
    assert.equal(used.code, 'signature.algorithm_weak')
    const forged = judgePath({ ...question, leaf: resigned(leaf.certificate, root.key), purpose: 'server' })
    assert.equal(forged.code, 'path.signature_invalid')
  })

  /** The same certificate, signed with ECDSA over SHA-1. */
  function resigned(certificate: Certificate, key: Key): Certificate {
    const algorithm = encodeAlgorithmIdentifier('1.2.840.10045.4.1')
    const tbs = encodeTbsCertificate({
      serialNumber: fromHex(certificate.serialNumber),
      signatureAlgorithm: algorithm,
      issuer: certificate.issuer.raw,
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      subject: certificate.subject.raw,
      subjectPublicKeyInfo: certificate.subjectPublicKeyInfo.raw,
      extensions: certificate.extensions,
    })
    return parseCertificate(encodeSigned(tbs, algorithm, sign('sha1', tbs, key.privateKey)))
  }
})

describe('purpose and name', () => {
  const forPurposes = (...oids: string[]) => ({
    extensions: [san(HOST), extension(OID.extKeyUsage, false, encodeExtendedKeyUsage(oids))],
  })
  it('have to be those of the certificate', () => {
    const PURPOSES = {
      client: OID.clientAuth,
      server: OID.serverAuth,
      code: OID.codeSigning,
      ocsp: OID.ocspSigning,
    } as const
    for (const [purpose, oid] of Object.entries(PURPOSES) as [keyof typeof PURPOSES, string][]) {
      assert.equal(judge({ leaf: forPurposes(oid), question: { purpose } }).code, 'good', purpose)
      const other = oid === OID.clientAuth ? OID.serverAuth : OID.clientAuth
      assert.equal(judge({ leaf: forPurposes(other), question: { purpose } }).code, 'path.extended_key_usage', purpose)
    }
    assert.equal(judge({ question: { name: { kind: 'dns', value: 'host.example' } } }).code, 'good')
    assert.equal(judge({ question: { name: { kind: 'dns', value: 'a.example' } } }).code, 'identity.mismatch')
  })

  it('have no common name to fall back to (RFC 9525 §2)', () => {
    const leaf = { subject: 'CN=host.example', extensions: [] }
    const question = { name: { kind: 'dns', value: 'host.example' } } as const
    assert.equal(judge({ leaf, question }).code, 'identity.no_such_name')
  })

  it('say all that is wrong, the path first', () => {
    const { findings } = judge({
      leaf: { notAfter: TEST_NOW - 1, serial: '00' },
      question: { name: { kind: 'ip', value: '192.0.2.1' } },
    })
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['path.leaf_expired', 'identity.no_such_name', 'lint.serial_not_positive'],
    )
  })
})
