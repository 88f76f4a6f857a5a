// Each kind of rule at its thresholds, over facts that a test makes up.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it, test } from 'node:test'
import {
  type AlertRule,
  type AlertRuleKind,
  type AlertRulesConfig,
  alertRulesDocument,
  defaultAlertRules,
  parseAlertRules,
  RUNBOOKS,
} from '../../src/domain/alerts/alert-rules.ts'
import { evaluate } from '../../src/domain/alerts/evaluate.ts'
import type { AlertFacts, AuthorityFacts } from '../../src/domain/alerts/facts.ts'
import { RecentCounts } from '../../src/domain/alerts/recent-counts.ts'

const NOW = 1_900_000_000
const DAY = 86_400
const YEAR = 365 * DAY

const AUTHORITY: AuthorityFacts = {
  id: 'ldevid-1',
  kind: 'issuing',
  state: 'active',
  notAfter: NOW + 10 * YEAR,
  keyHere: true,
  keyExpected: true,
  crls: [{ shard: 0, list: { number: 3, thisUpdate: NOW - DAY, nextUpdate: NOW + 6 * DAY, octets: 500 } }],
  ocspNotAfter: NOW + 20 * DAY,
}

function facts(fields: Partial<AlertFacts> = {}): AlertFacts {
  return {
    now: NOW,
    recent: new RecentCounts(),
    disk: { freeOctets: 400e9, totalOctets: 500e9 },
    logUnsignedSince: null,
    failingJobs: [],
    authorities: [AUTHORITY],
    profiles: [],
    overdue: [],
    waiting: [],
    campaigns: [],
    undelivered: new Map(),
    ...fields,
  }
}

const { rules } = parseAlertRules(defaultAlertRules)

function found(kind: AlertRuleKind, given: Partial<AlertFacts>, changes: Partial<AlertRule> = {}): string[] {
  const rule = rules.find(each => each.kind === kind)
  assert.ok(rule, kind)
  return evaluate({ ...rule, ...changes } as AlertRule, facts(given)).map(
    ({ subject, summary }) => `${subject}: ${summary}`,
  )
}

function recently(...events: (readonly [Parameters<RecentCounts['add']>[0], number])[]): RecentCounts {
  const recent = new RecentCounts()
  for (const [event, count] of events) recent.add(event, NOW - 60, count)
  return recent
}

test('an instance in good order fires none of the default rules', () => {
  for (const rule of rules) assert.deepEqual(evaluate(rule, facts()), [], rule.name)
})

test('a rule that is switched off finds nothing', () => {
  assert.deepEqual(found('disk_low', { disk: { freeOctets: 0, totalOctets: 1 } }, { enabled: false }), [])
})

test('every kind has a default rule and a runbook that is there', () => {
  assert.deepEqual([...new Set(rules.map(({ kind }) => kind))].sort(), Object.keys(RUNBOOKS).sort())
  for (const file of Object.values(RUNBOOKS)) assert.ok(existsSync(`docs/operate/${file}`), file)
})

describe('expiry', () => {
  it('counts devices whose window closed before the grace time', () => {
    assert.deepEqual(found('credentials_overdue', { overdue: [NOW - DAY] }), [])
    assert.deepEqual(found('credentials_overdue', { overdue: [NOW - DAY - 1, NOW - 5] }), [
      ': 1 device should have renewed and did not.',
    ])
  })

  it('counts certificates in the last tenth of their life, by profile', () => {
    const ending = (start: number) => ({
      profiles: [{ profile: 'ldevid', lifetimeSeconds: YEAR, ends: [{ start, planned: 7 }] }],
    })
    assert.deepEqual(found('credentials_ending', ending(NOW + 60 * DAY)), [])
    assert.match(
      found('credentials_ending', ending(NOW + 10 * DAY))[0]!,
      /^ldevid: 7 certificates of ldevid are in the last 10 %/,
    )
    assert.deepEqual(found('credentials_ending', ending(NOW - 60 * DAY)), [])
  })

  it('counts those that ended lately and not those that ended long ago', () => {
    const ended = (start: number) => ({
      profiles: [{ profile: 'ldevid', lifetimeSeconds: YEAR, ends: [{ start, planned: 2 }] }],
    })
    assert.match(found('credentials_expired', ended(NOW - 6 * DAY))[0]!, /^ldevid: 2 certificates/)
    assert.deepEqual(found('credentials_expired', ended(NOW - 60 * DAY)), [])
  })
})

