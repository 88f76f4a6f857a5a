// Revocation in paths (RFC 5280 §6.3.3): what NIST PKITS (`pkits.test.ts`) leaves out, or has in one form only. Two CAs, a root and an
// issuing one, and CRLs for both in each case, so that what is tested decides.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fromHex } from '../../src/core/bytes/hex.ts'
import type { CertificateList } from '../../src/core/pki/crl.ts'
import { type DistributionPoint, encodeCRLDistributionPoints } from '../../src/core/pki/distribution-point.ts'
import { encodeKeyUsage, extension } from '../../src/core/pki/extensions.ts'
import type { GeneralName } from '../../src/core/pki/general-name.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { type PathInput, type PathResult, type RevocationSource, validateChain } from '../../src/core/pki/path.ts'
import { type Made, makeCertificate, p256Key, TEST_NOW, verifyWithNode } from '../support/certificates.ts'
import { makeCrl, makeIndirectCrl } from '../support/crls.ts'

const root = makeCertificate({ subject: 'CN=root', ca: true })
const issuing = makeCertificate({ subject: 'CN=issuing', issuer: root, ca: true })
const device = makeCertificate({ subject: 'CN=device', issuer: issuing })
const rootCrl = makeCrl({ issuer: root })

const DAY = 86400
const uri = (value: string): GeneralName => ({ kind: 'uniformResourceIdentifier', value })
const directory = ({ certificate }: Made): GeneralName => ({ kind: 'directoryName', name: certificate.subject })

/** A device whose certificate has these distribution points. */
function deviceWith(...points: readonly DistributionPoint[]): Made {
  const extensions = [extension(OID.cRLDistributionPoints, false, encodeCRLDistributionPoints(points))]
  return makeCertificate({ subject: 'CN=device', issuer: issuing, extensions })
}

function check(
  leaf: Made,
  crls: readonly CertificateList[],
  change: Partial<RevocationSource> = {},
  input: Partial<PathInput> = {},
): PathResult {
  return validateChain({
    leaf: leaf.certificate,
    intermediates: [issuing.certificate],
    anchors: [root.certificate],
    at: TEST_NOW,
    verify: verifyWithNode,
    revocation: { crls: [rootCrl, ...crls], required: true, ...change },
    ...input,
  })
}

/** The code, and for a status that is not known, why. */
function codeOf(result: PathResult): string {
  if (result.ok) return 'ok'
  return result.code === 'path.revocation_unknown' ? String(result.evidence['reason']) : result.code
}

