// Between the decision and the signature: what a prepared certificate says, who can make one, and how often it can be signed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { NO_EXPIRY } from '../../../src/core/asn1/time.ts'
import { equalBytes } from '../../../src/core/bytes/bytes.ts'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import { parseCRLDistributionPoints } from '../../../src/core/pki/distribution-point.ts'
import { findExtension } from '../../../src/core/pki/extension.ts'
import { OID } from '../../../src/core/pki/oids.ts'
import { NIST_IR_8547_POLICY } from '../../../src/crypto/crypto-policy.ts'
import { systemRandom } from '../../../src/crypto/random.ts'
import { type Signer, softwareSigner } from '../../../src/crypto/signer.ts'
import { verifySignature } from '../../../src/crypto/verify.ts'
import { encodeAuditEntry } from '../../../src/domain/audit/entry.ts'
import { crlShardOf } from '../../../src/domain/ca/distribution-urls.ts'
import type { IssuanceRequest } from '../../../src/domain/ca/issuance-request.ts'
import { certificateWrites } from '../../../src/domain/ca/issuer.ts'
import { PreparedCertificate, prepareCertificate, prepareMany } from '../../../src/domain/ca/prepare.ts'
import { parseSettings } from '../../../src/domain/ca/settings.ts'
import { SignedCertificate, signMany, signPrepared } from '../../../src/domain/ca/sign.ts'
import type { IssuingAuthority } from '../../../src/domain/ca/signing-authority.ts'
import { authorities, device, keyOf, NOW, profile, request, settings, settingsConfig } from './fixture.ts'

const ports = { settings, random: systemRandom }

async function prepared(name = 'ldevid', more: Partial<IssuanceRequest> = {}) {
  const { issuing } = await authorities()
  return prepareCertificate(await request(profile(name), 'P-256', more), issuing, ports)
}

describe('a prepared certificate', () => {
  it('is signed by the authority that it was prepared for', async () => {
    const { issuing } = await authorities()
    const { der, facts } = await signPrepared(await prepared(), issuing.signer)
    const certificate = parseCertificate(der)
    const { signatureAlgorithm, tbs, signature } = certificate
    assert.ok(verifySignature(issuing.signer.publicKey, signatureAlgorithm, tbs, signature))
    assert.equal(certificate.serialNumber, facts.serialNumber)
    assert.equal(facts.deviceId, device.id)
  })

  it('cannot be made by anything but the lint gate', () => {
    // @ts-expect-error the constructor is private
    assert.throws(() => new PreparedCertificate(Symbol('PreparedCertificate'), {}), { code: 'issuance.not_prepared' })
    class Forged {
      facts = {}
      tbs() {
        return new Uint8Array(1)
      }
    }
    // @ts-expect-error a look-alike lacks the private member
    const lookAlike: PreparedCertificate = new Forged()
    assert.ok(lookAlike)
  })

  it('cannot be forged at run time: signing takes nothing that was not linted', async () => {
    const { issuing } = await authorities()
    const real = await prepared()
    const forgeries = [
      { facts: real.facts, tbs: () => real.tbs() },
      Object.create(PreparedCertificate.prototype, { facts: { value: real.facts } }),
      new Proxy(real, {}),
      structuredClone({ facts: real.facts }),
    ]
    for (const forgery of forgeries) {
      await assert.rejects(signPrepared(forgery as PreparedCertificate, issuing.signer), TypeError)
      await assert.rejects(signMany([forgery as PreparedCertificate], issuing.signer), TypeError)
    }
  })

  it('does not let what was linted be changed', async () => {
    const { issuing } = await authorities()
    const one = await prepared()
    const linted = one.tbs()!
    one.tbs()!.fill(0)
    assert.throws(() => Object.assign(one, { facts: {} }), TypeError)
    assert.throws(() => Object.assign(one.facts, { serialNumber: '01' }), TypeError)
    const { der } = await signPrepared(one, issuing.signer)
    assert.deepEqual(parseCertificate(der).tbs, linted)
  })

  it('does not follow the caller who changes the key afterwards', async () => {
    const { issuing } = await authorities()
    const { publicKey } = await keyOf('P-256')
    const own = new Uint8Array(publicKey)
    const one = await prepared('ldevid', { spki: own })
    own.fill(0)
    const { der } = await signPrepared(one, issuing.signer)
    assert.deepEqual(parseCertificate(der).subjectPublicKeyInfo.raw, publicKey)
  })

  it('is signed once', async () => {
    const { issuing } = await authorities()
    const one = await prepared()
    const both = await Promise.allSettled([signPrepared(one, issuing.signer), signPrepared(one, issuing.signer)])
    assert.deepEqual(
      both.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    )
    await assert.rejects(signPrepared(one, issuing.signer), { code: 'issuance.already_redeemed' })
    assert.equal(one.tbs(), undefined)
  })

  it('is spent when the signer fails', async () => {
    const { issuing } = await authorities()
    const one = await prepared()
    const broken: Signer = { ...signerParts(issuing), sign: () => Promise.reject(new Error('the token is gone')) }
    await assert.rejects(signPrepared(one, broken), /the token is gone/)
    await assert.rejects(signPrepared(one, issuing.signer), { code: 'issuance.already_redeemed' })
  })

  it('is not signed by another authority, and stays whole then', async () => {
    const { root, issuing } = await authorities()
    const one = await prepared()
    await assert.rejects(signPrepared(one, root.signer), { code: 'issuance.wrong_signer' })
    assert.ok(await signPrepared(one, issuing.signer))
  })

  it('in a batch: one that cannot be signed leaves the others whole', async () => {
    const { issuing } = await authorities()
    const [a, b] = [await prepared(), await prepared()]
    await assert.rejects(signMany([a, b, a], issuing.signer), { code: 'issuance.already_redeemed' })
    const signed = await signMany([a, b], issuing.signer)
    assert.deepEqual(
      signed.map(each => each.facts.serialNumber),
      [a.facts.serialNumber, b.facts.serialNumber],
    )
  })
})

