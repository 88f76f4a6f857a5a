// Building paths where there are several: around a candidate that is bad in one way (as Netflix's BetterTLS has them), through bridges, out
// of loops; and what a stranger sends to keep the search busy, which must end in its budget.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readDer } from '../../src/core/asn1/reader.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { fromHex } from '../../src/core/bytes/hex.ts'
import { encodeTbsCertificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeSubjectAltName,
  extension,
} from '../../src/core/pki/extensions.ts'
import type { GeneralName } from '../../src/core/pki/general-name.ts'
import { encodeName, parseName, parseNameText } from '../../src/core/pki/name.ts'
import { encodeNameConstraints } from '../../src/core/pki/name-constraints.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { type PathInput, type PathResult, validateChain } from '../../src/core/pki/path.ts'
import { encodePolicyConstraints } from '../../src/core/pki/policies.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'
import {
  type CertificateOptions,
  ECDSA_SHA256,
  type Made,
  makeCertificate,
  p256Key,
  TEST_NOW,
  verifyWithNode,
} from '../support/certificates.ts'
import { makeCrl } from '../support/crls.ts'

const dns = (value: string): GeneralName => ({ kind: 'dNSName', value })

function validate(
  leaf: Made,
  intermediates: readonly Made[],
  anchors: readonly Made[],
  change: Partial<PathInput> = {},
) {
  return validateChain({
    leaf: leaf.certificate,
    intermediates: intermediates.map(({ certificate }) => certificate),
    anchors: anchors.map(({ certificate }) => certificate),
    at: TEST_NOW,
    verify: verifyWithNode,
    ...change,
  })
}

function codeOf(result: PathResult): string {
  return result.ok ? 'ok' : result.code
}

const commonNames = (result: PathResult) =>
  result.ok ? result.path.map(({ subject }) => subject.rdns.at(-1)?.[0]?.value).join(' < ') : result.code

