// Certificates and CRLs as relying parties judge them (RFC 5280 6): `openssl verify`, strict, and `certtool`, over whole chains, with what the
// certificates themselves say about where issuers and CRLs are. And a hierarchy whose root was made elsewhere.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { LiveServer } from '../support/live-server.ts'
import { hasTool, requireTool } from '../support/tools.ts'

describe('certification paths with openssl and certtool', () => {
  let server: LiveServer
  before(async () => {
    // Without these two every test below is skipped, and says so.
    if (!hasTool('openssl') || !hasTool('curl')) return
    server = await LiveServer.start()
    const env = { A: await server.token('SN-A'), B: await server.token('SN-B') }
    await server.sh(
      `
      openssl ecparam -name P-256 -genkey -noout -out birth.key
      openssl req -new -key birth.key -subj "/serialNumber=SN-A" -out SN-A.csr
      touchmark batch --input SN-A.csr --model gateway --profile idevid --output factory --certificate-files
      cp factory/certificates/*.pem birth.pem
      for device in A B; do
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $device.key -subj /serialNumber=SN-$device \\
          -outform DER 2>/dev/null | openssl base64 > $device.b64
        curl -sS --fail --cacert $ROOTS -u SN-$device:\${!device} -H 'Content-Type: application/pkcs10' \\
          --data-binary @$device.b64 $EST/simpleenroll | base64 -d | openssl pkcs7 -inform DER -print_certs -out $device.pem
      done`,
      { env },
    )
  })
  after(() => server?.[Symbol.asyncDispose]())

  const both = (t: import('node:test').TestContext) => requireTool(t, 'openssl') && requireTool(t, 'curl')

  test('4.2.2.1 the issuer is where the certificate says, and openssl verify -x509_strict takes the chain', async t => {
    if (!both(t)) return
    for (const leaf of ['birth', 'A']) {
      const printed = await server.sh(`
        ${followIssuer(leaf)}
        openssl verify -x509_strict -purpose ${leaf === 'A' ? 'sslclient' : 'any'} -CAfile $ROOTS -untrusted ${leaf}-issuer.pem ${leaf}.pem`)
      assert.equal(printed, `${leaf}.pem: OK\n`)
    }
  })

  test('a birth certificate has no well-defined end (4.1.2.5), and says who the hardware is (RFC 4108 5)', async t => {
    if (!both(t)) return
    const printed = await server.sh(
      'openssl x509 -in birth.pem -noout -enddate -subject; openssl asn1parse -in birth.pem',
    )
    assert.match(printed, /^notAfter=Dec 31 23:59:59 9999 GMT\nsubject=O = Acme Devices, serialNumber = SN-A\n/)
    const hardware = /X509v3 Subject Alternative Name\n.*\[HEX DUMP\]:([0-9A-F]+)\n/.exec(printed)?.[1]
    // id-on-hardwareModuleName, 1.3.6.1.5.5.7.8.4, and the serial number as octets.
    assert.match(hardware ?? '', /06082B06010505070804.*0404534E2D41$/)
  })

  test('certtool --verify-chain takes the chains too', async t => {
    if (!both(t) || !requireTool(t, 'certtool')) return
    for (const leaf of ['birth', 'A']) {
      const printed = await server.sh(`
        ${followIssuer(leaf)}
        cat ${leaf}.pem ${leaf}-issuer.pem $ROOTS | certtool --verify-chain 2>&1`)
      assert.match(printed, /Chain verification output: Verified\. The certificate is trusted\./)
    }
  })

  test('4.2.1.13, 6.3 the CRL is where the certificate says: good before the revocation, revoked within seconds after it', async t => {
    if (!both(t) || !requireTool(t, 'certtool')) return
    const before = await server.sh(`
      ${followIssuer('B')}
      ${followCrl('B')}
      ${followCrl('B-issuer')}
      openssl verify -x509_strict -crl_check_all -CAfile $ROOTS -untrusted B-issuer.pem -CRLfile B.crl -CRLfile B-issuer.crl B.pem
      touchmark revoke --certificate $(openssl x509 -in B.pem -noout -serial | cut -d= -f2) --reason superseded --json`)
    assert.match(before, /^B\.pem: OK\n/)
    const after = await server.run(`
      for i in $(seq 100); do
        ${followCrl('B')}
        openssl crl -in B.crl -noout -text | grep -q 'Serial Number' && break
        sleep 0.1
      done
      openssl crl -in B.crl -noout -text
      cat B.pem B-issuer.pem $ROOTS > B-chain.pem
      certtool --verify --load-ca-certificate $ROOTS --load-crl B.crl --infile B-chain.pem || true
      openssl verify -x509_strict -crl_check_all -CAfile $ROOTS -untrusted B-issuer.pem -CRLfile B.crl -CRLfile B-issuer.crl A.pem
      openssl verify -x509_strict -crl_check_all -CAfile $ROOTS -untrusted B-issuer.pem -CRLfile B.crl -CRLfile B-issuer.crl B.pem`)
    assert.equal(after.code, 2)
    assert.match(after.stdout, /X509v3 CRL Reason Code: *\n +Superseded/)
    assert.match(after.stdout, /A\.pem: OK\n/)
    assert.match(after.text, /certificate chain has been revoked|The certificate chain is revoked/i)
    assert.match(after.stderr, /error 23 at 0 depth lookup: certificate revoked/)
  })

  test('4.2.1.9 a root made elsewhere signs our request; what we issue below it verifies up to that root', async t => {
    if (!both(t)) return
    const token = await server.token('SN-C')
    await server.sh(`
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout company.key -out company.pem -days 3650 \\
        -subj "/O=Company/CN=Company Root" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
      touchmark authority create ldevid-2 --name "LDevID CA 2" --out ldevid-2.csr
      openssl req -in ldevid-2.csr -verify -noout
      openssl x509 -req -in ldevid-2.csr -CA company.pem -CAkey company.key -days 1825 -copy_extensions copy -out ldevid-2.pem
      openssl x509 -in ldevid-2.pem -noout -text > ldevid-2.txt
      touchmark authority import ldevid-2 ldevid-2.pem --above company.pem`)
    const printed = await server.sh(
      `
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout C.key -subj /serialNumber=SN-C -outform DER \\
        | openssl base64 > C.b64
      curl -sS --fail --cacert $ROOTS -u SN-C:$TOKEN -H 'Content-Type: application/pkcs10' --data-binary @C.b64 $EST/simpleenroll \\
        | base64 -d | openssl pkcs7 -inform DER -print_certs -out C.pem
      ${followIssuer('C')}
      openssl verify -x509_strict -CAfile company.pem -untrusted C-issuer.pem C.pem
      for i in $(seq 100); do ${followCrl('C')} && break; sleep 0.1; done
      openssl verify -x509_strict -crl_check -CAfile company.pem -untrusted C-issuer.pem -CRLfile C.crl C.pem
      curl -sS --fail --cacert $ROOTS $EST/cacerts | base64 -d | openssl pkcs7 -inform DER -print_certs -noout
      openssl ocsp -issuer C-issuer.pem -cert C.pem -url $HTTP/ocsp -CAfile company.pem 2>&1
      touchmark trust > after.pem; grep -c BEGIN after.pem`,
      { env: { TOKEN: token } },
    )
    assert.match(printed, /^C\.pem: OK\nC\.pem: OK\n/)
    // The new chain, and the old root as well: the server's own certificate leads there (RFC 7030 3.6.1).
    for (const name of ['CN = Company Root', 'CN = LDevID CA 2', 'CN = Root CA 1'])
      assert.match(printed, new RegExp(`subject=.*${name}\n`))
    assert.match(printed, /Response verify OK\nC\.pem: good\n/)
    assert.match(printed, /\n2\n$/, 'two roots to rely on now')
  })
})

/** Fetches NAME-issuer.pem from where NAME.pem says (id-ad-caIssuers). */
function followIssuer(name: string): string {
  return `curl -sS --fail $(openssl x509 -in ${name}.pem -noout -text | sed -n 's/.*CA Issuers - URI://p') \\
    | openssl x509 -inform DER -out ${name}-issuer.pem`
}

/** Fetches NAME.crl from where NAME.pem says. */
function followCrl(name: string): string {
  return `curl -sS --fail $(openssl x509 -in ${name}.pem -noout -ext crlDistributionPoints | sed -n 's/.*URI://p') \\
    | openssl crl -inform DER -out ${name}.crl`
}