describe('a signature', () => {
  it('that is wrong is refused where the signer does not check itself', async () => {
    const { issuing } = await authorities()
    const wrong: Signer = {
      ...signerParts(issuing),
      selfChecked: false,
      sign: async tbs => issuing.signer.sign(new Uint8Array(tbs.length)),
    }
    await assert.rejects(signPrepared(await prepared(), wrong), { code: 'signer.signature_wrong' })
  })

  it('over octets that the signer changed is refused, even where it checks itself', async () => {
    const { issuing } = await authorities()
    const meddling: Signer = {
      ...signerParts(issuing),
      selfChecked: true,
      sign: async tbs => {
        tbs[tbs.length - 1]! ^= 1
        return issuing.signer.sign(tbs)
      },
    }
    await assert.rejects(signPrepared(await prepared(), meddling), { code: 'signer.signature_wrong' })
  })

  it('may be made by a worker that takes the buffer with it', async () => {
    const { issuing } = await authorities()
    const moving: Signer = {
      ...signerParts(issuing),
      selfChecked: true,
      sign: async tbs => issuing.signer.sign(new Uint8Array((tbs as Uint8Array<ArrayBuffer>).buffer.transfer())),
    }
    assert.ok(await signPrepared(await prepared(), moving))
  })

  it('of a CA certificate is always checked', async () => {
    const { root } = await authorities()
    const wrong: Signer = {
      ...signerParts(root),
      selfChecked: true,
      sign: async tbs => root.signer.sign(new Uint8Array(tbs.length)),
    }
    const wanted = await request(profile('sub-ca'))
    const one = prepareCertificate(wanted, { ...root, signer: wrong }, ports)
    await assert.rejects(signPrepared(one, wrong), { code: 'signer.signature_wrong' })
  })

  it('is missing: a signer that returns fewer than it was given is an error', async () => {
    const { issuing } = await authorities()
    const short: Signer = { ...signerParts(issuing), signMany: async () => [] }
    await assert.rejects(signMany([await prepared()], short), { code: 'signer.failed' })
  })

  it('is all that makes a signed certificate', async () => {
    const { issuing } = await authorities()
    const { facts, der } = await signPrepared(await prepared(), issuing.signer)
    // @ts-expect-error the constructor is private
    assert.throws(() => new SignedCertificate(Symbol('SignedCertificate'), facts, der), { code: 'issuance.not_signed' })
    // @ts-expect-error a look-alike lacks the private member
    assert.throws(() => certificateWrites({ facts, der }, 0), { code: 'issuance.not_signed' })
  })
})

