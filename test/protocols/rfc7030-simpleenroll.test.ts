// RFC 7030 4.2.1, 4.2.3: a first certificate, by birth certificate or token; waiting; and what a request may not do.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { fromBase64Lines, toBase64Lines } from '../../src/core/bytes/base64.ts'
import { fromHex } from '../../src/core/bytes/hex.ts'
import { parseCertsOnly } from '../../src/core/cms/certs-only.ts'
import { type Certificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import { formatName } from '../../src/core/pki/name.ts'
import type { KeyAlgorithmName } from '../../src/crypto/algorithms.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { requestDigest } from '../../src/domain/ids.ts'
import { approveEnrolment, rejectEnrolment } from '../../src/domain/ra/approve.ts'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { estDoor } from '../support/est-door.ts'
import {
  auditLog,
  bornDevice,
  countEverything,
  OPERATOR,
  registerDevice,
  testCsrDer,
  testInstance,
  useRules,
} from '../support/instance.ts'
import { assertInvariants } from '../support/invariants.ts'
import { mutated } from '../support/mutate.ts'
import { requireTool } from '../support/tools.ts'

const PATH = '/.well-known/est/simpleenroll'

function certificatesIn(text: string): Certificate[] {
  return parseCertsOnly(fromBase64Lines(text)).map(parseCertificate)
}

describe('4.2.1 simple enrolment of clients', () => {
  test('answers 200 with certs-only that holds the issued certificate and no other (4.2.3)', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const key = await generateKeyPair('P-256')
    const reply = await est(PATH, { certificates: [unit.record.der], body: testCsrDer(key) })
    assert.equal(reply.status, 200, reply.text)
    assert.equal(reply.headers['Content-Type'], 'application/pkcs7-mime; smime-type=certs-only')
    assert.equal(reply.headers['Content-Transfer-Encoding'], 'base64')
    assert.equal(reply.headers['Cache-Control'], 'no-store')
    const [certificate, ...others] = certificatesIn(reply.text)
    assert.equal(others.length, 0)
    assert.deepEqual(certificate!.subjectPublicKeyInfo.raw, key.publicKey)
    assert.equal(formatName(certificate!.subject), `serialNumber=${unit.device.serialNumber},O=Example Devices`)
    await assertInvariants(instance.store)
  })

  test('the profile decides the subject, whatever the request says', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const key = await generateKeyPair('P-256')
    const body = testCsrDer(key, { subject: 'CN=root,serialNumber=SOMEBODY-ELSE,O=Other' })
    const reply = await est(PATH, { certificates: [unit.record.der], body })
    assert.equal(reply.status, 200, reply.text)
    assert.equal(
      formatName(certificatesIn(reply.text)[0]!.subject),
      `serialNumber=${unit.device.serialNumber},O=Example Devices`,
    )
  })

  test('takes every kind of key in the table', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const kinds: KeyAlgorithmName[] = ['P-384', 'P-521', 'Ed25519', 'RSA-2048', 'ML-DSA-44', 'ML-DSA-87']
    for (const kind of kinds) {
      const key = await generateKeyPair(kind)
      const reply = await est(PATH, { certificates: [unit.record.der], body: testCsrDer(key) })
      assert.equal(reply.status, 200, `${kind}: ${reply.text}`)
      assert.deepEqual(certificatesIn(reply.text)[0]!.subjectPublicKeyInfo.raw, key.publicKey)
    }
  })

  test('a token by HTTP Basic stands in for a certificate (3.2.3), and says which profile', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const device = await registerDevice(instance, { labels: { dnsNames: 'gw.example.test' } })
    const { secret } = await createToken({ ...device, profile: 'gateway-tls-server', actor: OPERATOR }, instance)
    const key = await generateKeyPair('P-256')
    const reply = await est(PATH, { basic: `${device.serialNumber}:${secret}`, body: testCsrDer(key) })
    assert.equal(reply.status, 200, reply.text)
    const record = (await instance.store.read.certificatesOfDevice(device.id))[0]!
    assert.equal(record.profile, 'gateway-tls-server')
    const again = await est(PATH, { basic: `${device.serialNumber}:${secret}`, body: testCsrDer(key) })
    assert.equal(again.status, 200, 'the answer may have been lost')
    assert.deepEqual(certificatesIn(again.text)[0]!.raw, certificatesIn(reply.text)[0]!.raw)
    const other = await est(PATH, {
      basic: `${device.serialNumber}:${secret}`,
      body: testCsrDer(await generateKeyPair('P-256')),
    })
    assert.equal(other.status, 401)
    assert.match(other.text, /^token\.invalid: /)
  })

  test('a token for one profile does not open the path of another', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const device = await registerDevice(instance)
    const { secret } = await createToken({ ...device, profile: 'ldevid', actor: OPERATOR }, instance)
    const body = testCsrDer(await generateKeyPair('P-256'))
    const reply = await est('/.well-known/est/gateway-tls-server/simpleenroll', {
      basic: `${device.serialNumber}:${secret}`,
      body,
    })
    assert.equal(reply.status, 403)
    assert.match(reply.text, /^token\.profile_mismatch: /)
  })

  test('the label selects the profile (3.2.2)', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const body = testCsrDer(await generateKeyPair('P-256'))
    const allowed = await est('/.well-known/est/ldevid/simpleenroll', { certificates: [unit.record.der], body })
    assert.equal(allowed.status, 200, allowed.text)
    const refused = await est('/.well-known/est/idevid/simpleenroll', { certificates: [unit.record.der], body })
    assert.equal(refused.status, 403)
    assert.match(refused.text, /^rule\.none_matches: /)
    for (const label of ['nothing', 'ocsp-signer', 'root', '..', 'x'.repeat(500), '__proto__']) {
      const unknown = await est(`/.well-known/est/${label}/simpleenroll`, { certificates: [unit.record.der], body })
      assert.equal(unknown.status, 404, label)
      assert.match(unknown.text, /^est\.label_unknown: /)
    }
  })
})

