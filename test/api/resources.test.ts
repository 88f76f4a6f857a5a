// Every resource of the REST API once in its course: what operators do on the command line, done over HTTP, by the same recipes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toPem } from '../../src/core/asn1/pem.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { runDeviceJob } from '../../src/domain/jobs/run-device-job.ts'
import { runJob } from '../../src/domain/jobs/run-job.ts'
import { apiDoor, somebody } from '../support/api-door.ts'
import { auditLog, bornDevice, certify, registerDevice, testCsrDer, testInstance } from '../support/instance.ts'

const key = () => crypto.randomUUID()

describe('acts on a device', () => {
  it('suspends, resumes, retires and destroys, with the operator in the log', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const { device } = await bornDevice(instance)
    const act = async (name: string, body: unknown = {}) =>
      (await door(`/devices/${device.id}/${name}`, { method: 'POST', body })).json
    assert.equal((await act('suspend', { because: 'INC-7' })).device.state, 'suspended')
    assert.equal((await act('resume')).certificates.length, 1)
    assert.equal((await act('retire')).device.state, 'retired')
    assert.equal((await act('destroy', { witness: 'Shredded.' })).device.state, 'destroyed')
    assert.equal((await act('resume')).code, 'device.move_not_allowed')
    const log = await auditLog(instance)
    const moves = log.filter(({ action }) => action === 'device.state_changed')
    assert.ok(moves.every(({ actor }) => actor.kind === 'operator' && actor.id === 'op-tester'))
    const refusal = log.find(({ action }) => action === 'operator.refused')
    assert.deepEqual([refusal?.code, refusal?.detail?.['command']], ['device.move_not_allowed', 'resumeDevice'])
  })

  it('lets nobody put a device out of its scope', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const device = await registerDevice(instance)
    const change = (value: string | null, as = somebody()) =>
      door(`/devices/${device.id}/properties`, {
        method: 'PATCH',
        body: { changes: [{ name: 'owner', value }] },
        as,
      })
    assert.equal((await change('acme')).status, 200)
    const acme = somebody(['device.read', 'device.write'], { owner: 'acme' })
    assert.equal((await change('beta', acme)).json.code, 'access.forbidden')
    assert.equal((await change(null, acme)).json.code, 'access.forbidden')
    assert.equal((await change('beta')).status, 200)
    assert.equal((await change('acme', acme)).json.code, 'device.not_found')
  })

  it('revokes, holds and releases certificates', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const { record } = await bornDevice(instance)
    const path = `/certificates/${record.authorityId}/${record.serialNumber}`
    const hold = await door(`${path}/revoke`, { method: 'POST', body: { reason: 'certificateHold' } })
    assert.equal(hold.json.changed[0].status, 'held')
    assert.equal((await door(`${path}/release`, { method: 'POST' })).json.changed[0].status, 'good')
    await door(`${path}/revoke`, { method: 'POST', body: { reason: 'keyCompromise' } })
    const { json } = await door(path)
    assert.deepEqual([json.registered.status, json.registered.reason], ['revoked', 'keyCompromise'])
    assert.match(json.certificate.pem, /BEGIN CERTIFICATE/)
    assert.equal((await door(`/certificates?serialNumber=${record.serialNumber}`)).json.items.length, 1)
  })

  it('leaves the certificates of the platform to those who keep authorities', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const { record } = await bornDevice(instance)
    const { serialNumber } = await instance.authorities.certificate(record.authorityId)
    const { items } = (await door(`/certificates?serialNumber=${serialNumber}`)).json
    const path = `/certificates/${items[0].issuer}/${serialNumber}`
    const as = somebody(['certificate.read', 'certificate.revoke'])
    const hold = { method: 'POST', as, body: { reason: 'certificateHold' } } as const
    assert.equal((await door(`${path}/revoke`, hold)).json.code, 'access.forbidden')
    assert.equal((await door(`${path}/release`, { method: 'POST', as })).json.code, 'access.forbidden')
  })
})

describe('what is pasted', () => {
  it('is explained: certificates, requests, rubbish beside them', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const { record } = await bornDevice(instance)
    const csr = testCsrDer(await generateKeyPair('P-256'), { subject: 'CN=x' })
    const text = [
      toPem('CERTIFICATE', record.der),
      toPem('CERTIFICATE REQUEST', csr),
      toPem('CERTIFICATE', new Uint8Array([0x30, 0])),
      toPem('PRIVATE KEY', new Uint8Array([0x30, 0])),
    ].join('')
    const decode = (body: unknown) => door('/certificates/decode', { method: 'POST', body })
    const { objects } = (await decode({ text })).json
    assert.deepEqual(
      objects.map(({ kind }: { kind: string }) => kind),
      ['certificate', 'request', 'unreadable', 'unreadable'],
    )
    assert.equal(objects[0].registered.serialNumber, record.serialNumber)
    assert.equal(objects[1].signature, 'valid')
    assert.equal((await decode({ text: Buffer.from(csr).toString('base64') })).json.objects[0].kind, 'request')
    assert.equal((await decode({ text: Buffer.from(record.der).toString('hex') })).json.objects[0].kind, 'certificate')
    assert.equal((await decode({ text: 'hello' })).json.code, 'decode.nothing_found')
  })
})

