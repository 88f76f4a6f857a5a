// Path validation (RFC 5280 §6.1): chains of our own for what NIST PKITS (`pkits.test.ts`) leaves out: purposes, addresses, budgets, anchors,
// expired leaves.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readDer } from '../../src/core/asn1/reader.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { fromHex } from '../../src/core/bytes/hex.ts'
import { type Certificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import type { Extension } from '../../src/core/pki/extension.ts'
import {
  encodeAuthorityKeyIdentifier,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeSubjectAltName,
  extension,
} from '../../src/core/pki/extensions.ts'
import type { GeneralName } from '../../src/core/pki/general-name.ts'
import { encodeName, parseName, parseNameText } from '../../src/core/pki/name.ts'
import { encodeNameConstraints, matchSubtree } from '../../src/core/pki/name-constraints.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { type PathInput, type PathResult, validateChain } from '../../src/core/pki/path.ts'
import { encodePolicyConstraints } from '../../src/core/pki/policies.ts'
import { type Made, makeCertificate, p256Key, TEST_NOW, verifyWithNode } from '../support/certificates.ts'

const root = makeCertificate({ subject: 'CN=root', ca: true })
const issuing = makeCertificate({ subject: 'CN=issuing', issuer: root, ca: 0 })
const device = makeCertificate({ subject: 'CN=device', issuer: issuing })

function validate(leaf: Made, change: Partial<PathInput> = {}): PathResult {
  return validateChain({
    leaf: leaf.certificate,
    intermediates: [issuing.certificate],
    anchors: [root.certificate],
    at: TEST_NOW,
    verify: verifyWithNode,
    ...change,
  })
}

function codeOf(result: PathResult): string {
  return result.ok ? 'ok' : result.code
}

const serials = (path: readonly Certificate[]) => path.map(({ serialNumber }) => serialNumber)

describe('Building a path', () => {
  it('runs from the leaf to the anchor, both included', () => {
    const result = validate(device)
    assert.ok(result.ok)
    assert.deepEqual(serials(result.path), serials([device, issuing, root].map(({ certificate }) => certificate)))
  })

  it('an intermediate may be an anchor', () => {
    const result = validate(device, { intermediates: [], anchors: [issuing.certificate] })
    assert.ok(result.ok)
    assert.equal(result.path.length, 2)
  })

  it('the order of intermediates, and strangers among them, do not matter', () => {
    const stranger = makeCertificate({ subject: 'CN=stranger', ca: true })
    const upper = makeCertificate({ subject: 'CN=upper', issuer: root, ca: true })
    const lower = makeCertificate({ subject: 'CN=lower', issuer: upper, ca: true })
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: lower })
    const intermediates = [stranger, upper, issuing, lower].map(({ certificate }) => certificate)
    assert.equal(codeOf(validate(leaf, { intermediates })), 'ok')
    assert.equal(codeOf(validate(leaf, { intermediates: intermediates.toReversed() })), 'ok')
  })

  it('of two CA certificates with one name, the key identifier names the one to try first (4.2.1.1)', () => {
    const renewed = makeCertificate({ subject: 'CN=issuing', issuer: root, ca: true })
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: renewed })
    let checks = 0
    const result = validate(leaf, {
      intermediates: [issuing.certificate, renewed.certificate],
      verify: (...input) => {
        checks++
        return verifyWithNode(...input)
      },
    })
    assert.equal(codeOf(result), 'ok')
    assert.equal(checks, 2)
  })

  it('a wrong key identifier is a hint and no proof: the path is found all the same', () => {
    const renewed = makeCertificate({ subject: 'CN=issuing', issuer: root, ca: true })
    const wrong = encodeAuthorityKeyIdentifier({ keyIdentifier: issuing.key.identifier })
    const extensions = [extension(OID.authorityKeyIdentifier, false, wrong)]
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: renewed, extensions })
    const intermediates = [issuing.certificate, renewed.certificate]
    assert.equal(codeOf(validate(leaf, { intermediates })), 'ok')
  })

  it('goes on after a dead end: an expired cross-certificate before the good one', () => {
    const old = makeCertificate({
      subject: 'CN=issuing',
      issuer: root,
      ca: 0,
      key: issuing.key,
      notAfter: TEST_NOW - 1,
    })
    const intermediates = [old.certificate, issuing.certificate]
    assert.equal(codeOf(validate(device, { intermediates })), 'ok')
  })

  it('without the intermediate there is no path, and the evidence names the issuer that is missing', () => {
    const result = validate(device, { intermediates: [] })
    assert.ok(!result.ok)
    assert.equal(result.code, 'path.no_issuer')
    assert.equal(result.evidence['issuer'], 'CN=issuing')
    assert.equal(result.evidence['serialNumber'], device.certificate.serialNumber)
  })

  it('a self-signed stranger, also one with the name of the anchor, is not trusted', () => {
    assert.equal(codeOf(validate(makeCertificate({ subject: 'CN=self' }))), 'path.no_issuer')
    const impostor = makeCertificate({ subject: 'CN=root', ca: true })
    assert.equal(codeOf(validate(impostor)), 'path.signature_invalid')
    const below = makeCertificate({ subject: 'CN=below', issuer: impostor })
    assert.equal(codeOf(validate(below, { intermediates: [impostor.certificate] })), 'path.signature_invalid')
  })

  it('the anchor itself is no leaf, unless the caller says that it may be: then it is asked what a leaf is asked', () => {
    assert.equal(codeOf(validate(root)), 'path.no_issuer')
    const result = validate(root, { leafMayBeAnchor: true })
    assert.ok(result.ok)
    assert.deepEqual(result.path, [root.certificate])
    const late = validate(root, { leafMayBeAnchor: true, at: root.certificate.notAfter + 1 })
    assert.equal(codeOf(late), 'path.leaf_expired')
    assert.equal(codeOf(validate(issuing, { leafMayBeAnchor: true })), 'ok')
    const impostor = makeCertificate({ subject: 'CN=root', ca: true })
    assert.equal(codeOf(validate(impostor, { leafMayBeAnchor: true })), 'path.signature_invalid')
  })

  it('two CAs that certify each other do not make a loop', () => {
    const a = makeCertificate({ subject: 'CN=a', ca: true })
    const b = makeCertificate({ subject: 'CN=b', issuer: a, ca: true })
    const aByB = makeCertificate({ subject: 'CN=a', issuer: b, ca: true, key: a.key })
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: b })
    const intermediates = [a, b, aByB].map(({ certificate }) => certificate)
    assert.equal(codeOf(validate(leaf, { intermediates })), 'path.no_issuer')
  })

  const crowd = (size: number) =>
    Array.from({ length: size }, () => makeCertificate({ subject: 'CN=crowd', issuer: root, ca: true }).certificate)
  const counted = () => {
    const counter = { checks: 0, verify: () => ++counter.checks < 0 }
    return counter
  }
  const stray = makeCertificate({ subject: 'CN=stray', issuer: makeCertificate({ subject: 'CN=crowd', ca: true }) })

  it('the search is cut off after 64 signatures, or what the caller allows', () => {
    const intermediates = crowd(70)
    const most = counted()
    assert.equal(codeOf(validate(stray, { intermediates, verify: most.verify })), 'path.budget_exhausted')
    assert.equal(most.checks, 64)
    const few = counted()
    const result = validate(stray, { intermediates, verify: few.verify, budget: { signatures: 3 } })
    assert.ok(!result.ok)
    assert.equal(result.evidence['signatures'], 3)
    assert.equal(few.checks, 3)
  })

  it('the search is cut off after so many candidates', () => {
    const result = validate(stray, { intermediates: crowd(5), budget: { nodes: 4 } })
    assert.ok(!result.ok)
    assert.equal(result.code, 'path.budget_exhausted')
    assert.equal(result.evidence['nodes'], 4)
  })

  it('a signature is checked once for one key, however many certificates carry the key', () => {
    const key = p256Key()
    const twins = Array.from({ length: 9 }, () => makeCertificate({ subject: 'CN=crowd', ca: true, key }).certificate)
    const twice = counted()
    assert.equal(codeOf(validate(stray, { intermediates: twins, verify: twice.verify })), 'path.signature_invalid')
    assert.equal(twice.checks, 1)
  })

  it('more than 16,384 intermediates are not looked at', () => {
    const intermediates = new Array(16_385).fill(issuing.certificate)
    assert.equal(codeOf(validate(device, { intermediates })), 'path.too_many_certificates')
  })

  it('more than twenty certificates in a row are too many, or more than the caller allows', () => {
    const chain: Made[] = []
    for (let i = 0; i < 20; i++)
      chain.push(makeCertificate({ subject: `CN=ca ${i}`, issuer: chain.at(-1) ?? root, ca: true }))
    const intermediates = chain.map(({ certificate }) => certificate)
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: chain.at(-1)! })
    assert.equal(codeOf(validate(leaf, { intermediates })), 'path.too_long')
    const shorter = makeCertificate({ subject: 'CN=leaf', issuer: chain[17]! })
    assert.equal(codeOf(validate(shorter, { intermediates })), 'ok')
    assert.equal(codeOf(validate(shorter, { intermediates, maxDepth: 18 })), 'ok')
    assert.equal(codeOf(validate(shorter, { intermediates, maxDepth: 17 })), 'path.too_long')
    assert.equal(codeOf(validate(device, { maxDepth: 0 })), 'path.too_long')
    assert.equal(codeOf(validate(device, { maxDepth: 0, anchors: [issuing.certificate] })), 'ok')
  })
})