describe('4.2.3 waiting', () => {
  test('202 with Retry-After until an operator has spoken, then 200', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    await useRules(instance, [{ name: 'ask', outcome: 'pending' }])
    const key = await generateKeyPair('P-256')
    const asking = () => est(PATH, { certificates: [unit.record.der], body: testCsrDer(key) })
    const waiting = await asking()
    assert.equal(waiting.status, 202, waiting.text)
    assert.match(waiting.headers['Retry-After']!, /^[1-9][0-9]*$/)
    assert.equal((await asking()).status, 202)
    const digest = /Request ([0-9a-f]{64})/.exec(waiting.text)![1]!
    await approveEnrolment(requestDigest(fromHex(digest)), 'ann', instance)
    const reply = await asking()
    assert.equal(reply.status, 200, reply.text)
    const actions = (await auditLog(instance)).map(({ action }) => action)
    assert.equal(actions.filter(action => action === 'enrolment.pending').length, 1)
  })

  test('403 after a rejection, without the reason', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    await useRules(instance, [{ name: 'ask', outcome: 'pending' }])
    const key = await generateKeyPair('P-256')
    const asking = () => est(PATH, { certificates: [unit.record.der], body: testCsrDer(key) })
    const digest = /Request ([0-9a-f]{64})/.exec((await asking()).text)![1]!
    await rejectEnrolment(requestDigest(fromHex(digest)), 'ann', 'stolen pallet', instance)
    const reply = await asking()
    assert.equal(reply.status, 403)
    assert.match(reply.text, /^enrolment\.rejected: /)
    assert.doesNotMatch(reply.text, /pallet/)
  })
})