describe('documents', () => {
  it('are edited with the version that the editor saw (RFC 9110 §13.1.1)', async t => {
    const door = apiDoor(await testInstance(t))
    const put = (body: unknown, headers: Record<string, string> = {}) =>
      door('/groups/old', { method: 'PUT', body, headers })
    const group = { schema: 1, query: { notSeenForSeconds: 86_400 } }
    assert.equal((await put(group)).status, 428)
    assert.equal((await put(group, { 'if-match': '"1"' })).status, 412)
    const made = await put(group, { 'if-none-match': '*' })
    assert.deepEqual([made.status, made.headers['etag']], [201, '"1"'])
    assert.equal((await put(group, { 'if-none-match': '*' })).status, 412)
    assert.equal((await put({ ...group, description: 'x' }, { 'if-match': '"1"' })).json.version, 2)
    assert.equal((await put({ schema: 1, query: { colour: 1 } }, { 'if-match': '"2"' })).json.code, 'group.invalid')
    assert.equal((await put({ ...group, name: 'other' }, { 'if-match': '"2"' })).json.code, 'api.request_invalid')
    const shown = await door('/groups/old')
    assert.equal((await door('/groups/old', { headers: { 'if-none-match': shown.headers['etag']! } })).status, 304)
    assert.equal((await door('/groups/old?version=1')).json.version, 1)
  })

  it('change profiles and rules, and try them before', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const { document, version } = (await door('/profiles/ldevid')).json
    const sample = await door('/profiles/sample', { method: 'POST', body: { draft: document, serialNumber: 'S-1' } })
    assert.equal(sample.json.ok, true, sample.text)
    assert.match(sample.json.certificate.subject, /S-1/)
    const broken = { ...document, validity: { days: -1 } }
    const refused = await door('/profiles/sample', { method: 'POST', body: { draft: broken } })
    assert.equal(refused.json.ok, false)
    assert.ok(refused.json.findings.length > 0)

    const headers = { 'if-match': `"${version}"` }
    const put = await door('/profiles/ldevid', { method: 'PUT', body: { ...document, description: 'New' }, headers })
    assert.deepEqual([put.json.outcome, put.json.result.version], ['done', version + 1])

    const rules = await door('/rules')
    const same = await door('/rules', {
      method: 'PUT',
      body: rules.json.document,
      headers: { 'if-match': rules.headers['etag']! },
    })
    assert.equal(same.json.outcome, 'done', same.text)
    const { device } = await bornDevice(instance)
    const body = { profile: 'ldevid', device: device.id }
    const explained = await door('/rules/explain', { method: 'POST', body })
    assert.ok(['granted', 'pending', 'denied'].includes(explained.json.outcome))
    assert.ok(explained.json.trace.length > 0)
  })
})

describe('POST with an Idempotency-Key', () => {
  it('gives the same answer again, the secret in it too, and keeps neither key nor secret', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const body = { model: 'm', serialNumber: 's-1', profile: 'ldevid' }
    const headers = { 'idempotency-key': key() }
    const first = await door('/tokens', { method: 'POST', body, headers })
    const second = await door('/tokens', { method: 'POST', body, headers })
    assert.equal(first.status, 201)
    assert.equal(second.text, first.text)
    assert.equal(second.headers['idempotency-replayed'], 'true')
    assert.equal((await door('/tokens')).json.items.length, 1)

    const other = await door('/tokens', { method: 'POST', body: { ...body, serialNumber: 's-2' }, headers })
    assert.equal(other.status, 422)
    const stranger = await door('/tokens', { method: 'POST', body, headers, as: somebody(undefined, {}, 'op-other') })
    assert.notEqual(stranger.text, first.text)
    const weak = await door('/tokens', { method: 'POST', body, headers: { 'idempotency-key': '1' } })
    assert.equal(weak.json.code, 'api.idempotency_key_invalid')
  })

  it('tries again what was refused', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const device = await registerDevice(instance)
    const headers = { 'idempotency-key': key() }
    const destroy = () => door(`/devices/${device.id}/destroy`, { method: 'POST', headers })
    assert.equal((await destroy()).status, 409)
    await door(`/devices/${device.id}/retire`, { method: 'POST' })
    assert.equal((await destroy()).status, 200)
  })
})

