// Signing in over a real listener: links, passkeys, passwords with codes, sessions and their limits, and what a page of somebody else can do.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createFirstLink } from '../../src/domain/access/operators.ts'
import { SESSION_COOKIE } from '../../src/protocols/api/authenticate.ts'
import { type AccessServer, accessServer, expectStatus } from '../support/access-server.ts'
import { auditLog } from '../support/instance.ts'

const PASSWORD = 'a long walk in the hills'

async function actions(server: AccessServer): Promise<string[]> {
  return (await auditLog(server)).map(({ action }) => action)
}

describe('the first administrator', () => {
  test('comes in by a link that works once, within a day, and only while there is nobody', async t => {
    const server = await accessServer(t)
    const old = (await createFirstLink(server.access))!
    const secret = (await createFirstLink(server.access))!
    const browser = server.browser()
    const person = { name: 'Ada Ames', email: 'Ada@Example.test' }
    assert.equal((await browser.post('/session/link', { secret: old, ...person })).json.code, 'access.link_invalid')
    assert.deepEqual((await browser.post('/session/link/look', { secret })).json, { first: true, name: '' })
    assert.equal((await browser.post('/session/link', { secret })).json.code, 'access.link_needs_name')
    const welcome = await browser.post('/session/link', { secret, ...person })
    assert.equal(welcome.status, 200, welcome.text)
    assert.equal(welcome.json.operator.email, 'ada@example.test')
    assert.deepEqual(welcome.json.operator.roles, [{ role: 'administrator', scope: {} }])
    const again = await server.browser().post('/session/link', { secret, ...person })
    assert.equal(again.json.code, 'access.link_invalid')
    assert.equal(await createFirstLink(server.access), undefined)
    const session = await browser.get('/session')
    assert.equal(session.json.authenticatedBy, 'link')
    assert.ok(session.json.grants[0].permissions.includes('role.write'))
  })

  test('comes too late after a day, and after somebody was admitted at the machine', async t => {
    const server = await accessServer(t)
    const person = { name: 'Ada Ames', email: 'ada@example.test' }
    const secret = (await createFirstLink(server.access))!
    server.clock.advance(24 * 3600 + 1)
    assert.equal((await server.browser().post('/session/link', { secret, ...person })).status, 401)
  })

  test('leaves no name and no address in the log', async t => {
    const server = await accessServer(t)
    await server.firstAdministrator()
    const entries = await auditLog(server)
    assert.ok(entries.some(({ action }) => action === 'operator.added'))
    assert.doesNotMatch(JSON.stringify(entries), /Ada|example\.test/)
  })
})

describe('the session cookie', () => {
  test('is for this host alone, out of reach of scripts, and never sent along from other sites', async t => {
    const server = await accessServer(t)
    const browser = server.browser()
    const secret = (await createFirstLink(server.access))!
    const { headers } = await browser.post('/session/link', { secret, name: 'Ada', email: 'ada@example.test' })
    const [cookie] = headers['set-cookie']!
    assert.match(cookie!, new RegExp(`^${SESSION_COOKIE}=[\\w-]{43}; Path=/; Secure; HttpOnly; SameSite=Strict$`))
    assert.equal(headers['cache-control'], 'no-store')
  })

  test('is another one after each sign-in, and the one before opens nothing', async t => {
    const server = await accessServer(t)
    const browser = await server.firstAdministrator()
    const before = browser.cookie!
    expectStatus(await browser.signIn(), 200)
    assert.notEqual(browser.cookie, before)
    assert.equal((await browser.get('/session')).json.authenticatedBy, 'passkey')
    const old = server.browser()
    old.cookie = before
    assert.equal((await old.get('/session')).status, 401)
  })

  test('of somebody else ends with a sign-in at the same browser', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const added = await ada.post('/operators', { name: 'Ben', email: 'ben@example.test' })
    const left = server.browser()
    left.cookie = ada.cookie
    expectStatus(await ada.post('/session/link', { secret: added.json.linkSecret }), 200)
    assert.equal((await ada.get('/session')).json.name, 'Ben')
    expectStatus(await left.get('/session'), 401)
  })

  test('is no secret that the store holds', async t => {
    const server = await accessServer(t)
    const browser = await server.firstAdministrator()
    const { id } = (await browser.get('/session')).json
    const [session] = await server.store.read.sessionsOfOperator(id)
    assert.doesNotMatch(JSON.stringify(session), new RegExp(browser.cookie!))
  })
})

