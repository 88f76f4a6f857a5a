// OCSP (RFC 6960) as relying parties ask it: `openssl ocsp`, `ocsptool` of GnuTLS, and GET as caches do (RFC 5019).
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { freePort, LiveServer } from '../support/live-server.ts'
import { hasTool, requireTool } from '../support/tools.ts'

/** Asks about certificates issued by `ldevid.pem`; OpenSSL checks the signature and the delegation up to the root. */
const ASK = 'openssl ocsp -issuer ldevid.pem -url $HTTP/ocsp -CAfile $ROOTS -no_cert_checks'

describe('OCSP with openssl and ocsptool', () => {
  let server: LiveServer
  before(async () => {
    // Without these two every test below is skipped, and says so.
    if (!hasTool('openssl') || !hasTool('curl')) return
    server = await LiveServer.start()
    const env = { A: await server.token('SN-A'), B: await server.token('SN-B'), C: await server.token('SN-C') }
    await server.sh(
      `
      for device in A B C; do
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $device.key -subj /serialNumber=SN-$device \\
          -outform DER 2>/dev/null | openssl base64 > $device.b64
        curl -sS --fail --cacert $ROOTS -u SN-$device:\${!device} -H 'Content-Type: application/pkcs10' \\
          --data-binary @$device.b64 $EST/simpleenroll | base64 -d | openssl pkcs7 -inform DER -print_certs -out $device.pem
      done
      curl -sS --fail $HTTP/ca/ldevid-1.cer | openssl x509 -inform DER -out ldevid.pem
      curl -sS --fail $HTTP/ca/idevid-1.cer | openssl x509 -inform DER -out idevid.pem
      touchmark revoke --certificate $(openssl x509 -in B.pem -noout -serial | cut -d= -f2) --reason keyCompromise
      touchmark revoke --certificate $(openssl x509 -in C.pem -noout -serial | cut -d= -f2) --reason certificateHold`,
      { env },
    )
  })
  after(() => server?.[Symbol.asyncDispose]())

  const both = (t: import('node:test').TestContext) => requireTool(t, 'openssl') && requireTool(t, 'curl')

  for (const [title, options] of [
    ['SHA-1 in the CertID, with a nonce', ''],
    ['SHA-256 in the CertID', '-sha256'],
    ['without a nonce', '-no_nonce'],
  ] as const) {
    test(`2.2 good, revoked with its reason, on hold: ${title}`, async t => {
      if (!both(t)) return
      const said = await server.run(`${ASK} ${options} -cert A.pem ${options} -cert B.pem ${options} -cert C.pem`)
      assert.equal(said.code, 0, said.text)
      assert.match(said.stderr, /^Response verify OK\n$/)
      assert.match(
        said.stdout,
        /^A.pem: good\n[\s\S]*B.pem: revoked\n[\s\S]*Reason: keyCompromise\n[\s\S]*C.pem: revoked\n[\s\S]*Reason: certificateHold\n/,
      )
    })
  }

  test('4.4.1 the nonce of the request comes back; an answer without one may be kept by caches (RFC 5019 6.2)', async t => {
    if (!both(t)) return
    const printed = await server.sh(`
      openssl ocsp -issuer ldevid.pem -cert A.pem -reqout with.der -no_cert_verify
      openssl ocsp -issuer ldevid.pem -cert A.pem -no_nonce -reqout without.der -no_cert_verify
      for which in with without; do
        curl -sS --fail -H 'Content-Type: application/ocsp-request' --data-binary @$which.der $HTTP/ocsp -D $which.txt -o $which.ors
        grep -i '^cache-control' $which.txt
      done
      nonce() { grep -A1 'OCSP Nonce' | tail -1 | tr -d ' '; }
      openssl ocsp -no_nonce -reqin with.der -req_text | nonce
      openssl ocsp -respin with.ors -resp_text -noverify | nonce`)
    const [noStore, maxAge, sent, received] = printed.split('\n')
    assert.match(noStore!, /^cache-control: no-store\r$/i)
    assert.match(maxAge!, /^cache-control: max-age=\d+, public, no-transform, must-revalidate\r$/i)
    assert.match(sent!, /^0410[0-9A-F]{32}$/)
    assert.equal(received, sent)
  })

  test('A.1 GET: the request in the path, escaped or with its slashes as they are', async t => {
    if (!both(t)) return
    const printed = await server.sh(`
      # Six one bits in a row are a slash in base64.
      serial=0x7fffffffffff
      openssl ocsp -issuer ldevid.pem -serial $serial -no_nonce -reqout get.der
      base64 -w0 get.der | grep -q /
      plain=$(base64 -w0 get.der)
      escaped=$(echo -n "$plain" | sed 's/+/%2B/g;s#/#%2F#g;s/=/%3D/g')
      curl -sS --fail "$HTTP/ocsp/$plain" -o plain.ors
      curl -sS --fail "$HTTP/ocsp/$escaped" -o escaped.ors
      for which in plain escaped; do
        openssl ocsp -no_nonce -respin $which.ors -issuer ldevid.pem -serial $serial -CAfile $ROOTS 2>&1 | head -2
      done`)
    assert.match(printed, /^(Response verify OK\n0x7fffffffffff: unknown\n){2}$/)
  })

  test('2.2 a serial number that was never issued is unknown, not good', async t => {
    if (!both(t)) return
    const said = await server.run(`${ASK} -serial 0x6b0102030405060708090a0b0c0d0e0f`)
    assert.match(said.stdout, /: unknown\n/)
  })

  test('2.3 errors: another issuer is unauthorized, garbage is malformedRequest, both at once', async t => {
    if (!both(t)) return
    const wrong = await server.run('openssl ocsp -issuer $ROOTS -cert A.pem -url $HTTP/ocsp -CAfile $ROOTS')
    assert.match(wrong.text, /Responder Error: unauthorized \(6\)/)
    const mixed = await server.run(
      'openssl ocsp -issuer ldevid.pem -cert A.pem -issuer idevid.pem -serial 1 -url $HTTP/ocsp -CAfile $ROOTS',
    )
    assert.match(mixed.text, /Responder Error: unauthorized \(6\)/, 'one message is signed by one responder')
    const garbage = await server.sh(
      `
      head -c 300 /dev/urandom > garbage
      ask() { curl -sS --fail -H 'Content-Type: application/ocsp-request' --data-binary "$@" -o error.ors; }
      ask @garbage $HTTP/ocsp; openssl ocsp -respin error.ors 2>&1
      ask '' $HTTP/ocsp; openssl ocsp -respin error.ors 2>&1
      curl -sS --fail $HTTP/ocsp/AAAA -o error.ors; openssl ocsp -respin error.ors 2>&1 || true`.replaceAll(
        'openssl ocsp -respin error.ors 2>&1',
        '(openssl ocsp -respin error.ors 2>&1 || true)',
      ),
    )
    assert.equal(garbage.match(/Responder Error: malformedrequest \(1\)/g)?.length, 3, garbage)
  })

  // It looks for the signer's issuer among the trusted and builds no path above it.
  test('ocsptool of GnuTLS agrees, with its own nonce', async t => {
    if (!requireTool(t, 'ocsptool')) return
    const ask = (device: string) =>
      server.run(
        `ocsptool --ask=$HTTP/ocsp --load-cert ${device}.pem --load-issuer ldevid.pem --nonce --load-trust ldevid.pem 2>&1`,
      )
    const good = await ask('A')
    assert.match(good.text, /Certificate Status: good/)
    assert.match(good.text, /Verifying OCSP Response: Success/)
    const revoked = await ask('B')
    assert.match(revoked.text, /Certificate Status: revoked/)
    assert.match(revoked.text, /Verifying OCSP Response: Success/)
  })

  test('4.1.1 a signed request is answered like any other', async t => {
    if (!both(t)) return
    const said = await server.run(`${ASK} -cert A.pem -signer A.pem -signkey A.key -sha256 -cert B.pem`)
    assert.match(said.stdout, /^A.pem: good\n[\s\S]*B.pem: revoked\n/)
    assert.match(said.stderr, /^Response verify OK\n$/)
  })

  test('an answer that was signed before is given again, until another process revokes the certificate', async t => {
    if (!both(t)) return
    const printed = await server.sh(
      `
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout D.key -subj /serialNumber=SN-D -outform DER 2>/dev/null |
        openssl base64 > D.b64
      curl -sS --fail --cacert $ROOTS -u SN-D:$D -H 'Content-Type: application/pkcs10' --data-binary @D.b64 $EST/simpleenroll |
        base64 -d | openssl pkcs7 -inform DER -print_certs -out D.pem
      openssl ocsp -issuer ldevid.pem -cert D.pem -no_nonce -reqout d.der -no_cert_verify
      get() { curl -sS --fail "$HTTP/ocsp/$(base64 -w0 d.der | sed 's/+/%2B/g;s#/#%2F#g;s/=/%3D/g')" -o "$1"; }
      said() { openssl ocsp -no_nonce -respin "$1" -issuer ldevid.pem -cert D.pem -CAfile $ROOTS 2>/dev/null | head -1; }
      # The status log is followed from the start on, in the background.
      for i in $(seq 100); do
        get first.ors; get second.ors
        cmp -s first.ors second.ors && break
        sleep 0.1
      done
      cmp first.ors second.ors && said second.ors
      touchmark revoke --certificate $(openssl x509 -in D.pem -noout -serial | cut -d= -f2) --reason superseded >/dev/null
      for i in $(seq 100); do
        get after.ors
        said after.ors | grep -q revoked && break
        sleep 0.1
      done
      said after.ors`,
      { env: { D: await server.token('SN-D') } },
    )
    assert.equal(printed, 'D.pem: good\nD.pem: revoked\n')
  })

  test('nginx asks about its clients (ssl_ocsp leaf) and turns the revoked and the held away', async t => {
    if (!both(t) || !requireTool(t, 'nginx')) return
    const port = await freePort()
    const printed = await server.sh(`
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.pem -subj /CN=localhost -days 1 2>/dev/null
      cat ldevid.pem $ROOTS > clients.pem
      mkdir -p nginx
      cat > nginx/nginx.conf <<END
      daemon off; pid $PWD/nginx/pid; error_log stderr crit; events { }
      http {
        access_log off;
        client_body_temp_path $PWD/nginx/1; proxy_temp_path $PWD/nginx/2; fastcgi_temp_path $PWD/nginx/3;
        uwsgi_temp_path $PWD/nginx/4; scgi_temp_path $PWD/nginx/5;
        server {
          listen 127.0.0.1:${port} ssl;
          ssl_certificate $PWD/tls.pem; ssl_certificate_key $PWD/tls.key; ssl_session_tickets off;
          ssl_verify_client on; ssl_verify_depth 3; ssl_client_certificate $PWD/clients.pem;
          ssl_ocsp leaf; ssl_ocsp_responder $HTTP/ocsp;
          location / { return 200 "welcome\n"; }
        }
      }
END
      nginx -e stderr -p $PWD/nginx -c nginx.conf & pid=$!
      trap 'kill $pid; wait $pid || true' EXIT
      for i in $(seq 100); do curl -sk https://127.0.0.1:${port}/ -o /dev/null && break; sleep 0.1; done
      for device in A B C; do
        curl -sk https://127.0.0.1:${port}/ --cert $device.pem --key $device.key -o /dev/null -w "$device %{http_code}\n"
      done`)
    assert.equal(printed, 'A 200\nB 400\nC 400\n')
  })
})
