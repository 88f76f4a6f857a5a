// The choice of a window, pure: where it may lie, that no bucket overflows while another in reach has room, and that a fleet which was born
// in a day does not renew in a day.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_RENEWAL_POLICY } from '../../../src/domain/renewal/policy.ts'
import { CountedPlan } from '../../../src/domain/renewal/renewal-plan.ts'
import {
  bucketCapacity,
  bucketWidth,
  chooseWindow,
  expiryBucket,
  type PlanView,
  windowBucket,
} from '../../../src/domain/renewal/window.ts'

const DAY = 86_400
const YEAR = 365 * DAY
/** The start of a day (UTC), so that a bucket is a day of the figures. */
const NOW = 1_900_022_400
const EMPTY: PlanView = { fleet: 0, planned: () => 0 }

const fractions = fc
  .array(fc.integer({ min: 1, max: 99 }), { minLength: 3, maxLength: 3 })
  .map(list => list.sort((a, b) => a - b).map(percent => percent / 100))
  .map(([earliestFraction, opensAtFraction, latestFraction]) => ({
    earliestFraction: earliestFraction!,
    opensAtFraction: opensAtFraction!,
    latestFraction: latestFraction!,
  }))
const lives = fc.oneof(fc.integer({ min: 60, max: 2 * DAY }), fc.integer({ min: DAY, max: 20 * YEAR }))
const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('a bucket', () => {
  const rows: readonly (readonly [string, number, number])[] = [
    ['a day for a year', YEAR, DAY],
    ['half a day for ninety days', 90 * DAY, DAY / 2],
    ['five minutes for a day', DAY, 300],
    ['a week for ten years', 10 * YEAR, 7 * DAY],
    ['five seconds for a minute', 60, 5],
  ]
  for (const [name, life, width] of rows) {
    test(`is ${name}`, () => assert.equal(bucketWidth(life), width))
  }

  test('begins where a bucket of every narrower width begins too', () => {
    fc.assert(
      fc.property(lives, lives, (a, b) => {
        const [narrow, wide] = [bucketWidth(Math.min(a, b)), bucketWidth(Math.max(a, b))]
        assert.equal(wide % narrow, 0)
      }),
    )
  })

  test('of the expiry is never wider than a day', () => {
    const notAfter = NOW + 10 * YEAR
    const bucket = expiryBucket({ notBefore: NOW, notAfter })
    assert.ok(bucket <= notAfter && notAfter < bucket + DAY)
  })
})

