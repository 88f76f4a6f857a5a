// The server killed with -9 while devices enrol and renew: what was answered is there after the restart, a request that is sent again gets the
// very same certificate, and nothing exists twice.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { https } from '../support/https.ts'
import { LiveServer } from '../support/live-server.ts'

const DEVICES = 12
const ROUNDS = 3
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

interface Identity {
  readonly cert: string
  readonly key: string
}

interface Request {
  readonly body: string
  readonly key: string
}

interface Device {
  readonly serialNumber: string
  readonly birth: Identity
  /** The newest operational certificate that arrived. */
  current: Identity | undefined
  /** Every request whose answer arrived, and that answer. */
  readonly answered: {
    readonly identity: Identity
    readonly operation: string
    readonly body: string
    readonly text: string
  }[]
  /** What was under way when the server died. */
  open: { readonly identity: Identity; readonly operation: string; readonly request: Request } | undefined
}

async function makeRequest(serialNumber: string): Promise<Request> {
  const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `O=Acme Devices, 2.5.4.5=${serialNumber}`,
    keys,
    signingAlgorithm: EC,
  })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return {
    body: Buffer.from(csr.rawData).toString('base64'),
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
  }
}

/** The certificate of a certs-only answer. */
function certificateIn(text: string): string {
  const certificates = new x509.X509Certificates()
  certificates.import(Buffer.from(text, 'base64'))
  return `${certificates[0]!.toString('pem')}\n`
}

test('killed three times under load: what was answered is there, the same request gets the same certificate', async () => {
  await using server = await LiveServer.prepare()
  const births = await Promise.all(Array.from({ length: DEVICES }, (_, i) => makeRequest(`SN-${i}`)))
  const rows = births.map(({ body }, i) => `SN-${i},gateway,${body}`)
  writeFileSync(server.folder.join('units.csv'), ['serial,model,csr', ...rows, ''].join('\n'))
  await server.json(['batch', '--input', 'units.csv', '--profile', 'idevid', '--output', 'factory'])
  const devices = await Promise.all(
    births.map(async ({ key }, i): Promise<Device> => {
      const serialNumber = `SN-${i}`
      const { der } = (await server.device(serialNumber)).certificates[0]!
      const birth = { cert: new X509Certificate(der).toString(), key }
      return { serialNumber, birth, current: undefined, answered: [], open: undefined }
    }),
  )
  await server.serve()
  const ca = (await (await fetch(`${server.httpUrl}/trust.pem`)).text()) as string
  const send = (identity: Identity, operation: string, body: string) =>
    https(`${server.est}/${operation}`, {
      method: 'POST',
      ca,
      ...identity,
      headers: { 'content-type': 'application/pkcs10' },
      body,
    })

  /** A device that enrols, and renews as soon as it has a certificate, until the server is gone. */
  async function live(device: Device, alive: () => boolean): Promise<void> {
    while (alive()) {
      const identity = device.current ?? device.birth
      const operation = device.current ? 'simplereenroll' : 'simpleenroll'
      const request = await makeRequest(device.serialNumber)
      if (!alive()) return
      device.open = { identity, operation, request }
      const answer = await send(identity, operation, request.body).catch(() => undefined)
      if (answer === undefined) return
      assert.equal(answer.status, 200, answer.text)
      device.answered.push({ identity, operation, body: request.body, text: answer.text })
      device.current = { cert: certificateIn(answer.text), key: request.key }
      device.open = undefined
    }
  }

  let underWay = 0
  for (let round = 0; round < ROUNDS; round++) {
    let alive = true
    const before = devices.reduce((sum, { answered }) => sum + answered.length, 0)
    const lives = devices.map(device => live(device, () => alive))
    const enough = before + 15 + round * 23
    while (devices.reduce((sum, { answered }) => sum + answered.length, 0) < enough) await sleep(5)
    await sleep(round * 7)
    // On a quick machine all may be between two requests in this very moment.
    while (devices.every(({ open }) => open === undefined)) await sleep(1)
    const stopped = server.stop('SIGKILL')
    alive = false
    await stopped
    await Promise.all(lives)
    underWay += devices.filter(({ open }) => open !== undefined).length
    await server.serve()

    for (const device of devices) {
      // What was under way is asked again: it was issued before the end or is now, and once.
      if (device.open) {
        const { identity, operation, request } = device.open
        const answer = await send(identity, operation, request.body)
        assert.equal(answer.status, 200, answer.text)
        device.answered.push({ identity, operation, body: request.body, text: answer.text })
        device.current = { cert: certificateIn(answer.text), key: request.key }
        device.open = undefined
      }
      const last = device.answered.at(-1)
      if (!last) continue
      const again = await send(last.identity, last.operation, last.body)
      assert.deepEqual([again.status, again.text], [200, last.text], 'the same request, the same certificate')
    }
  }

  assert.ok(underWay > 0, 'something was under way when the server died')
  for (const device of devices) {
    const received = device.answered.map(({ text }) => new X509Certificate(certificateIn(text)).raw.toString('hex'))
    const { certificates } = await server.device(device.serialNumber)
    const stored = certificates
      .filter(({ profile }) => profile === 'ldevid')
      .map(({ der }) => Buffer.from(der).toString('hex'))
    assert.deepEqual(stored.reverse(), received, `${device.serialNumber}: what was received is what there is`)
  }
  assert.equal((await server.counts()).devices, DEVICES)
  await server.sh('touchmark audit verify')
  assert.equal(await server.stop(), 0)
  await server.assertInvariants()
})