describe('a session', () => {
  test('ends after half an hour without use', async t => {
    const server = await accessServer(t)
    const browser = await server.firstAdministrator()
    server.clock.advance(29 * 60)
    expectStatus(await browser.get('/session'), 200)
    server.clock.advance(29 * 60)
    expectStatus(await browser.get('/session'), 200)
    server.clock.advance(30 * 60)
    expectStatus(await browser.get('/session'), 401)
  })

  test('is not used by what a page asks by itself while nobody is there', async t => {
    const server = await accessServer(t)
    const browser = await server.firstAdministrator()
    for (let minutes = 0; minutes < 20; minutes += 10) {
      server.clock.advance(600)
      expectStatus(await browser.get('/session', { 'x-touchmark-unattended': '1' }), 200)
    }
    server.clock.advance(600)
    expectStatus(await browser.get('/session', { 'x-touchmark-unattended': '1' }), 401)
  })

  test('ends after twelve hours however much it is used', async t => {
    const server = await accessServer(t)
    const browser = await server.firstAdministrator()
    for (let minutes = 0; minutes < 12 * 60 - 20; minutes += 20) {
      server.clock.advance(20 * 60)
      expectStatus(await browser.get('/session'), 200)
    }
    server.clock.advance(20 * 60)
    expectStatus(await browser.get('/session'), 401)
  })

  test('is listed, and ended by its holder from elsewhere', async t => {
    const server = await accessServer(t)
    const browser = await server.firstAdministrator()
    const elsewhere = server.browser()
    server.clock.advance(1)
    const options = await elsewhere.post('/session/passkey/options')
    const answer = browser.authenticator.get(options.json, server.origin)
    expectStatus(await elsewhere.post('/session/passkey', { answer }), 200)
    const { items } = (await browser.get('/account/sessions')).json
    assert.deepEqual(
      items.map(({ method, current }: { method: string; current: boolean }) => [method, current]),
      [
        ['link', true],
        ['passkey', false],
      ],
    )
    expectStatus(await browser.delete(`/account/sessions/${items[1].id}`), 204)
    expectStatus(await elsewhere.get('/session'), 401)
    expectStatus(await browser.delete(`/account/sessions/${items[1].id}`), 404)
  })

  test('ends with signing out, and the cookie is taken back', async t => {
    const server = await accessServer(t)
    const browser = await server.firstAdministrator()
    const { cookie } = browser
    const answer = await browser.delete('/session')
    assert.equal(answer.status, 204)
    assert.match(answer.headers['set-cookie']![0]!, /Max-Age=0/)
    browser.cookie = cookie
    expectStatus(await browser.get('/session'), 401)
    assert.ok((await actions(server)).includes('session.ended'))
  })

  test('ends with its operator', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const ben = await server.operator(ada, 'ben@example.test', ['auditor'])
    expectStatus(await ben.get('/session'), 200)
    expectStatus(await ada.delete(`/operators/${ben.id}`), 204)
    expectStatus(await ben.get('/session'), 401)
    const gone = await server.store.read.operator(ben.id)
    assert.deepEqual([gone?.name, gone?.email, gone?.state], ['', null, 'removed'])
  })

  test('gives way where there are too many', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const { id } = (await ada.get('/session')).json
    for (let i = 0; i < 22; i++) {
      const other = server.browser()
      server.clock.advance(1)
      const options = await other.post('/session/passkey/options')
      expectStatus(
        await other.post('/session/passkey', { answer: ada.authenticator.get(options.json, server.origin) }),
        200,
      )
    }
    assert.equal((await server.store.read.sessionsOfOperator(id)).length, 20)
    expectStatus(await ada.get('/session'), 401)
  })
})

