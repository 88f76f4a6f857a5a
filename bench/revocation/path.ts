// Path validation against the bare signature check: a chain of three P-256 certificates, of which the validation checks two signatures (the
// anchor's own is trusted, not checked). The leaf is parsed anew each time, as a gateway meets it; what is above it was read before. And the same
// with status: a CRL of 100,000 entries that the gateway keeps.
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { encodeAlgorithmIdentifier } from '../../src/core/pki/algorithm-identifier.ts'
import { type Certificate, encodeTbsCertificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import { type CertificateList, encodeTbsCertList, parseCertificateList } from '../../src/core/pki/crl.ts'
import { encodeCrlNumber } from '../../src/core/pki/crl-extensions.ts'
import type { Extension } from '../../src/core/pki/extension.ts'
import {
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeSubjectAltName,
  encodeSubjectKeyIdentifier,
  extension,
} from '../../src/core/pki/extensions.ts'
import { encodeName, parseNameText } from '../../src/core/pki/name.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { validateChain } from '../../src/core/pki/path.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'
import { verifySignature } from '../../src/crypto/verify.ts'
import { report, say } from '../support/figure.ts'

const NOW = 1_767_225_600
const YEAR = 365 * 86_400
const ECDSA_SHA256 = encodeAlgorithmIdentifier('1.2.840.10045.4.3.2')
/** Different leaves, so that nothing about one of them can be remembered from the round before. */
const LEAVES = 2000
const ROUNDS = 5
const TURN = 50
const SIGNATURES = 2
/** Entries of the issuing CA's CRL. */
const REVOKED = 100_000

interface Holder {
  readonly certificate: Certificate
  readonly privateKey: Uint8Array
}

export async function run(): Promise<void> {
  const root = issue('CN=Root,O=Example', undefined, ca())
  const issuing = issue('CN=Issuing,O=Example', root, ca(0))
  const leaves = Array.from(
    { length: LEAVES },
    (_, i) => issue(`CN=unit ${i},O=Example`, issuing, device(i)).certificate,
  )
  const anchors = [root.certificate]
  const intermediates = [issuing.certificate]
  const chain = ({ raw }: Certificate) => {
    const leaf = parseCertificate(raw)
    const result = validateChain({ leaf, intermediates, anchors, at: NOW, verify: verifySignature, purpose: 'client' })
    if (!result.ok) throw new Error(result.code)
  }
  const [leafKey, issuingKey] = [issuing, root].map(({ certificate }) =>
    createPublicKey({ key: Buffer.from(certificate.subjectPublicKeyInfo.raw), format: 'der', type: 'spki' }),
  )
  // The very signatures of the chain, and nothing else.
  const bare = ({ tbs, signature }: Certificate) => {
    const { certificate: above } = issuing
    const good = verify('sha256', tbs, leafKey!, signature) && verify('sha256', above.tbs, issuingKey!, above.signature)
    if (!good) throw new Error('signature')
  }
  for (const leaf of leaves) {
    chain(leaf)
    bare(leaf)
  }
  // In turns of a few milliseconds, so that whatever else the machine does falls on both.
  let chainSeconds = 0
  let bareSeconds = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (let from = 0; from < LEAVES; from += TURN) {
      const turn = leaves.slice(from, from + TURN)
      bareSeconds += seconds(() => turn.forEach(bare))
      chainSeconds += seconds(() => turn.forEach(chain))
    }
  }
  const checked = SIGNATURES * LEAVES * ROUNDS
  const limit = { what: 'node:crypto verify, P-256, open key', value: checked / bareSeconds, unit: 'signatures/s' }
  const value = checked / chainSeconds
  report({
    figure: 'signatures of validated chains',
    value,
    unit: 'signatures/s',
    limit,
    chain: 3,
    signatures: SIGNATURES,
  })
  const revocation = { crls: [crl(root, 0), crl(issuing, REVOKED)], required: true }
  const withStatus = () => {
    for (const { raw } of leaves) {
      const leaf = parseCertificate(raw)
      const result = validateChain({ leaf, intermediates, anchors, at: NOW, verify: verifySignature, revocation })
      if (!result.ok) throw new Error(result.code)
    }
  }
  const first = seconds(withStatus)
  const again = Math.min(...Array.from({ length: ROUNDS }, () => seconds(withStatus)))
  report({ figure: 'chains of three validated with CRLs', value: LEAVES / again, unit: 'chains/s', entries: REVOKED })
  say(`the first ${LEAVES} with these CRLs, which are verified and looked through once: ${first.toFixed(2)} s`)
  report({
    figure: 'chains of three validated',
    value: checked / SIGNATURES / chainSeconds,
    unit: 'chains/s',
    chain: 3,
  })
}

