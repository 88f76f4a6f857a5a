// EST (RFC 7030) with strongSwan's `pki`: a client with a TLS stack, a CMS reader and a path validator of its own. It asks OCSP and CRLs
// about the server while it connects, so those are judged on the way.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

describe('EST with strongSwan pki', () => {
  let server: LiveServer
  before(async () => {
    server = await LiveServer.start()
  })
  after(() => server[Symbol.asyncDispose]())

  // 5.9 takes no line break in a reply (RFC 8951 3.1 is younger than it): the label `flat` gives replies on one line.
  test('--estca fetches the trust anchors and the authorities below them (4.1)', async t => {
    if (!requireTool(t, 'pki') || !requireTool(t, 'openssl')) return
    const said = await server.run(`
      pki --estca --url $URL/flat --cacert $ROOTS --caout estca --outform pem
      openssl x509 -in estca.pem -noout -subject
      openssl x509 -in estca-1.pem -noout -subject`)
    assert.equal(said.code, 0, said.text)
    assert.match(said.stdout, /CN = Root CA 1\n.*CN = LDevID CA 1\n/)
    assert.match(said.stderr, /Sub CA cert is trusted/)
  })

  test('on the way it asks OCSP about the server and the CRL about its issuer, and both say good (RFC 5280 6.3)', async t => {
    if (!requireTool(t, 'pki')) return
    const { text } = await server.run('pki --estca --url $URL/flat --cacert $ROOTS --caout seen --outform pem')
    assert.match(text, /ocsp response correctly signed by "O=Acme Devices, CN=OCSP services-1"/)
    assert.match(text, /crl correctly signed by "O=Acme Devices, CN=Root CA 1"/)
    assert.equal(text.match(/certificate status is good/g)?.length, 2, text)
  })

  for (const [type, size, name] of [
    ['ecdsa', '256', 'P-256'],
    ['rsa', '2048', 'RSA-2048'],
    ['ed25519', undefined, 'Ed25519'],
  ] as const) {
    test(`--est enrols with serial number and token, then renews with the certificate: ${name} (4.2.1, 4.2.2)`, async t => {
      if (!requireTool(t, 'pki') || !requireTool(t, 'openssl')) return
      const serialNumber = `SW-${name}`
      const key = `pki --gen --type ${type} ${size ? `--size ${size}` : ''} --outform pem`
      const request = `pki --req --type ${type === 'ed25519' ? 'priv' : type} --dn "O=Acme Devices, serialNumber=${serialNumber}" --outform pem`
      const est = 'pki --est --url $URL/ldevid.flat --cacert $ROOTS --interval 1 --maxpolltime 5 --outform pem'
      const printed = await server.sh(
        `
        ${key} > first.key; ${request} --in first.key > first.csr
        ${est} --in first.csr --userpass "${serialNumber}:$TOKEN" > first.pem
        ${key} > next.key; ${request} --in next.key > next.csr
        ${est} --in next.csr --cert first.pem --key first.key > next.pem
        openssl x509 -in next.pem -noout -subject
        openssl x509 -in next.pem -noout -pubkey | cmp - <(openssl pkey -in next.key -pubout)`,
        { env: { TOKEN: await server.token(serialNumber) } },
      )
      assert.equal(printed, `subject=O = Acme Devices, serialNumber = ${serialNumber}\n`)
      const { certificates, keys } = await server.device(serialNumber)
      assert.equal(certificates.length, 2)
      assert.deepEqual(certificates[0]?.replaces?.serialNumber, certificates[1]?.serialNumber)
      assert.deepEqual(
        keys.map(each => each.algorithm),
        [name, name],
      )
    })
  }

  test('a wrong token is refused, and pki says so (3.2.3)', async t => {
    if (!requireTool(t, 'pki')) return
    const { code, text } = await server.run(`
      pki --gen --type ecdsa --size 256 --outform pem > wrong.key
      pki --req --in wrong.key --type ecdsa --dn "serialNumber=SW-P-256" --outform pem > wrong.csr
      pki --est --url $URL/flat --in wrong.csr --cacert $ROOTS --userpass SW-P-256:wrong --outform pem`)
    assert.notEqual(code, 0)
    assert.match(text, /401/)
  })

  test('202: it waits as long as Retry-After says, and asking again after the approval gets the certificate (4.2.3)', async t => {
    if (!requireTool(t, 'pki') || !requireTool(t, 'openssl')) return
    const rules = JSON.parse(await server.sh('touchmark rule show'))
    const token = rules.rules.find((rule: { name: string }) => rule.name === 'token')
    rules.rules.unshift({ ...token, name: 'watched', when: { ...token.when, models: ['gateway'] }, outcome: 'pending' })
    await server.sh('touchmark rule set -', { input: JSON.stringify(rules) })
    const env = { TOKEN: await server.token('SW-WAITS') }
    const est =
      'pki --est --url $URL/flat --in poll.csr --cacert $ROOTS --userpass SW-WAITS:$TOKEN --interval 1 --outform pem > poll.pem'
    const seen = await server.sh(
      `
      pki --gen --type ecdsa --size 256 --outform pem > poll.key
      pki --req --in poll.key --type ecdsa --dn "serialNumber=SW-WAITS" --outform pem > poll.csr
      ${est} 2> seen &
      for i in $(seq 100); do grep -q 'going to sleep' seen && break; sleep 0.1; done
      kill $!; cat seen`,
      { env },
    )
    assert.match(seen, /going to sleep for 60 seconds/)
    await server.sh(
      'touchmark device approve $(touchmark device pending --json | sed "s/.*digest.:.\\([0-9a-f]*\\).*/\\1/")',
    )
    const printed = await server.sh(`${est}; openssl x509 -in poll.pem -noout -subject`, { env })
    assert.equal(printed, 'subject=O = Acme Devices, serialNumber = SW-WAITS\n')
  })
})