describe('what a request may not do', () => {
  const cases: readonly [string, (csr: Uint8Array) => Uint8Array | string, number, RegExp][] = [
    ['an empty body', () => '', 400, /^est\.body_empty: /],
    ['raw DER', csr => Buffer.from(csr).toString('latin1'), 400, /^est\.body_not_base64: The body is raw DER/],
    [
      'PEM',
      csr => `-----BEGIN CERTIFICATE REQUEST-----\n${toBase64Lines(csr, 64, '\n')}-----END CERTIFICATE REQUEST-----\n`,
      400,
      /^est\.body_not_base64: The body is PEM/,
    ],
    ['base64url', () => 'MII_-A==', 400, /^est\.body_not_base64: /],
    ['a truncated request', csr => csr.slice(0, -10), 400, /^der\.truncated: /],
    ['octets after the request', csr => Uint8Array.from([...csr, 0]), 400, /^der\.trailing_data: /],
    ['a length of four gigabytes', () => Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff), 400, /^der\./],
    ['an indefinite length', () => Uint8Array.of(0x30, 0x80, 0, 0), 400, /^der\.length_indefinite: /],
    ['nesting without end', () => nested(5000), 400, /^der\./],
    ['a body beyond the limit', () => 'A'.repeat(65_540), 413, /^http\.body_too_large: /],
  ]
  test('is told so with its code, leaves one entry, and changes nothing else', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const csr = testCsrDer(await generateKeyPair('P-256'))
    const before = await countEverything(instance, unit.device)
    let entries = (await auditLog(instance)).length
    for (const [name, make, status, text] of cases) {
      const reply = await est(PATH, { certificates: [unit.record.der], body: make(csr) })
      assert.equal(reply.status, status, `${name}: ${reply.text}`)
      assert.match(reply.text, text, name)
      assert.match(reply.headers['Content-Type']!, /^text\/plain/)
      assert.deepEqual(await countEverything(instance, unit.device), before, name)
      const log = await auditLog(instance)
      const last = log.at(-1)!
      const code = reply.text.slice(0, reply.text.indexOf(':'))
      assert.deepEqual([last.action, last.outcome, last.code], ['enrolment.refused', 'refused', code], name)
      assert.deepEqual(last.actor, { kind: 'device', id: unit.device.id })
      assert.ok(log.length <= entries + 1, name)
      entries = log.length
      // The next refusal with the same code is only counted within the minute.
      instance.clock.advance(61)
    }
    await assertInvariants(instance.store)
  })

  test('whatever is done to a request, it is refused in words, and changes nothing', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const csr = testCsrDer(await generateKeyPair('P-256'), { subject: 'CN=dev-1,O=Test' })
    const before = await countEverything(instance, unit.device)
    await fc.assert(
      fc.asyncProperty(mutated(csr), async body => {
        if (Buffer.compare(body, csr) === 0) return
        const reply = await est(PATH, { certificates: [unit.record.der], body })
        assert.equal(reply.status, 400, reply.text)
        assert.match(reply.text, /^(der|csr|key|name|est)\.[a-z_0-9]+: /)
      }),
      { numRuns: 300 },
    )
    assert.deepEqual(await countEverything(instance, unit.device), before)
  })

  test('a signature that does not verify is refused (RFC 2986 4.2)', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const before = await countEverything(instance, unit.device)
    const key = await generateKeyPair('P-256')
    const wrong = testCsrDer(key, { signedBy: await generateKeyPair('P-256') })
    const flipped = Uint8Array.from(testCsrDer(key))
    flipped[flipped.length - 5]! ^= 0xff
    const otherKind = testCsrDer(key, { signedBy: await generateKeyPair('Ed25519') })
    for (const body of [wrong, flipped, otherKind]) {
      const reply = await est(PATH, { certificates: [unit.record.der], body })
      assert.equal(reply.status, 400, reply.text)
      assert.match(reply.text, /^csr\.signature_invalid: /)
    }
    assert.deepEqual(await countEverything(instance, unit.device), before)
    assert.equal((await auditLog(instance)).at(-1)!.code, 'csr.signature_invalid')
  })

  test('a key of another device is refused', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const [unit, other] = [await bornDevice(instance), await bornDevice(instance)]
    const reply = await est(PATH, { certificates: [unit.record.der], body: testCsrDer(other.key) })
    assert.equal(reply.status, 403)
    assert.match(reply.text, /^key\.known_elsewhere: /)
  })

  test('a weak key is refused before its signature is looked at', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const key = await generateKeyPair('P-256')
    const spki = Uint8Array.from(key.publicKey)
    spki[spki.length - 1]! ^= 1
    const body = testCsrDer({ ...key, publicKey: spki }, { signedBy: key })
    const reply = await est(PATH, { certificates: [unit.record.der], body })
    assert.equal(reply.status, 400)
    assert.match(reply.text, /^key\.not_on_curve: /)
  })

  test('another content type is 415', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const body = testCsrDer(await generateKeyPair('P-256'))
    for (const type of ['application/x-www-form-urlencoded', 'application/pkcs7-mime', '']) {
      const reply = await est(PATH, { certificates: [unit.record.der], body, headers: { 'content-type': type } })
      assert.equal(reply.status, 415, type)
      assert.match(reply.text, /^est\.content_type: /)
    }
    const reply = await est(PATH, {
      certificates: [unit.record.der],
      body,
      headers: { 'content-type': 'Application/PKCS10; charset=utf-8' },
    })
    assert.equal(reply.status, 200, reply.text)
  })
})