describe('The status of a path', () => {
  it('every certificate below the anchor is asked, and says where the answer is from and until when it holds', () => {
    const result = check(device, [makeCrl({ issuer: issuing, nextUpdate: TEST_NOW + 5 })])
    assert.ok(result.ok)
    assert.deepEqual(
      result.steps.map(({ role, revocation }) => [role, revocation]),
      [
        ['leaf', { kind: 'good', source: 'crl', until: TEST_NOW + 5 }],
        ['intermediate', { kind: 'good', source: 'crl', until: TEST_NOW + DAY }],
        ['anchor', undefined],
      ],
    )
  })

  it('a revoked leaf, a revoked CA and a hold have their codes; reason and time are evidence, and stand in the step', () => {
    const leaf = check(device, [makeCrl({ issuer: issuing, revoked: [[device.certificate, 'keyCompromise']] })])
    assert.ok(!leaf.ok)
    assert.equal(leaf.code, 'path.revoked')
    assert.deepEqual(leaf.evidence, {
      serialNumber: device.certificate.serialNumber,
      reason: 'keyCompromise',
      revokedAt: TEST_NOW - 3600,
    })
    assert.deepEqual(
      leaf.steps.map(({ problems, revocation }) => [problems.map(({ code }) => code), revocation?.kind]),
      [
        [['path.revoked'], 'revoked'],
        [[], 'good'],
        [[], undefined],
      ],
    )
    const ca = makeCrl({ issuer: root, number: 2, thisUpdate: TEST_NOW, revoked: [[issuing.certificate]] })
    assert.equal(codeOf(check(device, [ca, makeCrl({ issuer: issuing })])), 'path.revoked')
    const held = makeCrl({ issuer: issuing, revoked: [[device.certificate, 'certificateHold']] })
    assert.equal(codeOf(check(device, [held])), 'path.held')
  })

  it('what is revoked says more than what could not be found out', () => {
    const revoked = makeCrl({ issuer: issuing, revoked: [[device.certificate]] })
    assert.equal(codeOf(check(device, [], { crls: [revoked] })), 'path.revoked')
  })

  it('an unknown status spoils the path only where the caller requires one', () => {
    assert.equal(codeOf(check(device, [])), 'crl.none')
    const result = check(device, [], { required: false })
    assert.ok(result.ok)
    assert.equal(result.steps[0]?.revocation?.kind, 'unknown')
    assert.equal(result.steps[1]?.revocation?.kind, 'good')
  })

  it('whoever says revoked decides, and a list where the others do not know', () => {
    const good = { kind: 'good', source: 'ocsp', until: undefined } as const
    const bad = { ...good, kind: 'revoked', reason: 'superseded', revokedAt: 7, invalidityDate: undefined } as const
    const unknown = { kind: 'unknown', code: 'ocsp.stale', message: '' } as const
    const revoked = makeCrl({ issuer: issuing, revoked: [[device.certificate]] })
    const clean = makeCrl({ issuer: issuing })
    const expired = makeCrl({ issuer: issuing, revoked: [[device.certificate]], nextUpdate: TEST_NOW - 1 })
    assert.equal(codeOf(check(device, [revoked], { ask: () => good })), 'path.revoked')
    assert.equal(codeOf(check(device, [clean], { ask: () => good })), 'ok')
    assert.equal(codeOf(check(device, [clean], { ask: () => bad })), 'path.revoked')
    assert.equal(codeOf(check(device, [expired], { ask: () => good })), 'ok')
    assert.equal(codeOf(check(device, [], { ask: () => bad })), 'path.revoked')
    assert.equal(codeOf(check(device, [revoked], { ask: () => unknown })), 'path.revoked')
    assert.equal(codeOf(check(device, [revoked], { ask: () => undefined })), 'path.revoked')
    assert.equal(codeOf(check(device, [], { ask: () => unknown })), 'ocsp.stale')
  })

  it('of two paths the one without a revoked CA is taken', () => {
    const other = makeCertificate({ subject: 'CN=other root', ca: true })
    const cross = makeCertificate({ subject: 'CN=issuing', issuer: other, ca: true, key: issuing.key })
    const crls = [
      makeCrl({ issuer: root, number: 2, thisUpdate: TEST_NOW, revoked: [[issuing.certificate]] }),
      makeCrl({ issuer: other }),
      makeCrl({ issuer: issuing }),
    ]
    const input = {
      intermediates: [issuing.certificate, cross.certificate],
      anchors: [root.certificate, other.certificate],
    }
    const result = check(device, crls, {}, input)
    assert.ok(result.ok)
    assert.equal(result.path[1], cross.certificate)
  })

  it('a leaf that has expired is asked for its status first, so that no grace is given to what was revoked', () => {
    const late = makeCertificate({ subject: 'CN=late', issuer: issuing, notAfter: TEST_NOW - 1 })
    assert.equal(codeOf(check(late, [makeCrl({ issuer: issuing })])), 'path.leaf_expired')
    assert.equal(codeOf(check(late, [makeCrl({ issuer: issuing, revoked: [[late.certificate]] })])), 'path.revoked')
  })
})

