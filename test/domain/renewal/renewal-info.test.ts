// What a device is told, from a row alone: the window and the time to ask again (RFC 9773 4.2, 4.3), and why a window lies where it lies.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { authorityId, deviceId, keyId, serialNumber } from '../../../src/domain/ids.ts'
import type { Credential } from '../../../src/domain/renewal/credential.ts'
import { fulfils } from '../../../src/domain/renewal/credential-changes.ts'
import { explainWindow } from '../../../src/domain/renewal/explain-window.ts'
import { orderWrites, withdrawWrites } from '../../../src/domain/renewal/order-renewal.ts'
import { DEFAULT_RENEWAL_POLICY, type RenewalPolicy } from '../../../src/domain/renewal/policy.ts'
import { MAX_RETRY_SECONDS, renewalInfo } from '../../../src/domain/renewal/renewal-info.ts'
import { bucketWidth, chooseWindow, lifeOf } from '../../../src/domain/renewal/window.ts'

const DAY = 86_400
const NOW = 1_900_022_400
const ACTOR = { kind: 'operator', id: 'tester' } as const

function aCredential(lifeSeconds: number, fields: Partial<Credential> = {}): Credential {
  const notAfter = NOW + lifeSeconds - 1
  const { windowStart, windowEnd } = chooseWindow({
    policy: DEFAULT_RENEWAL_POLICY,
    notBefore: NOW,
    notAfter,
    now: NOW,
    plan: { fleet: 0, planned: () => 0 },
    draw: 0,
  })
  return {
    deviceId: deviceId('00'.repeat(16)),
    profile: 'ldevid',
    authorityId: authorityId('ldevid-1'),
    serialNumber: serialNumber('01'),
    keyId: keyId('11'.repeat(32)),
    keyAlgorithm: 'P-256',
    notBefore: NOW,
    notAfter,
    windowStart,
    windowEnd,
    seenAt: null,
    previous: null,
    retireAt: null,
    order: null,
    failures: 0,
    lastFailure: null,
    revision: 1,
    ...fields,
  }
}

const AN_ORDER = {
  reason: 'operator',
  at: NOW + DAY,
  until: NOW + 3 * DAY,
  newKey: false,
  keyAlgorithm: null,
  profile: null,
  authorityId: null,
  campaignId: null,
} as const

function put(change: ReturnType<typeof orderWrites>): Credential {
  const [write] = change.writes
  assert.ok(write?.kind === 'credential.put')
  return write.credential
}

describe('renewal information', () => {
  test('is the window of the row, scheduled, without an order', () => {
    const credential = aCredential(365 * DAY)
    const info = renewalInfo(credential, DEFAULT_RENEWAL_POLICY, NOW)
    assert.deepEqual(info, {
      suggestedWindow: { start: credential.windowStart, end: credential.windowEnd },
      reason: 'scheduled',
      retryAfterSeconds: MAX_RETRY_SECONDS,
      order: null,
    })
  })

  test('has a window whose end is after its start (4.2), whatever the row says', () => {
    const info = renewalInfo(aCredential(DAY, { windowStart: NOW, windowEnd: NOW }), DEFAULT_RENEWAL_POLICY, NOW)
    assert.ok(info.suggestedWindow.end > info.suggestedWindow.start)
  })

  const rows: readonly (readonly [string, number, number, number])[] = [
    ['six hours for a year', 365 * DAY, 0, 21_600],
    ['five minutes for a day', DAY, 0, 300],
    ['half a minute for an hour', 3600, 0, 30],
    ['a quarter of it once the window has closed', 365 * DAY, 0.8, 5400],
    ['a quarter of it near the end', DAY, 0.95, 75],
  ]
  for (const [name, life, at, expected] of rows) {
    test(`asks to come again after ${name} (4.3)`, () => {
      const info = renewalInfo(aCredential(life), DEFAULT_RENEWAL_POLICY, NOW + Math.floor(life * at))
      assert.equal(info.retryAfterSeconds, expected)
    })
  }

  test('names the preferred algorithm of those whose date has not come', () => {
    const at = NOW + 10 * DAY
    const policy: RenewalPolicy = {
      ...DEFAULT_RENEWAL_POLICY,
      triggers: {
        ...DEFAULT_RENEWAL_POLICY.triggers,
        algorithmEnds: (['P-256', 'Ed25519'] as const).map(algorithm => ({ algorithm, at })),
      },
    }
    const info = renewalInfo(aCredential(365 * DAY), policy, at, ['P-256', 'Ed25519', 'P-384', 'ML-DSA-44'])
    assert.equal(info.reason, 'algorithm_ended')
    assert.deepEqual([info.order?.newKey, info.order?.keyAlgorithm], [true, 'P-384'])
    assert.equal(renewalInfo(aCredential(365 * DAY, { keyAlgorithm: 'P-384' }), policy, at).reason, 'scheduled')
  })
})

