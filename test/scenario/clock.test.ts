// Clocks are wrong at times. The server runs in this process on a clock that the test turns: back by a day, forward by months. Nothing breaks,
// numbers keep growing, and what was valid by the right time is valid again when the time is right.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseCertificateList } from '../../src/core/pki/crl.ts'
import { dataFolder } from '../../src/server/data-folder.ts'
import { jsonLogger } from '../../src/server/logger.ts'
import { type Instance, openInstance } from '../../src/server/open-instance.ts'
import { type RunningServer, startServer } from '../../src/server/wiring.ts'
import { https } from '../support/https.ts'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

const DAY = 86_400
/** The right time of this test, after the making of its authorities: so that a clock can be behind and they are valid still. */
const RIGHT = 7 * DAY

describe('a clock that goes wrong', () => {
  let files: LiveServer
  let instance: Instance
  let server: RunningServer
  let ca: string
  let offset = 0
  const errors: string[] = []
  const now = () => Math.floor(Date.now() / 1000) + offset
  const logger = jsonLogger(line => {
    if (line.includes('"level":"error"')) errors.push(line)
  })

  before(async () => {
    files = await LiveServer.prepare()
    ca = readFileSync(files.roots, 'utf8')
    const sources = { file: files.passphraseFile, ask: undefined }
    instance = await openInstance(dataFolder(files.data), sources, { now })
    const httpPort = Number(new URL(files.httpUrl).port)
    // Its own certificate is of the time by which the clients of this test live.
    server = await startServer(instance, { logger, host: '127.0.0.1', httpsPort: 0, httpPort })
    offset = RIGHT
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await instance[Symbol.asyncDispose]()
    await files[Symbol.asyncDispose]()
  })

  /** Enrols with a token that is made by the clock of the server. */
  async function enrol(name: string): Promise<{ cert: string; key: string; status: number; text: string }> {
    const { createToken } = await import('../../src/domain/ra/create-token.ts')
    const request = {
      model: 'gateway',
      serialNumber: name,
      profile: 'ldevid',
      actor: { kind: 'operator', id: 'test' },
    } as const
    const { secret } = await createToken(request, { ...instance, clock: { now } })
    await files.sh(`
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -subj "/O=Acme Devices/serialNumber=${name}" \\
        -outform DER 2>/dev/null | openssl base64 > ${name}.b64`)
    const authorization = `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`
    const { status, text } = await est('simpleenroll', name, { authorization })
    const { certificates } = await files.device(name)
    const cert = certificates[0] ? new X509Certificate(certificates[0].der).toString() : ''
    return { cert, key: readFileSync(files.folder.join(`${name}.key`), 'utf8'), status, text }
  }

  const est = (operation: string, name: string, headers: Record<string, string>, identity: object = {}) =>
    https(`${server.url}/.well-known/est/${operation}`, {
      method: 'POST',
      ca,
      ...identity,
      headers: { 'content-type': 'application/pkcs10', ...headers },
      body: readFileSync(files.folder.join(`${name}.b64`)),
    })

  async function crl() {
    const bytes = new Uint8Array(await (await fetch(`${files.httpUrl}/crl/ldevid-1/0.crl`)).arrayBuffer())
    const parsed = parseCertificateList(bytes)
    return { parsed, serials: [...parsed.entries()].map(entry => entry.serialNumber) }
  }

  test('back by a day: devices enrol, a certificate from "tomorrow" waits, a revocation is published with a higher number', async t => {
    if (!requireTool(t, 'openssl')) return
    const today = await enrol('SN-TODAY')
    assert.equal(today.status, 200, today.text)
    const number = (await instance.store.read.publication('crl/ldevid-1/0'))?.number ?? 0
    offset = RIGHT - DAY
    const yesterday = await enrol('SN-YESTERDAY')
    assert.equal(yesterday.status, 200, yesterday.text)
    const early = await est('simplereenroll', 'SN-TODAY', {}, today)
    assert.deepEqual([early.status, early.text.split(':')[0]], [403, 'evidence.certificate_not_yet_valid'])
    assert.equal((await est('simplereenroll', 'SN-YESTERDAY', {}, yesterday)).status, 200)

    const serialNumber = new X509Certificate(yesterday.cert).serialNumber.toLowerCase()
    await files.json(['revoke', '--certificate', serialNumber, '--reason', 'superseded'])
    let list = await crl()
    for (let round = 0; round < 60 && !list.serials.includes(serialNumber); round++) {
      await sleep(100)
      list = await crl()
    }
    assert.deepEqual(list.serials, [serialNumber])
    const published = await instance.store.read.publication('crl/ldevid-1/0')
    assert.ok(published!.number > number, `${published!.number} after ${number}`)
    assert.ok(published!.thisUpdate <= now(), 'a relying party with the same clock takes it')
    assert.deepEqual((await est('simplereenroll', 'SN-YESTERDAY', {}, yesterday)).status, 403)
  })

  test('right again: what waited is valid, and the order of the log is that of the entries, not of the clock', async t => {
    if (!requireTool(t, 'openssl')) return
    offset = RIGHT
    const [record] = (await files.device('SN-TODAY')).certificates
    const identity = {
      cert: new X509Certificate(record!.der).toString(),
      key: readFileSync(files.folder.join('SN-TODAY.key')),
    }
    assert.equal((await est('simplereenroll', 'SN-TODAY', {}, identity)).status, 200)
    await files.sh('touchmark audit verify')
  })

  test('forward by a year: operational certificates have expired, birth certificates and enrolment go on, and the log verifies', async t => {
    if (!requireTool(t, 'openssl')) return
    const [record] = (await files.device('SN-TODAY')).certificates
    const identity = {
      cert: new X509Certificate(record!.der).toString(),
      key: readFileSync(files.folder.join('SN-TODAY.key')),
    }
    offset = RIGHT + 365 * DAY
    const late = await est('simplereenroll', 'SN-TODAY', {}, identity)
    assert.equal(late.status, 403)
    assert.equal((await enrol('SN-NEXT-YEAR')).status, 200)
    offset = RIGHT
    await files.sh('touchmark audit verify')
    assert.deepEqual(errors, [])
    await files.assertInvariants()
  })

  test('before the authorities were made: 503, and nothing is issued', async t => {
    if (!requireTool(t, 'openssl')) return
    offset = -DAY
    const answer = await enrol('SN-LONG-AGO')
    assert.equal(answer.status, 503)
    assert.doesNotMatch(answer.text, /ldevid-1/)
    assert.deepEqual((await files.device('SN-LONG-AGO')).certificates, [])
    offset = RIGHT
    assert.equal((await est('simpleenroll', 'SN-LONG-AGO', {})).status, 401, 'the server goes on')
  })
})