describe('rates', () => {
  it('needs number and share of refused enrolments', () => {
    assert.deepEqual(found('enrolments_refused', { recent: recently(['enrolment.refused', 20]) }), [])
    assert.match(found('enrolments_refused', { recent: recently(['enrolment.refused', 21]) })[0]!, /21 of 21/)
    const many = recently(['enrolment.refused', 21], ['enrolment.issued', 1000])
    assert.deepEqual(found('enrolments_refused', { recent: many }), [])
  })

  it('counts renewals refused, clones suspected, and codes one by one', () => {
    assert.match(found('renewals_refused', { recent: recently(['renewal.refused', 11]) })[0]!, /^: 11 renewals/)
    assert.match(found('clones_suspected', { recent: recently(['device.clone_suspected', 1]) })[0]!, /same device/)
    const recent = new RecentCounts()
    for (let i = 0; i < 501; i++) recent.refused('csr.signature_invalid', NOW)
    recent.refused('token.unknown', NOW)
    assert.equal(found('refusals_unusual', { recent }).length, 1)
  })

  it('forgets what is older than its window, and never counts an hour twice', () => {
    const recent = new RecentCounts()
    recent.add('renewal.refused', NOW - 3600 * 5, 50)
    recent.add('renewal.refused', NOW - 1800, 3)
    assert.equal(recent.count('renewal.refused', 3600, NOW), 3)
    assert.equal(recent.count('renewal.refused', 900, NOW), 0)
    assert.equal(recent.count('renewal.refused', 3600, NOW + 7200), 0)
  })
})

describe('authorities', () => {
  const one = (fields: Partial<AuthorityFacts>) => ({ authorities: [{ ...AUTHORITY, ...fields }] })

  it('tells of one that ends, and not of one that is retired', () => {
    assert.match(
      found('authority_ending', one({ notAfter: NOW + YEAR }))[0]!,
      /^ldevid-1: The authority ldevid-1 ends on/,
    )
    assert.match(found('authority_ending', one({ notAfter: NOW - 1 }))[0]!, /ended on/)
    assert.deepEqual(found('authority_ending', one({ notAfter: NOW + DAY, state: 'retired' })), [])
  })

  it('tells of a CRL that is missing or near its end, with more time for an offline key', () => {
    const list = (nextUpdate: number) => [{ shard: 0, list: { ...AUTHORITY.crls[0]!.list!, nextUpdate } }]
    assert.deepEqual(found('crl_ending', one({ crls: list(NOW + 3 * DAY) })), [])
    assert.equal(found('crl_ending', one({ crls: list(NOW + DAY) })).length, 1)
    assert.equal(found('crl_ending', one({ crls: list(NOW + 3 * DAY), keyHere: false })).length, 1)
    assert.match(found('crl_ending', one({ crls: [{ shard: 4, list: null }] }))[0]!, /no CRL for its shard 4/)
  })

  it('tells of OCSP signers only where the key could sign', () => {
    assert.match(found('ocsp_signer_ending', one({ ocspNotAfter: null }))[0]!, /Nobody signs OCSP/)
    assert.equal(found('ocsp_signer_ending', one({ ocspNotAfter: NOW + 60 })).length, 1)
    assert.deepEqual(found('ocsp_signer_ending', one({ ocspNotAfter: null, keyHere: false })), [])
  })

  it('tells of a key that should be here, never of an offline root', () => {
    assert.match(found('signer_lost', one({ keyHere: false }))[0]!, /key of ldevid-1 is not here/)
    assert.deepEqual(found('signer_lost', one({ kind: 'root', keyHere: false, keyExpected: false })), [])
    assert.match(found('signer_lost', { recent: recently(['signer.failed', 2]) })[0]!, /2 signatures failed/)
  })
})

