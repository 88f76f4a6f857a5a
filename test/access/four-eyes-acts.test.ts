// Every act that takes a second person, at the API: asked for it waits and nothing happened, nobody agrees to what they asked for themselves, the
// approval names who asked, and another person's word carries it out.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { GUARDED_ACTS, type GuardedAct } from '../../src/domain/access/guarded-acts.ts'
import { authorityId } from '../../src/domain/ids.ts'
import { type AccessServer, type Answer, accessServer, type Browser, expectStatus } from '../support/access-server.ts'
import { auditLog, bornDevice, certify } from '../support/instance.ts'

interface Case {
  /** Sends the request of the act. */
  ask(ada: Browser, server: AccessServer): Promise<Answer>
  /** Something that is different when it happened. */
  facts(ada: Browser, server: AccessServer): Promise<unknown>
}

const plan = (id: string) => ({ id, commonName: `Authority ${id}`, issuer: 'idevid-1' })
const state = async (server: AccessServer, id: string) =>
  (await server.authorities.all()).find(each => each.id === authorityId(id))?.state

const CASES: Readonly<Record<GuardedAct, Case>> = {
  'authority.create': {
    ask: ada => ada.post('/authorities', { ...plan('made-1'), issuer: undefined }),
    facts: (_, server) => state(server, 'made-1'),
  },
  'authority.retire': {
    ask: ada => ada.post('/authorities/ldevid-1/retire'),
    facts: (_, server) => state(server, 'ldevid-1'),
  },
  'authority.revoke': {
    ask: ada => ada.post('/authorities/idevid-1/revoke', { reason: 'cACompromise', because: 'INC-9' }),
    facts: (_, server) => state(server, 'idevid-1'),
  },
  'profile.change': {
    async ask(ada) {
      const profile = await ada.get('/profiles/ldevid')
      const body = { ...profile.json.document, description: 'Changed by two' }
      return ada.put('/profiles/ldevid', body, { 'if-match': profile.headers.etag! })
    },
    facts: async ada => (await ada.get('/profiles/ldevid')).json.version,
  },
  'rule.change': {
    async ask(ada) {
      const rules = await ada.get('/rules')
      return ada.put('/rules', { schema: 1, rules: [] }, { 'if-match': rules.headers.etag! })
    },
    facts: async ada => (await ada.get('/rules')).headers.etag,
  },
  'certificate.revoke_many': {
    async ask(ada) {
      const devices = { model: 'doomed' }
      const { certificates, fourEyes } = (await ada.post('/revocations/preview', { devices })).json
      assert.deepEqual([certificates, fourEyes], [12, true])
      return ada.post('/revocations', { devices, reason: 'superseded', expectedCertificates: 12 })
    },
    facts: async ada => (await ada.get('/jobs')).json.items.length,
  },
  'key.destroy': {
    // It is retired by now, and issued nothing.
    ask: ada => ada.post('/authorities/ldevid-1/destroy-key'),
    facts: async (_, server) => {
      const record = (await server.authorities.all()).find(({ id }) => id === 'ldevid-1')!
      return (await server.keyStore.list()).find(({ keyUri }) => keyUri === record.keyUri)?.state
    },
  },
  'role.change': {
    ask: ada => ada.put('/roles/watcher', { permissions: ['device.read'] }, { 'if-none-match': '*' }),
    facts: async ada => (await ada.get('/roles/watcher')).status,
  },
  'operator.roles': {
    async ask(ada, server) {
      const cy = (await server.store.read.operators({ limit: 9 })).items.find(
        ({ email }) => email === 'cy@example.test',
      )!
      const { headers } = await ada.get(`/operators/${cy.id}`)
      return ada.put(`/operators/${cy.id}/roles`, { roles: [{ role: 'auditor' }] }, { 'if-match': headers.etag! })
    },
    facts: async (_, { store }) =>
      (await store.read.operators({ limit: 9 })).items.find(({ email }) => email === 'cy@example.test')?.roles,
  },
  'access.settings': {
    async ask(ada) {
      const { json, headers } = await ada.get('/access/settings')
      const body = { fourEyes: { ...json.fourEyes, revokeManyAbove: 11 }, oidc: null }
      return ada.put('/access/settings', body, { 'if-match': headers.etag! })
    },
    facts: async ada => (await ada.get('/access/settings')).json.fourEyes.revokeManyAbove,
  },
}

