// Signing in with a client certificate of our own, over a real listener.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toPem } from '../../src/core/asn1/pem.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { certifyOperator } from '../../src/domain/access/operator-certificate.ts'
import { removeOperator } from '../../src/domain/access/operators.ts'
import { revokeCertificate } from '../../src/domain/revocation/revoke.ts'
import { type AccessServer, accessServer, type Browser, expectStatus } from '../support/access-server.ts'
import { bornDevice, OPERATOR, testCsrDer } from '../support/instance.ts'

async function withCertificate(server: AccessServer, ada: Browser) {
  const operatorId = (await ada.get('/session')).json.id as string
  const key = await generateKeyPair('P-256')
  const request = testCsrDer(key, { subject: 'CN=somebody else' })
  const record = await certifyOperator({ operatorId, request, actor: OPERATOR }, server)
  const pem = { cert: toPem('CERTIFICATE', record.der), key: toPem('PRIVATE KEY', key.toPkcs8()) }
  return { operatorId, record, browser: server.browser(pem) }
}

describe('a client certificate of an operator', () => {
  test('signs in without a cookie, as the operator whose id it names', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const { browser, operatorId } = await withCertificate(server, ada)
    const session = await browser.get('/session')
    assert.deepEqual([session.json.id, session.json.authenticatedBy], [operatorId, 'client-certificate'])
    expectStatus(await browser.get('/operators'), 200)
  })

  test('is sent along by browsers, so that pages of others change nothing with it', async t => {
    const server = await accessServer(t)
    const { browser } = await withCertificate(server, await server.firstAdministrator())
    const refused = await browser.delete('/account/sessions', { 'x-touchmark-csrf': '' })
    assert.equal(refused.json.code, 'access.csrf')
    expectStatus(await browser.delete('/account/sessions'), 200)
  })

  test('ends when it is revoked, at its time, and with its operator', async t => {
    const server = await accessServer(t)
    const ada = await server.firstAdministrator()
    const one = await withCertificate(server, ada)
    await revokeCertificate(one.record, 'keyCompromise', OPERATOR, { store: server.store, clock: server.clock })
    const refused = await one.browser.get('/session')
    assert.deepEqual([refused.status, refused.json.code], [403, 'access.certificate_refused'])
    const two = await withCertificate(server, ada)
    const ben = await server.operator(ada, 'ben@example.test', ['administrator'])
    await removeOperator({ operatorId: two.operatorId, actor: OPERATOR }, server.access)
    expectStatus(await two.browser.get('/session'), 403)
    expectStatus(await ben.get('/session'), 200)
    server.clock.advance(366 * 86_400)
    expectStatus(await one.browser.get('/session'), 403)
  })

  test('is none where it belongs to a device', async t => {
    const server = await accessServer(t)
    const { key, record } = await bornDevice(server)
    const pem = { cert: toPem('CERTIFICATE', record.der), key: toPem('PRIVATE KEY', key.toPkcs8()) }
    expectStatus(await server.browser(pem).get('/session'), 401)
  })
})
