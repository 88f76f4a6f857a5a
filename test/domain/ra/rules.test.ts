import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { defaultRules, parseRules, rulesDocument, rulesJsonSchema } from '../../../src/domain/ra/rules.ts'

describe('the rules document', () => {
  test('the rules of a new instance parse, and are stored as they were written', () => {
    assert.equal(parseRules(defaultRules).length, defaultRules.rules.length)
    const document = rulesDocument(defaultRules, 3, 1_900_000_000)
    assert.deepEqual(
      { ...document, body: undefined },
      { kind: 'rules', name: 'default', version: 3, body: undefined, createdAt: 1_900_000_000 },
    )
    assert.deepEqual(JSON.parse(document.body), defaultRules)
  })

  const wrong: readonly [string, unknown, RegExp][] = [
    ['no object', 7, /document:/],
    ['no version of the format', { rules: [] }, /schema:/],
    ['an unknown field', { schema: 1, rules: [{ name: 'a', outcome: 'grant', quorum: 2 }] }, /rules\.0: .*quorum/],
    ['an unknown outcome', { schema: 1, rules: [{ name: 'a', outcome: 'perhaps' }] }, /rules\.0\.outcome/],
    [
      'an unknown kind of evidence',
      { schema: 1, rules: [{ name: 'a', outcome: 'grant', when: { evidence: ['horoscope'] } }] },
      /rules\.0\.when\.evidence\.0/,
    ],
    [
      'an empty list, which would never hold',
      { schema: 1, rules: [{ name: 'a', outcome: 'grant', when: { profiles: [] } }] },
      /rules\.0\.when\.profiles/,
    ],
    [
      'a name twice',
      {
        schema: 1,
        rules: [
          { name: 'a', outcome: 'grant' },
          { name: 'a', outcome: 'deny' },
        ],
      },
      /rules\.1\.name: stands twice/,
    ],
    [
      'a pattern with a placeholder',
      { schema: 1, rules: [{ name: 'a', outcome: 'grant', when: { models: ['{device.model}'] } }] },
      /rules\.0\.when\.models\.0: takes no/,
    ],
    [
      'a time without a zone',
      { schema: 1, rules: [{ name: 'a', outcome: 'grant', when: { window: { from: '2030-01-01T00:00:00' } } }] },
      /rules\.0\.when\.window\.from/,
    ],
    [
      'a window that ends before it begins',
      {
        schema: 1,
        rules: [
          {
            name: 'a',
            outcome: 'grant',
            when: { window: { from: '2030-01-02T00:00:00Z', until: '2030-01-01T00:00:00Z' } },
          },
        ],
      },
      /ends before it begins/,
    ],
    [
      'a quota of nothing',
      { schema: 1, rules: [{ name: 'a', outcome: 'grant', quota: { per: 'rule', limit: 0 } }] },
      /rules\.0\.quota\.limit/,
    ],
    [
      'a negative grace time',
      { schema: 1, rules: [{ name: 'a', outcome: 'grant', graceAfterExpirySeconds: -1 }] },
      /graceAfterExpirySeconds/,
    ],
  ]
  for (const [name, json, message] of wrong) {
    test(`refuses ${name}`, () => {
      assert.throws(
        () => parseRules(json),
        (thrown: unknown) =>
          thrown instanceof TouchmarkError && thrown.code === 'rules.invalid' && message.test(thrown.message),
      )
    })
  }

  test('reports all problems together', () => {
    assert.throws(
      () =>
        parseRules({
          schema: 1,
          rules: [
            { name: 'A', outcome: 'grant' },
            { name: 'b', outcome: 'x' },
          ],
        }),
      (thrown: unknown) => thrown instanceof TouchmarkError && /2 problems/.test(thrown.message),
    )
  })

  test('has a JSON Schema for editors', () => {
    assert.match(JSON.stringify(rulesJsonSchema()), /graceAfterExpirySeconds/)
  })
})