describe('Validity (6.1.3 (a)(2))', () => {
  const { notBefore, notAfter } = device.certificate

  it('both ends are included', () => {
    assert.equal(codeOf(validate(device, { at: notBefore })), 'ok')
    assert.equal(codeOf(validate(device, { at: notAfter })), 'ok')
    assert.equal(
      codeOf(validate(makeCertificate({ subject: 'CN=x', issuer: issuing, notBefore: TEST_NOW + 1 }))),
      'path.leaf_not_yet_valid',
    )
  })

  it('an expired leaf has its own code, and the path that is good but for that', () => {
    const late = makeCertificate({ subject: 'CN=late', issuer: issuing, notAfter: TEST_NOW - 1 })
    const result = validate(late)
    assert.ok(!result.ok)
    assert.equal(result.code, 'path.leaf_expired')
    assert.equal(result.path?.length, 3)
    assert.equal(result.evidence['notAfter'], TEST_NOW - 1)
  })

  it('an expired leaf with another fault has the code of that fault, and no path', () => {
    const late = makeCertificate({
      subject: 'CN=late',
      issuer: issuing,
      notAfter: TEST_NOW - 1,
      extensions: [extension('1.2.3', true, fromHex('0500'))],
    })
    const result = validate(late)
    assert.ok(!result.ok)
    assert.equal(result.code, 'path.critical_extension_unknown')
    assert.equal(result.path, undefined)
  })

  it('an issuer or an anchor that has expired, or is not valid yet, ends the path', () => {
    const expired = makeCertificate({ subject: 'CN=old', issuer: root, ca: true, notAfter: TEST_NOW - 1 })
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: expired })
    assert.equal(codeOf(validate(leaf, { intermediates: [expired.certificate] })), 'path.issuer_expired')
    assert.equal(codeOf(validate(leaf, { anchors: [expired.certificate] })), 'path.issuer_expired')
    const early = makeCertificate({ subject: 'CN=early', issuer: root, ca: true, notBefore: TEST_NOW + 1 })
    const below = makeCertificate({ subject: 'CN=leaf', issuer: early })
    assert.equal(codeOf(validate(below, { intermediates: [early.certificate] })), 'path.issuer_not_yet_valid')
  })
})

