// RFC 7030 3.2.3, 3.3.2, 3.5: who is asked for what, and how identity and proof of possession are linked.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toBase64 } from '../../src/core/bytes/base64.ts'
import { challengePasswordAttribute } from '../../src/core/pki/csr.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { cancelToken } from '../../src/domain/ra/cancel-token.ts'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { type DoorRequest, estDoor } from '../support/est-door.ts'
import {
  auditLog,
  bornDevice,
  certify,
  countEverything,
  OPERATOR,
  registerDevice,
  testCsrDer,
  testInstance,
  trustManufacturer,
  useRules,
} from '../support/instance.ts'
import { testCertificate } from '../support/test-pki.ts'

const PATH = '/.well-known/est/simpleenroll'

describe('3.2.3 HTTP-based client authentication', () => {
  test('without evidence: 401 and a Basic challenge that libest can read', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const reply = await est(PATH, { body: testCsrDer(await generateKeyPair('P-256')) })
    assert.equal(reply.status, 401)
    assert.equal(reply.headers['WWW-Authenticate'], 'Basic realm="touchmark"')
    assert.match(reply.text, /^evidence\.missing: /)
    assert.equal((await auditLog(instance)).at(-1)!.code, 'evidence.missing')
  })

  test('is refused before the body is read: strangers make us parse nothing', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const reply = await est(PATH, { body: 'nonsense' })
    assert.equal(reply.status, 401)
  })

  test('credentials that do not fit are all the same 401', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const device = await registerDevice(instance)
    const other = await registerDevice(instance)
    const { secret } = await createToken({ ...device, profile: 'ldevid', actor: OPERATOR }, instance)
    const body = testCsrDer(await generateKeyPair('P-256'))
    const before = await countEverything(instance, device)
    const texts = new Set<string>()
    const credentials = [
      `${device.serialNumber}:wrong`,
      `${other.serialNumber}:${secret}`,
      `nobody:${secret}`,
      ':',
      'x',
      `${device.serialNumber}:${secret} `,
    ]
    for (const basic of credentials) {
      const reply = await est(PATH, { basic, body })
      assert.equal(reply.status, 401, basic)
      texts.add(reply.text)
    }
    for (const authorization of [
      'Bearer abc',
      'Basic',
      'Basic ???',
      `Basic ${'A'.repeat(4000)}`,
      'Digest username="x"',
    ]) {
      const reply = await est(PATH, { headers: { authorization }, body })
      assert.equal(reply.status, 401, authorization)
      texts.add(reply.text)
    }
    assert.equal(texts.size, 1, 'they are told apart nowhere')
    assert.deepEqual(await countEverything(instance, device), before)
    const log = (await auditLog(instance)).filter(({ code }) => code === 'token.invalid')
    assert.equal(log.length, 1, 'one entry for the minute')
    assert.doesNotMatch(JSON.stringify(log), new RegExp(secret))
  })

  test('a token that is spent, withdrawn, expired or wrong is the same 401 with the same challenge, whatever is asked with it; the log tells them apart', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const device = await registerDevice(instance)
    const token = (lifetimeSeconds: number) =>
      createToken({ ...device, profile: 'ldevid', actor: OPERATOR, lifetimeSeconds }, instance)
    const expired = (await token(60)).secret
    const both = (await token(60)).secret
    const spent = (await token(86_400)).secret
    const withdrawn = await token(86_400)
    await cancelToken(withdrawn.token.id, OPERATOR, instance)
    const good = (await token(86_400)).secret
    const first = testCsrDer(await generateKeyPair('P-256'))
    for (const [secret, body] of [
      [spent, first],
      [both, testCsrDer(await generateKeyPair('P-256'))],
    ] as const) {
      const reply = await est(PATH, { basic: `${device.serialNumber}:${secret}`, body })
      assert.equal(reply.status, 200, reply.text)
    }
    instance.clock.advance(61)
    const before = await countEverything(instance, device)
    const fresh = testCsrDer(await generateKeyPair('P-256'))
    const requests: readonly [string, string, DoorRequest][] = [
      ['a request', PATH, { body: fresh }],
      ['a body that is none', PATH, { body: 'nonsense' }],
      ['no body', PATH, { method: 'POST' }],
      ['another content type', PATH, { body: fresh, headers: { 'content-type': 'text/plain' } }],
      ['another profile', '/.well-known/est/idevid/simpleenroll', { body: fresh }],
      ['a renewal', '/.well-known/est/simplereenroll', { body: fresh }],
      ['a key from here', '/.well-known/est/serverkeygen', { body: fresh }],
      ['a path that leads nowhere', '/.well-known/est/nowhere/simpleenroll', { body: fresh }],
    ]
    for (const [name, path, request] of requests) {
      const replies = new Set<string>()
      for (const secret of ['wrong', spent, expired, both, withdrawn.secret]) {
        const { status, headers, text } = await est(path, { ...request, basic: `${device.serialNumber}:${secret}` })
        replies.add(JSON.stringify([status, headers, text]))
      }
      assert.equal(replies.size, 1, `${name}: ${[...replies].join('\n')}`)
      const [status, headers, text] = JSON.parse([...replies][0]!)
      if (path.includes('nowhere')) assert.equal(status, 404)
      else {
        assert.equal(status, 401, name)
        assert.equal(headers['WWW-Authenticate'], 'Basic realm="touchmark"')
        assert.match(text, /^token\.invalid: /)
      }
    }
    assert.deepEqual(await countEverything(instance, device), before)
    const codes = new Set((await auditLog(instance)).map(({ code }) => code))
    for (const code of ['token.invalid', 'token.used', 'token.expired', 'token.cancelled'])
      assert.ok(codes.has(code), code)

    // What a good token gets is another matter: who has that is told what is wrong. So is who repeats a request (ADR 0007).
    const basic = (secret: string) => `${device.serialNumber}:${secret}`
    assert.equal((await est(PATH, { basic: basic(good), body: 'nonsense' })).status, 400)
    const elsewhere = await est('/.well-known/est/idevid/simpleenroll', { basic: basic(good), body: fresh })
    assert.equal(elsewhere.status, 403)
    assert.match(elsewhere.text, /^token\.profile_mismatch: /)
    assert.equal((await est(PATH, { basic: basic(spent), body: first })).status, 200)
  })

  test('a certificate of strangers with a good token: the token counts', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const device = await registerDevice(instance)
    const { secret } = await createToken({ ...device, profile: 'ldevid', actor: OPERATOR }, instance)
    const stranger = await testCertificate({ name: 'stranger' })
    const reply = await est(PATH, {
      certificates: [new Uint8Array(stranger.certificate.rawData)],
      basic: `${device.serialNumber}:${secret}`,
      body: testCsrDer(await generateKeyPair('P-256')),
    })
    assert.equal(reply.status, 200, reply.text)
  })

  test('a certificate of one device and the token of another', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const device = await registerDevice(instance)
    const { secret } = await createToken({ ...device, profile: 'ldevid', actor: OPERATOR }, instance)
    const reply = await est(PATH, {
      certificates: [unit.record.der],
      basic: `${device.serialNumber}:${secret}`,
      body: testCsrDer(await generateKeyPair('P-256')),
    })
    assert.equal(reply.status, 403)
    assert.match(reply.text, /^evidence\.conflicting: /)
  })
})