function crl(issuer: Holder, entries: number): CertificateList {
  const { subject } = issuer.certificate
  const tbs = encodeTbsCertList(
    {
      issuer: subject.raw,
      signatureAlgorithm: ECDSA_SHA256,
      thisUpdate: NOW - 60,
      nextUpdate: NOW + 3600,
      extensions: [extension(OID.cRLNumber, false, encodeCrlNumber(1))],
    },
    Array.from({ length: entries }, (_, i) => ({
      serialNumber: new Uint8Array([0x50, 0, 0, 0, 0, 0, 0, 0, i >> 16, (i >> 8) & 255, i & 255]),
      revocationDate: NOW - 3600,
      reason: 'superseded' as const,
    })),
  )
  const key = createPrivateKey({ key: Buffer.from(issuer.privateKey), format: 'der', type: 'pkcs8' })
  return parseCertificateList(encodeSigned(tbs, ECDSA_SHA256, new Uint8Array(sign('sha256', tbs, key))))
}

function seconds(work: () => void): number {
  const started = performance.now()
  work()
  return (performance.now() - started) / 1000
}

function ca(pathLenConstraint?: number): Extension[] {
  return [
    extension(OID.basicConstraints, true, encodeBasicConstraints({ cA: true, pathLenConstraint })),
    extension(OID.keyUsage, true, encodeKeyUsage(['keyCertSign', 'cRLSign'])),
  ]
}

function device(i: number): Extension[] {
  return [
    extension(OID.keyUsage, true, encodeKeyUsage(['digitalSignature'])),
    extension(OID.extKeyUsage, false, encodeExtendedKeyUsage([OID.clientAuth])),
    extension(OID.subjectAltName, false, encodeSubjectAltName([{ kind: 'dNSName', value: `unit-${i}.example.com` }])),
  ]
}

let serial = 1

function issue(subject: string, issuer: Holder | undefined, extensions: readonly Extension[]): Holder {
  const pair = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
  const subjectPublicKeyInfo = new Uint8Array(pair.publicKey)
  const privateKey = new Uint8Array(pair.privateKey)
  const name = encodeName(parseNameText(subject))
  const identifier = subjectPublicKeyInfo.slice(-20)
  const above = issuer?.certificate.subjectPublicKeyInfo.raw.slice(-20) ?? identifier
  const tbs = encodeTbsCertificate({
    serialNumber: new Uint8Array([0x40, (serial >> 16) & 255, (serial >> 8) & 255, serial++ & 255]),
    signatureAlgorithm: ECDSA_SHA256,
    issuer: issuer?.certificate.subject.raw ?? name,
    notBefore: NOW - YEAR,
    notAfter: NOW + YEAR,
    subject: name,
    subjectPublicKeyInfo,
    extensions: [
      extension(OID.subjectKeyIdentifier, false, encodeSubjectKeyIdentifier(identifier)),
      extension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier({ keyIdentifier: above })),
      ...extensions,
    ],
  })
  const signer = createPrivateKey({ key: Buffer.from(issuer?.privateKey ?? privateKey), format: 'der', type: 'pkcs8' })
  const signature = new Uint8Array(sign('sha256', tbs, signer))
  return { certificate: parseCertificate(encodeSigned(tbs, ECDSA_SHA256, signature)), privateKey }
}