describe('serial numbers (RFC 5280 §4.1.2.2)', () => {
  it('are positive, of 16 octets, begin with the time, and never repeat', async () => {
    const { issuing } = await authorities()
    const wanted = await request(profile('ldevid'))
    const serials = prepareMany(
      Array.from({ length: 500 }, () => wanted),
      issuing,
      ports,
    ).map(each => {
      assert.ok(each instanceof PreparedCertificate)
      return each.facts.serialNumber
    })
    assert.equal(new Set(serials).size, 500)
    for (const serial of serials) {
      assert.match(serial, /^[0-9a-f]{32}$/)
      assert.equal(Number.parseInt(serial.slice(0, 8), 16), NOW)
    }
  })

  it('spread evenly over the CRL shards, and the distribution point names the shard', async () => {
    const { issuing } = await authorities()
    const sharded: IssuingAuthority = { ...issuing, record: { ...issuing.record, crlShards: 4 } }
    const wanted = await request(profile('ldevid'))
    const filled = new Map<number, number>()
    for (const each of prepareMany(
      Array.from({ length: 400 }, () => wanted),
      sharded,
      ports,
    )) {
      assert.ok(each instanceof PreparedCertificate)
      const { crlShard, serialNumber } = each.facts
      assert.equal(crlShardOf(Buffer.from(serialNumber, 'hex'), 4), crlShard)
      filled.set(crlShard, (filled.get(crlShard) ?? 0) + 1)
    }
    assert.equal(filled.size, 4)
    for (const count of filled.values()) assert.ok(count > 50, String(count))
    const one = prepareCertificate(wanted, sharded, ports)
    const { extensions } = parseCertificate((await signPrepared(one, issuing.signer)).der)
    const [point] = parseCRLDistributionPoints(findExtension(extensions, OID.cRLDistributionPoints)!.value)
    assert.deepEqual(point?.distributionPoint, {
      kind: 'fullName',
      names: [
        { kind: 'uniformResourceIdentifier', value: `http://pki.example:8080/crl/issuing-1/${one.facts.crlShard}.crl` },
      ],
    })
  })
})

describe('validity (RFC 5280 §4.1.2.5)', () => {
  it('counts from the time of issue, its last second included', async () => {
    const { facts } = await prepared('ldevid')
    assert.equal(facts.notBefore, NOW - 300)
    assert.equal(facts.notAfter, NOW + 90 * 86_400 - 1)
  })

  it('never leaves that of the issuer', async () => {
    const { issuing } = await authorities()
    const { notBefore, notAfter } = issuing.certificate
    const late = prepareCertificate(await request(profile('ldevid'), 'P-256', { now: notAfter - 10 }), issuing, ports)
    assert.equal(late.facts.notAfter, notAfter)
    const early = prepareCertificate(await request(profile('ldevid'), 'P-256', { now: notBefore + 10 }), issuing, ports)
    assert.equal(early.facts.notBefore, notBefore)
  })

  it('without end stays without end: 99991231235959Z is no date to be cut', async () => {
    assert.equal((await prepared('idevid')).facts.notAfter, NO_EXPIRY)
  })

  it('ends with the issuer: an expired authority issues nothing', async () => {
    const { issuing } = await authorities()
    const wanted = await request(profile('idevid'), 'P-256', { now: issuing.certificate.notAfter + 1 })
    assert.throws(() => prepareCertificate(wanted, issuing, ports), { code: 'authority.expired' })
  })
})