describe('the audit log', () => {
  it('is listed newest first, filtered, and paged to its beginning', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    for (let i = 0; i < 10; i++) await registerDevice(instance)
    const all = await auditLog(instance)
    const seen: number[] = []
    for (let after = ''; ; ) {
      const { json } = await door(`/audit/entries?limit=7${after && `&after=${after}`}`)
      seen.push(...json.items.map(({ index }: { index: number }) => index))
      if (json.next === null) break
      after = json.next
    }
    assert.deepEqual(seen, all.map((_, i) => i).toReversed())
    const registered: unknown[] = []
    for (let after = ''; ; ) {
      const { json } = await door(`/audit/entries?action=device.registered&limit=3${after && `&after=${after}`}`)
      registered.push(...json.items)
      if (json.next === null) break
      after = json.next
    }
    assert.equal(registered.length, 10)
    assert.equal((await door('/audit/entries/999999')).status, 404)
    assert.equal((await door('/audit/entries/0/proof')).json.code, 'audit.no_checkpoint')
  })
})

describe('acts on many devices', () => {
  it('happen to those that the preview showed, as a job that is watched and goes on where it stopped', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    for (let i = 0; i < 3; i++) {
      const { device } = await bornDevice(instance, { model: 'bad' })
      await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
    }
    await bornDevice(instance, { model: 'good' })
    const devices = { model: 'bad' }
    const preview = await door('/revocations/preview', { method: 'POST', body: { devices } })
    assert.equal(preview.json.devices, 3)
    const few = await door('/revocations', {
      method: 'POST',
      body: { devices, reason: 'superseded', expectedDevices: 2 },
    })
    assert.equal(few.json.code, 'api.more_than_expected')
    const asked = await door('/revocations', {
      method: 'POST',
      body: { devices, reason: 'superseded', expectedDevices: 3 },
    })
    assert.equal(asked.json.outcome, 'done', asked.text)
    const { id } = asked.json.result
    const job = (await instance.store.read.job(id))!
    const ended = await runJob(job, instance, new AbortController().signal)
    assert.deepEqual([ended.state, ended.changed, ended.failed], ['finished', 6, 0])
    assert.equal((await door(`/jobs/${id}`)).json.state, 'finished')
    assert.equal((await door(`/jobs/${id}/cancel`, { method: 'POST' })).json.code, 'job.over')
    const left = await door('/devices?model=bad&profile=ldevid')
    assert.equal(left.json.items.length, 0)

    const body = { act: 'retire', devices, expectedDevices: 3 }
    const may = somebody(['device.read', 'device.write'])
    assert.equal((await door('/devices/actions', { method: 'POST', body, as: may })).status, 403)
    const retiring = await door('/devices/actions', { method: 'POST', body })
    assert.equal(retiring.status, 202)
    await door(`/jobs/${retiring.json.id}/cancel`, { method: 'POST' })
    const stopped = await runDeviceJob(
      (await instance.store.read.job(retiring.json.id))!,
      instance,
      AbortSignal.abort(),
    )
    assert.equal(stopped.state, 'cancelled')
  })

  it('acts on devices that were chosen one by one, and orders their renewal', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const chosen = [await bornDevice(instance), await bornDevice(instance), await bornDevice(instance)]
    const ids = chosen.map(({ device }) => device.id)
    for (const { device } of chosen) await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
    const left = await bornDevice(instance)
    const run = async (body: object) => {
      const { json, status } = await door('/devices/actions', { method: 'POST', body })
      assert.equal(status, 202, JSON.stringify(json))
      return runDeviceJob((await instance.store.read.job(json.id))!, instance, new AbortController().signal)
    }
    const renewal = await run({ act: 'renew', ids, newKey: true, expectedDevices: 3 })
    assert.deepEqual([renewal.state, renewal.done, renewal.failed], ['finished', 3, 0])
    const { credentials } = (await door(`/devices/${ids[0]}`)).json
    assert.equal(credentials.find((each: { profile: string }) => each.profile === 'ldevid').order.newKey, true)
    assert.equal((await run({ act: 'renew', ids, expectedDevices: 3 })).changed, 0, 'who is asked is not asked again')
    assert.equal((await run({ act: 'suspend', ids: [...ids, ids[0]], expectedDevices: 3 })).changed, 3)
    assert.equal((await door(`/devices/${left.device.id}`)).json.device.state, 'manufactured')
    const both = { act: 'ship', ids, devices: { model: 'x' }, expectedDevices: 3 }
    assert.equal((await door('/devices/actions', { method: 'POST', body: both })).status, 400)
  })
})
