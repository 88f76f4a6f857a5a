// NIST PKITS, all 249 validations, with the answers and the policies that NIST lists. Certificates that only sign CRLs stand among the
// intermediates, as in NIST's lists.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import { parseCertificateList } from '../../src/core/pki/crl.ts'
import { type PathResult, validateChain } from '../../src/core/pki/path.ts'
import { verifyWithNode } from '../support/certificates.ts'
import { mutated } from '../support/mutate.ts'
import {
  PKITS_TIME,
  type PkitsTest,
  pkitsCertificate,
  pkitsCertificateOctets,
  pkitsCrl,
  pkitsCrlOctets,
  pkitsTests,
  readable,
} from '../support/pkits.ts'

/** Why the invalid ones are, in our words; a `crl.` code says why the status could not be found out. `unreadable`: refused as DER. */
const REASONS: Readonly<Record<string, string>> = {
  'crl.delta_without_base': '4.15.1',
  'crl.expired': '4.4.11 4.4.12 4.15.10',
  'crl.extension_unknown': '4.4.8 4.4.9 4.4.10',
  'crl.issuer_untrusted': '4.4.21 4.7.4 4.7.5',
  'crl.none': '4.4.1 4.4.4 4.4.5 4.4.6 4.14.26',
  'crl.reasons_incomplete': '4.14.17',
  'crl.scope_mismatch': '4.14.3 4.14.8 4.14.9 4.14.11 4.14.12 4.14.14 4.14.27 4.14.35',
  'path.critical_extension_unknown': '4.16.2',
  'path.held': '4.14.16',
  'path.issuer_expired': '4.2.5',
  'path.issuer_not_yet_valid': '4.2.1',
  'path.key_usage': '4.7.1 4.7.2',
  'path.leaf_expired': '4.2.6 4.2.7',
  'path.leaf_not_yet_valid': '4.2.2',
  'path.length_exceeded': '4.6.5 4.6.6 4.6.9 4.6.10 4.6.11 4.6.12 4.6.16',
  'path.name_excluded': '4.13.7 4.13.8 4.13.9 4.13.10 4.13.15 4.13.16 4.13.17 4.13.26 4.13.33 4.13.37',
  'path.name_not_permitted':
    '4.13.2 4.13.3 4.13.12 4.13.13 4.13.20 4.13.22 4.13.24 4.13.28 4.13.29 4.13.31 4.13.35 4.13.38',
  'path.no_issuer': '4.3.1 4.3.2',
  'path.not_a_ca': '4.5.8 4.6.1 4.6.2 4.6.3',
  'path.policy_mapping_invalid': '4.10.7 4.10.8',
  'path.policy_required':
    '4.8.1 4.8.2 4.8.3 4.8.4 4.8.5 4.8.6 4.8.7 4.8.8 4.8.9 4.8.12 4.8.14 4.9.3 4.9.5 4.9.7 4.9.8 4.10.1.2 4.10.1.3 4.10.2 4.10.3 4.10.4 4.10.5 4.10.6 4.10.10 4.10.13 4.11.1 4.11.3 4.11.5 4.11.6 4.11.8 4.11.9 4.11.10 4.11.11 4.12.1 4.12.3 4.12.4 4.12.5 4.12.6 4.12.8 4.12.10',
  'path.revoked':
    '4.4.2 4.4.3 4.4.18 4.4.20 4.5.2 4.5.5 4.5.7 4.14.2 4.14.6 4.14.15 4.14.20 4.14.21 4.14.23 4.14.31 4.14.32 4.14.34 4.15.3 4.15.4 4.15.6 4.15.9',
  'path.signature_invalid': '4.1.3',
  unreadable: '4.1.2 4.1.6 4.4.15',
}

function validate(test: PkitsTest): PathResult | undefined {
  const certificates = test.certificates.map(pkitsCertificate)
  const readable = certificates.filter(certificate => certificate !== undefined)
  if (readable.length < certificates.length) return undefined
  const { initial, explicit, inhibitMapping, inhibitAny } = test
  return validateChain({
    leaf: readable.at(-1)!,
    intermediates: readable.slice(1, -1),
    anchors: [readable[0]!],
    at: PKITS_TIME,
    verify: verifyWithNode,
    policies: { initial, explicit, inhibitMapping, inhibitAny },
    revocation: {
      crls: test.crls.flatMap(name => pkitsCrl(name) ?? []),
      required: true,
    },
  })
}

function reasonOf(result: PathResult | undefined): string {
  if (result === undefined) return 'unreadable'
  if (result.ok) return 'ok'
  return result.code === 'path.revocation_unknown' ? String(result.evidence['reason']) : result.code
}

describe('NIST PKITS', () => {
  const tests = pkitsTests()

  it('has 249 tests', () => {
    assert.equal(tests.length, 249)
  })

  for (const test of tests) {
    const policies = test.initial.map(oid => oid.split('.').at(-1)).join(' ')
    it(`${test.number} ${test.name} (${policies}): ${test.valid ? 'valid' : 'invalid'}`, () => {
      const result = validate(test)
      const reason = reasonOf(result)
      assert.equal(reason === 'ok', test.valid, reason)
      if (result?.ok) assert.deepEqual(result.policies.policies.toSorted(), test.policies.toSorted())
      else assert.ok(REASONS[reason]?.split(' ').includes(test.number), reason)
    })
  }
})

describe('NIST PKITS with octets changed, and every signature called good', () => {
  const tests = pkitsTests()

  it('is judged, and nothing is thrown', () => {
    let judged = 0
    const cases = fc.record({ test: fc.constantFrom(...tests), pick: fc.nat() }).chain(({ test, pick }) => {
      const names = [...test.certificates, ...test.crls]
      const victim = names[pick % names.length]!
      const octetsOf = pick % names.length < test.certificates.length ? pkitsCertificateOctets : pkitsCrlOctets
      return fc.record({ test: fc.constant(test), victim: fc.constant(victim), bytes: mutated(octetsOf(victim)) })
    })
    fc.assert(
      fc.property(cases, ({ test, victim, bytes }) => {
        const certificates = test.certificates.flatMap(
          name => (name === victim ? readable(() => parseCertificate(bytes)) : pkitsCertificate(name)) ?? [],
        )
        const crls = test.crls.flatMap(
          name => (name === victim ? readable(() => parseCertificateList(bytes)) : pkitsCrl(name)) ?? [],
        )
        if (certificates.length < 2) return
        const result = validateChain({
          leaf: certificates.at(-1)!,
          intermediates: certificates.slice(1, -1),
          anchors: [certificates[0]!],
          at: PKITS_TIME,
          verify: () => true,
          policies: test,
          revocation: { crls, required: true },
        })
        assert.ok(result.steps.length > 0)
        judged++
      }),
      { numRuns: 1500 },
    )
    assert.ok(judged > 1000)
  })
})