describe('what a profile refuses', () => {
  it('a key of another algorithm', async () => {
    const { issuing } = await authorities()
    const wanted = await request(profile('matter-dac'), 'P-384')
    assert.throws(() => prepareCertificate(wanted, issuing, ports), { code: 'profile.key_not_allowed' })
  })

  it('a holder of another kind', async () => {
    await assert.rejects(prepared('ldevid', { device: null }), { code: 'profile.holder_mismatch' })
    await assert.rejects(prepared('server-tls', { device }), { code: 'profile.holder_mismatch' })
  })

  it('a device that lacks what a template reads', async () => {
    await assert.rejects(prepared('matter-dac', { device: { ...device, labels: {} } }), {
      code: 'profile.value_missing',
      evidence: { placeholder: 'device.labels.matterVendorId' },
    })
  })

  it('a server without a name', async () => {
    await assert.rejects(prepared('server-tls', { subjectFields: { commonName: 'x' } }), {
      code: 'profile.value_missing',
    })
  })

  it('names that are none', async () => {
    for (const dnsNames of ['under_score.example', 'a..b', '-x.example', '*.*.example', 'ü.example']) {
      await assert.rejects(prepared('gateway-tls-server', { device: { ...device, labels: { dnsNames } } }), {
        code: 'profile.name_invalid',
      })
    }
    await assert.rejects(
      prepared('gateway-tls-server', { device: { ...device, labels: { ipAddresses: '192.0.2.256' } } }),
      {
        code: 'profile.name_invalid',
      },
    )
  })

  it('an issuing key that cannot make the signature that it wants', async () => {
    const { issuing } = await authorities('P-384')
    const wanted = await request(profile('matter-dac'))
    assert.throws(() => prepareCertificate(wanted, issuing, ports), { code: 'profile.signature_unavailable' })
  })
})

describe('a batch', () => {
  it('gives each request its own outcome', async () => {
    const { issuing } = await authorities()
    const of = profile('ldevid')
    const outcomes = prepareMany(
      [
        await request(of),
        await request(of, 'P-256', { device: { ...device, serialNumber: 'bad_serial' } }),
        await request(of),
      ],
      issuing,
      ports,
    )
    assert.deepEqual(
      outcomes.map(each =>
        each instanceof PreparedCertificate ? 'prepared' : (each as Error & { code: string }).code,
      ),
      ['prepared', 'name.value_invalid', 'prepared'],
    )
  })

  it('draws the randomness of its serial numbers in one piece', async () => {
    const { issuing } = await authorities()
    const drawn: number[] = []
    const counting = {
      bytes(count: number) {
        drawn.push(count)
        return systemRandom.bytes(count)
      },
    }
    const wanted = await request(profile('ldevid'))
    prepareMany([wanted, wanted, wanted], issuing, { settings, random: counting })
    assert.deepEqual(drawn, [36])
  })
})

