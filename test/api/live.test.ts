// The REST API of a running server, with an API token over TLS: a factory file from its upload to the signed manifest, the proof of an entry,
// events as they happen, and an act on many devices.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { rm, truncate, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/cli/store.ts'
import { fromHex } from '../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { leafHash, verifyInclusion } from '../../src/core/merkle/tree.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { createApiToken } from '../../src/domain/access/api-tokens.ts'
import { newOperatorId, type Operator } from '../../src/domain/access/operator.ts'
import { permissionNames } from '../../src/domain/access/permissions.ts'
import { testCsrCell } from '../support/factory-files.ts'
import { https } from '../support/https.ts'
import { LiveServer } from '../support/live-server.ts'

let server: LiveServer
let token: string

before(async () => {
  server = await LiveServer.start()
  token = await tokenFor(server)
})
after(() => server?.[Symbol.asyncDispose]())

/** An API token of an administrator who is written into the store. */
async function tokenFor(of: LiveServer): Promise<string> {
  await using store = await of.store()
  const now = systemClock.now()
  const operator: Operator = {
    id: newOperatorId(systemRandom),
    name: 'Ada',
    email: 'ada@example.test',
    state: 'active',
    roles: [{ role: 'administrator', scope: {} }],
    passwordHash: null,
    totp: null,
    oidc: null,
    createdAt: now,
    revision: 1,
  }
  await store.commit({ writes: [{ kind: 'operator.put', operator, from: null }], audit: [] })
  const principal = {
    kind: 'operator',
    id: operator.id,
    operatorId: operator.id,
    name: 'Ada',
    grants: [{ permissions: new Set(permissionNames), scope: {} }],
    authenticatedBy: 'passkey',
    authenticatedAt: now,
  } as const
  const asked = { name: 'test', permissions: permissionNames, scope: {}, lifetimeSeconds: 3600 }
  return (await createApiToken(asked, principal, { store, clock: systemClock, random: systemRandom })).secret
}