describe('an order', () => {
  test('opens the window when it is given and closes it when it is due', () => {
    const credential = aCredential(365 * DAY)
    const ordered = put(orderWrites(credential, AN_ORDER, ACTOR))
    assert.deepEqual([ordered.windowStart, ordered.windowEnd], [AN_ORDER.at, AN_ORDER.until])
    assert.equal(ordered.revision, 2)
    const back = put(withdrawWrites(ordered, ACTOR, NOW))
    assert.deepEqual([back.windowStart, back.windowEnd], [credential.windowStart, credential.windowEnd])
  })

  test('never puts a renewal off: a window that is open stays as it is', () => {
    const credential = aCredential(365 * DAY, { windowStart: NOW - DAY, windowEnd: NOW + 100 })
    const ordered = put(orderWrites(credential, AN_ORDER, ACTOR))
    assert.deepEqual([ordered.windowStart, ordered.windowEnd], [NOW - DAY, NOW + 100])
  })

  test('ends with the certificate at the latest', () => {
    const credential = aCredential(2 * DAY)
    assert.equal(put(orderWrites(credential, AN_ORDER, ACTOR)).windowEnd, credential.notAfter)
  })

  test('is fulfilled by a certificate of which every wish is true', () => {
    const before = aCredential(DAY)
    const after = { ...before, keyId: keyId('22'.repeat(32)), keyAlgorithm: 'P-384' } as const
    assert.ok(fulfils(AN_ORDER, before, before))
    assert.ok(!fulfils({ ...AN_ORDER, newKey: true }, before, before))
    assert.ok(fulfils({ ...AN_ORDER, newKey: true, keyAlgorithm: 'P-384' }, before, after))
    assert.ok(!fulfils({ ...AN_ORDER, profile: 'ldevid-2' }, before, after))
    assert.ok(!fulfils({ ...AN_ORDER, authorityId: authorityId('ldevid-2') }, before, after))
  })
})

describe('the explanation of a window', () => {
  test('says how far levelling moved it, in whole buckets', () => {
    const credential = aCredential(365 * DAY)
    const width = bucketWidth(lifeOf(credential))
    const moved = { ...credential, windowStart: credential.windowStart - 3 * width }
    assert.equal(explainWindow(credential, DEFAULT_RENEWAL_POLICY, NOW).movedBy, 0)
    assert.equal(explainWindow(moved, DEFAULT_RENEWAL_POLICY, NOW).movedBy, -3 * width)
  })

  test('says how it stands', () => {
    const credential = aCredential(365 * DAY)
    const at = (now: number) => explainWindow(credential, DEFAULT_RENEWAL_POLICY, now).standing
    const { windowStart, windowEnd, notAfter } = credential
    assert.deepEqual([NOW, windowStart, windowEnd, windowEnd + 1, notAfter + 1].map(at), [
      'ahead',
      'open',
      'open',
      'overdue',
      'expired',
    ])
  })
})