describe('the crypto policy (A8)', () => {
  const strict = parseSettings({ ...settingsConfig, cryptoPolicy: { name: 'nist-ir-8547', enforcement: 'refuse' } })
  const reporting = parseSettings({ ...settingsConfig, cryptoPolicy: { name: 'nist-ir-8547', enforcement: 'report' } })

  it('refuses a certificate that outlives its algorithm, where the settings say refuse', async () => {
    const { issuing } = await authorities()
    const wanted = await request(profile('idevid'))
    assert.throws(() => prepareCertificate(wanted, issuing, { ...ports, settings: strict }), {
      code: 'lint.failed',
      evidence: { 'crypto_policy.outlives': 'crypto policy nist-ir-8547' },
    })
    assert.ok(prepareCertificate(wanted, issuing, { ...ports, settings: reporting }))
  })

  it('lets short-lived ones through until the last date, and nothing after it', async () => {
    const { issuing } = await authorities()
    const last = NIST_IR_8547_POLICY.lastUse['P-256']!
    const of = profile('ldevid')
    const before = await request(of, 'P-256', { now: last - 90 * 86_400 + 1 })
    assert.ok(prepareCertificate(before, issuing, { ...ports, settings: strict }))
    const over = await request(of, 'P-256', { now: last - 90 * 86_400 + 2 })
    assert.throws(() => prepareCertificate(over, issuing, { ...ports, settings: strict }), { code: 'lint.failed' })
    const after = await request(of, 'P-256', { now: last + 1 })
    assert.throws(() => prepareCertificate(after, issuing, { ...ports, settings: reporting }), { code: 'lint.failed' })
  })

  it('looks at the authority too: a post-quantum key under a P-256 CA is no better than the CA', async () => {
    const { issuing } = await authorities()
    const wanted = await request(profile('idevid'), 'ML-DSA-44')
    assert.throws(() => prepareCertificate(wanted, issuing, { ...ports, settings: strict }), { code: 'lint.failed' })
  })

  it('forbids what it forbids', async () => {
    const { issuing } = await authorities('P-384')
    const cnsa = parseSettings({ ...settingsConfig, cryptoPolicy: { name: 'cnsa-2.0' } })
    const refused = await request(profile('ldevid'), 'P-256')
    assert.throws(() => prepareCertificate(refused, issuing, { ...ports, settings: cnsa }), {
      code: 'lint.failed',
      evidence: { 'crypto_policy.forbidden': 'crypto policy cnsa-2.0' },
    })
    assert.ok(prepareCertificate(await request(profile('ldevid'), 'P-384'), issuing, { ...ports, settings: cnsa }))
  })
})

describe('the record', () => {
  it('commits to the octets of the certificate in an entry that the log takes', async () => {
    const { issuing } = await authorities()
    const signed = await signPrepared(await prepared(), issuing.signer)
    const { write, audit } = certificateWrites(signed, 7, { subject: { batchId: 'ab' }, detail: { line: 3 } })
    assert.equal(write.auditEntry, 7)
    assert.ok(equalBytes(write.certificate.der, signed.der))
    assert.equal(audit.subject['serialNumber'], signed.facts.serialNumber)
    assert.equal(audit.subject['batchId'], 'ab')
    assert.equal(audit.detail?.['line'], 3)
    assert.ok(encodeAuditEntry(audit).length > 0)
    assert.ok(!Buffer.from(encodeAuditEntry(audit)).toString().includes(device.serialNumber), 'no serial of the device')
  })
})

describe('any device', () => {
  it('gets a certificate that says what it is, or a typed refusal', async () => {
    const { issuing } = await authorities()
    const of = profile('ldevid')
    const base = await request(of)
    await fc.assert(
      fc.property(fc.string({ maxLength: 80 }), fc.string({ unit: 'binary', maxLength: 40 }), (serialNumber, model) => {
        const wanted = { ...base, device: { ...device, serialNumber, model } }
        const [outcome] = prepareMany([wanted], issuing, ports)
        if (outcome instanceof PreparedCertificate) {
          assert.match(serialNumber, /^[A-Za-z0-9 '()+,\-./:=?]{1,64}$/)
        } else {
          assert.match((outcome as Error & { code: string }).code, /^(name|profile|lint)\./)
        }
      }),
      { numRuns: 300 },
    )
  })
})

/** The members of a signer, for doubles that replace one of them. */
function signerParts({ signer }: IssuingAuthority): Signer {
  const { keyUri, keyAlgorithm, algorithm, publicKey, selfChecked } = signer
  return { keyUri, keyAlgorithm, algorithm, publicKey, selfChecked, sign: (tbs, signal) => signer.sign(tbs, signal) }
}

it('a second signer over the same key may sign: the key counts, not the object', async () => {
  const { issuing } = await authorities()
  const again = softwareSigner(await keyOf('P-256', 'issuing-1'), 'memory:elsewhere')
  assert.ok(equalBytes(again.publicKey, issuing.signer.publicKey))
  assert.ok(await signPrepared(await prepared(), again))
})
