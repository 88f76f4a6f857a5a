// From the facts of a real store to what people are told and do, with the entries that they leave.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { advanceAlerts } from '../../src/domain/alerts/advance-alerts.ts'
import { alertRulesDocument, defaultAlertRules } from '../../src/domain/alerts/alert-rules.ts'
import { AlertRulesInForce } from '../../src/domain/alerts/alert-rules-in-force.ts'
import { acknowledgeAlert, findAlert, silenceAlert } from '../../src/domain/alerts/answer-alert.ts'
import { gatherFacts, type ProcessFacts } from '../../src/domain/alerts/facts.ts'
import { RecentCounts } from '../../src/domain/alerts/recent-counts.ts'
import { OPERATOR, type TestInstance, testInstance } from '../support/instance.ts'

const DAY = 86_400

const HERE: ProcessFacts = {
  recent: new RecentCounts(),
  disk: null,
  logUnsignedSince: null,
  failingJobs: [],
  keyIsHere: () => true,
  keyWasHere: () => false,
  ocspNotAfter: () => 253_402_300_799,
}

async function look(instance: TestInstance, here: Partial<ProcessFacts> = {}) {
  const { store, clock, random, authorities } = instance
  const rules = await new AlertRulesInForce(store.read).current()
  const facts = await gatherFacts(clock.now(), { ...HERE, ...here }, { read: store.read, authorities })
  return advanceAlerts(rules, facts, { store, clock, random, instance: 'acme/log' })
}

async function setChannels(instance: TestInstance, channels: typeof defaultAlertRules.channels): Promise<void> {
  const { store, clock } = instance
  const now = clock.now()
  // Without CRLs, which nobody publishes here.
  const rules = defaultAlertRules.rules.filter(({ kind }) => kind !== 'crl_ending')
  const document = alertRulesDocument({ ...defaultAlertRules, rules, channels }, 1, now)
  await store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [
      {
        at: now,
        actor: OPERATOR,
        action: 'alert.rules_changed',
        outcome: 'done',
        subject: { name: 'default' },
        detail: { version: 1 },
      },
    ],
  })
}

describe('the job behind the alerts', () => {
  it('tells each channel what is for it, in one notice, in the same change set as the alert', async t => {
    const instance = await testInstance(t)
    const { store, clock } = instance
    await setChannels(instance, [
      { kind: 'webhook', name: 'all', atLeast: 'notice', url: 'https://a.example', secret: 'a' },
      { kind: 'webhook', name: 'worst', atLeast: 'critical', url: 'https://b.example', secret: 'b' },
    ])
    assert.deepEqual(await look(instance), [])
    const failingJobs = [{ name: 'due CRLs', since: clock.now() - 3600 }]
    await look(instance, { failingJobs, logUnsignedSince: clock.now() - 3600 })
    const due = await store.read.deliveriesDue(clock.now(), 10)
    assert.deepEqual(
      due.map(({ channel, notice }) => [channel, notice.items.map(({ rule, why }) => `${rule} ${why}`)]).sort(),
      [
        ['all', ['log-unsigned firing', 'jobs-failing firing']],
        ['worst', ['log-unsigned firing']],
      ],
    )
    assert.equal(due[0]?.notice.instance, 'acme/log')
    clock.advance(15)
    await look(instance)
    const over = (await store.read.deliveriesDue(clock.now(), 10)).flatMap(({ notice }) => notice.items)
    assert.equal(over.filter(({ why }) => why === 'resolved').length, 3)
    assert.deepEqual(await store.read.openAlerts(10), [])
  })

  it('finds a CRL that nobody published, an authority near its end, a key that is gone', async t => {
    const instance = await testInstance(t)
    const rules = (await look(instance, { keyIsHere: () => false })).map(
      ({ alert }) => `${alert.rule}/${alert.subject}`,
    )
    assert.ok(rules.includes('crl-ending/ldevid-1'), rules.join())
    assert.ok(
      rules.includes('signer-lost/ldevid-1') && !rules.some(each => each.startsWith('signer-lost/root')),
      rules.join(),
    )
    const [ldevid] = (await instance.authorities.all()).filter(({ id }) => id === 'ldevid-1')
    const { notAfter } = await instance.authorities.certificate(ldevid!.id)
    instance.clock.advance(notAfter - instance.clock.now() - 30 * DAY)
    const later = (await look(instance)).map(({ alert }) => `${alert.rule}/${alert.subject}`)
    assert.ok(later.includes('authority-ending-soon/ldevid-1'), later.join())
  })

  it('two processes that look at once make one alert', async t => {
    const instance = await testInstance(t)
    await setChannels(instance, [])
    const here = { logUnsignedSince: 0 }
    await Promise.all([look(instance, here), look(instance, here), look(instance, here)])
    assert.equal((await instance.store.read.openAlerts(10)).length, 1)
  })
})

describe('people', () => {
  it('acknowledge and silence; the log knows who, and not what they wrote', async t => {
    const instance = await testInstance(t)
    const { store, clock } = instance
    await setChannels(instance, [
      { kind: 'webhook', name: 'all', atLeast: 'notice', url: 'https://a.example', secret: 'a' },
    ])
    const here = { logUnsignedSince: 0 }
    await look(instance, here)
    const [open] = await store.read.openAlerts(1)
    const alert = await findAlert(open!.id.slice(-8), store)
    const actor = { kind: 'operator', id: 'op-7' } as const
    await silenceAlert(alert.id, clock.now() + 3600, actor, { store, clock })
    await silenceAlert(alert.id, clock.now() + 3600, actor, { store, clock })
    for (const until of [clock.now(), clock.now() - 1, clock.now() + 31 * DAY]) {
      await assert.rejects(silenceAlert(alert.id, until, actor, { store, clock }), { code: 'alert.silence_invalid' })
    }
    await silenceAlert(alert.id, null, actor, { store, clock })
    const taken = await acknowledgeAlert(alert.id, 'calling Anna', actor, { store, clock })
    assert.deepEqual([taken.state, taken.acknowledgement?.note], ['acknowledged', 'calling Anna'])
    assert.deepEqual(await acknowledgeAlert(alert.id, 'me too', actor, { store, clock }), taken)
    await assert.rejects(acknowledgeAlert(alert.id, 'a\u0000b', actor, { store, clock }), {
      code: 'alert.note_invalid',
    })
    clock.advance(100_000)
    assert.deepEqual(await look(instance, here), [])

    const entries: string[] = []
    for await (const { bytes } of store.read.auditEntries(0)) entries.push(new TextDecoder().decode(bytes))
    const acts = entries.map(text => JSON.parse(text)).filter(({ action }) => /^alert\.(s|a)/.test(action))
    assert.deepEqual(
      acts.map(({ action, actor: by, detail }) => [action, by.id, detail.until > 0]),
      [
        ['alert.silenced', 'op-7', true],
        ['alert.silenced', 'op-7', false],
        ['alert.acknowledged', 'op-7', false],
      ],
    )
    assert.doesNotMatch(entries.join(''), /Anna/)
    await look(instance)
    await assert.rejects(acknowledgeAlert(alert.id, '', actor, { store, clock }), { code: 'alert.resolved' })
    await assert.rejects(findAlert('ffffffff', store), { code: 'alert.not_found' })
  })
})
