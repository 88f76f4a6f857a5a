// What a campaign does next is a pure function: these are its promises, whatever happens to its devices.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Campaign, CampaignCount, CampaignDeviceState, CampaignPace } from '../../src/domain/campaign/campaign.ts'
import { mayCampaignMove } from '../../src/domain/campaign/campaign.ts'
import { parseCampaignDefinition } from '../../src/domain/campaign/definition.ts'
import { countAsked, endOfQuiet, nextStep, tallyOf, waveOf } from '../../src/domain/campaign/next-step.ts'
import { campaignId } from '../../src/domain/ids.ts'

const PACE: CampaignPace = {
  canary: 10,
  waveSize: 100,
  patienceSeconds: 3600,
  perHour: null,
  quiet: null,
  stopAtFailureShare: 0.1,
}

function campaign(changes: Partial<Campaign> = {}): Campaign {
  return {
    id: campaignId('00'.repeat(16)),
    name: 'c',
    query: {},
    target: { profile: 'ldevid', newKey: true, keyAlgorithm: null, newProfile: null, authorityId: null },
    pace: PACE,
    state: 'running',
    stateReason: null,
    devices: 210,
    waves: 3,
    wave: 0,
    createdAt: 0,
    startedAt: 0,
    finishedAt: null,
    hour: null,
    revision: 1,
    ...changes,
  }
}

const counts = (wave: number, of: Partial<Record<CampaignDeviceState, number>>): CampaignCount[] =>
  Object.entries(of).map(([state, devices]) => ({ wave, state: state as CampaignDeviceState, devices }))

describe('the next step of a campaign', () => {
  test('asks the canary first, and nobody of the next wave before the canary is judged', () => {
    const rest = [...counts(1, { planned: 100 }), ...counts(2, { planned: 100 })]
    assert.deepEqual(nextStep(campaign(), [...counts(0, { planned: 10 }), ...rest], 0), {
      kind: 'ask',
      wave: 0,
      atMost: 10,
    })
    assert.deepEqual(nextStep(campaign(), [...counts(0, { asked: 10 }), ...rest], 0), {
      kind: 'wait',
      until: null,
      because: 'devices',
    })
    assert.deepEqual(nextStep(campaign(), [...counts(0, { done: 10 }), ...rest], 0), { kind: 'next-wave', wave: 1 })
  })

  test('pauses as soon as more of a wave failed than may fail in it', () => {
    assert.equal(nextStep(campaign(), counts(0, { done: 4, failed: 1, asked: 5 }), 0).kind, 'wait')
    assert.deepEqual(nextStep(campaign(), counts(0, { done: 3, failed: 2, asked: 5 }), 0), {
      kind: 'pause',
      failed: 2,
      of: 10,
    })
  })

  test('passes over who was skipped: that is no failure', () => {
    assert.deepEqual(nextStep(campaign(), counts(0, { skipped: 9, done: 1 }), 0), { kind: 'next-wave', wave: 1 })
  })

  test('ends when its last wave is judged', () => {
    assert.deepEqual(nextStep(campaign({ wave: 2 }), counts(2, { done: 99, failed: 1 }), 0), { kind: 'finish' })
  })

  test('asks nobody in quiet hours, also where they lie across midnight', () => {
    const pace = { ...PACE, quiet: { fromMinute: 22 * 60, untilMinute: 6 * 60 } }
    const planned = counts(0, { planned: 5 })
    const at = (hour: number, minute = 0) => (hour * 60 + minute) * 60
    assert.deepEqual(nextStep(campaign({ pace }), planned, at(23)), {
      kind: 'wait',
      until: at(30),
      because: 'quiet_hours',
    })
    assert.deepEqual(nextStep(campaign({ pace }), planned, at(5, 59)), {
      kind: 'wait',
      until: at(6),
      because: 'quiet_hours',
    })
    assert.equal(nextStep(campaign({ pace }), planned, at(6)).kind, 'ask')
    assert.equal(nextStep(campaign({ pace }), planned, at(21, 59)).kind, 'ask')
  })

  test('the end of quiet hours is never quiet, and lies within a day', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1439 }),
        fc.integer({ min: 0, max: 1439 }),
        fc.integer({ min: 0, max: 4_000_000_000 }),
        (fromMinute, untilMinute, now) => {
          const pace = { ...PACE, quiet: { fromMinute, untilMinute } }
          const end = endOfQuiet(pace, now)
          if (end === null) return
          assert.ok(end > now && end <= now + 86_400)
          assert.equal(endOfQuiet(pace, end), null)
        },
      ),
    )
  })

  test('never asks more in an hour than it may, nor all of it in its first minute', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 60 }),
        (perHour, pauses) => {
          const pace = { ...PACE, perHour }
          let current = campaign({ pace })
          let now = 1000
          const asked: { at: number; n: number }[] = []
          for (const pause of pauses) {
            const step = nextStep(current, counts(0, { planned: 1_000_000 }), now)
            if (step.kind === 'ask') {
              asked.push({ at: now, n: step.atMost })
              current = { ...current, hour: countAsked(current.hour, step.atMost, now) }
            } else if (step.kind === 'wait') {
              assert.equal(step.because, 'rate')
              assert.ok(step.until !== null && step.until > now, 'it says when to look again')
            }
            now += pause
          }
          const since = (from: number, seconds: number) =>
            asked.filter(({ at }) => at >= from && at < from + seconds).reduce((sum, { n }) => sum + n, 0)
          for (const { at } of asked) {
            // Two of our hours can meet in one hour of the wall.
            assert.ok(since(at, 3600) <= 2 * perHour)
            assert.ok(since(at, 1) <= Math.max(1, perHour))
          }
          assert.ok(asked[0]!.n <= Math.ceil(perHour / 60))
        },
      ),
    )
  })
})

