// The decision as a table: one row a case, each a change to a request that is granted. Nothing here touches a store or a key.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Device, DeviceState } from '../../../src/domain/device/device.ts'
import type { DeviceKey, KeyState } from '../../../src/domain/device/device-key.ts'
import { keyId, tokenId } from '../../../src/domain/ids.ts'
import { type DecisionInput, decide, explain, quotaCounters } from '../../../src/domain/ra/decide.ts'
import type {
  Evidence,
  ManufacturerCertificateEvidence,
  OwnCertificateEvidence,
  TokenEvidence,
} from '../../../src/domain/ra/evidence.ts'
import { REFUSALS, type RefusalCode } from '../../../src/domain/ra/refusal.ts'
import { defaultRules, parseRules, type RulesConfig } from '../../../src/domain/ra/rules.ts'
import { DEFAULT_RENEWAL_POLICY } from '../../../src/domain/renewal/policy.ts'
import { aCertificate, aDevice, aKey, aToken, NOW } from '../../support/store-fixtures.ts'

const device = aDevice({ model: 'sensor-9', serialNumber: 'SN-1', state: 'active' })
const birthKey = aKey(device)
const newKeyId = keyId(new Uint8Array(32).fill(7))

function shows(
  profile: string,
  fields: Partial<OwnCertificateEvidence> = {},
  of: Device = device,
): OwnCertificateEvidence {
  const record = { ...aCertificate(of, birthKey, { profile }), auditIndex: 0 }
  return { kind: 'own-certificate', record, device: of, key: birthKey, expiredForSeconds: 0, ...fields }
}

function token(fields: Partial<TokenEvidence['token']> = {}, of: Device = device): TokenEvidence {
  return { kind: 'token', device: of, token: { ...aToken(of), ...fields } }
}

function foreign(fields: Partial<ManufacturerCertificateEvidence> = {}): ManufacturerCertificateEvidence {
  return {
    kind: 'manufacturer-certificate',
    anchor: 'acme',
    model: 'acme-1',
    serialNumber: 'A-1',
    fingerprint: 'ab'.repeat(32),
    device: null,
    keyId: keyId(new Uint8Array(32).fill(9)),
    keyAlgorithm: 'P-256',
    key: null,
    ...fields,
  }
}

const ldevid: DecisionInput['profile'] = {
  name: 'ldevid',
  holder: 'device',
  keyAlgorithms: ['P-256', 'P-384'],
  renewal: DEFAULT_RENEWAL_POLICY,
}

function input(fields: Partial<DecisionInput> = {}): DecisionInput {
  return {
    operation: 'enrol',
    profile: ldevid,
    evidence: [shows('idevid')],
    key: { id: newKeyId, algorithm: 'P-256', origin: 'device', known: null },
    names: { subject: 'other', subjectAltName: 'absent', changeSubjectName: false },
    channelBinding: false,
    approved: false,
    quotaTaken: {},
    rules: parseRules(defaultRules),
    now: NOW,
    ...fields,
  }
}

const renewal = (fields: Partial<DecisionInput> = {}): DecisionInput =>
  input({
    operation: 'renew',
    evidence: [shows('ldevid')],
    names: { subject: 'same', subjectAltName: 'same', changeSubjectName: false },
    ...fields,
  })

const known = (fields: Partial<DeviceKey>, of: Device = device): DecisionInput['key'] => ({
  id: newKeyId,
  algorithm: 'P-256',
  origin: 'device',
  known: aKey(of, { id: newKeyId, ...fields }),
})

const other = aDevice({ serialNumber: 'SN-2', state: 'active' })
const inState = (state: DeviceState): Evidence[] => {
  const changed = { ...device, state }
  return [shows('idevid', {}, changed)]
}
const rules = (...list: RulesConfig['rules']) => parseRules({ schema: 1, rules: list })
const grantAll = { name: 'all', outcome: 'grant' } as const

