// Years of a fleet in virtual time, through the engine that the server renews with: what its levelling promises, and that these checks can
// fail where a policy is bad.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FIRST_SECONDS, LONGEST_OFFLINE_SECONDS } from '../../src/agent/back-off.ts'
import { DEFAULT_RENEWAL_POLICY } from '../../src/domain/renewal/policy.ts'
import { simulationRandom } from '../../src/sim/random.ts'
import { simulateFleet, USUAL_CONNECTIVITY, type VirtualFleetOptions } from '../../src/sim/virtual-fleet.ts'

const DAY = 86_400

const BORN_IN_A_DAY: VirtualFleetOptions = {
  devices: 20_000,
  years: 3,
  policy: DEFAULT_RENEWAL_POLICY,
  lifetimeSeconds: 365 * DAY,
  bornWithinSeconds: DAY,
  faults: 0.05,
  connectivity: USUAL_CONNECTIVITY,
  retry: { firstSeconds: FIRST_SECONDS, longestSeconds: LONGEST_OFFLINE_SECONDS },
  seed: 1,
}

describe('a fleet born within one day, with certificates of one year', () => {
  const result = simulateFleet(BORN_IN_A_DAY)

  test('renews so evenly that its busiest day in three years stays within 1.5 times the mean', () => {
    assert.ok(result.busiestDayOverMean <= 1.5, `${result.busiestDayOverMean}`)
  })

  test('leaves no device without a valid certificate that could reach the server near its end', () => {
    assert.equal(result.devicesWithoutValid, 0)
  })

  test('knows those apart that were away all that time', () => {
    assert.ok(result.devicesAwayTooLong > 0)
    assert.ok(result.devicesAwayTooLong < result.devices / 100)
  })

  test('renews each device some four times in three years, and counts every renewal on its day', () => {
    assert.equal(result.births, 20_000)
    assert.ok(result.renewals > 3 * 20_000 && result.renewals < 6 * 20_000)
    assert.equal(
      result.renewalsByDay.reduce((a, b) => a + b, 0),
      result.renewals,
    )
  })
})

test('certificates of one day are levelled over their hours', () => {
  const result = simulateFleet({
    ...BORN_IN_A_DAY,
    devices: 2000,
    years: 30 / 365,
    lifetimeSeconds: DAY,
    bornWithinSeconds: 3600,
    connectivity: [{ share: 1, onlineMean: 60 * DAY, onlineAtLeast: DAY, offlineMean: 60 }],
    retry: { firstSeconds: 10, longestSeconds: 600 },
  })
  const meanHour = result.renewals / (result.days * 24)
  assert.ok(result.busiestHour <= 2 * meanHour, `${result.busiestHour} in the busiest hour, ${meanHour} on average`)
  assert.equal(result.devicesWithoutValid, 0)
})

describe('the checks bite', () => {
  test('without levelling the fleet renews in one day, year after year', () => {
    const policy = { opensAtFraction: 2 / 3, earliestFraction: 2 / 3, latestFraction: 0.67 }
    const { busiestDayOverMean } = simulateFleet({ ...BORN_IN_A_DAY, devices: 2000, policy })
    assert.ok(busiestDayOverMean > 50, `${busiestDayOverMean}`)
  })

  test('devices that try once in three weeks miss the hours in which they could have renewed', () => {
    const connectivity = [{ share: 1, onlineMean: DAY, onlineAtLeast: DAY / 2, offlineMean: 5 * DAY }]
    const often = { ...BORN_IN_A_DAY, devices: 2000, faults: 0, connectivity }
    // What an agent once did: six hours between two tries, for fear of burdening a server that it does not reach.
    const calm = { ...BORN_IN_A_DAY, retry: { firstSeconds: 30, longestSeconds: 6 * 3600 } }
    assert.ok(simulateFleet(calm).devicesWithoutValid > 0)
    const seldom = { ...often, retry: { firstSeconds: 60, longestSeconds: 21 * DAY } }
    assert.equal(simulateFleet(often).devicesWithoutValid, 0)
    assert.ok(simulateFleet(seldom).devicesWithoutValid > 100)
  })
})

test('the same seed is the same fleet', () => {
  const once = simulateFleet({ ...BORN_IN_A_DAY, devices: 500 })
  const again = simulateFleet({ ...BORN_IN_A_DAY, devices: 500 })
  assert.deepEqual(once, again)
  const other = simulateFleet({ ...BORN_IN_A_DAY, devices: 500, seed: 2 })
  assert.notDeepEqual(once.renewalsByDay, other.renewalsByDay)
})

test('the random source is even enough for its purpose', () => {
  const random = simulationRandom(7)
  const buckets = new Array<number>(10).fill(0)
  for (let i = 0; i < 100_000; i++) buckets[Math.floor(random.next() * 10)]!++
  for (const count of buckets) assert.ok(Math.abs(count - 10_000) < 500, `${count}`)
  let sum = 0
  for (let i = 0; i < 100_000; i++) sum += random.exponential(5)
  assert.ok(Math.abs(sum / 100_000 - 5) < 0.1, `${sum / 100_000}`)
})