test('OpenSSL makes the request and reads the answer', async t => {
  if (!requireTool(t, 'openssl')) return
  const instance = await testInstance(t)
  const est = estDoor(instance)
  const unit = await bornDevice(instance)
  const folder = mkdtempSync(join(tmpdir(), 'touchmark-est-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const openssl = (...args: string[]) => {
    const run = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
    assert.equal(run.status, 0, run.stderr)
    return run.stdout
  }
  openssl(
    'req',
    '-new',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    'key.pem',
    '-subj',
    '/O=Test/CN=dev-1',
    '-addext',
    'subjectAltName=DNS:dev-1.local',
    '-outform',
    'DER',
    '-out',
    'csr.der',
  )
  openssl('base64', '-in', 'csr.der', '-out', 'csr.b64')
  const reply = await est(PATH, {
    certificates: [unit.record.der],
    body: readFileSync(join(folder, 'csr.b64'), 'utf8'),
  })
  assert.equal(reply.status, 200, reply.text)
  writeFileSync(join(folder, 'reply.b64'), reply.text)
  openssl('base64', '-d', '-in', 'reply.b64', '-out', 'reply.p7')
  const pem = openssl('pkcs7', '-inform', 'DER', '-in', 'reply.p7', '-print_certs')
  writeFileSync(join(folder, 'cert.pem'), pem)
  assert.equal(openssl('x509', '-in', 'cert.pem', '-noout', '-pubkey'), openssl('pkey', '-in', 'key.pem', '-pubout'))
  const ca = await est('/.well-known/est/cacerts')
  writeFileSync(join(folder, 'ca.b64'), ca.text)
  openssl('base64', '-d', '-in', 'ca.b64', '-out', 'ca.p7')
  writeFileSync(join(folder, 'ca.pem'), openssl('pkcs7', '-inform', 'DER', '-in', 'ca.p7', '-print_certs'))
  const at = String(instance.clock.now())
  assert.match(openssl('verify', '-x509_strict', '-attime', at, '-CAfile', 'ca.pem', 'cert.pem'), /cert\.pem: OK/)
})

/** SEQUENCEs in SEQUENCEs. */
function nested(depth: number): Uint8Array {
  let der = new Uint8Array(0)
  for (let i = 0; i < depth; i++) {
    const n = der.length
    const head = n < 0x80 ? [0x30, n] : n < 0x100 ? [0x30, 0x81, n] : [0x30, 0x82, n >> 8, n & 255]
    der = Uint8Array.from([...head, ...der])
  }
  return der
}