describe('the house', () => {
  it('tells of a disk below both measures', () => {
    assert.deepEqual(found('disk_low', { disk: { freeOctets: 30e9, totalOctets: 1000e9 } }), [])
    assert.deepEqual(found('disk_low', { disk: { freeOctets: 9e9, totalOctets: 20e9 } }), [])
    assert.match(found('disk_low', { disk: { freeOctets: 1e9, totalOctets: 20e9 } })[0]!, /5 % of the disk/)
    assert.deepEqual(found('disk_low', { disk: null }), [])
  })

  it('tells of entries that nobody signs, of jobs, of approvals, of campaigns that stopped themselves, of dead letters', () => {
    assert.deepEqual(found('log_unsigned', { logUnsignedSince: NOW - 899 }), [])
    assert.equal(found('log_unsigned', { logUnsignedSince: NOW - 900 }).length, 1)
    assert.deepEqual(found('jobs_failing', { failingJobs: [{ name: 'due CRLs', since: NOW - 299 }] }), [])
    assert.match(
      found('jobs_failing', { failingJobs: [{ name: 'due CRLs', since: NOW - 300 }] })[0]!,
      /^due CRLs: The job/,
    )
    assert.equal(found('approvals_waiting', { waiting: [NOW - DAY - 1] }).length, 1)
    const paused = (stateReason: string | null) => ({
      campaigns: [{ name: 'to-p384', state: 'paused' as const, stateReason }],
    })
    assert.equal(found('campaign_paused', paused('campaign.too_many_failed')).length, 1)
    assert.deepEqual(found('campaign_paused', paused(null)), [])
    assert.match(found('notices_undelivered', { undelivered: new Map([['ops-mail', 3]]) })[0]!, /^ops-mail: 3 notices/)
  })

  it('tells at most a hundred things of one rule, and how many more there are', () => {
    const failingJobs = Array.from({ length: 250 }, (_, i) => ({ name: `job ${i}`, since: 0 }))
    const told = found('jobs_failing', { failingJobs })
    assert.equal(told.length, 100)
    assert.match(told.at(-1)!, /^: 151 more of jobs-failing/)
  })
})

describe('the document', () => {
  const withChannel = (channel: unknown) => ({ ...defaultAlertRules, channels: [channel] }) as AlertRulesConfig
  const mail = { kind: 'smtp', name: 'mail', host: 'mail.example', port: 587, from: 'a@example', to: ['b@example'] }

  it('refuses a password in the clear, half of a login, secrets that are paths, and names that stand twice', () => {
    for (const [channel, why] of [
      [{ ...mail, security: 'none', user: 'u', passwordSecret: 'p' }, /not sent in the clear/],
      [{ ...mail, security: 'tls', user: 'u' }, /belong together/],
      [{ kind: 'webhook', name: 'w', url: 'https://x.example', secret: '../keys/log' }, /secrets\//],
      [{ kind: 'webhook', name: 'w', url: 'file:///etc/passwd', secret: 's' }, /url/],
      [{ kind: 'chat', name: 'c', style: 'irc', urlSecret: 's' }, /style/],
    ] as const) {
      assert.throws(() => parseAlertRules(withChannel(channel)), { code: 'alert_rules.invalid', message: why })
    }
    const twice = { ...defaultAlertRules, rules: [...defaultAlertRules.rules, defaultAlertRules.rules[0]!] }
    assert.throws(() => parseAlertRules(twice), /stands twice/)
  })

  it('is stored as it was written', () => {
    const { body, kind } = alertRulesDocument(withChannel({ ...mail, security: 'starttls' }), 2, NOW)
    assert.equal(kind, 'alerts')
    assert.equal(parseAlertRules(JSON.parse(body)).channels.length, 1)
  })
})