describe('a second person', () => {
  let server: AccessServer
  let ada: Browser
  let ben: Browser & { id: string }
  const cleanUp: (() => unknown)[] = []
  before(async () => {
    server = await accessServer({ after: (act: () => unknown) => void cleanUp.unshift(act) } as never)
    ada = await server.firstAdministrator()
    // Admitted before there is anybody to agree.
    await server.operator(ada, 'cy@example.test', [])
    ben = await server.operator(ada, 'ben@example.test', ['administrator'])
    for (let i = 0; i < 12; i++) await bornDevice(server, { model: 'doomed' })
  })
  after(async () => {
    for (const act of cleanUp) await act()
  })

  // The settings come first and the authorities last: what ends is not asked for anything more.
  const order: GuardedAct[] = [
    'access.settings',
    'certificate.revoke_many',
    'profile.change',
    'rule.change',
    'role.change',
    'operator.roles',
    'authority.create',
    'authority.retire',
    'key.destroy',
    'authority.revoke',
  ]

  test('is asked for each act that takes one', () => {
    assert.deepEqual([...order].sort(), Object.keys(GUARDED_ACTS).sort())
  })

  for (const act of order) {
    test(`agrees to ${act}`, async () => {
      const { ask, facts } = CASES[act]
      const earlier = await facts(ada, server)
      const asked = await ask(ada, server)
      assert.equal(asked.status, 202, asked.text)
      const { approval, outcome } = asked.json
      const self = (await ada.get('/session')).json.id
      assert.deepEqual([outcome, approval.act, approval.requestedBy, approval.state], ['waiting', act, self, 'waiting'])
      assert.ok(approval.summary.length > 0, 'whoever decides reads what it is about')
      assert.deepEqual(await facts(ada, server), earlier, 'nothing happens yet')
      assert.equal((await ada.post(`/approvals/${approval.id}/approve`)).json.code, 'approval.own')
      expectStatus(await ben.post(`/approvals/${approval.id}/approve`), 200)
      assert.notDeepEqual(await facts(ada, server), earlier)
      const shown = (await ada.get(`/approvals/${approval.id}`)).json
      assert.deepEqual([shown.state, shown.approvals.map(({ by }: { by: string }) => by)], ['executed', [ben.id]])
    })
  }

  test('and what was done stands in the log under the name of who asked', async () => {
    const self = (await ada.get('/session')).json.id
    const log = await auditLog(server)
    for (const action of [
      'authority.retired',
      'profile.changed',
      'rule.changed',
      'job.started',
      'keystore.key_destroyed',
    ]) {
      const entry = log.findLast(each => each.action === action && each.actor.kind === 'operator')
      assert.equal(entry?.actor.id, self, action)
    }
  })
})

test('an authority, and a fleet, end by no road around the second person', async t => {
  const server = await accessServer(t)
  const ada = await server.firstAdministrator()
  for (let i = 0; i < 12; i++) await bornDevice(server, { model: 'doomed' })
  const issuer = (await server.authorities.all()).find(({ id }) => id === 'idevid-1')!
  const [record] = await server.store.read.certificatesBySerial(
    (await server.authorities.certificate(issuer.id)).serialNumber as never,
  )
  const byName = `/certificates/${record!.authorityId}/${record!.serialNumber}/revoke`
  const retire = { act: 'retire', devices: { model: 'doomed' }, expectedDevices: 12 }
  await server.operator(ada, 'ben@example.test', ['administrator'])
  assert.equal((await ada.post(byName, { reason: 'superseded' })).json.code, 'approval.needed')
  assert.equal((await ada.post('/devices/actions', retire)).json.code, 'approval.needed')
  assert.equal(issuer.state, (await server.authorities.all()).find(({ id }) => id === 'idevid-1')?.state)
})

test('one device with more certificates than the threshold ends by no road around the second person', async t => {
  const server = await accessServer(t)
  const ada = await server.firstAdministrator()
  const { device, key } = await bornDevice(server, { model: 'doomed' })
  await certify(server, device, key, 'ldevid')
  const few = await bornDevice(server)
  const { json, headers } = await ada.get('/access/settings')
  const body = { fourEyes: { ...json.fourEyes, revokeManyAbove: 1 }, oidc: null }
  expectStatus(await ada.put('/access/settings', body, { 'if-match': headers.etag! }), 200)
  await server.operator(ada, 'ben@example.test', ['administrator'])
  const [record] = await server.store.read.certificatesOfDevice(device.id)
  const one = `/certificates/${record!.authorityId}/${record!.serialNumber}/revoke`
  const ask = async (path: string, asked: object) => (await ada.post(path, asked)).json.code
  assert.equal(await ask(`/devices/${device.id}/revoke`, { reason: 'superseded' }), 'approval.needed')
  assert.equal(await ask(`/devices/${device.id}/retire`, {}), 'approval.needed')
  assert.equal(await ask(one, { reason: 'keyCompromise' }), 'approval.needed', 'two are over that key')
  const live = await server.store.read.certificatesOfDevice(device.id)
  assert.deepEqual(
    live.map(({ status }) => status.kind),
    ['good', 'good'],
  )
  expectStatus(await ada.post(`/devices/${few.device.id}/revoke`, { reason: 'keyCompromise' }), 200)
  expectStatus(await ada.post(one, { reason: 'superseded' }), 200)
  expectStatus(await ada.post(`/devices/${device.id}/retire`, {}), 200)
})

test('the key of an authority outlives what it answers for', async t => {
  const server = await accessServer(t)
  const ada = await server.firstAdministrator()
  await bornDevice(server)
  assert.equal((await ada.post('/authorities/idevid-1/destroy-key')).json.code, 'authority.state_changed')
  expectStatus(await ada.post('/authorities/idevid-1/retire'), 200)
  const early = await ada.post('/authorities/idevid-1/destroy-key')
  assert.equal(early.json.code, 'authority.still_answers')
})