describe('a page of somebody else', () => {
  const foreign: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'sends no header of ours': { 'x-touchmark-csrf': '' },
    'says that it is another site': { 'sec-fetch-site': 'cross-site' },
    'says that it is a sibling': { 'sec-fetch-site': 'same-site' },
    'has another origin': { origin: 'https://evil.example' },
    'has an opaque origin': { origin: 'null' },
    'is the plain one of the same host': { origin: 'http://localhost' },
  }
  for (const [what, headers] of Object.entries(foreign)) {
    test(`changes nothing where it ${what}`, async t => {
      const server = await accessServer(t)
      const browser = await server.firstAdministrator()
      const refused = await browser.delete('/account/sessions', headers)
      assert.deepEqual([refused.status, refused.json.code], [403, 'access.csrf'])
      const signIn = await server
        .browser()
        .post('/session/password', { email: 'a@b', password: 'x', code: '1' }, headers)
      assert.equal(signIn.json.code, 'access.csrf', 'nor does it sign anybody in')
      const entries = (await auditLog(server)).filter(({ code }) => code === 'access.csrf')
      assert.ok(entries.length > 0, 'and the log knows')
    })
  }
})

describe('a passkey', () => {
  for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
    test(`signs in with ${algorithm}`, async t => {
      const { VirtualAuthenticator } = await import('../support/virtual-authenticator.ts')
      const server = await accessServer(t)
      const ada = await server.firstAdministrator()
      const authenticator = new VirtualAuthenticator(algorithm)
      const made = authenticator.create((await ada.post('/account/passkeys/options')).json, server.origin)
      expectStatus(await ada.post('/account/passkeys', { name: algorithm, answer: made }), 201)
      const browser = server.browser()
      const options = (await browser.post('/session/passkey/options')).json
      assert.equal(options.userVerification, 'required')
      const welcome = await browser.post('/session/passkey', { answer: authenticator.get(options, server.origin) })
      assert.equal(welcome.status, 200, welcome.text)
      assert.equal(welcome.json.operator.name, 'Ada Ames')
    })
  }

  test('is not taken where anything about it is wrong', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const { authenticator } = ada
    const wrongs = {
      'the user was not verified': { userVerified: false },
      'the origin is another': { origin: 'https://evil.example' },
      'the relying party is another': { rpId: 'evil.example' },
      'it was made for creating': { type: 'webauthn.create' },
      'the challenge is not ours': { challenge: 'AAAA' },
      'the signature is another': { forged: true },
      'it says that it is of somebody else': { userHandle: 'b3AteA' },
    }
    for (const [what, wrong] of Object.entries(wrongs)) {
      const browser = server.browser()
      const options = (await browser.post('/session/passkey/options')).json
      const answer = authenticator.get(options, server.origin, wrong)
      const refused = await browser.post('/session/passkey', { answer })
      assert.deepEqual([refused.status, refused.json.code], [401, 'access.sign_in_failed'], what)
      assert.equal(browser.cookie, undefined)
    }
    expectStatus(await ada.signIn(), 200)
  })

  test('signs in once with each challenge, however often the answer is sent', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const options = (await server.browser().post('/session/passkey/options')).json
    const answer = ada.authenticator.get(options, server.origin)
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => server.browser().post('/session/passkey', { answer })),
    )
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401, 401, 401, 401])
    expectStatus(await server.browser().post('/session/passkey', { answer }), 401)
  })

  test('is not taken for a challenge that is too old, or was made to register', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const old = (await server.browser().post('/session/passkey/options')).json
    server.clock.advance(301)
    const late = await server.browser().post('/session/passkey', { answer: ada.authenticator.get(old, server.origin) })
    expectStatus(late, 401)
    const other = (await ada.post('/account/passkeys/options')).json
    const answer = ada.authenticator.get(other, server.origin)
    expectStatus(await server.browser().post('/session/passkey', { answer }), 401)
  })

  test('that counts backwards is a copy, and signs in nobody', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    for (const [counter, status] of [
      [7, 200],
      [7, 401],
      [3, 401],
      [8, 200],
    ] as const) {
      const browser = server.browser()
      const options = (await browser.post('/session/passkey/options')).json
      const answer = ada.authenticator.get(options, server.origin, { counter })
      expectStatus(await browser.post('/session/passkey', { answer }), status)
    }
  })

  test('is not registered without the user being verified, for another challenge, or for another person', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const ben = await server.operator(ada, 'ben@example.test', ['auditor'])
    const register = (options: unknown, wrong = {}) =>
      ben.post('/account/passkeys', { name: 'x', answer: ben.authenticator.create(options, server.origin, wrong) })
    const own = async () => (await ben.post('/account/passkeys/options')).json
    assert.equal((await register(await own(), { userVerified: false })).json.code, 'passkey.refused')
    assert.equal((await register(await own(), { origin: 'https://evil.example' })).json.code, 'passkey.refused')
    const ofAda = (await ada.post('/account/passkeys/options')).json
    assert.equal((await register(ofAda)).json.code, 'passkey.refused')
    const options = await own()
    expectStatus(await register(options), 201)
    assert.equal((await register(options)).json.code, 'access.replayed', 'each challenge once')
    const [passkey] = (await ben.get('/account/passkeys')).json.items
    expectStatus(await ada.delete(`/account/passkeys/${passkey.id}`), 404)
    expectStatus(await ben.delete(`/account/passkeys/${passkey.id}`), 204)
    expectStatus(await ben.signIn(), 401)
  })
})