describe('3.3.2 TLS-based client authentication', () => {
  test('an unknown CA: 401, an entry, and nothing else', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const before = await countEverything(instance)
    const stranger = await testCertificate({ name: 'stranger' })
    const reply = await est(PATH, {
      certificates: [new Uint8Array(stranger.certificate.rawData)],
      body: testCsrDer(await generateKeyPair('P-256')),
    })
    assert.equal(reply.status, 401)
    assert.match(reply.text, /^evidence\.issuer_unknown: /)
    assert.deepEqual(await countEverything(instance), before)
    const last = (await auditLog(instance)).at(-1)!
    assert.equal(last.code, 'evidence.issuer_unknown')
    assert.match(String(last.detail?.['fingerprint']), /^[0-9a-f]{64}$/)
  })

  test('another maker that is trusted: the device waits for an operator', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const notAfter = new Date((instance.clock.now() + 86_400 * 365) * 1000)
    const ca = await testCertificate({ name: 'Acme CA', authority: true, notAfter })
    const leaf = await testCertificate({ name: 'A-1', issuer: ca, notAfter })
    await trustManufacturer(instance, {
      name: 'acme',
      certificates: [ca.cert],
      model: { fixed: 'acme-1' },
      serialNumber: 'subject.CN',
    })
    const reply = await est(PATH, {
      certificates: [new Uint8Array(leaf.certificate.rawData)],
      body: testCsrDer(await generateKeyPair('P-256')),
    })
    assert.equal(reply.status, 202, reply.text)
  })
})

