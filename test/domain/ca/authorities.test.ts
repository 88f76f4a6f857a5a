// The directory of authorities: what is in force is found at once, what changed is read again, and a key that is not the certificate's is refused.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { softwareSigner } from '../../../src/crypto/signer.ts'
import { AuthorityDirectory, authorityName } from '../../../src/domain/ca/authorities.ts'
import type { Authority } from '../../../src/domain/ca/authority.ts'
import { catalogueDocuments } from '../../../src/domain/ca/hierarchy.ts'
import { settingsDocument } from '../../../src/domain/ca/settings.ts'
import type { DocumentVersion } from '../../../src/domain/document.ts'
import { authorityId } from '../../../src/domain/ids.ts'
import type { StoreReader } from '../../../src/domain/ports.ts'
import { keyOf, NOW, profile, settingsConfig, authorities as world } from './fixture.ts'

/** A store that has authorities and documents only, and counts how often it is read. */
async function instance() {
  const { root, issuing } = await world()
  const state = {
    marker: 1,
    reads: 0,
    authorities: [{ ...root.record }, { ...issuing.record }] as Authority[],
    documents: [...catalogueDocuments(NOW), settingsDocument(settingsConfig, 1, NOW)] as DocumentVersion[],
    opened: 0,
    slow: undefined as Promise<void> | undefined,
  }
  const read = {
    changeMarker: async () => state.marker,
    configurationMarker: async () => state.marker,
    async authorities() {
      state.reads++
      const found = [...state.authorities]
      await state.slow
      return found
    },
    documents: async (kind: string) => state.documents.filter(document => document.kind === kind),
    document: async (kind: string, name: string) =>
      state.documents.find(each => each.kind === kind && each.name === name),
  } as unknown as StoreReader
  const keyStore = {
    async signer(keyUri: string) {
      state.opened++
      return softwareSigner(await keyOf('P-256', keyUri.replace('memory:', '')), keyUri)
    },
  }
  const change = (body: () => void) => {
    body()
    state.marker++
  }
  return { state, change, root, issuing, keyStore, directory: new AuthorityDirectory({ store: { read }, keyStore }) }
}

const issuingProfile = profile('ldevid', { authority: 'issuing' })