describe('Around a candidate that is bad', () => {
  const root = makeCertificate({ subject: 'CN=root', ca: true })
  const other = makeCertificate({ subject: 'CN=other', ca: true })
  const key = p256Key()
  const good = makeCertificate({ subject: 'CN=ca', issuer: root, ca: true, key })
  const names = [extension(OID.subjectAltName, false, encodeSubjectAltName([dns('host.example')]))]
  const leaf = makeCertificate({ subject: 'CN=leaf', issuer: good, extensions: names })

  const constrained = (base: GeneralName) =>
    extension(OID.nameConstraints, true, encodeNameConstraints({ permittedSubtrees: [{ base }] }))
  const bad: readonly [what: string, code: string, options: Partial<CertificateOptions>][] = [
    ['has expired', 'path.issuer_expired', { notAfter: TEST_NOW - 1 }],
    ['is not valid yet', 'path.issuer_not_yet_valid', { notBefore: TEST_NOW + 1 }],
    ['is no CA', 'path.not_a_ca', { ca: false }],
    [
      'may not sign certificates',
      'path.key_usage',
      { extensions: [extension(OID.keyUsage, true, encodeKeyUsage(['cRLSign']))] },
    ],
    [
      'is for another purpose',
      'path.extended_key_usage',
      { extensions: [extension(OID.extKeyUsage, false, encodeExtendedKeyUsage([OID.codeSigning]))] },
    ],
    ['permits other names', 'path.name_not_permitted', { extensions: [constrained(dns('else.example'))] }],
    [
      'requires a policy',
      'path.policy_required',
      { extensions: [extension(OID.policyConstraints, true, encodePolicyConstraints({ requireExplicitPolicy: 0 }))] },
    ],
    [
      'has an unknown critical extension',
      'path.critical_extension_unknown',
      { extensions: [extension('1.2.3.4', true, fromHex('0500'))] },
    ],
    [
      'cannot be read',
      'path.extension_malformed',
      { extensions: [extension(OID.nameConstraints, true, fromHex('0500'))] },
    ],
  ]
  for (const [what, code, options] of bad) {
    it(`the CA's certificate ${what}`, () => {
      const dead = makeCertificate({ subject: 'CN=ca', issuer: other, ca: true, key, ...options })
      const change = { purpose: 'server' as const }
      assert.equal(codeOf(validate(leaf, [dead], [root, other], change)), code)
      for (const candidates of [
        [dead, good],
        [good, dead],
      ]) {
        assert.equal(commonNames(validate(leaf, candidates, [root, other], change)), 'leaf < ca < root')
      }
    })
  }

  it('it is revoked', () => {
    const dead = makeCertificate({ subject: 'CN=ca', issuer: other, ca: true, key })
    const crls = [
      makeCrl({ issuer: root }),
      makeCrl({ issuer: other, revoked: [[dead.certificate]] }),
      makeCrl({ issuer: good }),
    ]
    const change = { revocation: { crls, required: true } }
    assert.equal(codeOf(validate(leaf, [dead], [root, other], change)), 'path.revoked')
    assert.equal(commonNames(validate(leaf, [dead, good], [root, other], change)), 'leaf < ca < root')
  })

  it('it has the key identifier, and the good one has another', () => {
    const twin = makeCertificate({ subject: 'CN=ca', issuer: root, ca: true, key, without: [OID.subjectKeyIdentifier] })
    const dead = makeCertificate({ subject: 'CN=ca', issuer: other, ca: true, key, notAfter: TEST_NOW - 1 })
    assert.equal(commonNames(validate(leaf, [dead, twin], [root, other])), 'leaf < ca < root')
  })

  it('the path is tried that the problem of the most telling one stands in', () => {
    const expired = makeCertificate({ subject: 'CN=ca', issuer: other, ca: true, key, notAfter: TEST_NOW - 1 })
    const narrow = makeCertificate({
      subject: 'CN=ca',
      issuer: root,
      ca: true,
      key,
      extensions: [constrained(dns('else.example'))],
    })
    const result = validate(leaf, [expired, narrow], [root, other])
    assert.ok(!result.ok)
    // A complete path that breaks a rule says more than a candidate that could not be used.
    assert.equal(result.code, 'path.name_not_permitted')
    assert.deepEqual(
      result.steps.map(({ role, problems }) => [role, problems.map(({ code }) => code)]),
      [
        ['leaf', ['path.name_not_permitted']],
        ['intermediate', []],
        ['anchor', []],
      ],
    )
  })

  it('all that is wrong with a complete path stands in its steps, each with the certificate that it is about', () => {
    const narrow = makeCertificate({
      subject: 'CN=ca',
      issuer: root,
      ca: true,
      key,
      extensions: [constrained(dns('else.example')), extension('1.2.3.4', true, fromHex('0500'))],
    })
    const result = validate(leaf, [narrow], [root])
    assert.ok(!result.ok)
    assert.equal(result.code, 'path.critical_extension_unknown')
    assert.deepEqual(
      result.steps.map(({ problems }) => problems.map(({ code }) => code)),
      [['path.name_not_permitted'], ['path.critical_extension_unknown'], []],
    )
  })
})

describe('Through bridges and loops', () => {
  it('from one PKI over a bridge to the anchor of another', () => {
    const own = makeCertificate({ subject: 'CN=own root', ca: true })
    const foreign = makeCertificate({ subject: 'CN=foreign root', ca: true })
    const bridge = makeCertificate({ subject: 'CN=bridge', ca: true })
    const bridgeByOwn = makeCertificate({ subject: 'CN=bridge', issuer: own, ca: true, key: bridge.key })
    const ownByBridge = makeCertificate({ subject: 'CN=own root', issuer: bridge, ca: true, key: own.key })
    const foreignByBridge = makeCertificate({ subject: 'CN=foreign root', issuer: bridge, ca: true, key: foreign.key })
    const bridgeByForeign = makeCertificate({ subject: 'CN=bridge', issuer: foreign, ca: true, key: bridge.key })
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: foreign })
    const mesh = [bridgeByForeign, ownByBridge, bridge, foreign, foreignByBridge, bridgeByOwn]
    const way = 'leaf < foreign root < bridge < own root'
    assert.equal(commonNames(validate(leaf, mesh, [own])), way)
    assert.equal(commonNames(validate(leaf, mesh.toReversed(), [own])), way)
  })

  it('any number of CAs that certify each other, in any order: the leaf is found where a way leads to the anchor', () => {
    const size = 5
    const keys = Array.from({ length: size }, () => p256Key())
    const roots = keys.map((key, i) => makeCertificate({ subject: `CN=ca ${i}`, ca: true, key }))
    const edges = keys.flatMap((_, from) =>
      keys.flatMap((key, to) =>
        from === to ? [] : [makeCertificate({ subject: `CN=ca ${to}`, issuer: roots[from]!, ca: true, key })],
      ),
    )
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: roots[0]! })
    const checked = new Map<string, boolean>()
    const verify: PathInput['verify'] = (spki, algorithm, tbs, signature) => {
      const id = `${Buffer.from(spki).toString('base64')} ${Buffer.from(signature).toString('base64')}`
      const known = checked.get(id) ?? verifyWithNode(spki, algorithm, tbs, signature)
      checked.set(id, known)
      return known
    }
    fc.assert(
      fc.property(fc.shuffledSubarray(edges), fc.integer({ min: 1, max: size - 1 }), (some, anchor) => {
        const reach = new Set(['CN=ca 0'])
        const names = some.map(({ certificate: { subject, issuer } }) =>
          [subject, issuer].map(n => n.rdns[0]![0]!.value),
        )
        for (let round = 0; round < size; round++) {
          for (const [subject, issuer] of names) if (reach.has(`CN=${subject}`)) reach.add(`CN=${issuer}`)
        }
        const result = validate(leaf, some, [roots[anchor]!], { verify })
        assert.equal(result.ok, reach.has(`CN=ca ${anchor}`))
        if (result.ok) assert.equal(new Set(result.path).size, result.path.length)
      }),
      { numRuns: 150 },
    )
  })
})