describe('a window', () => {
  test('lies between the earliest and the latest time, before the end, and not in the past', () => {
    fc.assert(
      fc.property(fractions, lives, draws, fc.integer({ min: 0, max: 50 }), (policy, life, draw, load) => {
        const notBefore = NOW - 300
        const notAfter = notBefore + life - 1
        const plan: PlanView = { fleet: 1000, planned: bucket => (bucket / 5) % (load + 1) }
        const { windowStart, windowEnd, bucket } = chooseWindow({ policy, notBefore, notAfter, now: NOW, plan, draw })
        assert.ok(windowStart < windowEnd, 'RFC 9773 §4.2: the end is after the start')
        assert.ok(windowEnd <= notAfter, 'before the end')
        const latest = notBefore + Math.floor(life * policy.latestFraction)
        const earliest = notBefore + Math.floor(life * policy.earliestFraction)
        assert.ok(windowStart >= Math.min(earliest, latest, notAfter - 1), 'not before the earliest time')
        if (latest > NOW) {
          assert.ok(windowStart >= NOW, 'not in the past')
          assert.ok(windowEnd <= latest, 'not after the latest time')
        }
        assert.equal(bucket, windowBucket({ notBefore, notAfter, windowStart }), 'counts where the row will say')
      }),
    )
  })

  test('is the bucket of the opening where nothing speaks against it', () => {
    const policy = DEFAULT_RENEWAL_POLICY
    const window = chooseWindow({ policy, notBefore: NOW, notAfter: NOW + YEAR - 1, now: NOW, plan: EMPTY, draw: 0.5 })
    const opening = NOW + Math.floor((YEAR * 2) / 3)
    assert.ok(window.windowStart <= opening && opening <= window.windowEnd)
    assert.equal(window.windowEnd - window.windowStart + 1, DAY)
  })

  test('is what is left of the life where that is less than a bucket', () => {
    const notAfter = NOW + YEAR - 1
    const late = { policy: DEFAULT_RENEWAL_POLICY, notBefore: NOW, notAfter, plan: EMPTY, draw: 0 }
    assert.deepEqual(chooseWindow({ ...late, now: notAfter - 100 }).windowEnd, notAfter)
    assert.ok(chooseWindow({ ...late, now: notAfter + 100 }).windowStart < notAfter)
  })

  test('never fills a bucket beyond its capacity while another in reach has room', () => {
    const life = fc.integer({ min: 10 * DAY, max: YEAR })
    const loads = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 400, maxLength: 400 })
    fc.assert(
      fc.property(
        fractions,
        life,
        loads,
        draws,
        fc.integer({ min: 0, max: 3000 }),
        (policy, life, loads, draw, fleet) => {
          const width = bucketWidth(life)
          const notAfter = NOW + life - 1
          const planned = (bucket: number) => loads[Math.floor((bucket - NOW) / width) + 1] ?? 0
          const chosen = chooseWindow({ policy, notBefore: NOW, notAfter, now: NOW, plan: { fleet, planned }, draw })
          const capacity = bucketCapacity(fleet + 1, life, policy)
          const reach: number[] = []
          for (let b = Math.ceil((NOW + Math.floor(life * policy.earliestFraction)) / width) * width; ; b += width) {
            if (b + width - 1 > NOW + Math.floor(life * policy.latestFraction)) break
            reach.push(b)
          }
          if (reach.length === 0) return
          assert.ok(reach.includes(chosen.bucket))
          const load = planned(chosen.bucket)
          const least = Math.min(...reach.map(planned))
          if (least < capacity) assert.ok(load < capacity, 'a bucket with room')
          else assert.equal(load, least, 'the least loaded')
          const opening = NOW + Math.floor(life * policy.opensAtFraction)
          const ideal = Math.min(Math.max(Math.floor(opening / width) * width, reach[0]!), reach.at(-1)!)
          if (least < capacity) {
            const nearer = reach.filter(
              b => Math.abs(b - ideal) < Math.abs(chosen.bucket - ideal) && planned(b) < capacity,
            )
            assert.deepEqual(nearer, [], 'the nearest to the opening')
          }
        },
      ),
    )
  })
})

describe('a fleet', () => {
  /** Renewals by day from a day on, of devices that renew at a time drawn from their window; births are not counted. */
  function live(devices: number, years: number, life: number, bornWithin: number, from = 0) {
    const policy = DEFAULT_RENEWAL_POLICY
    const end = NOW + years * YEAR
    const days = new Array<number>(Math.ceil((end - NOW) / DAY)).fill(0)
    const plan = new CountedPlan()
    let state = 1
    const draw = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state / 2 ** 32
    }
    /** Devices by the day on which they renew next. */
    const due = days.map((): number[] => [])
    const issue = (now: number, isNew: boolean) => {
      const window = chooseWindow({ policy, notBefore: now, notAfter: now + life - 1, now, plan, draw: draw() })
      plan.add(window.bucket, isNew)
      const at = window.windowStart + Math.floor(draw() * (window.windowEnd - window.windowStart))
      if (at < end) due[Math.floor((at - NOW) / DAY)]!.push(at)
    }
    for (let i = 0; i < devices; i++) issue(NOW + Math.floor((i * bornWithin) / devices), true)
    for (const [day, list] of due.entries()) {
      for (const at of list) {
        days[day]!++
        plan.take(Math.floor(at / bucketWidth(life)) * bucketWidth(life))
        issue(at, false)
      }
    }
    const counted = days.slice(from)
    const total = counted.reduce((sum, count) => sum + count, 0)
    return { busiest: Math.max(...counted), mean: total / counted.length, total }
  }

  const N = 20_000

  test('that was born within one day has no day above one and a half times the mean of three years', () => {
    const { busiest, mean, total } = live(N, 3, YEAR, DAY)
    assert.ok(total > 3 * N, 'everybody renewed several times')
    assert.ok(busiest / mean <= 1.5, `${busiest} on the busiest day, ${mean} on average`)
  })

  test('that grew over a year is as even from then on', () => {
    const { busiest, mean } = live(N, 4, YEAR, YEAR, 365)
    assert.ok(busiest / mean <= 1.5, `${busiest} on the busiest day, ${mean} on average`)
  })

  test('whose certificates live for ninety days is as even', () => {
    const { busiest, mean } = live(N / 4, 3, 90 * DAY, 3600)
    assert.ok(busiest / mean <= 1.5, `${busiest} on the busiest day, ${mean} on average`)
  })
})
