// The section `renewal` of a profile: its defaults, its bounds, and that the catalogue's own profiles make sense.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { catalogueProfile, profileCatalogue } from '../../../src/domain/ca/catalogue.ts'
import { parseProfile } from '../../../src/domain/ca/profile.ts'
import { algorithmEnd, DEFAULT_RENEWAL_POLICY } from '../../../src/domain/renewal/policy.ts'

const ldevid = catalogueProfile('ldevid')!

describe('a renewal policy', () => {
  test('has a default for everything', () => {
    assert.deepEqual(parseProfile({ ...ldevid, renewal: {} }).renewal, DEFAULT_RENEWAL_POLICY)
    const { renewal: _renewal, ...without } = ldevid
    assert.deepEqual(parseProfile(without).renewal, DEFAULT_RENEWAL_POLICY)
  })

  const refused: readonly (readonly [string, object])[] = [
    ['opens before its earliest time', { opensAtFraction: 0.2 }],
    ['opens after its latest time', { latestFraction: 0.5 }],
    ['puts renewals off to the very end', { latestFraction: 1 }],
    [
      'names an algorithm that nobody knows',
      { triggers: { algorithmEnds: [{ algorithm: 'P-1', at: '2030-01-01T00:00:00Z' }] } },
    ],
    ['ends an algorithm at no time', { triggers: { algorithmEnds: [{ algorithm: 'P-256', at: 'soon' }] } }],
    ['has a deadline in the past', { previous: { deadlineSeconds: -1 } }],
    ['has a word that does not belong there', { jitter: 5 }],
  ]
  for (const [name, renewal] of refused) {
    test(`is refused where it ${name}`, () => {
      assert.throws(() => parseProfile({ ...ldevid, renewal }), { code: 'profile.invalid' })
    })
  }

  test('ends an algorithm at the first of its dates', () => {
    const ends = ['2035-01-01T00:00:00Z', '2030-01-01T00:00:00+01:00'].map(at => ({ algorithm: 'P-256', at }))
    const { renewal } = parseProfile({ ...ldevid, renewal: { triggers: { algorithmEnds: ends } } })
    assert.equal(algorithmEnd(renewal, 'P-256'), Date.parse('2029-12-31T23:00:00Z') / 1000)
    assert.equal(algorithmEnd(renewal, 'P-384'), null)
  })

  test('of a device profile with an end leaves a device that was off some grace', () => {
    for (const config of profileCatalogue) {
      const { holder, lifetimeSeconds, renewal, name } = parseProfile(config)
      if (holder === 'device' && lifetimeSeconds !== null) assert.ok(renewal.graceAfterExpirySeconds > 0, name)
    }
  })
})