describe('Which CRLs count (6.3.3 (a) and (b), 5.2)', () => {
  it('not one from the future, nor one that has expired: the last second is included', () => {
    assert.equal(codeOf(check(device, [makeCrl({ issuer: issuing, thisUpdate: TEST_NOW + 1 })])), 'crl.not_yet_valid')
    assert.equal(codeOf(check(device, [makeCrl({ issuer: issuing, nextUpdate: TEST_NOW - 1 })])), 'crl.expired')
    assert.equal(codeOf(check(device, [makeCrl({ issuer: issuing, nextUpdate: TEST_NOW })])), 'ok')
  })

  it('not one without a number, or with an unknown critical extension, or one that cannot be read', () => {
    assert.equal(codeOf(check(device, [makeCrl({ issuer: issuing, number: undefined })])), 'crl.number_invalid')
    const unknown = [extension('1.2.3.4', true, fromHex('0500'))]
    assert.equal(codeOf(check(device, [makeCrl({ issuer: issuing, extensions: unknown })])), 'crl.extension_unknown')
    const broken = [extension(OID.issuingDistributionPoint, true, fromHex('3000'))]
    assert.equal(codeOf(check(device, [makeCrl({ issuer: issuing, extensions: broken })])), 'crl.malformed')
  })

  it('the newest one speaks; an older one that still runs does not take it back', () => {
    const older = makeCrl({ issuer: issuing, number: 1, thisUpdate: TEST_NOW - DAY, revoked: [[device.certificate]] })
    const newer = makeCrl({ issuer: issuing, number: 2, thisUpdate: TEST_NOW - 60 })
    assert.equal(codeOf(check(device, [older, newer])), 'ok')
    assert.equal(codeOf(check(device, [newer, older])), 'ok')
  })

  it('a shard counts for the certificates that name it, and for no others', () => {
    const scope = { distributionPoint: { kind: 'fullName' as const, names: [uri('http://crl.example/1')] } }
    const shard = makeCrl({ issuer: issuing, scope })
    const point = (n: number): DistributionPoint => ({
      distributionPoint: { kind: 'fullName', names: [uri('ldap://other'), uri(`http://crl.example/${n}`)] },
    })
    assert.equal(codeOf(check(deviceWith(point(1)), [shard])), 'ok')
    assert.equal(codeOf(check(deviceWith(point(2)), [shard])), 'crl.scope_mismatch')
    assert.equal(codeOf(check(deviceWith(point(2), point(1)), [shard])), 'ok')
    assert.equal(codeOf(check(device, [shard])), 'crl.scope_mismatch')
    // A CRL about everything needs no distribution point to be found.
    assert.equal(codeOf(check(deviceWith(point(2)), [shard, makeCrl({ issuer: issuing })])), 'ok')
  })

  it('one for CAs does not count for a device, nor one for devices for a CA', () => {
    const ofCas = makeCrl({ issuer: issuing, scope: { onlyContainsCACerts: true } })
    const ofUsers = makeCrl({ issuer: issuing, scope: { onlyContainsUserCerts: true } })
    const ofAttributes = makeCrl({ issuer: issuing, scope: { onlyContainsAttributeCerts: true } })
    assert.equal(codeOf(check(device, [ofCas])), 'crl.scope_mismatch')
    assert.equal(codeOf(check(device, [ofAttributes])), 'crl.scope_mismatch')
    assert.equal(codeOf(check(device, [ofCas, ofUsers])), 'ok')
    const usersOfRoot = makeCrl({ issuer: root, scope: { onlyContainsUserCerts: true } })
    assert.equal(codeOf(check(device, [], { crls: [usersOfRoot, ofUsers] })), 'crl.scope_mismatch')
  })

  it('all reasons must be covered, by the CRLs and by the distribution points that lead to them', () => {
    const compromise = ['keyCompromise', 'cACompromise', 'aACompromise'] as const
    const rest = [
      'affiliationChanged',
      'superseded',
      'cessationOfOperation',
      'certificateHold',
      'privilegeWithdrawn',
    ] as const
    const first = makeCrl({ issuer: issuing, scope: { onlySomeReasons: compromise } })
    const second = makeCrl({ issuer: issuing, scope: { onlySomeReasons: rest } })
    assert.equal(codeOf(check(device, [first])), 'crl.reasons_incomplete')
    assert.equal(codeOf(check(device, [first, second])), 'ok')
    const revoked = makeCrl({
      issuer: issuing,
      scope: { onlySomeReasons: rest },
      revoked: [[device.certificate, 'superseded']],
    })
    assert.equal(codeOf(check(device, [first, revoked])), 'path.revoked')
  })

  it('a malformed cRLDistributionPoints leaves the status unknown', () => {
    const extensions = [extension(OID.cRLDistributionPoints, false, fromHex('3000'))]
    const odd = makeCertificate({ subject: 'CN=odd', issuer: issuing, extensions })
    assert.equal(codeOf(check(odd, [makeCrl({ issuer: issuing })])), 'crl.malformed')
  })
})