describe('the rules of a new instance', () => {
  const granted: readonly [string, DecisionInput, string][] = [
    ['a birth certificate for an operational one', input(), 'birth-to-operational'],
    ['a device that was never in the field', input({ evidence: inState('manufactured') }), 'birth-to-operational'],
    ['a live operational certificate for its renewal', renewal(), 'renew-operational'],
    [
      'a renewal that names nothing',
      renewal({ names: { subject: 'empty', subjectAltName: 'absent', changeSubjectName: false } }),
      'renew-operational',
    ],
    [
      'a renewal with the same key',
      renewal({ key: { ...known({ state: 'in_use' }), id: birthKey.id } }),
      'renew-operational',
    ],
    ['a token for what it names', input({ evidence: [token()] }), 'token'],
    ['a token in its last second', input({ evidence: [token({ expiresAt: NOW })] }), 'token'],
    ['a token beside a certificate of the same device', input({ evidence: [token(), shows('ldevid')] }), 'token'],
    ['the word of an operator', input({ evidence: [{ kind: 'operator', name: 'ann', device }] }), 'operator'],
  ]
  for (const [name, request, rule] of granted) {
    test(`grants ${name}`, () => {
      const { decision, trace } = explain(request)
      assert.equal(decision.outcome, 'granted', JSON.stringify(trace))
      assert.equal(decision.rule?.name, rule)
      assert.equal(trace.at(-1)?.verdict, 'passed')
      assert.deepEqual(decide(request), decision)
    })
  }

  const denied: readonly [string, DecisionInput, RefusalCode][] = [
    ['nothing', input({ evidence: [] }), 'evidence.missing'],
    [
      'a token of another device beside the certificate',
      input({ evidence: [shows('idevid'), token({}, other)] }),
      'evidence.conflicting',
    ],
    ['a suspended device', input({ evidence: inState('suspended') }), 'device.suspended'],
    ['a retired device', input({ evidence: inState('retired') }), 'device.retired'],
    ['a destroyed device', input({ evidence: inState('destroyed') }), 'device.retired'],
    ['a used token', input({ evidence: [token({ usedAt: NOW - 1 })] }), 'token.used'],
    ['a withdrawn token', input({ evidence: [token({ cancelledAt: NOW - 1 })] }), 'token.cancelled'],
    ['a token one second after its end', input({ evidence: [token({ expiresAt: NOW - 1 })] }), 'token.expired'],
    [
      'a token for another profile',
      input({ evidence: [token({ profile: 'gateway-tls-server' })] }),
      'token.profile_mismatch',
    ],
    ['a profile of the platform', input({ profile: { ...ldevid, holder: 'platform' } }), 'profile.not_for_devices'],
    [
      'a key algorithm that the profile does not allow',
      input({ key: { id: newKeyId, algorithm: 'RSA-2048', origin: 'device', known: null } }),
      'key.algorithm_not_allowed',
    ],
    ['a key of another device', input({ key: known({}, other) }), 'key.known_elsewhere'],
    ['a suspended key', input({ key: known({ state: 'suspended' }) }), 'key.suspended'],
    ['an archived key', input({ key: known({ state: 'archived' }) }), 'key.archived'],
    ['a compromised key', input({ key: known({ state: 'compromised' }) }), 'key.compromised'],
    ['a destroyed key', input({ key: known({ state: 'destroyed' }) }), 'key.destroyed'],
    [
      'a birth certificate for another birth certificate',
      input({ profile: { ...ldevid, name: 'idevid' } }),
      'rule.none_matches',
    ],
    [
      'a birth certificate for a server certificate',
      input({ profile: { ...ldevid, name: 'gateway-tls-server' } }),
      'rule.none_matches',
    ],
    ['an operational certificate for a second one', input({ evidence: [shows('ldevid')] }), 'rule.none_matches'],
    ['a renewal without the certificate', renewal({ evidence: [token()] }), 'renewal.certificate_required'],
    ['a renewal by the birth certificate', renewal({ evidence: [shows('idevid')] }), 'renewal.profile_changed'],
    [
      'a renewal of the birth certificate',
      renewal({ evidence: [shows('idevid')], profile: { ...ldevid, name: 'idevid' } }),
      'rule.none_matches',
    ],
    [
      'a renewal with another subject (RFC 7030 4.2.2)',
      renewal({ names: { subject: 'other', subjectAltName: 'same', changeSubjectName: false } }),
      'renewal.subject_changed',
    ],
    [
      'a renewal with another subjectAltName (RFC 7030 4.2.2)',
      renewal({ names: { subject: 'same', subjectAltName: 'other', changeSubjectName: false } }),
      'renewal.subject_alt_name_changed',
    ],
    [
      'ChangeSubjectName (RFC 6402 2.8)',
      renewal({ names: { subject: 'same', subjectAltName: 'same', changeSubjectName: true } }),
      'renewal.change_subject_name_unsupported',
    ],
    [
      'the same key where the profile wants a new one',
      renewal({
        profile: { ...ldevid, renewal: { ...DEFAULT_RENEWAL_POLICY, sameKey: false } },
        key: { ...known({ state: 'in_use' }), id: birthKey.id },
      }),
      'key.reuse_not_allowed',
    ],
    [
      'a certificate that expired a second ago',
      renewal({ evidence: [shows('ldevid', { expiredForSeconds: 1 })] }),
      'evidence.certificate_expired',
    ],
  ]
  for (const [name, request, code] of denied) {
    test(`denies ${name}: ${code}`, () => {
      const { decision, trace } = explain(request)
      assert.deepEqual(decide(request), decision)
      assert.equal(decision.outcome, 'denied', JSON.stringify(trace))
      assert.ok(decision.outcome === 'denied')
      assert.equal(decision.refusal.code, code)
      assert.equal(decision.refusal.kind, REFUSALS[code].kind)
      assert.equal(trace.at(-1)?.verdict, 'failed')
      assert.match(trace.at(-1)!.because, new RegExp(code.replaceAll('.', '\\.')))
    })
  }

  test('lets a device of another maker wait for an operator, and grants after approval', () => {
    const waiting = decide(input({ evidence: [foreign()] }))
    assert.equal(waiting.outcome, 'pending')
    assert.deepEqual(waiting.subject, { kind: 'unknown', model: 'acme-1', serialNumber: 'A-1' })
    const approved = decide(input({ evidence: [foreign()], approved: true }))
    assert.equal(approved.outcome, 'granted')
  })

  test('approval does not outvote a fact', () => {
    const suspended = { ...device, state: 'suspended' } as const
    const decision = decide(input({ evidence: [foreign({ device: suspended })], approved: true }))
    assert.ok(decision.outcome === 'denied')
    assert.equal(decision.refusal.code, 'device.suspended')
  })
})