async function api(path: string, options: { method?: 'POST'; body?: unknown; type?: string } = {}) {
  const { method, body, type = 'application/json' } = options
  const answer = await https(`${server.url}/api/v1${path}`, {
    ca: readFileSync(server.roots, 'utf8'),
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': type }) },
    ...(method ? { method } : {}),
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { ...answer, json: /json/.test(String(answer.headers['content-type'])) ? JSON.parse(answer.text) : {} }
}

async function ended(id: string) {
  for (;;) {
    const { json } = await api(`/jobs/${id}`)
    if (json.state !== 'running') return json
    await sleep(100)
  }
}

describe('the REST API of a running server', () => {
  it('refuses who shows nothing, and names every request', async () => {
    const { status, headers, json } = await api('/devices')
    assert.equal(status, 200, JSON.stringify(json))
    assert.match(String(headers['x-request-id']), /^[a-z0-9]+-[a-z0-9]+$/)
    const ca = readFileSync(server.roots, 'utf8')
    assert.equal((await https(`${server.url}/api/v1/devices`, { ca })).status, 401)
    const wrong = { authorization: `Bearer tmk_${'x'.repeat(43)}` }
    assert.equal((await https(`${server.url}/api/v1/devices`, { ca, headers: wrong })).status, 401)
  })

  it('has a page to try it, without a script or anything else from elsewhere', async () => {
    const ca = readFileSync(server.roots, 'utf8')
    const page = await https(`${server.url}/api/docs`, { ca })
    assert.equal(page.status, 200)
    assert.ok(!/<script(?![^>]*\ssrc="\/)|<style|\son\w+=|https?:/.test(page.text), page.text)
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'; script-src 'self'/)
    const script = await https(`${server.url}/api/docs/page.js`, { ca })
    assert.doesNotThrow(() => new Function(script.text))
    assert.ok(!script.text.includes('innerHTML'))
  })

  it('takes a factory file, tries it, runs it, and hands out results with a signed manifest', async () => {
    const rows = await Promise.all(['F-1', 'F-2', 'F-3'].map(async serial => `${serial},${await testCsrCell()}`))
    const file = `serial,csr\n${rows.join('\n')}\nF-4,rubbish\n`
    const upload = await api('/batches/uploads', { method: 'POST', body: file, type: 'application/octet-stream' })
    assert.equal(upload.status, 201, upload.text)
    const plan = { upload: upload.json.id, profile: 'idevid', model: 'gateway' }
    const trial = await api('/batches/trials', { method: 'POST', body: plan })
    assert.deepEqual([trial.json.issued, trial.json.rejected], [3, 1], trial.text)
    assert.equal(trial.json.rejects[0].line, 5)
    assert.equal((await api('/devices?model=gateway')).json.items.length, 0)

    const run = await api('/batches', { method: 'POST', body: plan })
    assert.equal(run.status, 202, run.text)
    const job = await ended(run.json.id)
    assert.deepEqual([job.state, job.changed, job.failed], ['finished', 3, 1])
    const devices = (await api(`/devices?batch=${job.outcome}`)).json.items
    assert.equal(devices.length, 3)
    assert.equal((await api(`/jobs/${job.id}/files/results.csv`)).text.trim().split('\n').length, 5)
    assert.equal((await api(`/jobs/${job.id}/files/manifest.json`)).json.issued, 3)
    assert.ok((await api(`/jobs/${job.id}/files/manifest.json.p7s`)).body.length > 100)
    assert.equal((await api(`/jobs/${job.id}/files/passphrase`)).status, 400)

    const refused = await api('/batches/uploads', {
      method: 'POST',
      body: '\u0000\u0001\u0002',
      type: 'application/octet-stream',
    })
    assert.equal(refused.json.code, 'factory.input_unknown')
  })

  it('takes no more files than have room: whoever may send them does not fill the disk', async () => {
    const path = join(server.data, 'uploads', 'large')
    await writeFile(path, '')
    await truncate(path, 8 * 1024 ** 3)
    const more = await api('/batches/uploads', {
      method: 'POST',
      body: 'serial\nG-1\n',
      type: 'application/octet-stream',
    })
    assert.equal(more.json.code, 'batch.uploads_full', more.text)
    assert.deepEqual(
      readdirSync(join(server.data, 'uploads')).filter(name => name.endsWith('.part')),
      [],
    )
    await rm(path)
  })

  it('proves that an entry is in the log', async () => {
    for (;;) {
      const { json, status } = await api('/audit/entries/0/proof')
      if (status === 409 || status === 404) {
        await sleep(200)
        continue
      }
      const { json: entry } = await api('/audit/entries/0')
      verifyInclusion(sha256, {
        index: 0,
        size: json.checkpoint.size,
        leafHash: leafHash(sha256, toUtf8(entry.text)),
        proof: json.proof.map((hash: string) => fromHex(hash)),
        root: fromHex(json.checkpoint.root),
      })
      return
    }
  })

  it('tells listeners what changed, and acts on many devices as a job', async () => {
    const told = listen(2)
    await told.open
    const body = { act: 'ship', devices: { model: 'gateway' }, expectedDevices: 3 }
    const asked = await api('/devices/actions', { method: 'POST', body })
    assert.equal(asked.status, 202, asked.text)
    assert.deepEqual((await ended(asked.json.id)).changed, 3)
    const events = await told.events
    assert.ok(
      events.every(each => /^id: \d+\nevent: change\ndata: \{/m.test(each)),
      events.join('|'),
    )
    assert.ok((await api('/devices?state=shipped')).json.items.length === 3)
    assert.equal((await api('/statistics/overview')).json.devices.byState.shipped, 3)
  })

  it('leaves a store that the log vouches for', async () => {
    await server.stop()
    await server.assertInvariants()
  })
})

/** The first so many events. */
function listen(count: number): { readonly open: Promise<void>; readonly events: Promise<string[]> } {
  const open = Promise.withResolvers<void>()
  const events = Promise.withResolvers<string[]>()
  const ca = readFileSync(server.roots, 'utf8')
  const asked = request(`${server.url}/api/v1/events`, { ca, headers: { authorization: `Bearer ${token}` } }, reply => {
    let text = ''
    reply.setEncoding('utf8')
    reply.on('data', (part: string) => {
      open.resolve()
      text += part
      const found = text.split('\n\n').filter(each => each.includes('event: change'))
      if (found.length < count) return
      events.resolve(found.slice(0, count))
      asked.destroy()
    })
  })
  asked.on('error', error => {
    open.reject(error)
    events.reject(error)
  })
  asked.end()
  return { open: open.promise, events: events.promise }
}
