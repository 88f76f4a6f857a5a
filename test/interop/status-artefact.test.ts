// Status artefacts in the hands of a device: fetched over plain HTTP, followed by deltas, asked by the command and by the C verifier.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/cli/store.ts'
import { toPem } from '../../src/core/asn1/pem.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import { authorityId, newDeviceId } from '../../src/domain/ids.ts'
import { enrol } from '../../src/domain/ra/enrol.ts'
import { dataFolder } from '../../src/server/data-folder.ts'
import { openInstance } from '../../src/server/open-instance.ts'
import { testCsr } from '../support/instance.ts'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

interface FetchedView {
  readonly epoch: number
  readonly octets: number
  readonly received: number
}

/** Issued so long ago that the first artefact covers it; authorities are backdated by as much. */
const AGO = 120

async function issueBefore(server: LiveServer): Promise<{ readonly der: Uint8Array; readonly authority: Uint8Array }> {
  const clock = { now: () => systemClock.now() - AGO }
  await using instance = await openInstance(
    dataFolder(server.data),
    { file: server.passphraseFile, ask: undefined },
    clock,
  )
  const now = clock.now()
  const device = {
    id: newDeviceId(now, systemRandom),
    model: 'sensor-9',
    serialNumber: 'SN-STATUS',
    state: 'manufactured',
    batch: null,
    createdAt: now,
    stateChangedAt: now,
    labels: {},
  } as const
  const actor = { kind: 'operator', id: 'test' } as const
  await instance.store.commit({
    writes: [{ kind: 'device.insert', device }],
    audit: [{ at: now, actor, action: 'device.registered', outcome: 'done', subject: { deviceId: device.id } }],
  })
  const outcome = await enrol(
    {
      protocol: 'test',
      operation: 'enrol',
      profile: 'idevid',
      csr: testCsr(await generateKeyPair('P-256')),
      evidence: [{ kind: 'operator', name: 'tester', device }],
      channelBinding: false,
      address: '127.0.0.1',
    },
    instance.registration,
  )
  assert.equal(outcome.kind, 'issued')
  if (outcome.kind !== 'issued') throw new TypeError('not issued')
  const authority = await instance.authorities.certificate(authorityId('idevid-1'))
  return { der: outcome.record.der, authority: authority.raw }
}

describe('a device that follows the status artefact', () => {
  let server: LiveServer
  let address: string
  before(async () => {
    server = await LiveServer.prepare()
    const { der, authority } = await issueBefore(server)
    writeFileSync(server.folder.join('device.pem'), toPem('CERTIFICATE', der))
    writeFileSync(server.folder.join('idevid.pem'), toPem('CERTIFICATE', authority))
    await server.serve()
    address = `${server.httpUrl}/status/idevid-1.tms`
  })
  after(() => server?.[Symbol.asyncDispose]())

  const files = () =>
    ['artefact.tms', 'device.pem', 'idevid.pem'].map(name => server.folder.join(name)) as [string, string, string]

  /** Fetches until the certificate's status is this one. */
  async function until(wanted: string): Promise<FetchedView> {
    const [artefact, device, authority] = files()
    for (let attempt = 0; attempt < 100; attempt++, await sleep(100)) {
      const fetched = await server.cli(['status', 'fetch', address, artefact, '--authority', authority, '--json'])
      if (fetched.code !== 0) continue
      const asked = await server.cli(['status', 'query', artefact, device, '--authority', authority, '--json'])
      const { answers } = JSON.parse(asked.stdout) as { answers: { status: string }[] }
      if (answers[0]!.status === wanted) {
        assert.equal(asked.code, wanted === 'good' ? 0 : 1)
        return JSON.parse(fetched.stdout) as FetchedView
      }
    }
    throw new Error(`never ${wanted}`)
  }

  test('it learns of a revocation by a delta of a few hundred octets', async () => {
    const whole = await until('good')
    assert.equal(whole.received, whole.octets)
    const serialNumber = (await server.json<{ serialNumber: string }>(['certificate', 'show', files()[1]])).serialNumber
    await server.cli(['revoke', '--certificate', serialNumber, '--reason', 'keyCompromise'])
    const followed = await until('revoked')
    assert.ok(followed.epoch > whole.epoch)
    assert.ok(followed.received > 0 && followed.received < 400, `${followed.received} octets`)
    const again = await server.cli(['status', 'fetch', address, files()[0], '--authority', files()[2]])
    assert.match(again.stdout, /is the newest/)
    const shown = await server.json<{ revoked: number; freshness: string }>([
      'status',
      'show',
      files()[0],
      '--authority',
      files()[2],
    ])
    assert.deepEqual([shown.revoked, shown.freshness], [1, 'fresh'])
  })

  test('the outlet serves octets with entity-tags, ranges and dates, and says what is not there', async t => {
    if (!requireTool(t, 'curl')) return
    const get = (path: string, ...options: string[]) =>
      server.sh(`curl -sS -o /dev/null -w '%{http_code} %{content_type}' ${options.join(' ')} $HTTP${path}`)
    assert.equal((await get('/status/idevid-1.tms')).trim(), '200 application/vnd.touchmark.status')
    const heads = await server.sh('curl -sSI $HTTP/status/idevid-1.tms')
    const etag = /etag: ("\w+")/i.exec(heads)![1]!
    assert.match(heads, /last-modified: /i)
    assert.match(heads, /cache-control: public, max-age=60/i)
    assert.match(await get('/status/idevid-1.tms', '-H', `'If-None-Match: ${etag}'`), /^304/)
    assert.match(await get('/status/idevid-1.tms', '-r', '0-99'), /^206/)
    const { epoch } = await server.json<{ epoch: number }>(['status', 'show', files()[0], '--authority', files()[2]])
    assert.match(await get(`/status/idevid-1/${epoch}.tmd`), /^204/)
    assert.match(await get(`/status/idevid-1/${epoch + 1}.tmd`), /^404/)
    assert.match(await get('/status/root-1.tms'), /^404/)
    assert.match(await get('/status/idevid-1.crl'), /^404/)
  })

  test('an artefact that another signed, or that is older, does not take the place of what is held', async () => {
    const [artefact, , authority] = files()
    const good = readFileSync(artefact)
    const other = await server.cli(['status', 'show', artefact, '--authority', server.roots])
    assert.match(other.stderr, /status.signature_invalid/)
    const forged = Uint8Array.from(good)
    forged[forged.length - 1]! ^= 1
    writeFileSync(server.folder.join('forged.tms'), forged)
    const shown = await server.cli(['status', 'show', server.folder.join('forged.tms'), '--authority', authority])
    assert.equal(shown.code, 1)
    assert.match(shown.stderr, /status.signature_invalid/)
  })
})