describe('the directory of authorities', () => {
  it('reads the store once until it changes, and opens each key once', async () => {
    const { directory, state, change } = await instance()
    const first = await directory.issuing(issuingProfile)
    await Promise.all([
      directory.all(),
      directory.profile('ldevid'),
      directory.settings(),
      directory.issuing(issuingProfile),
    ])
    assert.deepEqual([state.reads, state.opened], [1, 1])
    change(() => {})
    assert.equal(await directory.issuing(issuingProfile), first, 'what is the same stays the same object')
    assert.deepEqual([state.reads, state.opened], [2, 1])
    assert.equal(await directory.settings(), await directory.settings())
  })

  it('lets callers that come together share one reading, and never one from before their call', async () => {
    const { directory, state, change } = await instance()
    let release = () => {}
    state.slow = new Promise(resolve => {
      release = resolve
    })
    const before = [directory.all(), directory.all()]
    await new Promise(setImmediate)
    change(() => {
      state.authorities = state.authorities.map(each => ({ ...each, state: 'retired' as const }))
    })
    const after = directory.all()
    release()
    for (const early of await Promise.all(before)) assert.equal(early[0]?.state, 'active')
    assert.equal((await after)[0]?.state, 'retired')
    assert.equal((await directory.all())[0]?.state, 'retired')
    assert.equal(state.reads, 2)
  })

  it('gives a profile that changed, and keeps one that did not', async () => {
    const { directory, state, change } = await instance()
    const [ldevid, idevid] = [await directory.profile('ldevid'), await directory.profile('idevid')]
    change(() => {
      state.documents = state.documents.map(each =>
        each.name === 'ldevid'
          ? { ...each, version: 2, body: JSON.stringify({ ...JSON.parse(each.body), version: 2 }) }
          : each,
      )
    })
    assert.equal((await directory.profile('ldevid')).version, 2)
    assert.notEqual(await directory.profile('ldevid'), ldevid)
    assert.equal(await directory.profile('idevid'), idevid)
    await assert.rejects(directory.profile('none'), { code: 'profile.not_found', kind: 'not_found' })
    assert.equal((await directory.profiles()).length, state.documents.length - 1)
  })

  it('refuses a key that is not the one in the certificate', async () => {
    const { state, root, issuing } = await instance()
    const swapped = { signer: async () => root.signer }
    const directory = new AuthorityDirectory({
      store: { read: await reader(state.authorities, state.documents) },
      keyStore: swapped,
    })
    await assert.rejects(directory.issuing(issuingProfile), { code: 'authority.key_mismatch', kind: 'internal' })
    assert.ok(issuing)
  })

  it('says that the key of an offline authority is not here, and tries again later', async () => {
    const { state, issuing } = await instance()
    let present = false
    const keyStore = {
      async signer() {
        if (present) return issuing.signer
        throw new TouchmarkError('key.not_found', 'not_found', 'There is no such key.')
      },
    }
    const directory = new AuthorityDirectory({
      store: { read: await reader(state.authorities, state.documents) },
      keyStore,
    })
    await assert.rejects(directory.signing(authorityId('issuing-1')), { code: 'authority.key_unavailable' })
    present = true
    assert.ok(await directory.signing(authorityId('issuing-1')))
  })

  it('passes on what else the key store says', async () => {
    const { state } = await instance()
    const keyStore = { signer: () => Promise.reject(new TouchmarkError('key.suspended', 'forbidden', 'Suspended.')) }
    const directory = new AuthorityDirectory({
      store: { read: await reader(state.authorities, state.documents) },
      keyStore,
    })
    await assert.rejects(directory.signing(authorityId('issuing-1')), { code: 'key.suspended' })
  })

  it('builds chains and the trust bundle', async () => {
    const { directory, root, issuing } = await instance()
    assert.deepEqual(await directory.chain(authorityId('issuing-1')), [issuing.certificate.raw, root.certificate.raw])
    assert.deepEqual(await directory.chain(authorityId('root-1')), [root.certificate.raw])
    assert.deepEqual(await directory.trustBundle(), [root.certificate.raw])
  })

  it('stops at records that refer in a circle or to nothing', async () => {
    for (const issuer of ['issuing-1b', 'nobody-1']) {
      const { directory, state } = await instance()
      const [, issuing] = state.authorities as [Authority, Authority]
      const other = { ...issuing, id: authorityId('issuing-1b'), issuer: issuing.id }
      state.authorities = [{ ...issuing, issuer: authorityId(issuer) }, other]
      await assert.rejects(directory.all(), { code: 'authority.chain_broken' })
    }
  })

  it('chooses by id, or by name the newest active generation', async () => {
    const { directory, state } = await instance()
    const [root, first] = state.authorities as [Authority, Authority]
    const generation = (n: number, more: Partial<Authority> = {}): Authority => ({
      ...first,
      id: authorityId(`issuing-${n}`),
      generation: n,
      ...more,
    })
    state.authorities = [
      root,
      generation(2),
      generation(10),
      first,
      generation(11, { state: 'retired' }),
      generation(12, { state: 'awaiting_certificate', certificate: null, issuer: null }),
    ]
    assert.equal((await directory.issuing(issuingProfile)).record.id, 'issuing-10')
    assert.equal((await directory.issuing(profile('ldevid', { authority: 'issuing-2' }))).record.id, 'issuing-2')
    await assert.rejects(directory.issuing(profile('ldevid', { authority: 'issuing-11' })), {
      code: 'authority.not_active',
    })
    await assert.rejects(directory.issuing(profile('ldevid', { authority: 'issuing-12' })), {
      code: 'authority.awaiting_certificate',
    })
    await assert.rejects(directory.issuing(profile('ldevid', { authority: 'none' })), { code: 'authority.not_found' })
    await assert.rejects(directory.issuing(issuingProfile, authorityId('issuing-2')), {
      code: 'authority.not_of_profile',
    })
    assert.equal(authorityName(authorityId('plant-7-idevid-12')), 'plant-7-idevid')
  })

  it('takes the authority from the request where the profile leaves it open', async () => {
    const { directory } = await instance()
    const open = profile('ocsp-signer')
    assert.equal((await directory.issuing(open, authorityId('issuing-1'))).record.id, 'issuing-1')
    await assert.rejects(directory.issuing(open), { code: 'authority.not_named' })
  })
})

async function reader(records: readonly Authority[], documents: readonly DocumentVersion[]): Promise<StoreReader> {
  return {
    changeMarker: async () => 1,
    configurationMarker: async () => 1,
    authorities: async () => [...records],
    documents: async (kind: string) => documents.filter(document => document.kind === kind),
    document: async (kind: string, name: string) => documents.find(each => each.kind === kind && each.name === name),
  } as unknown as StoreReader
}
