// NIST PKITS, all 249 validations, with the answers and the policies that NIST lists. Certificates that only sign CRLs stand among the
// intermediates, as in NIST's lists.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type PathResult, validateChain } from '../../src/core/pki/path.ts'
import { verifyWithNode } from '../support/certificates.ts'
import { PKITS_TIME, type PkitsTest, pkitsCertificate, pkitsCrl, pkitsTests } from '../support/pkits.ts'

function validate(test: PkitsTest, without: { readonly crl?: string } = {}): PathResult | undefined {
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
      crls: test.crls.filter(name => name !== without.crl).flatMap(name => pkitsCrl(name) ?? []),
      required: true,
    },
  })
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
      assert.equal(result?.ok ?? false, test.valid, result && !result.ok ? result.code : '')
      if (result?.ok) assert.deepEqual(result.policies.policies.toSorted(), test.policies.toSorted())
    })
  }
})