describe('Issuers (6.1.4 (k) to (n))', () => {
  const below = (issuer: Made) =>
    codeOf(validate(makeCertificate({ subject: 'CN=leaf', issuer }), { intermediates: [issuer.certificate] }))

  it('a device is no CA', () => {
    const other = makeCertificate({ subject: 'CN=device', issuer: root })
    assert.equal(below(other), 'path.not_a_ca')
    assert.equal(
      below(makeCertificate({ subject: 'CN=x', issuer: root, without: [OID.basicConstraints] })),
      'path.not_a_ca',
    )
  })

  it('a CA whose key may not sign certificates', () => {
    const extensions = [extension(OID.keyUsage, true, encodeKeyUsage(['cRLSign', 'digitalSignature']))]
    assert.equal(below(makeCertificate({ subject: 'CN=x', issuer: root, ca: true, extensions })), 'path.key_usage')
  })

  it('a path length of 0 allows leaves and no CA, a self-issued one apart', () => {
    const sub = makeCertificate({ subject: 'CN=sub', issuer: issuing, ca: true })
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: sub })
    const result = validate(leaf, { intermediates: [issuing.certificate, sub.certificate] })
    assert.ok(!result.ok)
    assert.equal(result.code, 'path.length_exceeded')
    assert.equal(result.evidence['pathLenConstraint'], 0)
    const rollover = makeCertificate({ subject: 'CN=issuing', issuer: issuing, ca: 0 })
    const under = makeCertificate({ subject: 'CN=leaf', issuer: rollover })
    assert.equal(codeOf(validate(under, { intermediates: [issuing.certificate, rollover.certificate] })), 'ok')
  })

  it('the path length of an anchor counts (RFC 5937)', () => {
    const leaf = makeCertificate({
      subject: 'CN=leaf',
      issuer: makeCertificate({ subject: 'CN=a', issuer: root, ca: true }),
    })
    const short = makeCertificate({ subject: 'CN=short', ca: 0 })
    const sub = makeCertificate({ subject: 'CN=sub', issuer: short, ca: true })
    const below = makeCertificate({ subject: 'CN=leaf', issuer: sub })
    const result = validate(below, { intermediates: [sub.certificate], anchors: [short.certificate] })
    assert.equal(codeOf(result), 'path.length_exceeded')
    assert.equal(codeOf(validate(leaf)), 'path.no_issuer')
  })
})