describe('conditions of rules', () => {
  const matching: readonly [string, RulesConfig['rules'][number]['when'], Partial<DecisionInput>, boolean][] = [
    ['no condition', {}, {}, true],
    ['the operation', { operation: ['renew'] }, {}, false],
    ['the kind of evidence', { evidence: ['own-certificate'] }, {}, true],
    ['another kind of evidence', { evidence: ['token'] }, {}, false],
    ['the profile of the presented certificate', { presented: ['idevid'] }, {}, true],
    ['another presented profile', { presented: ['ldevid'] }, {}, false],
    ['a presented profile, with a token only', { presented: ['idevid'] }, { evidence: [token()] }, false],
    ['a trust anchor', { trustAnchors: ['acme'] }, { evidence: [foreign({ device })] }, true],
    ['another trust anchor', { trustAnchors: ['acme'] }, { evidence: [foreign({ device, anchor: 'bolt' })] }, false],
    ['a trust anchor, with a certificate of ours', { trustAnchors: ['acme'] }, {}, false],
    ['one of several profiles', { profiles: ['idevid', 'ldevid'] }, {}, true],
    ['another profile', { profiles: ['idevid'] }, {}, false],
    ['a pattern of models', { models: ['sensor-*'] }, {}, true],
    ['a pattern of other models', { models: ['gateway-*'] }, {}, false],
    ['a pattern in another case', { models: ['Sensor-*'] }, {}, false],
    ['the key algorithm', { keyAlgorithms: ['P-256'] }, {}, true],
    ['another key algorithm', { keyAlgorithms: ['P-384'] }, {}, false],
    ['who made the key', { keyOrigin: ['server'] }, {}, false],
    ['a window that is open', { window: { from: new Date((NOW - 1) * 1000).toISOString() } }, {}, true],
    ['a window that ends now, inclusive', { window: { until: new Date(NOW * 1000).toISOString() } }, {}, true],
    ['a window that ended', { window: { until: new Date((NOW - 1) * 1000).toISOString() } }, {}, false],
    ['a window that will open', { window: { from: new Date((NOW + 1) * 1000).toISOString() } }, {}, false],
  ]
  for (const [name, when, fields, matches] of matching) {
    test(`${name}: ${matches ? 'holds' : 'does not hold'}`, () => {
      const decision = decide(input({ rules: rules({ ...grantAll, when }), ...fields }))
      assert.equal(decision.outcome, matches ? 'granted' : 'denied')
      if (decision.outcome === 'denied') assert.equal(decision.refusal.code, 'rule.none_matches')
    })
  }

  test('the first rule that matches decides', () => {
    const decision = decide(
      input({ rules: rules({ name: 'no', outcome: 'deny', when: { models: ['sensor-*'] } }, grantAll) }),
    )
    assert.ok(decision.outcome === 'denied')
    assert.equal(decision.refusal.code, 'rule.denies')
    assert.equal(decision.rule?.name, 'no')
  })

  test('a rule without a match says why in the trace', () => {
    const { trace } = explain(input({ rules: rules({ ...grantAll, when: { models: ['gateway-*'] } }) }))
    assert.ok(trace.some(step => step.because === 'rule all does not match: the model is sensor-9'))
  })
})