describe('What a stranger sends to keep the search busy', () => {
  /** Thousands of certificates in a moment: nothing is signed, and the check is a count. */
  const key = p256Key()
  let serial = 0
  function unsigned(subject: string, issuer: string, identifier: number): Made {
    const spki = key.spki.slice()
    // Another key for each identifier, as far as comparing goes.
    new DataView(spki.buffer).setUint32(spki.length - 4, identifier)
    const name = (text: string) => encodeName(parseNameText(text))
    const tbs = encodeTbsCertificate({
      serialNumber: fromHex((++serial + 0x100000).toString(16)),
      signatureAlgorithm: ECDSA_SHA256,
      issuer: name(issuer),
      notBefore: TEST_NOW - 1,
      notAfter: TEST_NOW + 1,
      subject: name(subject),
      subjectPublicKeyInfo: spki,
      extensions: [
        extension(OID.basicConstraints, true, encodeBasicConstraints({ cA: true })),
        extension(OID.keyUsage, true, encodeKeyUsage(['keyCertSign'])),
      ],
    })
    return { certificate: parseCertificate(encodeSigned(tbs, ECDSA_SHA256, fromHex('00'))), key }
  }
  function counted(valid: boolean) {
    const counter = { checks: 0, verify: () => counter.checks++ < 0 || valid }
    return counter
  }
  const anchor = makeCertificate({ subject: 'CN=anchor', ca: true })
  const leaf = unsigned('CN=leaf', 'CN=ca 0', 999_999)

  const mesh = Array.from({ length: 10_000 }, (_, i) =>
    unsigned(`CN=ca ${i % 100}`, `CN=ca ${Math.floor(i / 100)}`, i % 100),
  )

  it('10,000 cross-certificates among 100 CAs, all good, and no way out', () => {
    const counter = counted(true)
    assert.equal(codeOf(validate(leaf, mesh, [anchor], { verify: counter.verify })), 'path.budget_exhausted')
    assert.ok(counter.checks <= 64)
  })

  it('the same with a way out: the certificates nearest to the anchor are tried first', () => {
    const counter = counted(true)
    const wayOut = unsigned('CN=ca 77', 'CN=anchor', 77)
    const result = validate(leaf, [...mesh, wayOut], [anchor], { verify: counter.verify })
    assert.equal(commonNames(result), 'leaf < ca 0 < ca 77 < anchor')
    assert.equal(counter.checks, 3)
  })

  it('10,000 renewals of one CA, of one key or of as many keys', () => {
    const renewals = Array.from({ length: 10_000 }, (_, i) => unsigned('CN=ca 0', 'CN=ca 0', i))
    const same = new Array<Made>(10_000).fill(renewals[1]!)
    for (const crowd of [renewals, same]) {
      for (const valid of [true, false]) {
        const counter = counted(valid)
        assert.equal(codeOf(validate(leaf, crowd, [anchor], { verify: counter.verify })), 'path.budget_exhausted')
        assert.ok(counter.checks <= 64)
      }
    }
  })

  it('a chain of a thousand certificates', () => {
    const chain = Array.from({ length: 1000 }, (_, i) => unsigned(`CN=ca ${i}`, `CN=ca ${i + 1}`, i))
    const counter = counted(true)
    assert.equal(codeOf(validate(leaf, chain, [anchor], { verify: counter.verify })), 'path.too_long')
    assert.ok(counter.checks <= 20)
  })

  it('many complete paths with thousands of names and subtrees each: one budget of comparisons for all of them', () => {
    const subtrees = Array.from({ length: 1000 }, (_, i) => ({ base: dns(`x${i}.example`) }))
    const alternatives = Array.from({ length: 1000 }, (_, i) => dns(`y${i}.example`))
    const root = makeCertificate({ subject: 'CN=root', ca: true })
    const shared = p256Key()
    const cas = Array.from({ length: 8 }, () =>
      makeCertificate({
        subject: 'CN=ca',
        issuer: root,
        ca: true,
        key: shared,
        extensions: [extension(OID.nameConstraints, true, encodeNameConstraints({ excludedSubtrees: subtrees }))],
      }),
    )
    const many = makeCertificate({
      subject: 'CN=many',
      issuer: cas[0]!,
      extensions: [extension(OID.subjectAltName, false, encodeSubjectAltName(alternatives))],
    })
    assert.equal(codeOf(validate(many, cas, [root])), 'path.budget_exhausted')
  })

  it('names of one form by the thousand are not compared with subtrees of another', () => {
    const ranges = Array.from({ length: 1000 }, (_, i) => ({
      base: { kind: 'iPAddress' as const, bytes: fromHex(`0a00${(i % 256).toString(16).padStart(2, '0')}00ffffff00`) },
    }))
    const constraints = extension(OID.nameConstraints, true, encodeNameConstraints({ permittedSubtrees: ranges }))
    const root = makeCertificate({ subject: 'CN=root', ca: true, extensions: [constraints] })
    const alternatives = Array.from({ length: 1000 }, (_, i) => dns(`y${i}.example`))
    const many = makeCertificate({
      subject: 'CN=many',
      issuer: root,
      extensions: [extension(OID.subjectAltName, false, encodeSubjectAltName(alternatives))],
    })
    assert.equal(codeOf(validate(many, [], [root])), 'ok')
  })

  it('directory names of many parts against as many subtrees as a certificate holds', () => {
    const parts = Array.from({ length: 60 }, (_, i) => `OU=Ünit ${i}`).join(',')
    const nameOf = (text: string) => readDer(encodeName(parseNameText(text)), parseName)
    const excludedSubtrees = Array.from({ length: 150 }, (_, i) => ({
      base: { kind: 'directoryName' as const, name: nameOf(`CN=x ${i},${parts}`) },
    }))
    const constraints = extension(OID.nameConstraints, true, encodeNameConstraints({ excludedSubtrees }))
    const root = makeCertificate({ subject: 'CN=root', ca: true, extensions: [constraints] })
    const below = makeCertificate({ subject: `CN=leaf,${parts.toUpperCase()}`, issuer: root })
    assert.equal(codeOf(validate(below, [], [root])), 'ok')
  })

  it('a DER bomb in the extensions of an issuer does not get past its reader', () => {
    let nested: Uint8Array = fromHex('0500')
    for (let i = 0; i < 100; i++) {
      const inner = nested
      nested = writeDer(w => w.constructed(0xa0, () => w.raw(inner)))
    }
    for (const oid of [OID.nameConstraints, OID.certificatePolicies, OID.policyMappings, OID.extKeyUsage]) {
      const value = writeDer(w => w.sequence(() => w.raw(nested)))
      const root = makeCertificate({ subject: 'CN=root', ca: true })
      const ca = makeCertificate({
        subject: 'CN=ca',
        issuer: root,
        ca: true,
        extensions: [extension(oid, false, value)],
      })
      const below = makeCertificate({ subject: 'CN=leaf', issuer: ca })
      assert.equal(codeOf(validate(below, [ca], [root])), 'path.extension_malformed')
    }
  })
})