describe('Who signs a CRL (6.3.3 (f) and (g))', () => {
  it('the key of the issuer in the path, where its keyUsage allows it', () => {
    const wrong = makeCrl({ issuer: issuing, key: p256Key() })
    assert.equal(codeOf(check(device, [wrong])), 'crl.signature_invalid')
    const extensions = [extension(OID.keyUsage, true, encodeKeyUsage(['keyCertSign']))]
    const mute = makeCertificate({ subject: 'CN=mute', issuer: root, ca: true, extensions })
    const leaf = makeCertificate({ subject: 'CN=leaf', issuer: mute })
    const result = check(leaf, [makeCrl({ issuer: mute })], {}, { intermediates: [mute.certificate] })
    assert.equal(codeOf(result), 'crl.issuer_untrusted')
  })

  it('the renewed key of the CA, which has a path of its own', () => {
    const renewed = makeCertificate({ subject: 'CN=issuing', issuer: root, ca: true })
    const crl = makeCrl({ issuer: renewed })
    assert.equal(codeOf(check(device, [crl])), 'crl.signature_invalid')
    assert.equal(codeOf(check(device, [crl], { certificates: [renewed.certificate] })), 'ok')
    const gone = makeCrl({ issuer: root, number: 2, thisUpdate: TEST_NOW, revoked: [[renewed.certificate]] })
    assert.equal(codeOf(check(device, [crl, gone], { certificates: [renewed.certificate] })), 'crl.issuer_untrusted')
  })

  it('not a namesake below another anchor', () => {
    const other = makeCertificate({ subject: 'CN=other root', ca: true })
    const namesake = makeCertificate({ subject: 'CN=issuing', issuer: other, ca: true })
    const crls = [makeCrl({ issuer: namesake }), makeCrl({ issuer: other })]
    const anchors = [root.certificate, other.certificate]
    const result = check(device, crls, { certificates: [namesake.certificate] }, { anchors })
    assert.equal(codeOf(result), 'crl.issuer_untrusted')
  })

  it('somebody else, where the certificate names them and the CRL is an indirect one', () => {
    const crlSign = [extension(OID.keyUsage, true, encodeKeyUsage(['cRLSign']))]
    const office = makeCertificate({ subject: 'CN=office', issuer: root, extensions: crlSign })
    const named = deviceWith({ cRLIssuer: [directory(office)] })
    const source = { certificates: [office.certificate] }
    assert.equal(codeOf(check(named, [makeIndirectCrl(office, [])], source)), 'ok')
    assert.equal(codeOf(check(named, [makeIndirectCrl(office, [named.certificate])], source)), 'path.revoked')
    assert.equal(codeOf(check(named, [makeIndirectCrl(office, [device.certificate])], source)), 'ok')
    assert.equal(codeOf(check(named, [makeCrl({ issuer: office })], source)), 'crl.scope_mismatch')
    assert.equal(codeOf(check(device, [makeIndirectCrl(office, [])], source)), 'crl.none')
    assert.equal(codeOf(check(named, [makeIndirectCrl(office, [])])), 'crl.issuer_untrusted')
  })

  it('the same serial number of another issuer in an indirect CRL is another certificate', () => {
    const crlSign = [extension(OID.keyUsage, true, encodeKeyUsage(['cRLSign']))]
    const office = makeCertificate({ subject: 'CN=office', issuer: root, extensions: crlSign })
    const named = deviceWith({ cRLIssuer: [directory(office)] })
    const twin = makeCertificate({ subject: 'CN=twin', issuer: root, serial: named.certificate.serialNumber })
    const crl = makeIndirectCrl(office, [twin.certificate])
    assert.equal(codeOf(check(named, [crl], { certificates: [office.certificate] })), 'ok')
  })
})

