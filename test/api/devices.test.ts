// Devices over the REST API: the list by every condition, paged to its end, and everything that is known of one.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { changeProperties } from '../../src/domain/device/change-properties.ts'
import { suspendDevice } from '../../src/domain/device/suspend-device.ts'
import { type ApiReply, apiDoor, somebody } from '../support/api-door.ts'
import { bornDevice, certify, OPERATOR, registerDevice, testInstance } from '../support/instance.ts'

describe('GET /devices', () => {
  it('pages to the end and shows every device once', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const made = new Set<string>()
    for (let i = 0; i < 25; i++) made.add((await registerDevice(instance)).id)
    for (const query of ['', 'model=sensor-9&', 'sort=-registered&', 'state=manufactured&', 'search=SN-&']) {
      const seen: string[] = []
      let after = ''
      do {
        const { status, json } = await door(`/devices?${query}limit=7${after && `&after=${after}`}`)
        assert.equal(status, 200)
        seen.push(...json.items.map(({ id }: { id: string }) => id))
        after = json.next ?? ''
      } while (after !== '')
      assert.equal(seen.length, new Set(seen).size, query)
      assert.deepEqual(new Set(seen), made, query)
    }
  })

  it('finds by the beginning of a serial number, in whichever model', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    await registerDevice(instance, { model: 'a', serialNumber: 'X-100' })
    await registerDevice(instance, { model: 'b', serialNumber: 'X-101' })
    await registerDevice(instance, { model: 'b', serialNumber: 'Y-1' })
    const { json } = await door('/devices?search=X-1')
    assert.deepEqual(
      json.items.map((each: { serialNumber: string }) => each.serialNumber),
      ['X-100', 'X-101'],
    )
    assert.equal((await door('/devices?search=X-1&model=b')).json.items.length, 1)
    assert.equal((await door('/devices?search=x-1')).json.items.length, 0)
  })

  it('shows owner, site and end of the first credential, and only the fields that are asked for', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const { device } = await bornDevice(instance)
    const record = await certify(instance, device, await generateKeyPair('P-256'), 'ldevid')
    await changeProperties(device.id, [{ name: 'owner', value: 'acme', personal: false }], OPERATOR, instance)
    const { json } = await door('/devices?owner=acme&profile=ldevid')
    assert.equal(json.items.length, 1)
    assert.equal(json.items[0].owner, 'acme')
    assert.equal(Date.parse(json.items[0].expiresAt) / 1000, record.notAfter)
    assert.deepEqual((await door('/devices?fields=id,state')).json.items, [{ id: device.id, state: device.state }])
    const wrong = await door('/devices?fields=id,secret')
    assert.equal(wrong.status, 400)
    assert.equal(wrong.json.problems[0].path, 'fields')
  })

  it('refuses an order that no index has, a cursor of another list and what it does not know', async t => {
    const door = apiDoor(await testInstance(t))
    assert.equal((await door('/devices?sort=serialNumber')).json.code, 'api.request_invalid')
    assert.equal((await door('/devices?sort=-registered&model=x')).json.code, 'api.request_invalid')
    assert.equal((await door('/devices?after=00ff')).json.code, 'api.cursor_invalid')
    assert.equal((await door('/devices?colour=red')).json.code, 'api.request_invalid')
    assert.equal((await door('/devices?limit=0')).json.code, 'api.request_invalid')
    assert.equal((await door('/devices?limit=many')).json.code, 'api.request_invalid')
    assert.equal((await door('/devices?search=a&firmware=1')).json.code, 'api.request_invalid')
  })

  it('shows a caller with a scope its own devices, and hides that there are others', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const mine = await registerDevice(instance, { model: 'mine' })
    const theirs = await registerDevice(instance, { model: 'theirs' })
    await changeProperties(mine.id, [{ name: 'owner', value: 'acme', personal: false }], OPERATOR, instance)
    for (const scope of [{ owner: 'acme' }, { models: ['mine'] }, { models: ['mine', 'other'] }]) {
      const as = somebody(['device.read'], scope)
      assert.deepEqual((await door('/devices?fields=id', { as })).json.items, [{ id: mine.id }])
      assert.deepEqual((await door('/devices?search=SN&fields=id', { as })).json.items, [{ id: mine.id }])
      assert.equal((await door(`/devices/${mine.id}`, { as })).status, 200)
      const hidden = await door(`/devices/${theirs.id}`, { as })
      assert.equal(hidden.json.code, 'device.not_found')
    }
  })

  it('tells who sees a part of the fleet nothing of the rest by its cursors, and takes none that it did not make', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const mine = [1, 2].map(i => registerDevice(instance, { model: 'mine', serialNumber: `B-${i}` }))
    await Promise.all(mine)
    for (const serialNumber of ['A-1', 'B-0', 'B-3', 'C-1'])
      await registerDevice(instance, { model: 'theirs', serialNumber })
    const as = somebody(['device.read'], { models: ['mine', 'none'] })
    assert.deepEqual((await door('/devices?search=C&limit=1', { as })).json, { items: [], next: null })
    const { next } = (await door('/devices?search=B&limit=1', { as })).json
    const said = Buffer.concat(['hex', 'base64url'].map(form => Buffer.from(next, form as 'hex'))).toString('latin1')
    assert.doesNotMatch(said, /B-|mine|theirs/)
    const forged = Buffer.from(JSON.stringify(['x', 'theirs'])).toString('hex')
    for (const after of [forged, `${next.slice(0, -2)}AA`, next.slice(0, 20), 'ä'])
      assert.equal((await door(`/devices?search=B&limit=1&after=${after}`, { as })).json.code, 'api.cursor_invalid')
    assert.equal((await door(`/devices?search=A&limit=1&after=${next}`, { as })).json.code, 'api.cursor_invalid')
  })
})