describe('Extensions (6.1.3, 6.1.4 (o), 6.1.5 (f))', () => {
  const leafWith = (...extensions: readonly Extension[]) =>
    makeCertificate({ subject: 'CN=leaf', issuer: issuing, extensions })

  it('an unknown critical extension is refused, unless the caller processes it; uncritical it is ignored', () => {
    const critical = leafWith(extension('1.2.3.4', true, fromHex('0500')))
    assert.equal(codeOf(validate(critical)), 'path.critical_extension_unknown')
    assert.equal(codeOf(validate(critical, { processed: ['1.2.3.4'] })), 'ok')
    assert.equal(codeOf(validate(leafWith(extension('1.2.3.4', false, fromHex('0500'))))), 'ok')
  })

  it('a CA that requires a policy makes a path without one invalid', () => {
    const value = encodePolicyConstraints({ requireExplicitPolicy: 0 })
    const ca = makeCertificate({
      subject: 'CN=policy',
      issuer: root,
      ca: true,
      extensions: [extension(OID.policyConstraints, true, value)],
    })
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: ca })
    assert.equal(codeOf(validate(leaf, { intermediates: [ca.certificate] })), 'path.policy_required')
  })

  it('an extension that cannot be read is a reason, never an exception', () => {
    const bad = leafWith(extension(OID.subjectAltName, false, fromHex('30028201')))
    const result = validate(bad)
    assert.ok(!result.ok)
    assert.equal(result.code, 'path.extension_malformed')
    assert.equal(result.evidence['extension'], OID.subjectAltName)
  })

  it('clientAuth where a TLS client is wanted (4.2.1.12)', () => {
    const purposes = (...oids: readonly string[]) =>
      leafWith(extension(OID.extKeyUsage, false, encodeExtendedKeyUsage(oids)))
    assert.equal(codeOf(validate(device, { purpose: 'client' })), 'ok')
    assert.equal(codeOf(validate(purposes(OID.clientAuth), { purpose: 'client' })), 'ok')
    assert.equal(codeOf(validate(purposes(OID.anyExtendedKeyUsage), { purpose: 'client' })), 'ok')
    assert.equal(codeOf(validate(purposes(OID.serverAuth), { purpose: 'client' })), 'path.extended_key_usage')
    assert.equal(codeOf(validate(purposes(OID.serverAuth), { purpose: 'server' })), 'ok')
    assert.equal(codeOf(validate(purposes(OID.serverAuth))), 'ok')
  })

  it('the purposes of a CA limit those below it', () => {
    const extensions = [extension(OID.extKeyUsage, false, encodeExtendedKeyUsage([OID.serverAuth]))]
    const ca = makeCertificate({ subject: 'CN=servers', issuer: root, ca: true, extensions })
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: ca })
    const intermediates = [ca.certificate]
    assert.equal(codeOf(validate(leaf, { intermediates, purpose: 'client' })), 'path.extended_key_usage')
    assert.equal(codeOf(validate(leaf, { intermediates, purpose: 'server' })), 'ok')
  })

  it('signing code is a purpose like those of TLS', () => {
    const signer = leafWith(extension(OID.extKeyUsage, false, encodeExtendedKeyUsage([OID.codeSigning])))
    assert.equal(codeOf(validate(signer, { purpose: 'code' })), 'ok')
    assert.equal(codeOf(validate(signer, { purpose: 'client' })), 'path.extended_key_usage')
    const server = leafWith(extension(OID.extKeyUsage, false, encodeExtendedKeyUsage([OID.serverAuth])))
    assert.equal(codeOf(validate(server, { purpose: 'code' })), 'path.extended_key_usage')
  })

  it('an OCSP responder is named as one by its own certificate, whatever its CA is for (RFC 6960 4.2.2.2)', () => {
    const purposes = (...oids: readonly string[]) => [
      extension(OID.extKeyUsage, false, encodeExtendedKeyUsage(oids)),
      extension(OID.keyUsage, true, encodeKeyUsage(['contentCommitment'])),
    ]
    const ca = makeCertificate({
      subject: 'CN=clients',
      issuer: root,
      ca: true,
      extensions: [extension(OID.extKeyUsage, false, encodeExtendedKeyUsage([OID.clientAuth]))],
    })
    const verdict = (extensions: readonly Extension[]) => {
      const leaf = makeCertificate({ subject: 'CN=responder', issuer: ca, extensions })
      return codeOf(validate(leaf, { intermediates: [ca.certificate], purpose: 'ocsp' }))
    }
    assert.equal(verdict(purposes(OID.ocspSigning)), 'ok')
    assert.equal(verdict(purposes(OID.anyExtendedKeyUsage)), 'path.extended_key_usage')
    assert.equal(verdict([]), 'path.extended_key_usage')
  })

  it('a key that may not sign is no TLS client (RFC 8446 4.4.2)', () => {
    const leaf = leafWith(extension(OID.keyUsage, true, encodeKeyUsage(['keyAgreement'])))
    assert.equal(codeOf(validate(leaf, { purpose: 'client' })), 'path.key_usage')
    assert.equal(codeOf(validate(leaf)), 'ok')
  })
})