describe('Delta CRLs (5.2.4, 6.3.3 (c), (h) to (k))', () => {
  const base = makeCrl({ issuer: issuing, number: 10, thisUpdate: TEST_NOW - DAY })
  const heldBase = makeCrl({ issuer: issuing, number: 10, revoked: [[device.certificate, 'certificateHold']] })

  it('adds to its base, and takes a hold back', () => {
    const adds = makeCrl({ issuer: issuing, number: 11, base: 10, revoked: [[device.certificate]] })
    assert.equal(codeOf(check(device, [base, adds])), 'path.revoked')
    const removes = makeCrl({ issuer: issuing, number: 11, base: 10, revoked: [[device.certificate, 'removeFromCRL']] })
    assert.equal(codeOf(check(device, [heldBase])), 'path.held')
    assert.equal(codeOf(check(device, [heldBase, removes])), 'ok')
  })

  it('the newest one counts', () => {
    const first = makeCrl({ issuer: issuing, number: 11, base: 10, revoked: [[device.certificate, 'certificateHold']] })
    const second = makeCrl({ issuer: issuing, number: 12, base: 10 })
    assert.equal(codeOf(check(device, [base, first, second])), 'ok')
    assert.equal(codeOf(check(device, [second, first, base])), 'ok')
  })

  it('one that begins after the base, ends before it, or has another scope or key, does not go with it', () => {
    const revoked = [[device.certificate]] as const
    const unfit = [
      makeCrl({ issuer: issuing, number: 13, base: 11, revoked }),
      makeCrl({ issuer: issuing, number: 10, base: 9, revoked }),
      makeCrl({ issuer: issuing, number: 11, base: 10, revoked, scope: { onlyContainsUserCerts: true } }),
      makeCrl({ issuer: issuing, number: 11, base: 10, revoked, thisUpdate: TEST_NOW + 1 }),
      makeCrl({ issuer: issuing, number: 11, base: 10, revoked, nextUpdate: TEST_NOW - 1 }),
    ]
    for (const delta of unfit) assert.equal(codeOf(check(device, [base, delta])), 'ok')
    assert.equal(codeOf(check(device, [unfit[0]!])), 'crl.delta_without_base')
  })

  it('one with a bad signature is as good as none', () => {
    const spoiled = { ...makeCrl({ issuer: issuing, number: 11, base: 10 }), signature: new Uint8Array(64) }
    assert.equal(codeOf(check(device, [heldBase, spoiled])), 'path.held')
  })

  it('a base that has expired lives on in a delta that has not (6.3.3 (a)(1))', () => {
    const old = makeCrl({ issuer: issuing, number: 10, nextUpdate: TEST_NOW - 1 })
    const fresh = makeCrl({ issuer: issuing, number: 11, base: 10, nextUpdate: TEST_NOW + 9 })
    assert.equal(codeOf(check(device, [old])), 'crl.expired')
    const result = check(device, [old, fresh])
    assert.ok(result.ok)
    assert.deepEqual(result.steps[0]?.revocation, { kind: 'good', source: 'crl', until: TEST_NOW + 9 })
    const spoiled = { ...fresh, signature: new Uint8Array(64) }
    assert.equal(codeOf(check(device, [old, spoiled])), 'crl.expired')
  })
})

describe('Hostile CRLs', () => {
  it('a crowd of CRLs with bad signatures ends in the budget, and says so', () => {
    const one = makeCrl({ issuer: issuing })
    const crowd = Array.from({ length: 300 }, () => ({ ...one, signature: new Uint8Array(64) }))
    let checks = 0
    const verify: PathInput['verify'] = (...input) => {
      checks++
      return verifyWithNode(...input)
    }
    assert.equal(codeOf(check(device, crowd, {}, { verify })), 'crl.budget_exhausted')
    assert.ok(checks <= 64)
  })

  it('hundreds of distribution points against a thousand shards end in the budget', () => {
    const point = (n: number): DistributionPoint => ({
      distributionPoint: { kind: 'fullName', names: [uri(`http://crl.example/${n}`)] },
    })
    const scope = { distributionPoint: { kind: 'fullName' as const, names: [uri('http://crl.example/none')] } }
    const shard = makeCrl({ issuer: issuing, scope })
    const shards = Array.from({ length: 1000 }, () => ({ ...shard }))
    const many = deviceWith(...Array.from({ length: 250 }, (_, n) => point(n)))
    assert.equal(codeOf(check(many, shards)), 'crl.budget_exhausted')
  })

  it('CRL issuers that vouch for each other in a ring end as untrusted', () => {
    const crlSign = [extension(OID.keyUsage, true, encodeKeyUsage(['cRLSign']))]
    const keys = Array.from({ length: 8 }, () => p256Key())
    const ring = keys.map((key, i) => {
      const next = makeCertificate({ subject: `CN=office ${(i + 1) % keys.length}`, key: keys[(i + 1) % keys.length]! })
      const point = extension(
        OID.cRLDistributionPoints,
        false,
        encodeCRLDistributionPoints([{ cRLIssuer: [directory(next)] }]),
      )
      return makeCertificate({ subject: `CN=office ${i}`, issuer: root, key, extensions: [...crlSign, point] })
    })
    const named = deviceWith({ cRLIssuer: [directory(ring[0]!)] })
    const crls = ring.map(office => makeIndirectCrl(office, []))
    const result = check(named, crls, { crls, certificates: ring.map(({ certificate }) => certificate) })
    assert.equal(codeOf(result), 'crl.issuer_untrusted')
  })
})