describe('a password', () => {
  test('signs in together with a code, each code once', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const code = await ada.usePassword(PASSWORD)
    const signIn = (fields = {}) =>
      server
        .browser()
        .post('/session/password', { email: 'ADA@example.test', password: PASSWORD, code: code(), ...fields })
    expectStatus(await signIn(), 401)
    server.clock.advance(30)
    const used = code()
    expectStatus(await signIn(), 200)
    expectStatus(await signIn({ code: used }), 401)
    server.clock.advance(60)
    const racing = await Promise.all([signIn(), signIn(), signIn()])
    assert.equal(racing.filter(({ status }) => status === 200).length, 1)
  })

  test('alone signs nobody in', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    expectStatus(await ada.put('/account/password', { password: PASSWORD }), 204)
    const answer = await server
      .browser()
      .post('/session/password', { email: 'ada@example.test', password: PASSWORD, code: '000000' })
    assert.equal(answer.json.code, 'access.sign_in_failed')
  })

  test('that is wrong, and a name that nobody has, get the same answer', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const code = await ada.usePassword(PASSWORD)
    server.clock.advance(30)
    const tries = [
      { email: 'nobody@example.test', password: PASSWORD, code: code() },
      { email: 'ada@example.test', password: 'something else', code: code() },
      { email: 'ada@example.test', password: PASSWORD, code: '000000' },
      { email: 'ada@example.test', password: 'x'.repeat(1000), code: code() },
    ]
    const answers = []
    for (const each of tries) answers.push(await server.browser().post('/session/password', each))
    const [first] = answers
    assert.equal(first!.status, 401)
    const told = ({ json: { requestId, ...rest } }: { json: Record<string, unknown> }) => rest
    for (const answer of answers) assert.deepEqual(told(answer), told(first!))
  })

  test('that is weak is not set', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    for (const password of [
      'short',
      'aaaaaaaaaaaaaaaa',
      'ada@example.testada',
      'touchmark12touchmark',
      'bell\u0007bell bell bell',
    ]) {
      assert.equal((await ada.put('/account/password', { password })).json.code, 'password.weak', password)
    }
  })

  test('is changed by whoever signed in a short while ago', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    server.clock.advance(15 * 60 + 1)
    const refused = await ada.put('/account/password', { password: PASSWORD })
    assert.deepEqual([refused.status, refused.json.code], [403, 'access.sign_in_again'])
    expectStatus(await ada.signIn(), 200)
    expectStatus(await ada.put('/account/password', { password: PASSWORD }), 204)
  })

  test('guessed again and again makes account and address wait, and a passkey still signs in', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const code = await ada.usePassword(PASSWORD)
    for (const email of ['ada@example.test', 'nobody@example.test']) {
      const guess = (password: string) => server.browser().post('/session/password', { email, password, code: code() })
      for (let i = 0; i < 5; i++) expectStatus(await guess(`guess number ${i}`), 401)
      const slowed = await guess(PASSWORD)
      assert.deepEqual([slowed.status, slowed.json.code], [429, 'access.slow_down'], email)
      assert.equal(slowed.headers['retry-after'], '1')
      server.clock.advance(1)
      expectStatus(await guess('guess number 6'), 401)
      assert.equal((await guess(PASSWORD)).headers['retry-after'], '2')
    }
    expectStatus(await ada.signIn(), 200)
    server.clock.advance(60)
    const right = await server
      .browser()
      .post('/session/password', { email: 'ada@example.test', password: PASSWORD, code: code() })
    assert.equal(right.status, 200, right.text)
  })
})