describe('Name constraints (4.2.1.10, 6.1.3 (b) and (c))', () => {
  const directory = (text: string): GeneralName => ({
    kind: 'directoryName',
    name: readDer(encodeName(parseNameText(text)), parseName),
  })
  const dns = (value: string): GeneralName => ({ kind: 'dNSName', value })
  const mail = (value: string): GeneralName => ({ kind: 'rfc822Name', value })
  const uri = (value: string): GeneralName => ({ kind: 'uniformResourceIdentifier', value })
  const ip = (hex: string): GeneralName => ({ kind: 'iPAddress', bytes: fromHex(hex) })

  it('a table of names, subtrees and verdicts', () => {
    const rows: readonly [name: GeneralName, base: GeneralName, expected: string][] = [
      [dns('host.example.com'), dns('example.com'), 'inside'],
      [dns('EXAMPLE.com.'), dns('example.COM'), 'inside'],
      [dns('badexample.com'), dns('example.com'), 'outside'],
      [dns('example.com'), dns('host.example.com'), 'outside'],
      [dns('any.thing'), dns(''), 'inside'],
      [dns('host.example.com'), dns('.example.com'), 'inside'],
      [dns('example.com'), dns('.example.com'), 'outside'],
      [dns('*.example.com'), dns('example.com'), 'inside'],
      [dns('*.example.com'), dns('host.example.com'), 'outside'],
      [mail('a@host.example'), mail('a@host.example'), 'inside'],
      [mail('A@host.example'), mail('a@host.example'), 'outside'],
      [mail('a@HOST.example'), mail('host.example'), 'inside'],
      [mail('a@sub.host.example'), mail('host.example'), 'outside'],
      [mail('a@sub.host.example'), mail('.host.example'), 'inside'],
      [mail('a@host.example'), mail('.host.example'), 'outside'],
      [mail('no mailbox'), mail('host.example'), 'unsupported'],
      [mail('a@b@host.example'), mail('host.example'), 'unsupported'],
      [mail('"a@b"@host.example'), mail('host.example'), 'inside'],
      [mail('a@.host.example'), mail('.host.example'), 'unsupported'],
      [dns('.example.com'), dns('example.com'), 'unsupported'],
      [dns('a..example.com'), dns('example.com'), 'unsupported'],
      [uri('http://host.example/path'), uri('host.example'), 'inside'],
      [uri('http://user@host.example:80/path'), uri('.example'), 'inside'],
      [uri('http://host.example/'), uri('.host.example'), 'outside'],
      [uri('http://host.example/@other.example/'), uri('other.example'), 'outside'],
      [uri('http://192.0.2.1/'), uri('.example'), 'unsupported'],
      [uri('urn:dev:1'), uri('.example'), 'unsupported'],
      [ip('c0000207'), ip('c0000200ffffff00'), 'inside'],
      [ip('c0000307'), ip('c0000200ffffff00'), 'outside'],
      [ip('20010db8000000000000000000000007'), ip('c0000200ffffff00'), 'outside'],
      [ip('20010db8000000000000000000000007'), ip(`20010db8${'0'.repeat(24)}ffffffff${'0'.repeat(24)}`), 'inside'],
      [ip('c0000207'), ip('c0000200ff00ff00'), 'unsupported'],
      [ip('c00002'), ip('c0000200ffffff00'), 'unsupported'],
      [directory('CN=a,O=b,C=FI'), directory('O=B,C=fi'), 'inside'],
      [directory('CN=a,C=FI'), directory('O=b,C=FI'), 'outside'],
      [dns('host.example'), mail('host.example'), 'outside'],
      [{ kind: 'registeredID', oid: '1.2.3' }, { kind: 'registeredID', oid: '1.2' }, 'unsupported'],
    ]
    for (const [name, base, expected] of rows) {
      assert.equal(matchSubtree(name, base, 'permitted'), expected, JSON.stringify([name, base]))
    }
    // A wildcard stands for hosts of which one may be excluded.
    assert.equal(matchSubtree(dns('*.example.com'), dns('host.example.com'), 'excluded'), 'inside')
    assert.equal(matchSubtree(dns('*.example.com'), dns('a.b.example.com'), 'excluded'), 'outside')
  })

  function below(
    constraints: Parameters<typeof encodeNameConstraints>[0],
    names: readonly GeneralName[],
    subject = 'CN=leaf',
  ): string {
    const ca = makeCertificate({
      subject: 'CN=constrained',
      issuer: root,
      ca: true,
      extensions: [extension(OID.nameConstraints, true, encodeNameConstraints(constraints))],
    })
    const extensions = names.length > 0 ? [extension(OID.subjectAltName, false, encodeSubjectAltName(names))] : []
    const leaf = makeCertificate({ subject, issuer: ca, extensions })
    return codeOf(validate(leaf, { intermediates: [ca.certificate] }))
  }

  it('every name of a constrained form must be permitted, and none excluded', () => {
    const permittedSubtrees = [{ base: dns('example.com') }, { base: ip('c0000200ffffff00') }]
    assert.equal(below({ permittedSubtrees }, [dns('a.example.com'), ip('c0000201')]), 'ok')
    assert.equal(below({ permittedSubtrees }, [dns('a.example.com'), dns('b.example.org')]), 'path.name_not_permitted')
    assert.equal(below({ permittedSubtrees }, [ip('0a000001')]), 'path.name_not_permitted')
    assert.equal(below({ permittedSubtrees }, [ip('20010db8000000000000000000000007')]), 'path.name_not_permitted')
    assert.equal(below({ permittedSubtrees }, [uri('http://elsewhere.example/')]), 'ok')
    const excludedSubtrees = [{ base: dns('secret.example.com') }]
    assert.equal(below({ permittedSubtrees, excludedSubtrees }, [dns('x.secret.example.com')]), 'path.name_excluded')
    assert.equal(below({ excludedSubtrees }, [dns('*.example.com')]), 'path.name_excluded')
  })

  it('the subject counts as a directory name, and an e-mail address in it as a mailbox', () => {
    const organisation = [{ base: directory('O=Example') }]
    assert.equal(below({ permittedSubtrees: organisation }, [], 'CN=leaf,O=Example'), 'ok')
    assert.equal(below({ permittedSubtrees: organisation }, [], 'CN=leaf,O=Other'), 'path.name_not_permitted')
    assert.equal(below({ permittedSubtrees: organisation }, [dns('x')], ''), 'ok')
    const mailboxes = [{ base: mail('example.com') }]
    assert.equal(below({ permittedSubtrees: mailboxes }, [], 'CN=leaf,emailAddress=a@example.com'), 'ok')
    const outside = below({ permittedSubtrees: mailboxes }, [], 'CN=leaf,emailAddress=a@example.org')
    assert.equal(outside, 'path.name_not_permitted')
  })

  it('forms and ranges that cannot be compared are refused where they matter, and only there', () => {
    const registered: GeneralName = { kind: 'registeredID', oid: '1.2.3' }
    const excludedSubtrees = [{ base: registered }]
    assert.equal(below({ excludedSubtrees }, [registered]), 'path.name_constraint_unsupported')
    assert.equal(below({ excludedSubtrees }, [dns('a')]), 'ok')
    const ranged = [{ base: dns('example'), minimum: 1 }]
    assert.equal(below({ permittedSubtrees: ranged }, [dns('a.example')]), 'path.name_constraint_unsupported')
  })

  it('a self-issued CA in the middle is exempt, a self-issued leaf is not', () => {
    const constraints = { permittedSubtrees: [{ base: directory('O=Example') }] }
    const ca = makeCertificate({
      subject: 'CN=constrained',
      issuer: root,
      ca: true,
      extensions: [extension(OID.nameConstraints, true, encodeNameConstraints(constraints))],
    })
    const renewed = makeCertificate({ subject: 'CN=constrained', issuer: ca, ca: true })
    const leaf = makeCertificate({ subject: 'CN=leaf,O=Example', issuer: renewed })
    const intermediates = [ca.certificate, renewed.certificate]
    assert.equal(codeOf(validate(leaf, { intermediates })), 'ok')
    const selfIssued = makeCertificate({ subject: 'CN=constrained', issuer: renewed })
    assert.equal(codeOf(validate(selfIssued, { intermediates })), 'path.name_not_permitted')
  })

  it('constraints of an anchor count (RFC 5937)', () => {
    const constraints = { permittedSubtrees: [{ base: directory('O=Example') }] }
    const anchor = makeCertificate({
      subject: 'CN=anchor',
      ca: true,
      extensions: [extension(OID.nameConstraints, true, encodeNameConstraints(constraints))],
    })
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: anchor })
    assert.equal(codeOf(validate(leaf, { anchors: [anchor.certificate] })), 'path.name_not_permitted')
  })

  it('a thousand names against a thousand subtrees end in the budget, at once', () => {
    const subtrees = Array.from({ length: 1000 }, (_, i) => ({ base: dns(`x${i}.example`) }))
    const names = Array.from({ length: 1000 }, (_, i) => dns(`y${i}.example`))
    const started = performance.now()
    assert.equal(below({ excludedSubtrees: subtrees }, names), 'path.budget_exhausted')
    assert.ok(performance.now() - started < 2000)
  })
})

