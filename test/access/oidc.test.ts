// Signing in by an OpenID provider, against a real one: authorization code with PKCE.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { sha256 } from '../../src/crypto/digest.ts'
import { changeAccessSettings } from '../../src/domain/access/access-documents.ts'
import { verifyStore } from '../../src/domain/audit/verify-store.ts'
import { type AccessServer, type Answer, accessServer, type Browser, expectStatus } from '../support/access-server.ts'
import { auditLog, OPERATOR } from '../support/instance.ts'
import { openIdProvider, type TestOpenIdProvider } from '../support/openid-provider.ts'

const CALLBACK = '/session/oidc/callback'

async function joined(t: TestContext): Promise<{ server: AccessServer; provider: TestOpenIdProvider }> {
  const server = await accessServer(t)
  const provider = await openIdProvider(t, `${server.origin}/api/v1${CALLBACK}`)
  const roles = { pki: [{ role: 'ca-officer' }], ulm: [{ role: 'operator', scope: { sites: ['ulm'] } }] }
  const oidc = { name: 'Test', issuer: provider.issuer, clientId: 'touchmark', roles }
  await changeAccessSettings({ config: { schema: 1, oidc }, from: 0, actor: OPERATOR }, server)
  return { server, provider }
}

interface Started {
  readonly browser: Browser
  readonly cookie: string
  readonly location: string
}

async function start(server: AccessServer): Promise<Started> {
  const browser = server.browser()
  const answer = await browser.get('/session/oidc/start')
  assert.equal(answer.status, 302, answer.text)
  const [line] = answer.headers['set-cookie']!
  assert.match(line!, /^__Host-touchmark-oidc=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$/)
  return { browser, cookie: line!.split(';')[0]!, location: answer.headers.location! }
}

async function signIn(
  server: AccessServer,
  provider: TestOpenIdProvider,
  login: string,
): Promise<Started & { answer: Answer }> {
  const started = await start(server)
  const back = await provider.signIn(started.location, login)
  return { ...started, answer: await started.browser.get(`${CALLBACK}${back.search}`, { cookie: started.cookie }) }
}

test('lets somebody in with the roles of their groups, and keeps them as one operator', async t => {
  const { server, provider } = await joined(t)
  provider.people.set('ada', {
    name: 'Ada Ames',
    email: 'Ada@Example.test',
    email_verified: true,
    groups: ['pki', 'ulm'],
  })
  const { browser, answer, location } = await signIn(server, provider, 'ada')
  assert.deepEqual([answer.status, answer.headers.location], [302, '/'], answer.text)
  const asked = new URL(location).searchParams
  assert.equal(asked.get('code_challenge_method'), 'S256')
  assert.ok(asked.get('state') && asked.get('nonce') && asked.get('response_type') === 'code')
  const account = (await browser.get('/account')).json
  assert.deepEqual([account.name, account.email], ['Ada Ames', 'ada@example.test'])
  assert.deepEqual(account.roles, [
    { role: 'ca-officer', scope: {} },
    { role: 'operator', scope: { sites: ['ulm'] } },
  ])
  provider.people.set('ada', { groups: ['ulm'] })
  const again = await signIn(server, provider, 'ada')
  const now = (await again.browser.get('/account')).json
  assert.deepEqual([now.id, now.roles.length], [account.id, 1], 'the same person, and what the groups give now')
  assert.equal((await browser.get('/session')).json.grants.length, 1, 'in sessions that stand, too')
  const entries = await auditLog(server)
  assert.doesNotMatch(JSON.stringify(entries), /Ada|example\.test|"ada"/)
  const { findings } = await verifyStore(server.store.read, { hash: sha256, origin: 'test', logKeys: [] })
  assert.deepEqual(
    findings.filter(({ code }) => code !== 'audit.checkpoint_missing'),
    [],
  )
})

