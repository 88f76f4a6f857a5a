// What `Store` of domain/ports.ts promises about access, as tests that run for every engine.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, it } from 'node:test'
import { openStore } from '../../../src/adapters/store/open-store.ts'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { SESSION_SECONDS } from '../../../src/domain/access/session.ts'
import type { Store, Write } from '../../../src/domain/ports.ts'
import { aLink, anApiToken, anApproval, anOperator, aPasskey, aSession } from '../../support/access-fixtures.ts'
import type { StoreEngine } from '../../support/store-engines.ts'
import { NOW, only } from '../../support/store-fixtures.ts'
import { allOf } from './field-contract.ts'

export function accessContract(name: string, engine: StoreEngine): void {
  describe(`Access, stored on ${name}`, () => {
    const opened: Store[] = []
    afterEach(async () => {
      for (const store of opened.splice(0)) await store[Symbol.asyncDispose]()
    })

    async function newStores(count: number): Promise<Store[]> {
      const location = await engine.emptyStore()
      const stores: Store[] = []
      while (stores.length < count) stores.push(await openStore(location))
      opened.push(...stores)
      return stores
    }
    const newStore = async () => (await newStores(1))[0]!

    it('operator.put: fails with operator.exists and operator.changed; finds by id, address and OpenID subject', async () => {
      const store = await newStore()
      const ada = anOperator({ oidc: { issuer: 'https://id.example.test', subject: 'ada', salt: '00' } })
      await store.commit(only({ kind: 'operator.put', operator: ada, from: null }))
      const { read } = store
      assert.deepEqual(await read.operator(ada.id), ada)
      assert.deepEqual(await read.operatorByEmail(ada.email!), ada)
      assert.deepEqual(await read.operatorByOidc(ada.oidc!), ada)
      assert.equal(await read.operatorByOidc({ issuer: 'https://id.example.test/', subject: 'ada' }), undefined)
      assert.equal(await read.operator('op-\0'), undefined)
      for (const same of [{ id: ada.id }, { email: ada.email }, { oidc: ada.oidc }]) {
        await refuses(store, { kind: 'operator.put', operator: anOperator(same), from: null }, 'operator.exists')
      }
      const changed = {
        ...ada,
        name: '',
        email: null,
        state: 'removed' as const,
        roles: [{ role: 'operator', scope: { owner: 'beta', models: ['m'], sites: ['s'] } }],
        passwordHash: 'h',
        totp: { sealed: 's', lastStep: 7 },
        oidc: null,
        revision: 2,
      }
      await refuses(store, { kind: 'operator.put', operator: changed, from: 2 }, 'operator.changed')
      await store.commit(only({ kind: 'operator.put', operator: changed, from: 1 }))
      assert.deepEqual(await read.operator(ada.id), changed)
      assert.equal(await read.operatorByEmail(ada.email!), undefined)
      await refuses(store, { kind: 'operator.put', operator: changed, from: 1 }, 'operator.changed')
    })

    it('operators are listed oldest first, page by page, and two without an address are no conflict', async () => {
      const store = await newStore()
      const all = Array.from({ length: 7 }, () => anOperator({ email: null, createdAt: NOW }))
      await store.commit(only(...all.map(operator => ({ kind: 'operator.put', operator, from: null }) as const)))
      all.sort((a, b) => (a.id < b.id ? -1 : 1))
      assert.deepEqual(await allOf(3, page => store.read.operators(page)), all)
    })

    it('passkey: inserted once, counted on from what was read, removed by its own operator only', async () => {
      const store = await newStore()
      const [ada, ben] = [anOperator(), anOperator()]
      const [one, two] = [aPasskey(ada, { signCount: 4 }), aPasskey(ada)]
      await store.commit(only({ kind: 'passkey.insert', passkey: one }, { kind: 'passkey.insert', passkey: two }))
      await refuses(store, { kind: 'passkey.insert', passkey: aPasskey(ben, { id: one.id }) }, 'passkey.exists')
      assert.deepEqual(await store.read.passkey(one.id), one)
      assert.deepEqual(await store.read.passkeysOfOperator(ada.id), [one, two])
      await refuses(store, { kind: 'passkey.use', id: one.id, from: 3, to: 9, at: NOW }, 'passkey.changed')
      await store.commit(only({ kind: 'passkey.use', id: one.id, from: 4, to: 9, at: NOW + 5 }))
      assert.deepEqual(await store.read.passkey(one.id), { ...one, signCount: 9, lastUsedAt: NOW + 5 })
      await refuses(store, { kind: 'passkey.remove', id: two.id, operatorId: ben.id }, 'passkey.not_found')
      await store.commit(only({ kind: 'passkey.remove', id: two.id, operatorId: ada.id }))
      assert.equal(await store.read.passkey(two.id), undefined)
      assert.equal(await store.read.passkey('no hex'), undefined)
    })

    it('session: found by the hash of its secret, seen forward only, and gone when it is removed or its time is over', async () => {
      const store = await newStore()
      const ada = anOperator()
      const [one, two] = [aSession(ada), aSession(ada, { createdAt: NOW - SESSION_SECONDS - 1 })]
      await store.commit(only({ kind: 'session.insert', session: one }, { kind: 'session.insert', session: two }))
      await refuses(store, { kind: 'session.insert', session: one }, 'session.exists')
      assert.deepEqual(await store.read.sessionByHash(one.secretHash), one)
      assert.deepEqual(await store.read.sessionsOfOperator(ada.id), [two, one])
      await store.commit(only({ kind: 'session.seen', id: one.id, at: one.seenAt + 60 }))
      await store.commit(only({ kind: 'session.seen', id: one.id, at: one.seenAt + 30 }))
      assert.equal((await store.read.sessionByHash(one.secretHash))?.seenAt, one.seenAt + 60)
      await store.commit(only({ kind: 'access.sweep', now: NOW }))
      assert.deepEqual(
        (await store.read.sessionsOfOperator(ada.id)).map(({ id }) => id),
        [one.id],
      )
      await store.commit(only({ kind: 'session.remove', id: one.id }))
      assert.equal(await store.read.sessionByHash(one.secretHash), undefined)
      await refuses(store, { kind: 'session.remove', id: one.id }, 'session.not_found')
    })

    it('link: one for each name, used once, whoever tries at the same time', async () => {
      const [store, other] = await newStores(2)
      const [first, second] = [aLink('first'), aLink('first')]
      await store!.commit(only({ kind: 'link.put', link: first }))
      assert.deepEqual(await store!.read.linkByHash(first.secretHash), first)
      await store!.commit(only({ kind: 'link.put', link: second }))
      assert.equal(await store!.read.linkByHash(first.secretHash), undefined)
      await refuses(store!, { kind: 'link.use', secretHash: first.secretHash }, 'access.link_used')
      const uses = Array.from({ length: 8 }, (_, i) =>
        [store!, other!][i % 2]!.commit(only({ kind: 'link.use', secretHash: second.secretHash })),
      )
      const outcomes = await Promise.allSettled(uses)
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      await store!.commit(only({ kind: 'link.put', link: aLink('old', { expiresAt: NOW - 1 }) }))
      await store!.commit(only({ kind: 'link.remove', name: 'nobody' }, { kind: 'access.sweep', now: NOW }))
    })

    it('proof.spend: once until its time is over', async () => {
      const store = await newStore()
      const digest = randomBytes(32).toString('hex')
      const spend: Write = { kind: 'proof.spend', digest, expiresAt: NOW + 300 }
      await store.commit(only(spend))
      await refuses(store, spend, 'access.replayed')
      await store.commit(only({ kind: 'access.sweep', now: NOW + 300 }))
      await refuses(store, spend, 'access.replayed')
      await store.commit(only({ kind: 'access.sweep', now: NOW + 301 }))
      await store.commit(only(spend))
    })

    it('API tokens: found by id and hash, of one operator or all, revoked once', async () => {
      const store = await newStore()
      const [ada, ben] = [anOperator(), anOperator()]
      const tokens = [anApiToken(ada), anApiToken(ben), anApiToken(ada, { scope: {} }), anApiToken(ada)]
      await store.commit(only(...tokens.map(token => ({ kind: 'api_token.insert', token }) as const)))
      const [one] = tokens
      await refuses(store, { kind: 'api_token.insert', token: one! }, 'api_token.exists')
      assert.deepEqual(await store.read.apiToken(one!.id), one)
      assert.deepEqual(await store.read.apiTokenByHash(one!.secretHash), one)
      assert.deepEqual(await allOf(3, page => store.read.apiTokens(page)), tokens)
      const ofAda = await allOf(2, page => store.read.apiTokens({ ...page, operatorId: ada.id }))
      assert.deepEqual(ofAda, [tokens[0], tokens[2], tokens[3]])
      await store.commit(only({ kind: 'api_token.seen', id: one!.id, at: NOW + 9 }))
      await store.commit(only({ kind: 'api_token.seen', id: one!.id, at: NOW + 3 }))
      await store.commit(only({ kind: 'api_token.revoke', id: one!.id, at: NOW + 10 }))
      assert.deepEqual(await store.read.apiToken(one!.id), { ...one, lastUsedAt: NOW + 9, revokedAt: NOW + 10 })
      await refuses(store, { kind: 'api_token.revoke', id: one!.id, at: NOW + 11 }, 'api_token.revoked')
    })

    it('approval.put: moves on from the revision that was read, once, whoever tries at the same time', async () => {
      const [store, other] = await newStores(2)
      const approval = anApproval()
      await store!.commit(only({ kind: 'approval.put', approval, from: null }))
      await refuses(store!, { kind: 'approval.put', approval, from: null }, 'approval.changed')
      const executing = {
        ...approval,
        approvals: [{ by: 'op-x', at: NOW }],
        state: 'executing' as const,
        stateChangedAt: NOW + 1,
        outcome: 'x.y',
        revision: 2,
      }
      const tries = Array.from({ length: 8 }, (_, i) =>
        [store!, other!][i % 2]!.commit(only({ kind: 'approval.put', approval: executing, from: 1 })),
      )
      const outcomes = await Promise.allSettled(tries)
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      assert.deepEqual(await store!.read.approval(approval.id), executing)
    })

    it('approvals are listed newest first, by state, and those whose time is over', async () => {
      const store = await newStore()
      const all = Array.from({ length: 6 }, (_, i) => anApproval(i % 2 ? { state: 'executed' } : {}))
      await store.commit(only(...all.map(approval => ({ kind: 'approval.put', approval, from: null }) as const)))
      const newest = all.toReversed()
      assert.deepEqual(await allOf(4, page => store.read.approvals(page)), newest)
      const waiting = newest.filter(({ state }) => state === 'waiting')
      assert.deepEqual(await allOf(2, page => store.read.approvals({ ...page, state: 'waiting' })), waiting)
      const [, , oldest] = waiting
      assert.deepEqual(await store.read.approvalsOverdue(oldest!.expiresAt, 9), [oldest])
      assert.deepEqual(await store.read.approvalsOverdue(oldest!.expiresAt - 1, 9), [])
    })
  })
}

async function refuses(store: Store, write: Write, code: string): Promise<void> {
  await assert.rejects(store.commit(only(write)), (error: unknown) => {
    assert.ok(error instanceof TouchmarkError, String(error))
    assert.equal(error.code, code)
    return true
  })
}