describe('what a matching rule asks for', () => {
  test('a grace time lets an expired certificate renew, to the second', () => {
    const graceful = rules({ ...grantAll, graceAfterExpirySeconds: 3600 })
    const at = (expiredForSeconds: number) =>
      decide(renewal({ rules: graceful, evidence: [shows('ldevid', { expiredForSeconds })] })).outcome
    assert.deepEqual([at(0), at(3600), at(3601)], ['granted', 'granted', 'denied'])
  })

  test('an unknown device is registered only where the rule says so', () => {
    const strict = decide(input({ evidence: [foreign()], rules: rules(grantAll) }))
    assert.ok(strict.outcome === 'denied')
    assert.equal(strict.refusal.code, 'device.unknown')
    const open = decide(input({ evidence: [foreign()], rules: rules({ ...grantAll, firstSeen: 'register' }) }))
    assert.equal(open.outcome, 'granted')
  })

  test('the key of an unknown device may not be known at all', () => {
    const decision = decide(
      input({ evidence: [foreign()], key: known({}), rules: rules({ ...grantAll, firstSeen: 'register' }) }),
    )
    assert.ok(decision.outcome === 'denied')
    assert.equal(decision.refusal.code, 'key.known_elsewhere')
  })

  test('a channel binding where it is required (RFC 7030 3.5)', () => {
    const bound = rules({ ...grantAll, channelBinding: 'required' })
    const without = decide(input({ rules: bound }))
    assert.ok(without.outcome === 'denied')
    assert.equal(without.refusal.code, 'channel_binding.required')
    assert.equal(decide(input({ rules: bound, channelBinding: true })).outcome, 'granted')
  })

  test('names from the profile: a renewal request is not looked at for them', () => {
    const lenient = rules({ ...grantAll, renewalNames: 'from-profile' })
    const names = { subject: 'other', subjectAltName: 'other', changeSubjectName: false } as const
    assert.equal(decide(renewal({ rules: lenient, names })).outcome, 'granted')
  })

  test('a quota is full at its limit', () => {
    const limited = rules({ ...grantAll, quota: { per: 'rule', limit: 2 } })
    const at = (taken: number) => decide(input({ rules: limited, quotaTaken: { 'rule/all': taken } }))
    assert.equal(at(1).outcome, 'granted')
    const full = at(2)
    assert.ok(full.outcome === 'denied')
    assert.equal(full.refusal.code, 'quota.exceeded')
    assert.equal(full.refusal.kind, 'too_many')
  })

  const scopes: readonly ['rule' | 'batch' | 'device' | 'model', string][] = [
    ['rule', 'rule/all'],
    ['batch', 'rule/all/batch/none'],
    ['device', 'rule/all/device/sensor-9 SN-1'],
    ['model', 'rule/all/model/sensor-9'],
  ]
  for (const [per, counter] of scopes) {
    test(`a quota per ${per} counts as ${counter}`, () => {
      const limited = rules({ ...grantAll, quota: { per, limit: 5 } })
      const decision = decide(input({ rules: limited }))
      assert.ok(decision.outcome === 'granted')
      assert.deepEqual(decision.quota, { counter, limit: 5 })
      assert.deepEqual(quotaCounters(limited, [shows('idevid')], NOW), [counter])
    })
  }

  test('a quota with a window starts over with the next window', () => {
    const limited = rules({ ...grantAll, quota: { per: 'rule', limit: 1, windowSeconds: 3600 } })
    const window = Math.floor(NOW / 3600)
    const quotaTaken = { [`rule/all@${window}`]: 1 }
    assert.equal(decide(input({ rules: limited, quotaTaken })).outcome, 'denied')
    assert.equal(decide(input({ rules: limited, quotaTaken, now: NOW + 3600 })).outcome, 'granted')
  })
})

test('every key state has an answer', () => {
  const states: readonly KeyState[] = [
    'generated',
    'established',
    'in_use',
    'suspended',
    'archived',
    'compromised',
    'destroyed',
  ]
  const outcomes = states.map(state => decide(input({ key: known({ state }) })).outcome)
  assert.deepEqual(outcomes, ['granted', 'granted', 'granted', 'denied', 'denied', 'denied', 'denied'])
})

test('a decision changes nothing that it was given', () => {
  const request = input({ evidence: [token({ id: tokenId('00') })] })
  const before = JSON.stringify(request)
  decide(request)
  assert.equal(JSON.stringify(request), before)
})
