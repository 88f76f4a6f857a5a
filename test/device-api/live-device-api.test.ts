// The device API of a running server, over real TLS: curl and OpenSSL as the device, Node where a client must misbehave. The log verifies
// after everything that was tried.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { toBase64 } from '../../src/core/bytes/base64.ts'
import { parseHealthAnswer } from '../../src/core/messages/device-health.ts'
import { parseRenewalInfo } from '../../src/core/messages/renewal-info.ts'
import { parseTrustBundle } from '../../src/core/messages/trust-bundle.ts'
import { encodeSignedWipeStatement, encodeWipeStatement } from '../../src/core/messages/wipe-statement.ts'
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { https } from '../support/https.ts'
import { testCsrDer } from '../support/instance.ts'
import { LiveServer } from '../support/live-server.ts'
import { testCertificate } from '../support/test-pki.ts'
import { requireTool } from '../support/tools.ts'

const TOOLS = ['openssl', 'curl'] as const

describe('the device API over TLS', () => {
  let server: LiveServer
  before(async () => {
    server = await LiveServer.start()
  })
  after(() => server[Symbol.asyncDispose]())

  /** Enrols a device with openssl and curl: NAME.key, NAME.pem. */
  async function enrol(name: string): Promise<void> {
    await server.sh(
      `
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -subj /serialNumber=${name} \\
        -outform DER 2>/dev/null | openssl base64 > ${name}.b64
      curl -sS --fail --cacert $ROOTS -u ${name}:$TOKEN -H 'Content-Type: application/pkcs10' --data-binary @${name}.b64 \\
        $EST/simpleenroll | base64 -d | openssl pkcs7 -inform DER -print_certs -out ${name}.pem`,
      { env: { TOKEN: await server.token(name) } },
    )
  }

  /** What curl prints for a request as the device, with the status on a last line of its own. */
  async function curl(name: string, path: string, more = ''): Promise<{ status: number; body: string }> {
    const printed = await server.sh(
      `curl -sS --cacert $ROOTS --cert ${name}.pem --key ${name}.key -w '\\n%{http_code}' ${more} "$URL/api/v1/device/${path}"`,
    )
    const end = printed.lastIndexOf('\n')
    return { status: Number(printed.slice(end + 1)), body: printed.slice(0, end) }
  }

  const health = (name: string, sequence: number) => {
    const body = JSON.stringify({ sequence, time: new Date().toISOString(), firmware: '1.0' })
    return curl(name, 'health', `-H 'Content-Type: application/json' --data '${body}'`)
  }

  const codeOf = ({ body }: { readonly body: string }) => JSON.parse(body).code

  test('a device asks when to renew, reports, and fetches the roots, which OpenSSL verifies', async t => {
    for (const tool of TOOLS) if (!requireTool(t, tool)) return
    await enrol('D-1')
    const info = await curl('D-1', 'renewal-info')
    assert.equal(info.status, 200, info.body)
    assert.equal(parseRenewalInfo(Buffer.from(info.body)).reason, 'scheduled')

    const answer = await health('D-1', 1)
    assert.equal(answer.status, 200, answer.body)
    const { device, order, trustBundle } = parseHealthAnswer(Buffer.from(answer.body))
    assert.deepEqual([device.state, order, trustBundle.version], ['active', null, 1])
    const repeated = await health('D-1', 1)
    assert.deepEqual([repeated.status, codeOf(repeated)], [409, 'health.sequence_repeated'])

    const content = await server.sh(`
      curl -sS --fail --cacert $ROOTS -D head -o bundle.der "$URL/api/v1/device/trust-bundle"
      curl -sS --fail -o plain.der "$HTTP/api/v1/device/trust-bundle"
      cmp bundle.der plain.der
      openssl cms -verify -inform DER -in bundle.der -CAfile $ROOTS -purpose any 2>/dev/null`)
    const bundle = parseTrustBundle(Buffer.from(content))
    assert.equal(bundle.version, 1)
    const head = readFileSync(server.folder.join('head'), 'utf8')
    assert.match(head, /content-type: application\/pkcs7-mime; smime-type=signed-data/i)
    assert.match(head, /etag: W\/"1"/i)
    const unchanged = await server.sh(
      `curl -sS --cacert $ROOTS -o /dev/null -w '%{http_code}' -H 'If-None-Match: W/"1"' "$URL/api/v1/device/trust-bundle"`,
    )
    assert.equal(unchanged, '304')
  })

  test('suspended, resumed and retired by the command line, the device hears of it at once', async t => {
    for (const tool of TOOLS) if (!requireTool(t, tool)) return
    await enrol('D-2')
    assert.equal((await health('D-2', 1)).status, 200)
    await server.sh('touchmark device suspend D-2 --model gateway')
    const held = await health('D-2', 2)
    assert.deepEqual([held.status, JSON.parse(held.body).order], [200, 'suspend'])
    const refused = await curl('D-2', 'renewal-info')
    assert.deepEqual([refused.status, codeOf(refused)], [403, 'device.suspended'])
    await server.sh('touchmark device resume D-2 --model gateway')
    assert.equal(JSON.parse((await health('D-2', 3)).body).order, null)
    await server.sh('touchmark device retire D-2 --model gateway')
    assert.equal(JSON.parse((await health('D-2', 4)).body).order, 'wipe')

    const { keys } = await server.device('D-2')
    const { id } = keys[0]!
    const statement = encodeWipeStatement({
      model: 'gateway',
      serialNumber: 'D-2',
      keys: [id],
      at: Math.floor(Date.now() / 1000),
    })
    // The device signs with OpenSSL, over the octets as they are.
    const signature = Buffer.from(
      await server.sh(`base64 -d > statement; openssl dgst -sha256 -sign D-2.key statement | base64 -w0`, {
        input: Buffer.from(statement).toString('base64'),
      }),
      'base64',
    )
    const wiped = encodeSignedWipeStatement({ statement, signatures: [{ keyId: id, signature }] })
    const body = Buffer.from(wiped).toString()
    const accepted = await curl('D-2', 'wipe-statement', `-H 'Content-Type: application/json' --data '${body}'`)
    assert.deepEqual([accepted.status, accepted.body], [200, JSON.stringify({ accepted: [id] })])
    assert.equal((await server.device('D-2')).keys[0]!.state, 'destroyed')
  })

  test('the renewed certificate is seen in use, and the one before it is let in no more', async t => {
    for (const tool of TOOLS) if (!requireTool(t, tool)) return
    await enrol('D-3')
    await server.sh(`
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout next.key \\
        -subj "$(openssl x509 -in D-3.pem -noout -subject -nameopt compat | sed 's/^subject= *//')" -outform DER 2>/dev/null | openssl base64 > next.b64
      curl -sS --fail --cacert $ROOTS --cert D-3.pem --key D-3.key -H 'Content-Type: application/pkcs10' --data-binary @next.b64 \\
        $EST/simplereenroll | base64 -d | openssl pkcs7 -inform DER -print_certs -out next.pem`)
    assert.equal((await curl('D-3', 'renewal-info')).status, 200, 'both are good until the new one was seen')
    assert.equal((await health('next', 1)).status, 200)
    const before = await curl('D-3', 'renewal-info')
    assert.deepEqual([before.status, codeOf(before)], [403, 'evidence.certificate_revoked'])
  })

  test('strangers are refused: no certificate, a certificate of somebody else, a chain that names us', async () => {
    const ca = readFileSync(server.roots, 'utf8')
    const stranger = await testCertificate({ name: 'D-1' })
    for (const [identity, code] of [
      [{}, 'evidence.missing'],
      [{ cert: stranger.cert, key: stranger.key }, 'evidence.issuer_unknown'],
      [{ cert: stranger.cert + ca, key: stranger.key }, 'evidence.issuer_unknown'],
    ] as const) {
      const answer = await https(`${server.url}/api/v1/device/renewal-info`, { ca, ...identity })
      assert.equal(answer.status, 403)
      assert.equal(answer.headers['content-type'], 'application/problem+json')
      assert.equal(JSON.parse(answer.text).code, code)
    }
  })

  test('a body without end is cut off, whoever sends it, and other methods are refused', async () => {
    const ca = readFileSync(server.roots, 'utf8')
    const json = { 'content-type': 'application/json' }
    const url = `${server.url}/api/v1/device`
    const large = await https(`${url}/health`, { ca, method: 'POST', headers: json, body: 'x'.repeat(100_000) })
    assert.deepEqual([large.status, JSON.parse(large.text).code], [413, 'http.body_too_large'])
    const wrong = await https(`${url}/renewal-info`, { ca, method: 'POST', body: '' })
    assert.equal(wrong.status, 405)
  })

  test('over plain HTTP there is the trust bundle and nothing else', async t => {
    if (!requireTool(t, 'curl')) return
    const printed = await server.sh(
      `for path in renewal-info health wipe-statement; do curl -sS -o /dev/null -w '%{http_code} ' "$HTTP/api/v1/device/$path"; done`,
    )
    assert.equal(printed, '404 404 404 ')
  })

  test('more enrolments than the server takes on: 503 and when to come again, the rest is done, and health is answered', async () => {
    const path = `${server.data}/touchmark.json`
    const configuration = readFileSync(path, 'utf8')
    await server.stop()
    writeFileSync(path, JSON.stringify({ ...JSON.parse(configuration), admission: { requests: 2 } }))
    await server.serve()
    const ca = readFileSync(server.roots, 'utf8')
    const names = Array.from({ length: 24 }, (_, i) => `L-${i}`)
    const tokens = await server.tokens(names)
    const enrolAll = names.map(async name => {
      const csr = testCsrDer(await generateKeyPair('P-256'), { subject: `serialNumber=${name}` })
      const headers = {
        'content-type': 'application/pkcs10',
        authorization: `Basic ${Buffer.from(`${name}:${tokens.get(name)}`).toString('base64')}`,
      }
      const send = () => https(`${server.est}/simpleenroll`, { ca, method: 'POST', headers, body: toBase64(csr) })
      let refused = 0
      for (;;) {
        const { status, headers: told } = await send()
        if (status !== 503) return { status, refused }
        assert.match(String(told['retry-after']), /^[1-9][0-9]*$/)
        refused++
      }
    })
    const healthy = names.map(() => https(`${server.url}/healthz`, { ca }))
    const answers = await Promise.all(enrolAll)
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    assert.ok(
      answers.some(({ refused }) => refused > 0),
      'nobody was sent away',
    )
    for (const { status } of await Promise.all(healthy)) assert.equal(status, 200)
    writeFileSync(path, configuration)
  })

  test('the log verifies', async () => {
    await server.stop()
    await server.assertInvariants()
    const { ok } = await server.json<{ ok: boolean }>(['audit', 'verify'])
    assert.equal(ok, true)
  })
})
