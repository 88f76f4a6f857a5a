// What operators do about each other, over a real listener: roles, API tokens, and acts that take a second person.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sha256 } from '../../src/crypto/digest.ts'
import { changeRoles, removeOperator } from '../../src/domain/access/operators.ts'
import { verifyStore } from '../../src/domain/audit/verify-store.ts'
import { type AccessServer, type Answer, accessServer, type Browser, expectStatus } from '../support/access-server.ts'
import { auditLog, OPERATOR } from '../support/instance.ts'

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}`, 'x-touchmark-csrf': '', origin: '' })

async function entries(server: AccessServer, action: string) {
  return (await auditLog(server)).filter(entry => entry.action === action)
}

/** Two administrators. */
async function two(server: AccessServer): Promise<[Browser, Browser & { id: string }]> {
  const ada = await server.firstAdministrator()
  return [ada, await server.operator(ada, 'ben@example.test', ['administrator'])]
}

async function revisionOf(browser: Browser, id: string): Promise<string> {
  return (await browser.get(`/operators/${id}`)).headers.etag!
}

describe('an API token', () => {
  async function tokenOf(browser: Browser, fields = {}): Promise<Answer> {
    return browser.post('/api-tokens', {
      name: 'inventory',
      permissions: ['device.read'],
      lifetimeSeconds: 3600,
      ...fields,
    })
  }

  test('does what it was made for, and nothing else', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const made = await tokenOf(ada)
    assert.equal(made.status, 201, made.text)
    assert.match(made.json.secret, /^tmk_[\w-]{43}$/)
    const program = server.browser()
    expectStatus(await program.get('/devices', bearer(made.json.secret)), 200)
    const refused = await program.get('/operators', bearer(made.json.secret))
    assert.deepEqual([refused.status, refused.json.code], [403, 'access.forbidden'])
    const session = (await program.get('/session', bearer(made.json.secret))).json
    assert.deepEqual([session.kind, session.id], ['token', made.json.token.id])
    assert.doesNotMatch(JSON.stringify((await ada.get('/account/api-tokens')).json), /tmk_|[sS]ecret/)
  })

  test('needs no header against forgery, because no browser sends it of itself', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const { secret } = (await tokenOf(ada, { permissions: ['role.write'] })).json
    const role = { permissions: ['device.read'] }
    const put = await server.browser().put('/roles/watcher', role, { ...bearer(secret), 'if-none-match': '*' })
    assert.equal(put.json.code, 'access.forbidden', 'but nobody gives more than they have')
  })

  test('ends at its time, with its operator, with the permission of its operator, and when it is revoked', async t => {
    const server = await accessServer(t)
    const [ada, ben] = await two(server)
    const { items } = (await ada.get('/api-tokens')).json
    assert.deepEqual(items, [])
    const use = async (secret: string) => (await server.browser().get('/devices', bearer(secret))).status
    const [short, revoked, demoted] = await Promise.all([
      tokenOf(ben, { lifetimeSeconds: 300 }),
      tokenOf(ben),
      tokenOf(ben),
    ])
    server.clock.advance(300)
    assert.equal(await use(short!.json.secret), 200, 'the last second')
    server.clock.advance(1)
    assert.equal(await use(short!.json.secret), 401)
    expectStatus(await ada.delete(`/api-tokens/${revoked!.json.token.id}`), 204)
    assert.equal(await use(revoked!.json.secret), 401)
    assert.equal(await use(demoted!.json.secret), 200)
    const tokens = (await ada.get(`/api-tokens?operator=${ben.id}`)).json.items
    assert.ok(
      tokens.every(({ lastUsedAt, id }: { lastUsedAt: string | null; id: string }) =>
        id === revoked!.json.token.id ? lastUsedAt === null : lastUsedAt !== null,
      ),
    )
    await removeOperator({ operatorId: ben.id, actor: OPERATOR }, server.access)
    assert.equal(await use(demoted!.json.secret), 401)
  })

  test('has no more power than whoever makes it, and makes no tokens itself', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const ben = await server.operator(ada, 'ben@example.test', ['factory'])
    const refused = await tokenOf(ben, { permissions: ['batch.run', 'authority.write'] })
    assert.deepEqual([refused.status, refused.json.code], [403, 'access.forbidden'])
    const { secret } = (await tokenOf(ben, { permissions: ['batch.run', 'api_token.write'] })).json
    const request = { name: 'child', permissions: ['batch.run'], lifetimeSeconds: 3600 }
    const child = await server.browser().post('/api-tokens', request, bearer(secret))
    assert.equal(child.json.code, 'access.not_a_person')
    expectStatus(await server.browser().get('/account/passkeys', bearer(secret)), 403)
  })

  test('that nobody made is refused, and the log knows', async t => {
    const server = await accessServer(t)
    for (const secret of ['tmk_', `tmk_${'A'.repeat(43)}`, 'x', `tmk_${'A'.repeat(400)}`]) {
      const refused = await server.browser().get('/devices', bearer(secret))
      assert.deepEqual([refused.status, refused.json.code], [401, 'access.token_invalid'])
      assert.match(refused.headers['www-authenticate']!, /^Bearer/)
    }
    const basic = await server.browser().get('/devices', { authorization: 'Basic YTpi' })
    assert.equal(basic.json.code, 'access.token_invalid')
    assert.ok((await entries(server, 'access.refused')).some(({ code }) => code === 'access.token_invalid'))
  })
})

describe('roles', () => {
  test('are made, given, changed and retired, each in force at once', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const made = await ada.put('/roles/watcher', { permissions: ['device.read'] }, { 'if-none-match': '*' })
    assert.deepEqual([made.status, made.json.outcome], [200, 'done'], made.text)
    const ben = await server.operator(ada, 'ben@example.test', ['watcher'])
    expectStatus(await ben.get('/devices'), 200)
    expectStatus(await ben.get('/operators'), 403)
    const wider = { permissions: ['device.read', 'operator.read'] }
    assert.equal((await ada.put('/roles/watcher', wider, { 'if-none-match': '*' })).status, 412)
    expectStatus(await ada.put('/roles/watcher', wider, { 'if-match': '"1"' }), 200)
    expectStatus(await ben.get('/operators'), 200)
    expectStatus(await ada.put('/roles/watcher', { ...wider, retired: true }, { 'if-match': '"2"' }), 200)
    expectStatus(await ben.get('/devices'), 403)
    const built = await ada.put('/roles/auditor', wider, { 'if-none-match': '*' })
    assert.equal(built.json.code, 'role.built_in')
    await assertVerifies(server)
  })

  test('narrowed to a site reach nothing that belongs to the platform', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const roles = [{ role: 'administrator', scope: { sites: ['ulm'] } }]
    const added = (await ada.post('/operators', { name: 'Cy', email: 'cy@example.test', roles })).json
    const cy = server.browser()
    expectStatus(await cy.post('/session/link', { secret: added.linkSecret }), 200)
    expectStatus(await cy.get('/devices'), 200)
    for (const path of ['/operators', '/roles', '/approvals', '/access/settings']) expectStatus(await cy.get(path), 403)
  })

  test('are not given by who does not have them: no way leads up', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const helper = { permissions: ['operator.read', 'operator.write', 'role.write', 'device.read'] }
    expectStatus(await ada.put('/roles/helper', helper, { 'if-none-match': '*' }), 200)
    const ben = await server.operator(ada, 'ben@example.test', ['helper'])
    const { id } = (await ada.get('/session')).json
    const up = { role: 'administrator' }
    const attempts = [
      ben.put(`/operators/${ben.id}/roles`, { roles: [up] }, { 'if-match': '*' }),
      ben.post('/operators', { name: 'x', email: 'x@example.test', roles: [up] }),
      ben.post(`/operators/${id}/link`),
      ben.put('/roles/helper', { permissions: ['key.destroy'] }, { 'if-match': '*' }),
      ben.put('/roles/mine', { permissions: ['key.destroy'] }, { 'if-none-match': '*' }),
    ]
    for (const attempt of attempts) assert.equal((await attempt).json.code, 'access.forbidden')
    assert.equal((await ada.get('/operators')).json.items.length, 2)
  })

  test('of the last administrator stay, and so do they', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const { id } = (await ada.get('/session')).json
    assert.equal((await ada.delete(`/operators/${id}`)).json.code, 'operator.last_administrator')
    const etag = await revisionOf(ada, id)
    const fewer = await ada.put(`/operators/${id}/roles`, { roles: [{ role: 'auditor' }] }, { 'if-match': etag })
    assert.equal(fewer.json.code, 'operator.last_administrator')
  })
})

describe('four eyes', () => {
  /** Asks for a role as Ada; answers the request. */
  async function asked(ada: Browser, name = 'watcher'): Promise<{ id: string; state: string }> {
    const answer = await ada.put(`/roles/${name}`, { permissions: ['device.read'] }, { 'if-none-match': '*' })
    assert.deepEqual([answer.status, answer.json.outcome], [202, 'waiting'], answer.text)
    return answer.json.approval
  }

  test('let an act wait for another person, and carry it out once', async t => {
    const server = await accessServer(t)
    const [ada, ben] = await two(server)
    const { id } = await asked(ada)
    assert.equal((await ada.get('/roles/watcher')).status, 404, 'nothing has happened yet')
    const waiting = (await ben.get('/approvals?state=waiting')).json.items
    assert.deepEqual(
      waiting.map((each: { id: string }) => each.id),
      [id],
    )
    assert.deepEqual(waiting[0].parameters.config.permissions, ['device.read'])
    assert.equal((await ada.post(`/approvals/${id}/approve`)).json.code, 'approval.own')
    const answers = await Promise.all([1, 2, 3].map(() => ben.post(`/approvals/${id}/approve`)))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409])
    assert.equal((await ada.get(`/approvals/${id}`)).json.state, 'executed')
    assert.deepEqual((await ada.get('/roles/watcher')).json.permissions, ['device.read'])
    assert.equal((await entries(server, 'role.changed')).length, 1)
    assert.equal((await ben.post(`/approvals/${id}/approve`)).json.code, 'approval.over')
    const told = await auditLog(server)
    const order = told
      .filter(({ subject }) => subject['approvalId'] === id)
      .map(({ action, actor }) => `${action} ${actor.id.slice(0, 3)}`)
    assert.deepEqual(order, ['approval.requested op-', 'approval.given op-', 'approval.ended fou'])
    await assertVerifies(server)
  })

  test('are two different pairs: no token approves, and nobody approves through a token of theirs', async t => {
    const server = await accessServer(t)
    const [ada, ben] = await two(server)
    const request = { name: 'x', permissions: ['role.write', 'approval.read', 'device.read'], lifetimeSeconds: 3600 }
    const adas = (await ada.post('/api-tokens', request)).json.secret
    const bens = (await ben.post('/api-tokens', request)).json.secret
    const put = await server
      .browser()
      .put('/roles/by-token', { permissions: ['device.read'] }, { ...bearer(adas), 'if-none-match': '*' })
    assert.equal(put.status, 202, put.text)
    const { id } = put.json.approval
    assert.equal((await ada.post(`/approvals/${id}/approve`)).json.code, 'approval.own', 'it was asked for in her name')
    const byToken = await server.browser().post(`/approvals/${id}/approve`, undefined, bearer(bens))
    assert.equal(byToken.json.code, 'access.forbidden')
    expectStatus(await ben.post(`/approvals/${id}/approve`), 200)
  })

  test('need the permission of the act', async t => {
    const server = await accessServer(t)
    const [ada] = await two(server)
    const cy = await server.operator(ada, 'cy@example.test', [])
    await approveAll(server)
    assert.equal((await cy.get('/approvals')).status, 403)
    const { id } = await asked(ada)
    expectStatus(await cy.post(`/approvals/${id}/approve`), 403)
    assert.equal((await ada.get(`/approvals/${id}`)).json.state, 'waiting')
  })

  test('close when the time is over', async t => {
    const server = await accessServer(t)
    const [ada, ben] = await two(server)
    const { id } = await asked(ada)
    for (let hour = 0; hour < 3 * 24; hour++) server.clock.advance(3600)
    expectStatus(await ben.post('/session/link', { secret: await newLink(server, ben.id) }), 200)
    const late = await ben.post(`/approvals/${id}/approve`)
    assert.equal(late.json.code, 'approval.over')
    await server.access.fourEyes.expire()
    assert.equal((await server.store.read.approval(id))?.state, 'expired')
    await server.access.fourEyes.expire()
    assert.equal((await entries(server, 'approval.ended')).length, 1)
  })

  test('say no, and who asked takes back; then nothing happens any more', async t => {
    const server = await accessServer(t)
    const [ada, ben] = await two(server)
    const [one, two_] = [await asked(ada, 'one'), await asked(ada, 'two')]
    assert.equal((await ada.post(`/approvals/${one.id}/reject`)).json.code, 'approval.own')
    assert.equal((await ben.post(`/approvals/${one.id}/reject`)).json.state, 'rejected')
    assert.equal((await ben.post(`/approvals/${two_.id}/withdraw`)).json.code, 'access.forbidden')
    assert.equal((await ada.post(`/approvals/${two_.id}/withdraw`)).json.state, 'withdrawn')
    for (const { id } of [one, two_])
      assert.equal((await ben.post(`/approvals/${id}/approve`)).json.code, 'approval.over')
    assert.equal((await ada.get('/roles/one')).status, 404)
  })

  test('wait for as many as the settings say, each of them once', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const settings = await ada.get('/access/settings')
    assert.equal(settings.headers.etag, '"0"')
    const fourEyes = { ...settings.json.fourEyes, quorum: 2, when: 'always', acts: ['role.change'] }
    expectStatus(await ada.put('/access/settings', { fourEyes, oidc: null }, { 'if-match': '"0"' }), 200)
    const ben = await server.operator(ada, 'ben@example.test', ['administrator'])
    const cy = await server.operator(ada, 'cy@example.test', ['administrator'])
    const { id } = await asked(ada)
    expectStatus(await ben.post(`/approvals/${id}/approve`), 202)
    assert.equal((await ben.post(`/approvals/${id}/approve`)).json.code, 'approval.given_already')
    expectStatus(await cy.post(`/approvals/${id}/approve`), 200)
    await assertVerifies(server)
  })

  test('are not one pair: nobody signs in as, or is rid of, who would have to agree with them', async t => {
    const server = await accessServer(t)
    const [ada, ben] = await two(server)
    const dan = await server.operator(ada, 'dan@example.test', [])
    assert.equal((await ada.post(`/operators/${ben.id}/link`)).json.code, 'approval.needed')
    assert.equal((await ada.delete(`/operators/${ben.id}`)).json.code, 'approval.needed')
    expectStatus(await ada.post(`/operators/${dan.id}/link`), 201)
    server.clock.advance(16 * 60)
    assert.equal((await ada.post(`/operators/${dan.id}/link`)).json.code, 'access.sign_in_again', 'an open screen')
    expectStatus(await ada.delete(`/operators/${dan.id}`), 204)
    assert.equal((await ada.get(`/operators/${ben.id}`)).json.state, 'active')
  })

  test('forget who agreed, and may no more', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const fourEyes = { ...(await ada.get('/access/settings')).json.fourEyes, quorum: 2, acts: ['role.change'] }
    expectStatus(await ada.put('/access/settings', { fourEyes, oidc: null }, { 'if-match': '"0"' }), 200)
    const ben = await server.operator(ada, 'ben@example.test', ['administrator'])
    const [cy, dan] = [
      await server.operator(ada, 'cy@example.test', ['administrator']),
      await server.operator(ada, 'dan@example.test', ['administrator']),
    ]
    const { id } = await asked(ada)
    expectStatus(await ben.post(`/approvals/${id}/approve`), 202)
    await changeRoles({ operatorId: ben.id, roles: [], actor: OPERATOR }, server.access)
    expectStatus(await cy.post(`/approvals/${id}/approve`), 202)
    expectStatus(await dan.post(`/approvals/${id}/approve`), 200)
  })

  test('do nothing for somebody who was removed meanwhile', async t => {
    const server = await accessServer(t)
    const [ada, ben] = await two(server)
    const cy = await server.operator(ada, 'cy@example.test', ['administrator'])
    await approveAll(server)
    const { id } = await asked(cy)
    await removeOperator({ operatorId: cy.id, actor: OPERATOR }, server.access)
    const answer = await ben.post(`/approvals/${id}/approve`)
    assert.equal(answer.json.code, 'approval.requester_gone')
    const { state, outcome } = (await ada.get(`/approvals/${id}`)).json
    assert.deepEqual([state, outcome], ['failed', 'approval.requester_gone'])
  })

  test('change roles although their holder signed in meanwhile, and not where the roles are others by now', async t => {
    const server = await accessServer(t)
    const [ada, ben] = await two(server)
    const code = await ben.usePassword('a long walk in the hills')
    const give = async (role: string) => {
      const etag = await revisionOf(ada, ben.id)
      const answer = await ada.put(`/operators/${ben.id}/roles`, { roles: [{ role }] }, { 'if-match': etag })
      assert.equal(answer.status, 202, answer.text)
      return answer.json.approval.id as string
    }
    const cy = await server.operator(ada, 'cy@example.test', ['administrator'])
    await approveAll(server)
    const [one, two_] = [await give('auditor'), await give('factory')]
    server.clock.advance(30)
    const body = { email: 'ben@example.test', password: 'a long walk in the hills', code: code() }
    expectStatus(await server.browser().post('/session/password', body), 200)
    expectStatus(await cy.post(`/approvals/${one}/approve`), 200)
    assert.equal((await cy.post(`/approvals/${two_}/approve`)).json.code, 'operator.changed')
    assert.deepEqual((await ada.get(`/operators/${ben.id}`)).json.roles, [{ role: 'auditor', scope: {} }])
  })

  test('fail where what was asked for does not fit any more, and say so', async t => {
    const server = await accessServer(t)
    const [ada, ben] = await two(server)
    const [one, two_] = [await asked(ada), await asked(ada)]
    expectStatus(await ben.post(`/approvals/${one.id}/approve`), 200)
    assert.equal((await ben.post(`/approvals/${two_.id}/approve`)).json.code, 'document.version_exists')
    assert.equal((await ada.get(`/approvals/${two_.id}`)).json.state, 'failed')
    await assertVerifies(server)
  })
})

/** Approves whatever waits, as somebody whom the machine admits for it. */
async function approveAll(server: AccessServer): Promise<void> {
  const { items } = await server.store.read.approvals({ limit: 50, state: 'waiting' })
  const { items: operators } = await server.store.read.operators({ limit: 50 })
  for (const approval of items) {
    const other = operators.find(
      ({ id, roles }) => id !== approval.requestedBy && roles.some(({ role }) => role === 'administrator'),
    )!
    const { operatorPrincipal } = await import('../../src/domain/access/grants.ts')
    const since = { authenticatedBy: 'passkey', authenticatedAt: server.clock.now() } as const
    await server.access.fourEyes.approve(approval.id, await operatorPrincipal(other, since, server.store.read))
  }
}

async function newLink(server: AccessServer, operatorId: string): Promise<string> {
  const { createLink } = await import('../../src/domain/access/operators.ts')
  return createLink({ operatorId, actor: { kind: 'operator', id: 'test' } }, server.access)
}

async function assertVerifies({ store }: AccessServer): Promise<void> {
  const { findings } = await verifyStore(store.read, { hash: sha256, origin: 'test', logKeys: [] })
  assert.deepEqual(
    findings.filter(({ code }) => code !== 'audit.checkpoint_missing'),
    [],
  )
}
