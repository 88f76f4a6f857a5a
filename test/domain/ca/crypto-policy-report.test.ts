// The report of what a crypto policy means for authorities and profiles.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CNSA_2_POLICY, NIST_IR_8547_POLICY, UNLIMITED_POLICY } from '../../../src/crypto/crypto-policy.ts'
import { reportCryptoPolicy } from '../../../src/domain/ca/crypto-policy-report.ts'
import { authorities, NOW, profile } from './fixture.ts'

describe('the crypto policy report', () => {
  const subjects = async () => {
    const { root, issuing } = await authorities()
    return {
      authorities: [root, issuing].map(({ record, certificate }) => ({ id: record.id, certificate })),
      profiles: [
        profile('idevid', { keyAlgorithms: ['P-256', 'ML-DSA-65'] }),
        profile('ldevid', { keyAlgorithms: ['P-256', 'RSA-2048'] }),
      ],
    }
  }

  it('has nothing to say where there is no rule', async () => {
    assert.deepEqual(reportCryptoPolicy(UNLIMITED_POLICY, await subjects(), NOW), [])
  })

  it('names what outlives its algorithm, and until when a profile may go on', async () => {
    const lastUse = NIST_IR_8547_POLICY.lastUse['P-256']!
    const lines = (at: number, s: Awaited<ReturnType<typeof subjects>>) =>
      reportCryptoPolicy(NIST_IR_8547_POLICY, s, at).map(
        each => `${each.kind} ${each.name} ${each.algorithm} ${each.outcome}`,
      )
    const all = await subjects()
    assert.deepEqual(lines(NOW, all), [
      'authority root-1 P-256 outlives',
      'authority issuing-1 P-256 outlives',
      'profile idevid P-256 outlives',
    ])
    const late = reportCryptoPolicy(NIST_IR_8547_POLICY, all, lastUse - 10).find(({ name }) => name === 'ldevid')
    assert.deepEqual(late, {
      kind: 'profile',
      name: 'ldevid',
      algorithm: 'P-256',
      outcome: 'outlives',
      lastUse,
      notAfter: lastUse - 10 + 90 * 86_400 - 1,
      issueUntil: null,
    })
    assert.ok(lines(lastUse + 1, all).every(line => line.endsWith('ended')))
  })

  it('names what is forbidden outright', async () => {
    const found = reportCryptoPolicy(CNSA_2_POLICY, await subjects(), NOW)
    assert.ok(found.length >= 5 && found.every(({ outcome, lastUse }) => outcome === 'forbidden' && lastUse === null))
  })
})