describe('3.5 linking identity and proof of possession', () => {
  const tlsUnique = Uint8Array.from(Buffer.from('client finished', 'utf8'))
  const tlsExporter = new Uint8Array(32).fill(3)
  const cases: readonly [string, string, { tlsUnique?: typeof tlsUnique; tlsExporter?: typeof tlsExporter }, number][] =
    [
      ['tls-unique of TLS 1.2', toBase64(tlsUnique), { tlsUnique }, 200],
      ['tls-exporter of TLS 1.3 (RFC 9266)', toBase64(tlsExporter), { tlsExporter }, 200],
      [
        'that of another connection',
        toBase64(tlsUnique),
        { tlsUnique: Uint8Array.from(Buffer.from('other finished', 'utf8')) },
        403,
      ],
      ['a binding where the connection has none', toBase64(tlsUnique), {}, 403],
      ['a password', 'secret', { tlsUnique }, 403],
      ['nothing in it', '', { tlsUnique }, 403],
    ]
  test('a channel binding that is sent must be right', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    for (const [name, password, peer, status] of cases) {
      const unit = await bornDevice(instance)
      const before = await countEverything(instance, unit.device)
      const body = testCsrDer(await generateKeyPair('P-256'), { attributes: [challengePasswordAttribute(password)] })
      const reply = await est(PATH, { certificates: [unit.record.der], body, peer })
      assert.equal(reply.status, status, `${name}: ${reply.text}`)
      if (status === 200) continue
      assert.match(reply.text, /^est\.channel_binding_mismatch: /, name)
      assert.deepEqual(await countEverything(instance, unit.device), before, name)
      assert.equal((await auditLog(instance)).at(-1)!.code, 'est.channel_binding_mismatch')
    }
  })

  test('a rule may insist on it', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    await useRules(instance, [{ name: 'bound', outcome: 'grant', channelBinding: 'required' }])
    const key = await generateKeyPair('P-256')
    const bare = await est(PATH, { certificates: [unit.record.der], body: testCsrDer(key), peer: { tlsUnique } })
    assert.equal(bare.status, 403)
    assert.match(bare.text, /^channel_binding\.required: /)
    const attributes = [challengePasswordAttribute(toBase64(tlsUnique))]
    const bound = await est(PATH, {
      certificates: [unit.record.der],
      body: testCsrDer(key, { attributes }),
      peer: { tlsUnique },
    })
    assert.equal(bound.status, 200, bound.text)
  })

  test('a request that is repeated over another connection is the same request', async t => {
    const instance = await testInstance(t)
    const est = estDoor(instance)
    const unit = await bornDevice(instance)
    const key = await generateKeyPair('P-256')
    const asking = (binding: Uint8Array<ArrayBuffer>) =>
      est(PATH, {
        certificates: [unit.record.der],
        body: testCsrDer(key, { attributes: [challengePasswordAttribute(toBase64(binding))] }),
        peer: { tlsExporter: binding },
      })
    const first = await asking(new Uint8Array(32).fill(1))
    const second = await asking(new Uint8Array(32).fill(2))
    assert.equal(first.status, 200, first.text)
    assert.equal(second.text, first.text)
  })
})

test('an operational certificate does not give a second one: 4.2.2 is for that', async t => {
  const instance = await testInstance(t)
  const est = estDoor(instance)
  const unit = await bornDevice(instance)
  const record = await certify(instance, unit.device, await generateKeyPair('P-256'), 'ldevid')
  const reply = await est(PATH, { certificates: [record.der], body: testCsrDer(await generateKeyPair('P-256')) })
  assert.equal(reply.status, 403)
  assert.match(reply.text, /^rule\.none_matches: /)
})
