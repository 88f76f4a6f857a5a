// What the certificates are for: two programs that share nothing but the root let each other in. A gateway with the profile
// `gateway-tls-server` serves, a device with an LDevID calls; OpenSSL and GnuTLS on either side.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { freePort, LiveServer, registerDevice } from '../support/live-server.ts'
import { hasTool, requireTool } from '../support/tools.ts'

describe('mutual TLS with openssl and gnutls', () => {
  let server: LiveServer
  before(async () => {
    // Without these two every test below is skipped, and says so.
    if (!hasTool('openssl') || !hasTool('curl')) return
    server = await LiveServer.start()
    await registerDevice(server, 'GW-1', { dnsNames: 'gateway.test' })
    const env = {
      gateway: await server.token('GW-1', 'gateway-tls-server'),
      device: await server.token('SN-1'),
      revoked: await server.token('SN-2'),
    }
    const script = (name: string, serialNumber: string, profile: string) => `
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -subj /serialNumber=${serialNumber} \\
        -outform DER 2>/dev/null | openssl base64 > ${name}.b64
      curl -sS --fail --cacert $ROOTS -u ${serialNumber}:$${name} -H 'Content-Type: application/pkcs10' \\
        --data-binary @${name}.b64 $EST/${profile}/simpleenroll | base64 -d | openssl pkcs7 -inform DER -print_certs -out ${name}.pem`
    await server.sh(
      `
      ${script('gateway', 'GW-1', 'gateway-tls-server')}
      ${script('device', 'SN-1', 'ldevid')}
      ${script('revoked', 'SN-2', 'ldevid')}
      curl -sS --fail $HTTP/ca/ldevid-1.cer | openssl x509 -inform DER -out ldevid.pem
      for each in gateway device revoked; do cat ldevid.pem >> $each.pem; done
      touchmark revoke --certificate $(openssl x509 -in revoked.pem -noout -serial | cut -d= -f2) --reason keyCompromise
      for i in $(seq 100); do
        curl -sS --fail $HTTP/crl/ldevid-1/0.crl | openssl crl -inform DER -out ldevid.crl
        openssl crl -in ldevid.crl -noout -text | grep -q 'Serial Number' && break
        sleep 0.1
      done`,
      { env },
    )
  })
  after(() => server?.[Symbol.asyncDispose]())

  const tools = (t: import('node:test').TestContext, ...names: string[]) =>
    ['openssl', 'curl', ...names].every(name => requireTool(t, name))

  /** An input that does not end, at descriptor 9: s_server and gnutls-cli give up where theirs does. */
  const openInput = 'rm -f input && mkfifo input && exec 9<>input'

  /** Starts a server with the gateway's certificate, runs `client` with its port in PORT, and ends both. */
  async function withGateway(serve: (port: number) => string, client: string) {
    const port = await freePort()
    return server.run(
      `
      ${openInput}
      ${serve(port)} > gateway.log 2>&1 <&9 &
      trap "kill $! 2>/dev/null || true" EXIT
      for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null && break; sleep 0.05; done
      ${client}`,
      { env: { PORT: String(port) } },
    )
  }

  const sServer = (port: number, more = '') =>
    `openssl s_server -accept 127.0.0.1:${port} -cert gateway.pem -cert_chain gateway.pem -key gateway.key -CAfile $ROOTS -Verify 3 -verify_return_error -www ${more}`

  for (const version of ['tls1_2', 'tls1_3']) {
    test(`openssl s_client and s_server let each other in: ${version}`, async t => {
      if (!tools(t)) return
      const { code, text } = await withGateway(
        sServer,
        `echo -e 'GET / HTTP/1.0\\r\\n\\r' | openssl s_client -connect 127.0.0.1:$PORT -${version} -cert device.pem -cert_chain device.pem \\
          -key device.key -CAfile $ROOTS -verify_return_error -verify_hostname gateway.test -ign_eof`,
      )
      assert.equal(code, 0, text)
      assert.match(text, /Verification: OK/)
      assert.match(text, /Verified peername: gateway\.test/)
      assert.match(text, /HTTP\/1\.0 200 ok/i)
    })
  }

  test('gnutls-cli is let in by s_server', async t => {
    if (!tools(t, 'gnutls-cli')) return
    const { code, text } = await withGateway(
      sServer,
      `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | gnutls-cli 127.0.0.1 -p $PORT --x509certfile device.pem --x509keyfile device.key \\
        --x509cafile $ROOTS --verify-hostname gateway.test`,
    )
    assert.equal(code, 0, text)
    assert.match(text, /Status: The certificate is trusted/)
    assert.match(text, /HTTP\/1\.0 200 ok/i)
  })

  test('s_client is let in by gnutls-serv', async t => {
    if (!tools(t, 'gnutls-serv')) return
    const { code, text } = await withGateway(
      port =>
        `gnutls-serv --http --port ${port} --x509certfile gateway.pem --x509keyfile gateway.key --x509cafile $ROOTS --require-client-cert --verify-client-cert`,
      `echo -e 'GET / HTTP/1.0\\r\\n\\r' | openssl s_client -connect 127.0.0.1:$PORT -cert device.pem -cert_chain device.pem \\
        -key device.key -CAfile $ROOTS -verify_return_error -verify_hostname gateway.test -ign_eof; cat gateway.log`,
    )
    assert.equal(code, 0, text)
    assert.match(text, /Verification: OK/)
    assert.match(text, /serialNumber=SN-1|SN-1/)
  })

  test('a service that reads the CRL turns a revoked device away', async t => {
    if (!tools(t)) return
    const { text } = await withGateway(
      port => sServer(port, '-crl_check -CRL ldevid.crl'),
      `
      ask() { echo -e 'GET / HTTP/1.0\\r\\n\\r' | openssl s_client -connect 127.0.0.1:$PORT -cert $1.pem -cert_chain $1.pem -key $1.key \\
        -CAfile $ROOTS -ign_eof; }
      ask revoked || true; ask device`,
    )
    assert.match(text, /alert certificate revoked/)
    assert.match(text, /HTTP\/1\.0 200 ok/i)
  })

  test('a device certificate is no server certificate: extendedKeyUsage holds (RFC 5280 4.2.1.12)', async t => {
    if (!tools(t)) return
    const { code, text } = await withGateway(
      port => sServer(port).replaceAll('gateway.', 'device.'),
      `openssl s_client -connect 127.0.0.1:$PORT -CAfile $ROOTS -verify_return_error -cert device.pem -key device.key < /dev/null`,
    )
    assert.notEqual(code, 0)
    assert.match(text, /unsupported certificate purpose|unsuitable certificate purpose/)
  })

  test('our own server knows the device, whichever TLS library it comes with', async t => {
    if (!tools(t, 'gnutls-cli')) return
    const port = new URL(server.url).port
    const { code, text } = await server.run(
      `
      get() { printf 'GET /whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'; }
      ${openInput}
      get >&9
      gnutls-cli localhost -p $PORT --x509certfile device.pem --x509keyfile device.key --x509cafile $ROOTS <&9
      get | openssl s_client -connect localhost:$PORT -tls1_2 -cert device.pem -key device.key -CAfile $ROOTS -verify_return_error -ign_eof
      get | openssl s_client -connect localhost:$PORT -tls1_3 -cert device.pem -key device.key -CAfile $ROOTS -verify_return_error -ign_eof`,
      { env: { PORT: port } },
    )
    assert.equal(code, 0, text)
    assert.match(text, /Status: The certificate is trusted/)
    assert.equal(text.match(/"serialNumber": "SN-1"/g)?.length, 3, text)
  })

  test('TLS 1.1, suites without forward secrecy and renegotiation are refused (RFC 8996, RFC 9325)', async t => {
    if (!tools(t)) return
    const { text } = await server.run(
      `
      try() { openssl s_client -connect localhost:$PORT -CAfile $ROOTS "$@" 2>&1 || true; }
      echo | try -tls1_1 -cipher ALL:@SECLEVEL=0 | grep -c 'Cipher is (NONE)'
      echo | try -tls1_2 -cipher AES128-SHA:AES256-GCM-SHA384 | grep -c 'Cipher is (NONE)'
      (sleep 0.3; echo R; sleep 0.5) | try -tls1_2 | grep -c 'no renegotiation'`,
      { env: { PORT: new URL(server.url).port } },
    )
    const [old, weak, again] = text.trim().split('\n')
    assert.deepEqual([old, weak, again], ['1', '1', '1'], text)
  })
})
