// CRLs as relying parties take them: OpenSSL with full and delta CRLs, GnuTLS, curl against a server, nginx against clients, and the plain
// listener as downloads use it (RFC 5280 §5, RFC 9110 §13, §14).
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { SettingsConfig } from '../../src/domain/ca/settings.ts'
import { freePort, LiveServer, registerDevice } from '../support/live-server.ts'
import { hasTool, requireTool } from '../support/tools.ts'

describe('CRLs in the hands of others', () => {
  let server: LiveServer
  before(async () => {
    // Without these two every test below is skipped, and says so.
    if (!hasTool('openssl') || !hasTool('curl')) return
    server = await LiveServer.prepare()
    const settings = await server.json<SettingsConfig>(['settings', 'show'])
    const crl = { lifetimeHours: 168, renewBeforeHours: 96, keepExpiredHours: 192 }
    const changed = { ...settings, crl: { ...crl, delta: { lifetimeHours: 24, fromEntries: 0 } } }
    writeFileSync(server.folder.join('settings.json'), JSON.stringify(changed))
    await server.sh('touchmark settings change settings.json')
    await server.serve()
    await registerDevice(server, 'GW-1', { dnsNames: 'localhost' })
    const tokens = await server.tokens(['SN-A', 'SN-B'])
    const env = {
      gateway: await server.token('GW-1', 'gateway-tls-server'),
      A: tokens.get('SN-A')!,
      B: tokens.get('SN-B')!,
    }
    const enrol = (name: string, serialNumber: string, profile: string) => `
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -subj /serialNumber=${serialNumber} \\
        -outform DER 2>/dev/null | openssl base64 > ${name}.b64
      curl -sS --fail --cacert $ROOTS -u ${serialNumber}:$${name} -H 'Content-Type: application/pkcs10' \\
        --data-binary @${name}.b64 $EST/${profile}/simpleenroll | base64 -d | openssl pkcs7 -inform DER -print_certs -out ${name}.pem`
    await server.sh(
      `
      ${enrol('gateway', 'GW-1', 'gateway-tls-server')}
      ${enrol('A', 'SN-A', 'ldevid')}
      ${enrol('B', 'SN-B', 'ldevid')}
      curl -sS --fail $HTTP/ca/ldevid-1.cer | openssl x509 -inform DER -out ldevid.pem
      cat ldevid.pem $ROOTS > chain.pem
      for each in gateway A B; do cat ldevid.pem >> $each.pem; done
      curl -sS --fail $HTTP/crl/root-1/0.crl | openssl crl -inform DER -out root.crl
      curl -sS --fail $HTTP/crl/ldevid-1/0.crl -o base.der && openssl crl -inform DER -in base.der -out base.crl
      touchmark revoke --certificate $(openssl x509 -in B.pem -noout -serial | cut -d= -f2) --reason keyCompromise
      for which in 0 0-delta; do
        for i in $(seq 100); do
          curl -sS --fail $HTTP/crl/ldevid-1/$which.crl -o $which.der
          openssl crl -inform DER -in $which.der -out $which.crl
          openssl crl -in $which.crl -noout -text | grep -q 'Serial Number' && break
          sleep 0.1
        done
      done`,
      { env },
    )
  })
  after(() => server?.[Symbol.asyncDispose]())

  const tools = (t: import('node:test').TestContext, ...names: string[]) =>
    ['openssl', 'curl', ...names].every(name => requireTool(t, name))

  test('OpenSSL combines an older full CRL with the delta, and knows from both together what is revoked', async t => {
    if (!tools(t)) return
    const verify = (crls: string, options: string, name: string) =>
      server.run(`cat ${crls} > crls.pem
        openssl verify -x509_strict -crl_check ${options} -CAfile chain.pem -CRLfile crls.pem ${name}.pem`)
    const deltas = '-extended_crl -use_deltas'
    assert.equal((await verify('base.crl', '', 'B')).code, 0, 'the older list does not know')
    assert.match((await verify('base.crl 0-delta.crl', deltas, 'B')).text, /certificate revoked/)
    assert.equal((await verify('base.crl 0-delta.crl', deltas, 'A')).code, 0)
    assert.match((await verify('0.crl', '', 'B')).text, /certificate revoked/)
    assert.equal((await verify('0.crl', '', 'A')).code, 0)
  })

  test('OpenSSL reads base, number and place of the delta, and verifies both signatures', async t => {
    if (!tools(t)) return
    const said = await server.sh(`
      openssl crl -in 0.crl -noout -text -verify -CAfile chain.pem 2>&1
      openssl crl -in 0-delta.crl -noout -text -verify -CAfile chain.pem 2>&1`)
    assert.equal(said.match(/verify OK/g)?.length, 2)
    assert.match(said, /X509v3 Delta CRL Indicator: critical/)
    assert.match(said, /X509v3 Freshest CRL: [\s\S]*URI:http:\/\/localhost:\d+\/crl\/ldevid-1\/0-delta\.crl/)
    assert.match(said, /Key Compromise/)
  })

  test('GnuTLS reads and verifies both', async t => {
    if (!tools(t, 'certtool')) return
    for (const which of ['0', '0-delta']) {
      const info = await server.sh(`certtool --crl-info --inder --infile ${which}.der`)
      assert.match(info, /Revoked certificates \(1\)/)
      const said = await server.sh(`certtool --verify-crl --load-ca-certificate ldevid.pem --infile ${which}.crl`)
      assert.match(said, /Verified/)
    }
  })

  test('nginx with ssl_crl admits who is good and refuses who is revoked; curl refuses a server on its list', async t => {
    if (!tools(t, 'nginx')) return
    const port = await freePort()
    writeFileSync(
      server.folder.join('nginx.conf'),
      `daemon off; pid nginx.pid; error_log stderr; worker_processes 1; master_process off;
      events { worker_connections 64; }
      http {
        access_log off; client_body_temp_path nginx-body; proxy_temp_path nginx-proxy; fastcgi_temp_path nginx-fastcgi;
        uwsgi_temp_path nginx-uwsgi; scgi_temp_path nginx-scgi;
        server {
          listen 127.0.0.1:${port} ssl;
          ssl_certificate gateway.pem; ssl_certificate_key gateway.key;
          ssl_client_certificate chain.pem; ssl_verify_client on; ssl_verify_depth 4; ssl_crl crls.pem;
          location / { return 200 "in\\n"; }
        }
      }`,
    )
    const said = await server.sh(
      `
      cat 0.crl root.crl > crls.pem
      nginx -p "$PWD" -c nginx.conf > nginx.log 2>&1 &
      trap "kill $! 2>/dev/null || true" EXIT
      for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null && break; sleep 0.05; done
      ask() { curl -sS --cacert $ROOTS --cert $1.pem --key $1.key \${2-} https://localhost:$PORT/ 2>&1 || true; }
      echo "A: $(ask A)"
      echo "B: $(ask B | tr -d '\\r\\n')"
      echo "listed not: $(ask A '--crlfile crls.pem')"
      touchmark revoke --certificate $(openssl x509 -in gateway.pem -noout -serial | cut -d= -f2) --reason superseded
      for i in $(seq 100); do
        curl -sS --fail $HTTP/crl/ldevid-1/0.crl | openssl crl -inform DER -out later.crl
        [ $(openssl crl -in later.crl -noout -text | grep -c 'Serial Number') = 2 ] && break
        sleep 0.1
      done
      cat later.crl root.crl > later.pem
      echo "listed: $(ask A '--crlfile later.pem')"`,
      { env: { PORT: String(port) } },
    )
    assert.match(said, /^A: in$/m)
    assert.match(said, /^B: .*400 The SSL certificate error/m)
    assert.match(said, /^listed not: in$/m)
    assert.match(said, /^listed: curl: .*revoked/m)
  })

  test('the plain listener serves whole, in part, and nothing where nothing is new', async t => {
    if (!tools(t)) return
    const said = await server.sh(`
      url=$HTTP/crl/root-1/0.crl
      curl -sS -D head.txt -o whole $url
      curl -sS -I $url | tr -d '\\r' | grep -iE '^(HTTP|content-length|accept-ranges|last-modified|cache-control)'
      tag=$(tr -d '\\r' < head.txt | sed -n 's/^etag: //Ip')
      code() { curl -sS -o part -w '%{http_code} %{size_download}' "$@" $url; echo; }
      echo "size $(wc -c < whole)"
      code -H "If-None-Match: $tag"
      code -r 0-9
      code -r 5- -H "If-Range: $tag"; cmp part <(tail -c +6 whole)
      code -r 5- -H 'If-Range: "another"'; cmp part whole
      code -r 99999-
      head -c 100 whole > resumed && curl -sS -C - -o resumed $url && cmp resumed whole`)
    const size = Number(/^size (\d+)$/m.exec(said)?.[1])
    assert.match(said, new RegExp(`^content-length: ${size}$`, 'im'))
    assert.match(said, /^accept-ranges: bytes$/im)
    assert.match(said, /^last-modified: .* GMT$/im)
    assert.match(said, /^cache-control: public, max-age=\d+$/im)
    assert.deepEqual(said.match(/^\d{3} \d+$/gm), ['304 0', '206 10', `206 ${size - 5}`, `200 ${size}`, '416 0'])
  })
})
