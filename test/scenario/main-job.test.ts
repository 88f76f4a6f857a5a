// The main job, end to end, with real processes: a maker sets up its authorities, a device enrols over EST with a token, renews, is found,
// is revoked, and the log verifies. The device is node:crypto and node:https; nothing of it is ours but the name of the path.
import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { parseCertificateList } from '../../src/core/pki/crl.ts'
import { type ServerProcess, serve, testFolder, touchmark, touchmarkJson } from '../support/cli.ts'
import { https } from '../support/https.ts'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

interface Request {
  readonly csr: string
  readonly key: string
}

/** A key and a PKCS#10 request over it, by a library that is not ours. */
async function request(subject: string): Promise<Request> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({ name: subject, keys, signingAlgorithm: ALGORITHM })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return {
    csr: Buffer.from(csr.rawData).toString('base64'),
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
  }
}

/** The certificates of a certs-only answer (RFC 7030 §4.2.3), as PEM. */
function certificates(body: string): string[] {
  const cms = new x509.X509Certificates()
  cms.import(Buffer.from(body, 'base64'))
  return cms.map(certificate => `${certificate.toString('pem')}\n`)
}

describe('the main job', () => {
  const folder = testFolder()
  const data = folder.join('acme')
  const passphraseFile = folder.join('passphrase')
  const common = ['--data', data]
  let server: ServerProcess
  let roots: string
  const device = { serial: 'SN-000042', model: 'gateway-7', cert: '', key: '', hex: '' }

  before(async () => {
    writeFileSync(passphraseFile, 'a passphrase for this test\n')
    const made = await touchmark([
      'init',
      ...common,
      '--organization',
      'Acme Devices',
      '--passphrase-file',
      passphraseFile,
    ])
    assert.equal(made.code, 0, made.stderr)
    server = await serve([...common, '--passphrase-file', passphraseFile])
    roots = (await touchmark(['trust', ...common])).stdout
  })
  after(async () => {
    await server.stop()
    folder[Symbol.dispose]()
  })

  const est = (
    operation: string,
    body: string,
    extra: { cert?: string; key?: string; headers?: Record<string, string> },
  ) =>
    https(`${server.url}/.well-known/est/${operation}`, {
      method: 'POST',
      ca: roots,
      ...extra,
      headers: { 'content-type': 'application/pkcs10', ...extra.headers },
      body,
    })

  test('a device enrols with its one-time token', async () => {
    const args = [
      'token',
      'create',
      ...common,
      '--device',
      device.serial,
      '--model',
      device.model,
      '--profile',
      'ldevid',
    ]
    const { token } = await touchmarkJson<{ token: string }>(args)
    const { csr, key } = await request(`2.5.4.5=${device.serial}`)
    const authorization = `Basic ${Buffer.from(`${device.serial}:${token}`).toString('base64')}`
    const answer = await est('simpleenroll', csr, { headers: { authorization } })
    assert.equal(answer.status, 200, answer.text)
    const [cert] = certificates(answer.text)
    const parsed = new X509Certificate(cert!)
    assert.match(parsed.subject, /serialNumber=SN-000042/)
    assert.ok(parsed.checkPrivateKey(createPrivateKey(key)))
    Object.assign(device, { cert, key, hex: parsed.serialNumber.toLowerCase() })

    const again = await request(`2.5.4.5=${device.serial}`)
    const reused = await est('simpleenroll', again.csr, { headers: { authorization } })
    assert.equal(reused.status, 401, 'the token was spent')
  })

  test('it is known by mutual TLS', async () => {
    const answer = await https(`${server.url}/whoami`, { ca: roots, cert: device.cert, key: device.key })
    assert.equal(answer.status, 200)
    const identity = JSON.parse(answer.text)
    assert.deepEqual(
      [identity.serialNumber, identity.model, identity.certificate.serialNumber],
      [device.serial, device.model, device.hex],
    )
    const stranger = await https(`${server.url}/whoami`, { ca: roots })
    assert.equal(stranger.status, 401)
  })

  test('it renews with the certificate that it has', async () => {
    const { csr, key } = await request(`O=Acme Devices, 2.5.4.5=${device.serial}`)
    const answer = await est('simplereenroll', csr, { cert: device.cert, key: device.key })
    assert.equal(answer.status, 200, answer.text)
    const [cert] = certificates(answer.text)
    const old = device.hex
    Object.assign(device, { cert, key, hex: new X509Certificate(cert!).serialNumber.toLowerCase() })
    interface Shown {
      device: { serialNumber: string; model: string }
      keys: { algorithm: string }[]
      certificates: {
        serialNumber: string
        status: string
        profile: string
        replaces: { serialNumber: string } | null
      }[]
    }
    const shown = await touchmarkJson<Shown>(['device', 'show', device.serial, ...common])
    assert.deepEqual(
      [shown.device.serialNumber, shown.device.model, shown.keys.length],
      [device.serial, device.model, 2],
    )
    assert.deepEqual(
      shown.certificates.map(each => [each.serialNumber, each.status, each.profile, each.replaces?.serialNumber]),
      [
        [device.hex, 'good', 'ldevid', old],
        [old, 'good', 'ldevid', undefined],
      ],
    )
  })

  test('revoked, it is refused at once, and the CRL says so within seconds', async () => {
    const reason = ['--certificate', device.hex, '--reason', 'keyCompromise']
    const revoked = await touchmarkJson<{ changed: { serialNumber: string; status: string }[] }>([
      'revoke',
      ...common,
      ...reason,
    ])
    assert.deepEqual(
      revoked.changed.map(each => [each.serialNumber, each.status]),
      [[device.hex, 'revoked']],
    )
    const answer = await https(`${server.url}/whoami`, { ca: roots, cert: device.cert, key: device.key })
    assert.equal(answer.status, 403)
    const { csr } = await request(`O=Acme Devices, 2.5.4.5=${device.serial}`)
    assert.equal((await est('simplereenroll', csr, { cert: device.cert, key: device.key })).status, 403)
    const started = Date.now()
    let entries: string[] = []
    while (entries.length === 0 && Date.now() - started < 5000) {
      await sleep(100)
      const crl = parseCertificateList(
        new Uint8Array(await (await fetch(`${server.httpUrl}/crl/ldevid-1/0.crl`)).arrayBuffer()),
      )
      entries = [...crl.entries()].map(entry => entry.serialNumber)
    }
    assert.deepEqual(entries, [device.hex])
  })

  test('the log verifies, and holds the proof of the certificate', async () => {
    const report = await touchmarkJson<{ ok: boolean; size: number }>(['audit', 'verify', ...common])
    assert.equal(report.ok, true)
    assert.ok(report.size > 30)
    await sleep(3000)
    const proof = await touchmarkJson<{ index: number; entry: string }>([
      'audit',
      'proof',
      ...common,
      '--certificate',
      device.hex,
    ])
    assert.match(proof.entry, new RegExp(`"serialNumber":"${device.hex}"`))
  })

  test('stopped and started again it goes on', async () => {
    assert.equal(await server.stop(), 0)
    server = await serve([...common, '--passphrase-file', passphraseFile])
    const answer = await https(`${server.url}/whoami`, { ca: roots, cert: device.cert, key: device.key })
    assert.equal(answer.status, 403)
    assert.equal((await touchmark(['audit', 'verify', ...common])).code, 0)
  })
})