describe('Anchors of version 1', () => {
  it('are CAs because they are configured, and only then', () => {
    const text = readFileSync(join(import.meta.dirname, '../vectors/x509/rsa-pss.pem'), 'utf8')
    const der = new Uint8Array(Buffer.from(text.replace(/-----[^-]+-----/g, ''), 'base64'))
    const old = parseCertificate(der)
    assert.equal(old.version, 1)
    const issuer: Made = { certificate: old, key: p256Key() }
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer, notBefore: old.notBefore, notAfter: old.notAfter })
    const input = { at: old.notBefore, verify: () => true, purpose: undefined }
    assert.equal(codeOf(validate(leaf, { ...input, anchors: [old], intermediates: [] })), 'ok')
    assert.equal(codeOf(validate(leaf, { ...input, intermediates: [old] })), 'path.not_a_ca')
  })
})

describe('Values that only a stranger would write', () => {
  it('a DER bomb in an extension does not get past its reader', () => {
    let nested: Uint8Array = fromHex('0500')
    for (let i = 0; i < 100; i++) {
      const inner = nested
      nested = writeDer(w => w.constructed(0xa0, () => w.raw(inner)))
    }
    const leaf = makeCertificate({
      subject: 'CN=leaf',
      issuer: issuing,
      extensions: [
        extension(
          OID.subjectAltName,
          false,
          writeDer(w => w.sequence(() => w.raw(nested))),
        ),
      ],
    })
    assert.equal(codeOf(validate(leaf)), 'path.extension_malformed')
  })
})
