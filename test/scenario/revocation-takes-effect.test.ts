// A revocation by the command line in another process, and how soon who knows: the TLS door on open, resumed and new connections, OCSP,
// the CRL, services that read it. And a hold that ends.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

describe('revocation takes effect', () => {
  let server: LiveServer
  before(async () => {
    server = await LiveServer.start()
  })
  after(() => server[Symbol.asyncDispose]())

  /** Enrols a device with openssl and curl: NAME.key, NAME.pem. Answers the serial number of its certificate. */
  async function enrol(name: string): Promise<string> {
    const env = { TOKEN: await server.token(name) }
    await server.sh(
      `
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -subj /serialNumber=${name} \\
        -outform DER 2>/dev/null | openssl base64 > ${name}.b64
      curl -sS --fail --cacert $ROOTS -u ${name}:$TOKEN -H 'Content-Type: application/pkcs10' --data-binary @${name}.b64 \\
        $EST/simpleenroll | base64 -d | openssl pkcs7 -inform DER -print_certs -out ${name}.pem`,
      { env },
    )
    return new X509Certificate(readFileSync(server.folder.join(`${name}.pem`))).serialNumber.toLowerCase()
  }

  interface Answer {
    readonly status: number
    readonly body: string
    readonly resumed: boolean
    readonly port: number
  }

  /** One request over a connection of `agent`, with the certificate of a device. */
  function ask(path: string, name: string, agent: Agent, more: object = {}): Promise<Answer> {
    const body = path === '/whoami' ? undefined : readFileSync(server.folder.join(`${name}.b64`))
    return new Promise((resolve, reject) => {
      const outgoing = request(
        `${server.url}${path}`,
        {
          agent,
          method: body ? 'POST' : 'GET',
          headers: body ? { 'content-type': 'application/pkcs10' } : {},
          ca: readFileSync(server.roots),
          cert: readFileSync(server.folder.join(`${name}.pem`)),
          key: readFileSync(server.folder.join(`${name}.key`)),
          ...more,
        },
        response => {
          const socket = response.socket as TLSSocket
          const facts = { status: response.statusCode!, resumed: socket.isSessionReused(), port: socket.localPort! }
          let text = ''
          response.setEncoding('utf8').on('data', part => (text += part))
          response.on('end', () => resolve({ ...facts, body: text }))
        },
      )
      outgoing.on('error', reject).end(body)
    })
  }

  for (const [version, name] of [
    ['TLSv1.2', 'SN-12'],
    ['TLSv1.3', 'SN-13'],
  ] as const) {
    test(`on an open connection, on a resumed session and on a new one: ${version}`, async t => {
      if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
      const serialNumber = await enrol(name)
      const only = { minVersion: version, maxVersion: version } as const
      using open = disposable(new Agent({ keepAlive: true, maxSockets: 1 }))
      using again = disposable(new Agent({ keepAlive: false }))
      const [first] = [await ask('/whoami', name, open.agent, only), await ask('/whoami', name, again.agent, only)]
      const resumed = await ask('/whoami', name, again.agent, only)
      assert.deepEqual([first.status, resumed.status, resumed.resumed], [200, 200, true])
      await server.json(['revoke', '--certificate', serialNumber, '--reason', 'keyCompromise'])

      for (const path of ['/whoami', '/.well-known/est/simplereenroll', '/.well-known/est/simpleenroll']) {
        const still = await ask(path, name, open.agent, only)
        assert.equal(still.port, first.port, 'the same connection as before')
        const back = await ask(path, name, again.agent, only)
        assert.equal(back.resumed, true, 'a session from before')
        using fresh = disposable(new Agent({ keepAlive: false, maxCachedSessions: 0 }))
        const anew = await ask(path, name, fresh.agent, only)
        for (const answer of [still, back, anew]) {
          assert.equal(answer.status, 403, path)
          assert.match(answer.body, /^evidence\.certificate_revoked: /)
        }
      }
      assert.equal((await server.device(name)).certificates.length, 1, 'nothing was issued')
    })
  }

  test('OCSP knows at once, the CRL within three seconds', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    const serialNumber = await enrol('SN-20')
    await server.sh('curl -sS --fail $HTTP/ca/ldevid-1.cer | openssl x509 -inform DER -out ldevid.pem')
    await server.json(['revoke', '--certificate', serialNumber, '--reason', 'cessationOfOperation'])
    const started = performance.now()
    const ocsp = await server.sh(
      'openssl ocsp -issuer ldevid.pem -cert SN-20.pem -url $HTTP/ocsp -CAfile $ROOTS 2>/dev/null',
    )
    assert.match(ocsp, /SN-20\.pem: revoked\n[\s\S]*Reason: cessationOfOperation\n/)
    let listed = ''
    while (!listed.includes(serialNumber.toUpperCase()) && performance.now() - started < 10_000) {
      await sleep(100)
      listed = await server.sh('curl -sS --fail $HTTP/crl/ldevid-1/0.crl | openssl crl -inform DER -noout -text')
    }
    const seconds = (performance.now() - started) / 1000
    assert.ok(seconds < 3, `it took ${seconds} s`)
  })

  test('a hold, and its end: refused, on the list as certificateHold, good again and off the list', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    const serialNumber = await enrol('SN-30')
    using each = disposable(new Agent({ keepAlive: false, maxCachedSessions: 0 }))
    const onList = async (wanted: boolean) => {
      let text = ''
      for (let round = 0; round < 100; round++) {
        text = await server.sh('curl -sS --fail $HTTP/crl/ldevid-1/0.crl | openssl crl -inform DER -noout -text')
        if (text.includes(serialNumber.toUpperCase()) === wanted) return text
        await sleep(100)
      }
      throw new Error(`The CRL is not as it should be:\n${text}`)
    }
    await server.json(['revoke', '--certificate', serialNumber, '--reason', 'certificateHold'])
    const held = await ask('/whoami', 'SN-30', each.agent)
    assert.deepEqual([held.status, held.body.split(':')[0]], [403, 'evidence.certificate_held'])
    assert.match(await onList(true), /Certificate Hold/)
    await server.json(['revoke', '--certificate', serialNumber, '--release'])
    assert.equal((await ask('/whoami', 'SN-30', each.agent)).status, 200)
    await onList(false)
  })

  test('everything that a device holds, by its serial number; others keep theirs', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    await enrol('SN-40')
    await enrol('SN-41')
    const { changed } = await server.json<{ changed: unknown[] }>([
      'revoke',
      '--device',
      'SN-40',
      '--reason',
      'privilegeWithdrawn',
    ])
    assert.equal(changed.length, 1)
    using each = disposable(new Agent({ keepAlive: false, maxCachedSessions: 0 }))
    assert.equal((await ask('/whoami', 'SN-40', each.agent)).status, 403)
    assert.equal((await ask('/whoami', 'SN-41', each.agent)).status, 200)
  })

  test('an authority whose certificate is revoked issues nothing more; under the next one its devices are let in again', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    await enrol('SN-50')
    const serialNumber = (
      await server.sh('curl -sS --fail $HTTP/ca/ldevid-1.cer | openssl x509 -inform DER -noout -serial | cut -d= -f2')
    ).trim()
    const hold = await server.cli(['revoke', '--certificate', serialNumber, '--reason', 'certificateHold'])
    assert.equal(hold.code, 1)
    assert.match(hold.stderr, /revocation\.reason_not_for_this/)
    await server.json(['revoke', '--certificate', serialNumber, '--reason', 'cACompromise'])
    using each = disposable(new Agent({ keepAlive: false, maxCachedSessions: 0 }))
    const request = `openssl req -new -key SN-50.key -subj / -outform DER | openssl base64 > SN-50.b64`
    await server.sh(request)
    const refused = await ask('/.well-known/est/simplereenroll', 'SN-50', each.agent)
    assert.equal(refused.status, 503, refused.body)
    assert.equal((await server.device('SN-50')).certificates.length, 1)

    const next = await server.sh(`
      touchmark authority create ldevid-2 --name "LDevID CA 2" --issuer root-1 --issuer-keys data/offline-root
      touchmark authority crl root-1 --issuer-keys data/offline-root
      curl -sS --fail $HTTP/crl/root-1/0.crl | openssl crl -inform DER -noout -text`)
    assert.match(next, new RegExp(`Serial Number: ${serialNumber}\\n[\\s\\S]*CA Compromise`))
    const renewed = await ask('/.well-known/est/simplereenroll', 'SN-50', each.agent)
    assert.equal(renewed.status, 200, renewed.body)
    assert.equal((await server.device('SN-50')).certificates[0]?.authorityId, 'ldevid-2')
  })

  test('the log verifies, and the store is whole', async () => {
    assert.equal((await server.json<{ ok: boolean }>(['audit', 'verify'])).ok, true)
    await server.stop()
    await server.assertInvariants()
  })
})

function disposable(agent: Agent): { agent: Agent; [Symbol.dispose](): void } {
  return { agent, [Symbol.dispose]: () => agent.destroy() }
}