test('lets nobody in who is in none of the groups, or was removed', async t => {
  const { server, provider } = await joined(t)
  provider.people.set('eve', { name: 'Eve', groups: ['guests'] })
  const { answer, browser } = await signIn(server, provider, 'eve')
  assert.equal(answer.json.code, 'access.sign_in_failed')
  assert.equal(browser.cookie, undefined)
  assert.equal((await server.store.read.operators({ limit: 9 })).items.length, 0)
})

test('takes everything from whom the groups give nothing any more, and leaves no other way in', async t => {
  const { server, provider } = await joined(t)
  provider.people.set('ada', { name: 'Ada', groups: ['pki'] })
  const { browser } = await signIn(server, provider, 'ada')
  for (const attempt of [
    browser.post('/account/passkeys/options'),
    browser.put('/account/password', { password: 'a long walk in the hills' }),
  ])
    assert.equal((await attempt).json.code, 'access.signs_in_elsewhere')
  const token = await browser.post('/api-tokens', { name: 'x', permissions: ['device.read'], lifetimeSeconds: 3600 })
  const use = () => server.browser().get('/devices', { authorization: `Bearer ${token.json.secret}` })
  expectStatus(await use(), 200)
  provider.people.set('ada', { name: 'Ada', groups: [] })
  assert.equal((await signIn(server, provider, 'ada')).answer.json.code, 'access.sign_in_failed')
  expectStatus(await browser.get('/session'), 401)
  expectStatus(await use(), 403)
  const { findings } = await verifyStore(server.store.read, { hash: sha256, origin: 'test', logKeys: [] })
  assert.deepEqual(
    findings.filter(({ code }) => code !== 'audit.checkpoint_missing'),
    [],
  )
})

test('joins nobody to an account that has the same address, and gives nobody a second one', async t => {
  const { server, provider } = await joined(t)
  await server.firstAdministrator()
  provider.people.set('mallory', { email: 'ada@example.test', email_verified: true, groups: ['pki'] })
  assert.equal((await signIn(server, provider, 'mallory')).answer.json.code, 'oidc.address_taken')
  assert.equal((await server.store.read.operators({ limit: 9 })).items.length, 1)
})

test('takes each answer once, and only in the browser that asked', async t => {
  const { server, provider } = await joined(t)
  provider.people.set('ada', { name: 'Ada', groups: ['pki'] })
  const { location, cookie } = await start(server)
  const back = await provider.signIn(location, 'ada')
  const come = (headers: Readonly<Record<string, string>>) => server.browser().get(`${CALLBACK}${back.search}`, headers)
  assert.equal((await come({})).json.code, 'access.sign_in_failed', 'without the cookie')
  const other = await start(server)
  assert.equal(
    (await come({ cookie: other.cookie })).json.code,
    'access.sign_in_failed',
    'with that of another attempt',
  )
  assert.equal((await come({ cookie: `${cookie.slice(0, -4)}AAAA` })).json.code, 'access.sign_in_failed')
  expectStatus(await come({ cookie }), 302)
  expectStatus(await come({ cookie }), 401)
  const forged = new URLSearchParams(back.search)
  const fresh = await start(server)
  forged.set('state', new URL(fresh.location).searchParams.get('state')!)
  forged.set('code', 'made-up')
  const refused = await server.browser().get(`${CALLBACK}?${forged}`, { cookie: fresh.cookie })
  assert.equal(refused.json.code, 'oidc.refused')
  server.clock.advance(601)
  assert.equal((await come({ cookie })).json.code, 'access.sign_in_failed', 'nor after ten minutes')
})

test('says so where no provider is named, and where it does not answer', async t => {
  const server = await accessServer(t)
  assert.equal((await server.browser().get('/session/oidc/start')).json.code, 'oidc.not_configured')
  const oidc = { name: 'Test', issuer: 'http://localhost:1', clientId: 'touchmark', roles: {} }
  await changeAccessSettings({ config: { schema: 1, oidc }, from: 0, actor: OPERATOR }, server)
  assert.equal((await server.browser().get('/session/oidc/start')).json.code, 'oidc.unavailable')
})
