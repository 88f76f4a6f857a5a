// The rules of access as pure functions: who may do what, when a session is over, codes and passwords, waiting, and what roles give.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { toBase32 } from '../../src/core/bytes/base32.ts'
import { fromBase64url, toBase64url } from '../../src/core/bytes/base64url.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { type HotpHash, hotp } from '../../src/crypto/hotp.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { mayGive, narrowedGrants } from '../../src/domain/access/grants.ts'
import { GUARDED_ACTS } from '../../src/domain/access/guarded-acts.ts'
import { Passwords } from '../../src/domain/access/password.ts'
import { PERMISSIONS, type Permission, permissionNames } from '../../src/domain/access/permissions.ts'
import {
  covers,
  encloses,
  type Facts,
  type Grant,
  isEverywhere,
  may,
  maySomewhere,
  type Principal,
  type Scope,
  scopesOf,
} from '../../src/domain/access/principal.ts'
import { BUILT_IN_ROLES, parseRole } from '../../src/domain/access/roles.ts'
import {
  newSession,
  SESSION_IDLE_SECONDS,
  SESSION_SECONDS,
  type Session,
  sessionState,
} from '../../src/domain/access/session.ts'
import { SlowDown } from '../../src/domain/access/slow-down.ts'
import { acceptTotp, offerTotp, spendTotp } from '../../src/domain/access/totp.ts'

const NOW = 1_900_000_000

const anyOwner = fc.constantFrom('alpha', 'beta')
const anyModel = fc.constantFrom('m1', 'm2', 'm3')
const anySite = fc.constantFrom('ulm', 'bern')
const anyScope: fc.Arbitrary<Scope> = fc.record(
  {
    owner: anyOwner,
    models: fc.uniqueArray(anyModel, { minLength: 1 }),
    sites: fc.uniqueArray(anySite, { minLength: 1 }),
  },
  { requiredKeys: [] },
)
const anyFacts: fc.Arbitrary<Facts> = fc.record(
  { owner: fc.option(anyOwner), model: fc.option(anyModel), site: fc.option(anySite) },
  { requiredKeys: [] },
)
const anyPermission = fc.constantFrom(...permissionNames)
const anyGrant: fc.Arbitrary<Grant> = fc.record({
  permissions: fc.uniqueArray(anyPermission, { maxLength: 5 }).map(names => new Set<Permission>(names)),
  scope: anyScope,
})
const anyGrants = fc.array(anyGrant, { maxLength: 4 })

const principal = (grants: readonly Grant[]): Principal => ({
  kind: 'operator',
  id: 'op-x',
  name: 'X',
  operatorId: 'op-x',
  grants,
  authenticatedBy: 'passkey',
  authenticatedAt: NOW,
})

