// What a look at the rules makes of the alerts that stand, held against any course of events.
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import fc from 'fast-check'
import { systemRandom } from '../../src/crypto/random.ts'
import { type Alert, isSilenced } from '../../src/domain/alerts/alert.ts'
import type { AlertRule } from '../../src/domain/alerts/alert-rules.ts'
import { type AlertChange, stepAlerts } from '../../src/domain/alerts/step-alerts.ts'

const START = 1_900_000_000
const TIMING = { repeatSeconds: 3600, reopenSeconds: 600 }
const RULE: AlertRule = {
  kind: 'signer_lost',
  name: 'signer-lost',
  severity: 'critical',
  enabled: true,
  description: '',
}

/** The alerts as a store would keep them. */
class Keeper {
  readonly rows = new Map<string, Alert>()

  look(subjects: readonly string[], now: number, rule: AlertRule = RULE): AlertChange[] {
    const all = [...this.rows.values()]
    const findings = subjects.map(subject => ({ subject, summary: `${subject} is lost`, value: null }))
    const changes = stepAlerts(
      [{ rule, findings }],
      {
        open: all.filter(({ state }) => state !== 'resolved'),
        resolvedLately: all.filter(a => a.state === 'resolved' && a.changedAt >= now - TIMING.reopenSeconds),
      },
      TIMING,
      now,
      systemRandom,
    )
    for (const { alert, from } of changes) {
      assert.equal(this.rows.get(alert.id)?.revision ?? null, from, 'names the revision that it replaces')
      this.rows.set(alert.id, alert)
    }
    return changes
  }

  change(change: (alert: Alert) => Alert): void {
    for (const alert of this.rows.values()) {
      if (alert.state === 'resolved') continue
      this.rows.set(alert.id, { ...change(alert), revision: alert.revision + 1 })
    }
  }
}

describe('an alert', () => {
  it('is told once when it fires, again after the time for that, and when it is over', () => {
    const keeper = new Keeper()
    const news = (now: number, subjects: string[]) => keeper.look(subjects, now).map(change => change.news)
    assert.deepEqual(news(START, ['a']), ['firing'])
    assert.deepEqual(news(START + 15, ['a']), [])
    assert.deepEqual(news(START + 3600, ['a']), ['still_firing'])
    assert.deepEqual(news(START + 3615, []), ['resolved'])
    assert.deepEqual(news(START + 3630, []), [])
  })

  it('that comes and goes is the same row, and is not told each time', () => {
    const keeper = new Keeper()
    keeper.look(['a'], START)
    keeper.look([], START + 15)
    const [again] = keeper.look(['a'], START + 30)
    assert.equal(again?.news, null)
    assert.equal(again?.alert.occurrences, 2)
    assert.equal(keeper.rows.size, 1)
    keeper.look([], START + 45)
    const [later] = keeper.look(['a'], START + 45 + TIMING.reopenSeconds + 1)
    assert.equal(later?.news, 'firing')
    assert.equal(keeper.rows.size, 2)
  })

  it('that somebody has in hand is not told again, and its end is', () => {
    const keeper = new Keeper()
    keeper.look(['a'], START)
    keeper.change(a => ({ ...a, state: 'acknowledged', acknowledgement: { by: 'op', at: START, note: '' } }))
    assert.deepEqual(keeper.look(['a'], START + 100_000), [])
    assert.deepEqual(
      keeper.look([], START + 100_015).map(change => change.news),
      ['resolved'],
    )
  })

  it('that is silenced is told when the silence is over and it still is so', () => {
    const keeper = new Keeper()
    keeper.look(['a'], START)
    keeper.change(a => ({ ...a, silencedUntil: START + 7200 }))
    assert.deepEqual(keeper.look(['a'], START + 7199), [])
    assert.deepEqual(
      keeper.look(['a'], START + 7200).map(change => change.news),
      ['still_firing'],
    )
  })

  it('whose rule became more severe is told at once, also where it is in hand', () => {
    const keeper = new Keeper()
    keeper.look(['a'], START, { ...RULE, severity: 'notice' })
    keeper.change(a => ({ ...a, state: 'acknowledged', acknowledgement: { by: 'op', at: START, note: '' } }))
    assert.deepEqual(
      keeper.look(['a'], START + 15).map(change => [change.news, change.alert.severity]),
      [['worse', 'critical']],
    )
  })
})

const step = fc.oneof(
  fc.record({
    kind: fc.constant('look' as const),
    found: fc.subarray(['a', 'b', 'c']),
    after: fc.integer({ min: 1, max: 5000 }),
  }),
  fc.record({ kind: fc.constant('acknowledge' as const) }),
  fc.record({ kind: fc.constant('silence' as const), seconds: fc.integer({ min: 1, max: 10_000 }) }),
)

test('whatever happens: one open alert for each thing that is found, none for others, and nobody told in silence', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const keeper = new Keeper()
      let now = START
      for (const each of steps) {
        if (each.kind === 'acknowledge') {
          keeper.change(a => ({ ...a, state: 'acknowledged', acknowledgement: { by: 'op', at: now, note: '' } }))
          continue
        }
        if (each.kind === 'silence') {
          keeper.change(a => ({ ...a, silencedUntil: now + each.seconds }))
          continue
        }
        now += each.after
        const before = new Map(keeper.rows)
        const changes = keeper.look(each.found, now)
        const open = [...keeper.rows.values()].filter(({ state }) => state !== 'resolved')
        assert.deepEqual(open.map(({ subject }) => subject).sort(), [...each.found].sort())
        for (const { alert, news } of changes) {
          const was = before.get(alert.id)
          if (was && isSilenced(was, now)) assert.equal(news, null)
          if (was?.state === 'acknowledged' && alert.state === 'acknowledged') assert.equal(news, null)
          if (news !== null && news !== 'resolved') assert.equal(alert.notifiedAt, now)
          assert.ok(alert.startedAt <= alert.changedAt && alert.changedAt <= now)
        }
        // A second look at the same moment finds nothing new.
        assert.deepEqual(keeper.look(each.found, now), [])
      }
    }),
    { numRuns: 300 },
  )
})