describe('GET /devices/:id', () => {
  it('shows keys, certificates, credentials, and the timeline of the log, newest first', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const { device, record } = await bornDevice(instance)
    await suspendDevice(device.id, { actor: OPERATOR, because: 'INC-1' }, instance)
    const { json } = await door(`/devices/${device.id}`)
    assert.equal(json.device.state, 'suspended')
    assert.equal(json.suspendedFrom, 'manufactured')
    assert.equal(json.keys.length, 1)
    assert.equal(json.certificates[0].serialNumber, record.serialNumber)
    assert.equal(json.certificates[0].status, 'held')

    const timeline = (await door(`/devices/${device.id}/timeline`)).json
    const actions = timeline.items.map(({ action }: { action: string }) => action)
    assert.equal(actions.at(-1), 'device.registered')
    assert.ok(actions.includes('certificate.issued') && actions.includes('certificate.held'))
    assert.ok(actions.includes('device.state_changed') && actions.includes('key.state_changed'))
    const indexes = timeline.items.map(({ index }: { index: number }) => index)
    assert.deepEqual(
      indexes,
      indexes.toSorted((a: number, b: number) => b - a),
    )

    const paged: number[] = []
    for (let after: string | null = ''; after !== null; ) {
      const { json: page }: ApiReply = await door(`/devices/${device.id}/timeline?limit=2${after && `&after=${after}`}`)
      paged.push(...page.items.map(({ index }: { index: number }) => index))
      after = page.next
    }
    assert.deepEqual(paged, indexes)
  })

  it('is 404 with a code for a device that is not there, and 400 for what is no id', async t => {
    const door = apiDoor(await testInstance(t))
    const missing = await door(`/devices/${'0'.repeat(32)}`)
    assert.equal(missing.status, 404)
    assert.equal(missing.headers['content-type'], 'application/problem+json')
    assert.equal(missing.json.code, 'device.not_found')
    assert.equal((await door('/devices/1')).status, 400)
  })
})

describe('GET /devices/export', () => {
  it('writes every device of the query once, as NDJSON and as CSV that a spreadsheet takes for text', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    for (let i = 0; i < 205; i++) await registerDevice(instance, { model: 'many' })
    const { id } = await registerDevice(instance, { model: '=cmd|"x"!A1' })
    const lines = (await door('/devices/export?format=ndjson&model=many')).text.trimEnd().split('\n')
    assert.equal(new Set(lines.map(line => JSON.parse(line).id)).size, 205)
    const file = await door('/devices/export?model=%3Dcmd%7C%22x%22!A1')
    assert.equal(file.headers['content-disposition'], 'attachment; filename="devices.csv"')
    const [head, row] = file.text.split('\r\n')
    assert.match(head!, /^id,serialNumber,model,state,owner,site,/)
    assert.ok(row!.startsWith(`${id},`))
    assert.ok(row!.includes(`,"'=cmd|""x""!A1",`), row)
  })

  it('tells what is wrong with the query instead of beginning a file, and shows a scope its own devices', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    await registerDevice(instance, { model: 'mine' })
    await registerDevice(instance, { model: 'theirs' })
    assert.equal((await door('/devices/export?sort=serialNumber')).json.code, 'api.request_invalid')
    assert.equal((await door('/devices/export?group=none')).json.code, 'group.not_found')
    const as = somebody(['device.read'], { models: ['mine'] })
    const { text } = await door('/devices/export?format=ndjson', { as })
    assert.deepEqual(
      text
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line).model),
      ['mine'],
    )
  })
})

describe('GET /statistics', () => {
  it('counts devices by state and what happened by the hour, as the changes themselves say', async t => {
    const instance = await testInstance(t)
    const door = apiDoor(instance)
    const { device } = await bornDevice(instance)
    await registerDevice(instance)
    await suspendDevice(device.id, { actor: OPERATOR }, instance)
    const { json, status } = await door('/statistics/overview')
    assert.equal(status, 200)
    assert.deepEqual(json.devices.byState, {
      manufactured: 1,
      shipped: 0,
      active: 0,
      suspended: 1,
      retired: 0,
      destroyed: 0,
    })
    assert.equal(json.devices.total, 2)
    const last = json.activity.at(-1)
    assert.deepEqual([last.enrolled, last.held, last.registered, last.revoked], [1, 1, 2, 0])
    assert.equal(json.activity.length, 48)
    assert.ok(json.authorities.length > 1)
    assert.equal(json.log.checkpoint, null)
  })

  it('is for those who see the whole fleet', async t => {
    const door = apiDoor(await testInstance(t))
    const scoped = somebody(['statistics.read', 'device.read'], { owner: 'acme' })
    assert.equal((await door('/statistics/overview', { as: scoped })).status, 403)
    const stranger = await door('/statistics/overview', { as: null })
    assert.equal(stranger.status, 401)
    assert.match(stranger.headers['www-authenticate']!, /^Bearer /)
  })
})