describe('may', () => {
  test('gives nothing that no grant gives, and nothing beyond its scope', () => {
    fc.assert(
      fc.property(anyGrants, anyPermission, anyFacts, (grants, permission, facts) => {
        if (!may(principal(grants), permission, facts)) return
        const giving = grants.filter(
          ({ permissions, scope }) =>
            permissions.has(permission) &&
            (scope.owner === undefined || scope.owner === facts.owner) &&
            (scope.models === undefined || scope.models.includes(facts.model ?? '')) &&
            (scope.sites === undefined || scope.sites.includes(facts.site ?? '')),
        )
        assert.ok(giving.length > 0)
        if (PERMISSIONS[permission].reach === 'instance') assert.ok(giving.some(({ scope }) => isEverywhere(scope)))
      }),
      { numRuns: 2000 },
    )
  })

  test('without facts asks for everywhere, and with more known facts never gives less', () => {
    fc.assert(
      fc.property(anyGrants, anyPermission, anyFacts, (grants, permission, facts) => {
        const who = principal(grants)
        if (may(who, permission)) assert.ok(may(who, permission, facts))
        if (may(who, permission, facts)) assert.ok(maySomewhere(who, permission))
        const known = { owner: facts.owner ?? 'alpha', model: facts.model ?? 'm1', site: facts.site ?? 'ulm' }
        if (may(who, permission, facts)) assert.ok(may(who, permission, known))
      }),
      { numRuns: 2000 },
    )
  })

  test('answers as the scopes that a list is narrowed to', () => {
    fc.assert(
      fc.property(anyGrants, anyPermission, anyFacts, (grants, permission, facts) => {
        const who = principal(grants)
        assert.equal(
          may(who, permission, facts),
          scopesOf(who, permission).some(scope => covers(scope, facts)),
        )
      }),
    )
  })

  test('lets nobody give away more than they have', () => {
    fc.assert(
      fc.property(anyGrants, anyPermission, anyScope, anyFacts, (grants, permission, scope, facts) => {
        const giver = principal(grants)
        if (!mayGive(giver, permission, scope)) return
        const receiver = principal([{ permissions: new Set([permission]), scope }])
        if (may(receiver, permission, facts)) assert.ok(may(giver, permission, facts))
      }),
      { numRuns: 2000 },
    )
  })

  test('gives a token no more than its operator has now, nor than it was made with', () => {
    const anyToken = fc.record({ permissions: fc.uniqueArray(anyPermission, { minLength: 1 }), scope: anyScope })
    fc.assert(
      fc.property(anyGrants, anyToken, anyPermission, anyFacts, (grants, token, permission, facts) => {
        const program = principal(narrowedGrants(grants, token))
        if (!may(program, permission, facts)) return
        assert.ok(may(principal(grants), permission, facts))
        assert.ok(token.permissions.includes(permission) && covers(token.scope, facts))
      }),
      { numRuns: 2000 },
    )
  })

  test('knows which scope lies within which', () => {
    fc.assert(
      fc.property(anyScope, anyScope, anyFacts, (outer, inner, facts) => {
        if (encloses(outer, inner) && covers(inner, facts)) assert.ok(covers(outer, facts))
        assert.ok(encloses({}, inner) && encloses(inner, inner))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('roles', () => {
  const role = (name: string) => BUILT_IN_ROLES.find(each => each.name === name)!

  test('auditors change nothing, and only administrators give power', () => {
    for (const name of role('auditor').permissions) assert.match(name, /\.read$/)
    for (const { name, permissions } of BUILT_IN_ROLES) {
      for (const power of ['role.write', 'operator.write', 'settings.write'] as const) {
        assert.equal(permissions.has(power), name === 'administrator', `${name} ${power}`)
      }
    }
    assert.equal(role('administrator').permissions.size, permissionNames.length)
  })

  test('nobody but an administrator keeps both the authorities and who gets certificates of them', () => {
    for (const { name, permissions } of BUILT_IN_ROLES) {
      const both = permissions.has('authority.write') && permissions.has('enrolment.decide')
      assert.equal(both, name === 'administrator', name)
    }
  })

  test('of an operator’s own making are read strictly', () => {
    const good = { schema: 1, name: 'watcher', permissions: ['device.read'] }
    assert.deepEqual([...parseRole(good).permissions], ['device.read'])
    assert.equal(parseRole({ ...good, retired: true }).permissions.size, 0)
    for (const bad of [
      { ...good, name: 'auditor' },
      { ...good, name: 'A' },
      { ...good, permissions: ['device.fly'] },
      { ...good, more: 1 },
      { ...good, schema: 2 },
    ]) {
      assert.throws(() => parseRole(bad), TouchmarkError)
    }
  })

  test('acts that take a second person have permissions that reach the whole instance or fleet', () => {
    for (const { permission } of Object.values(GUARDED_ACTS)) assert.ok(permission in PERMISSIONS)
  })
})

describe('a session', () => {
  test('is live exactly while it is used and not too old, whatever happens in between', () => {
    const steps = fc.array(
      fc.record({ wait: fc.integer({ min: 0, max: 2 * SESSION_IDLE_SECONDS }), use: fc.boolean() }),
    )
    fc.assert(
      fc.property(steps, moves => {
        const of = { operatorId: 'op-x', method: 'passkey', address: '', agent: undefined } as const
        let session: Session = newSession(of, NOW, systemRandom).session
        let now = NOW
        for (const { wait, use } of moves) {
          now += wait
          const live = now < session.seenAt + SESSION_IDLE_SECONDS && now < NOW + SESSION_SECONDS
          assert.equal(sessionState(session, now) === 'live', live)
          if (live && use) session = { ...session, seenAt: now }
        }
        assert.notEqual(sessionState(session, NOW - 3600), 'live', 'a clock that goes back gives no time')
      }),
    )
  })

  test('keeps of its secret a hash, and of what a browser calls itself one short line', () => {
    const of = { operatorId: 'op-x', method: 'link', address: '::1', agent: `a\u0000\n${'b'.repeat(500)}` } as const
    const { session, secret } = newSession(of, NOW, systemRandom)
    assert.equal(secret.length, 43)
    assert.ok(!JSON.stringify(session).includes(secret))
    assert.match(session.agent, /^ab{199}$/)
  })
})

describe('one-time codes', () => {
  test('are those of RFC 4226 appendix D', () => {
    const expected = [
      '755224',
      '287082',
      '359152',
      '969429',
      '338314',
      '254676',
      '287922',
      '162583',
      '399871',
      '520489',
    ]
    const key = Buffer.from('12345678901234567890')
    assert.deepEqual(
      expected.map((_, counter) => hotp(key, counter, 6)),
      expected,
    )
  })

  test('are those of RFC 6238 appendix B', () => {
    const keys: Readonly<Record<HotpHash, Buffer>> = {
      sha1: Buffer.from('12345678901234567890'),
      sha256: Buffer.from('12345678901234567890123456789012'),
      sha512: Buffer.from('1234567890123456789012345678901234567890123456789012345678901234'),
    }
    const vectors: readonly (readonly [number, HotpHash, string])[] = [
      [59, 'sha1', '94287082'],
      [59, 'sha256', '46119246'],
      [59, 'sha512', '90693936'],
      [1111111109, 'sha1', '07081804'],
      [1111111109, 'sha256', '68084774'],
      [1111111109, 'sha512', '25091201'],
      [1111111111, 'sha1', '14050471'],
      [1234567890, 'sha1', '89005924'],
      [2000000000, 'sha256', '90698825'],
      [20000000000, 'sha1', '65353130'],
      [20000000000, 'sha512', '47863826'],
    ]
    for (const [time, hash, code] of vectors) {
      assert.equal(hotp(keys[hash], Math.floor(time / 30), 8, hash), code, `${hash} at ${time}`)
    }
  })

  test('count one step early or late, each once, and for their own operator', () => {
    const key = systemRandom.bytes(32)
    const who = { operatorId: 'op-a', account: 'ada@example.test', issuer: 'Touchmark' }
    const { uri, secret, ticket } = offerTotp(who, NOW, key, systemRandom)
    assert.equal(uri, `otpauth://totp/Touchmark:ada%40example.test?secret=${secret}&issuer=Touchmark`)
    const octets = Buffer.from(fromBase32(secret))
    const step = Math.floor(NOW / 30)
    const code = hotp(octets, step, 6)
    const accept = (fields: object, at = NOW) =>
      acceptTotp({ operatorId: 'op-a', ticket, code, ...fields }, at, key, systemRandom)
    assert.throws(() => accept({ operatorId: 'op-b' }), { code: 'totp.offer_invalid' })
    assert.throws(() => accept({ ticket: 'AAAA' }), { code: 'totp.offer_invalid' })
    assert.throws(() => accept({}, NOW + 601), { code: 'totp.offer_invalid' })
    assert.throws(() => accept({ code: '000000' === code ? '000001' : '000000' }), { code: 'totp.code_wrong' })
    const totp = accept({})
    assert.ok(!totp.sealed.includes(secret))
    assert.equal(spendTotp(totp, 'op-a', code, NOW, key), undefined, 'the code that set it up is spent')
    const next = hotp(octets, step + 1, 6)
    const used = spendTotp(totp, 'op-a', next, NOW, key)
    assert.equal(used?.lastStep, step + 1)
    assert.equal(spendTotp(used!, 'op-a', next, NOW + 30, key), undefined)
    assert.equal(spendTotp(totp, 'op-a', hotp(octets, step + 2, 6), NOW, key), undefined, 'two steps early')
    assert.throws(() => spendTotp(totp, 'op-b', next, NOW, key), { code: 'seal.broken' })
    assert.throws(() => spendTotp(totp, 'op-a', next, NOW, systemRandom.bytes(32)), { code: 'seal.broken' })
  })
})

describe('a password', () => {
  const passwords = new Passwords(systemRandom, { memoryKiB: 64, passes: 1, lanes: 1 })

  test('is kept as argon2id with a salt of its own, and found again', async () => {
    const hash = await passwords.hash('a long walk in the hills', [])
    assert.match(hash, /^argon2id\$m=64,t=1,p=1\$/)
    assert.notEqual(await passwords.hash('a long walk in the hills', []), hash)
    assert.ok(await passwords.verify('a long walk in the hills', hash))
    assert.ok(!(await passwords.verify('a long walk in the hillS', hash)))
    assert.ok(!(await passwords.verify('a long walk in the hills', null)))
  })

  test('is the same however its letters are composed', async () => {
    const hash = await passwords.hash('Grüße aus Zürich', [])
    assert.ok(await passwords.verify('Grüße aus Zürich'.normalize('NFD'), hash))
  })

  test('is computed for a few at a time; the others are sent away', async () => {
    const hash = await passwords.hash('a long walk in the hills', [])
    const tries = await Promise.allSettled(Array.from({ length: 40 }, () => passwords.verify('x', hash)))
    const refused = tries.filter(each => each.status === 'rejected')
    assert.equal(refused.length, 40 - 18)
    for (const { reason } of refused) assert.equal(reason.code, 'access.busy')
    assert.ok(await passwords.verify('a long walk in the hills', hash), 'and afterwards there is room')
  })
})

describe('slowing down', () => {
  test('never lets more than a few guesses through in a time, however they come', () => {
    const guesses = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(guesses, waits => {
        const slowDown = new SlowDown()
        let now = NOW
        let through = 0
        for (const [i, wait] of waits.entries()) {
          now += wait
          try {
            slowDown.attempt('ada', `10.0.0.${i}`, now)
            through++
          } catch (error) {
            assert.ok(error instanceof TouchmarkError && Number(error.evidence['retryAfterSeconds']) > 0)
          }
        }
        // Five are free; then 1, 2, 4, 8, 16, 32 and 60 seconds lie between two.
        const minutes = (now - NOW) / 60
        assert.ok(through <= 5 + 7 + minutes, `${through} in ${minutes} minutes`)
      }),
    )
  })

  test('counts those that come at once, and forgives who succeeds', () => {
    const slowDown = new SlowDown()
    const attempts = Array.from({ length: 5 }, () => slowDown.attempt('ada', '192.0.2.1', NOW))
    assert.throws(() => slowDown.attempt('ADA', '192.0.2.2', NOW), { code: 'access.slow_down' })
    attempts[0]!.succeeded()
    slowDown.attempt('ada', '192.0.2.2', NOW)
  })

  test('takes all addresses of one IPv6 network for one', () => {
    const slowDown = new SlowDown()
    for (let i = 0; i < 20; i++) slowDown.attempt(null, `2001:db8::${i}`, NOW)
    assert.throws(() => slowDown.attempt(null, '2001:db8::ffff', NOW), { code: 'access.slow_down' })
    slowDown.attempt(null, '2001:db8:1::1', NOW)
  })
})

test('base64url and base32 are those of RFC 4648', () => {
  const vectors = ['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar']
  const base32 = ['', 'MY', 'MZXQ', 'MZXW6', 'MZXW6YQ', 'MZXW6YTB', 'MZXW6YTBOI']
  assert.deepEqual(
    vectors.map(text => toBase32(Buffer.from(text))),
    base32,
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), octets => {
      assert.equal(toBase64url(octets), Buffer.from(octets).toString('base64url'))
      assert.deepEqual(Buffer.from(fromBase64url(toBase64url(octets))), Buffer.from(octets))
    }),
  )
  for (const bad of ['A', 'AA=', 'AA==', '+/+/', 'AB', 'A A=']) {
    assert.throws(() => fromBase64url(bad), { code: 'bytes.base64_invalid' }, bad)
  }
})

function fromBase32(text: string): number[] {
  const bits = [...text]
    .map(each => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(each).toString(2).padStart(5, '0'))
    .join('')
  return bits.match(/.{8}/g)!.map(octet => Number.parseInt(octet, 2))
}