test('every device has one wave, the canary comes first, no wave is larger than it may be', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 500 }),
      (canary, waveSize, devices) => {
        const pace = { ...PACE, canary, waveSize }
        const sizes: number[] = []
        for (let place = 0; place < devices; place++) {
          const wave = waveOf(place, pace)
          assert.ok(wave === sizes.length || wave === sizes.length - 1, 'waves follow each other')
          sizes[wave] = (sizes[wave] ?? 0) + 1
        }
        for (const [wave, size] of sizes.entries()) assert.ok(size <= (canary > 0 && wave === 0 ? canary : waveSize))
        assert.equal(sizes.length, waveOf(devices - 1, pace) + 1)
      },
    ),
  )
})

test('tallies add up over the waves', () => {
  const all = [...counts(0, { done: 2, failed: 1 }), ...counts(1, { done: 3 })]
  assert.equal(tallyOf(all).done, 5)
  assert.equal(tallyOf(all, 1).failed, 0)
})

test('a campaign that ended does not begin again', () => {
  assert.equal(mayCampaignMove('finished', 'running'), false)
  assert.equal(mayCampaignMove('rolled_back', 'running'), false)
  assert.equal(mayCampaignMove('cancelled', 'running'), false)
  assert.equal(mayCampaignMove('paused', 'running'), true)
  assert.equal(mayCampaignMove('finished', 'cancelling'), true, 'the orders of those who failed can be taken back')
})

describe('the definition of a campaign', () => {
  test('names every problem with its path', () => {
    assert.throws(() => parseCampaignDefinition({ name: 'A b', target: {}, pace: { waveSize: 0 } }), {
      code: 'campaign.definition_invalid',
      message: /name.*pace\.waveSize/s,
    })
  })

  test('asks for something', () => {
    assert.throws(() => parseCampaignDefinition({ name: 'nothing', target: {} }), {
      code: 'campaign.definition_invalid',
      message: /at least one of newKey/,
    })
  })

  test('another algorithm is another key', () => {
    const { target } = parseCampaignDefinition({ name: 'to-p384', target: { keyAlgorithm: 'P-384' } })
    assert.equal(target.newKey, true)
  })
})
