// EST (RFC 7030) as a person speaks it, with curl and openssl and nothing else: the judges of TLS, base64, CMS and X.509 are theirs.
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { acceptMaker, LiveServer } from '../support/live-server.ts'
import { hasTool, requireTool } from '../support/tools.ts'

describe('EST with curl and openssl', () => {
  let server: LiveServer
  before(async () => {
    // Without these two every test below is skipped, and says so.
    if (!hasTool('openssl') || !hasTool('curl')) return
    server = await LiveServer.start()
    await server.sh(BIRTH)
  })
  after(() => server?.[Symbol.asyncDispose]())

  test('4.1 cacerts: the chain, root first, readable by openssl base64 and by base64 of the GNU tools', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    const printed = await server.sh(`
      curl -sS --fail --cacert $ROOTS $EST/cacerts -D headers -o cacerts
      base64 -d cacerts > by-coreutils
      openssl base64 -d -in cacerts -out by-openssl
      cmp by-coreutils by-openssl
      openssl pkcs7 -inform DER -in by-openssl -print_certs -noout
      cat headers`)
    for (const name of ['Root CA 1', 'LDevID CA 1'])
      assert.match(printed, new RegExp(`subject=O = Acme Devices, CN = ${name}\n`))
    assert.match(printed, /Content-Type: application\/pkcs7-mime\r\n/)
    assert.match(printed, /Content-Transfer-Encoding: base64\r\n/)
  })

  for (const version of ['1.2', '1.3']) {
    test(`4.2.1 simpleenroll with the birth certificate over TLS ${version}`, async t => {
      if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
      const printed = await server.sh(`
        ${request('op', 'SN-0001')}
        curl -sS --fail --tlsv${version} --tls-max ${version} --cacert $ROOTS --cert birth.pem --key birth.key \\
          -H 'Content-Type: application/pkcs10' --data-binary @op.b64 $EST/simpleenroll -D headers -o op.p7
        base64 -d op.p7 | openssl pkcs7 -inform DER -print_certs -out op.pem
        grep -c BEGIN op.pem
        openssl x509 -in op.pem -noout -subject -issuer -ext extendedKeyUsage
        openssl x509 -in op.pem -noout -pubkey | cmp - <(openssl pkey -in op.key -pubout)
        cat headers`)
      assert.match(printed, /^1\n/, 'the certificate and no other (4.2.3)')
      assert.match(printed, /subject=O = Acme Devices, serialNumber = SN-0001\n/)
      assert.match(printed, /issuer=O = Acme Devices, CN = LDevID CA 1\n/)
      assert.match(printed, /TLS Web Client Authentication/)
      assert.match(printed, /Content-Type: application\/pkcs7-mime; smime-type=certs-only\r\n/)
    })
  }

  test('4.2.2 simplereenroll shows the certificate being renewed; a new key takes its place', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    const printed = await server.sh(`
      ${request('first', 'SN-0001')}
      ${enrol('first', '--cert birth.pem --key birth.key', 'simpleenroll')}
      openssl ecparam -name P-384 -genkey -noout -out next.key
      openssl req -new -key next.key -subj "/O=Acme Devices/serialNumber=SN-0001" -outform DER | openssl base64 > next.b64
      ${enrol('next', '--cert first.pem --key first.key', 'simplereenroll')}
      openssl x509 -in next.pem -noout -subject -serial`)
    const [subject, serial] = printed.split('\n')
    assert.equal(subject, 'subject=O = Acme Devices, serialNumber = SN-0001')
    const [renewed, first] = (await server.device('SN-0001')).certificates
    assert.equal(serial, `serial=${renewed?.serialNumber.toUpperCase()}`)
    assert.equal(renewed?.replaces?.serialNumber, first?.serialNumber)
  })

  test('3.2.3 HTTP Basic: serial number and one-time token', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    const token = await server.token('SN-0002')
    const printed = await server.sh(
      `
      ${request('basic', 'SN-0002')}
      ${enrol('basic', '-u SN-0002:$TOKEN', 'simpleenroll')}
      openssl x509 -in basic.pem -noout -subject
      ${request('second', 'SN-0002')}
      ${post('second', '-u SN-0002:$TOKEN', 'simpleenroll')}; cat second.reply
      ${post('second', '-u SN-0002:wrong', 'simpleenroll')}; cat second.reply
      ${post('second', '', 'simpleenroll')}; cat second.reply headers`,
      { env: { TOKEN: token } },
    )
    assert.match(printed, /subject=O = Acme Devices, serialNumber = SN-0002\n/)
    // One that is spent is told what anybody with a wrong one is told (RFC 7617 2).
    assert.equal(printed.match(/\n401\ntoken\.invalid: /g)?.length, 2, printed)
    assert.match(printed, /\n401\nevidence\.missing: [\s\S]*WWW-Authenticate: Basic realm="touchmark"\r\n/)
  })

  test('4.5.2 csrattrs: the key type that the profile prefers', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    const printed = await server.sh(`
      curl -sS --fail --cacert $ROOTS $EST/csrattrs -D headers | base64 -d | openssl asn1parse -inform DER
      cat headers`)
    assert.match(printed, /OBJECT +:id-ecPublicKey\n.*SET.*\n.*OBJECT +:prime256v1\n.*OBJECT +:ecdsa-with-SHA256\n/)
    assert.match(printed, /Content-Type: application\/csrattrs\r\n/)
  })

  test('4.4 serverkeygen: key and certificate in two parts', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    const printed = await server.sh(`
      ${request('skg', 'SN-0001')}
      ${post('skg', '--cert birth.pem --key birth.key', 'serverkeygen')}
      cat headers
      ${part('skg.reply', 1)} | base64 -d | openssl pkey -inform DER -out skg-made.key
      ${part('skg.reply', 2)} | base64 -d | openssl pkcs7 -inform DER -print_certs -out skg.pem
      openssl x509 -in skg.pem -noout -pubkey | cmp - <(openssl pkey -in skg-made.key -pubout)
      openssl x509 -in skg.pem -noout -subject`)
    assert.match(printed, /^200\n/)
    assert.match(printed, /Content-Type: multipart\/mixed; boundary=/)
    assert.match(printed, /subject=O = Acme Devices, serialNumber = SN-0001\n/)
  })

  for (const [kind, birth, serialNumber] of [
    ['EC', 'birth', 'SN-0001'],
    ['RSA', 'birth-rsa', 'SN-0003'],
  ] as const) {
    test(`4.4.1.2 serverkeygen, encrypted to the ${kind} key of the device: openssl cms opens it and checks who made it`, async t => {
      if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
      // A birth certificate has no subject key identifier (IEEE 802.1AR 8.10.2): its key is named by its SHA-1 (RFC 5280 4.2.1.2).
      const identifier = keyIdentifierOf(readFileSync(server.folder.join(`${birth}.pem`)))
      const asking = await requestForEncryptedKey(serialNumber, identifier)
      writeFileSync(server.folder.join('asking.b64'), asking)
      await server.sh(`
        ${accepted('asking', `--cert ${birth}.pem --key ${birth}.key`, 'serverkeygen')}
        ${part('asking.reply', 1)} | base64 -d > enveloped.der
        ${part('asking.reply', 2)} | base64 -d | openssl pkcs7 -inform DER -print_certs -out made.pem
        openssl cms -decrypt -inform DER -in enveloped.der -inkey ${birth}.key -binary -out signed-data.der`)
      // RFC 5652 6.1: what was encrypted is a SignedData without the ContentInfo that the command line wants around it.
      writeFileSync(server.folder.join('signed.der'), contentInfo(readFileSync(server.folder.join('signed-data.der'))))
      await server.sh(
        'openssl cms -verify -inform DER -in signed.der -CAfile $ROOTS -purpose any -binary -signer signer.pem -out package.der',
      )
      // RFC 5958 2: AsymmetricKeyPackage is a SEQUENCE OF OneAsymmetricKey; there is one in it.
      writeFileSync(server.folder.join('made.der'), contentOfSequence(readFileSync(server.folder.join('package.der'))))
      const signer = await server.sh(`
        openssl pkey -inform DER -in made.der -pubout | cmp - <(openssl x509 -in made.pem -noout -pubkey)
        openssl x509 -in signer.pem -noout -subject`)
      assert.equal(signer, 'subject=O = Acme Devices, CN = localhost\n')
    })
  }

  test('4.2.3 a request that waits for an operator: 202 with Retry-After, the same again after approval: 200', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    // The rule "other-makers" of a new installation: devices of a maker that we trust wait for an operator.
    const maker = await server.sh(`
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout maker.key -out maker.pem -days 30 \\
        -subj "/O=Other Maker/CN=Device CA" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.csr -subj "/O=Other Maker/serialNumber=OM-1"
      openssl x509 -req -in other.csr -CA maker.pem -CAkey maker.key -days 30 -out other.pem
      cat maker.pem`)
    await acceptMaker(server, maker)
    const printed = await server.sh(`
      ${request('wait', 'OM-1')}
      ${post('wait', '--cert other.pem --key other.key', 'simpleenroll')}
      cat headers wait.reply
      touchmark device approve $(touchmark device pending --json | sed 's/.*"digest":"\\([0-9a-f]*\\)".*/\\1/')
      ${enrol('wait', '--cert other.pem --key other.key', 'simpleenroll')}
      openssl x509 -in wait.pem -noout -subject`)
    assert.match(printed, /^202\n[\s\S]*Retry-After: \d+\r\n[\s\S]*enrolment\.pending: /)
    assert.match(printed, /subject=O = Acme Devices, serialNumber = OM-1\n$/)
  })

  test('RFC 8951 3.1: bodies with and without line breaks, whatever the headers say about transfer encoding', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    const printed = await server.sh(`
      ${request('form', 'SN-0001')}
      tr -d '\\n' < form.b64 > flat.b64
      sed 's/$/\\r/' form.b64 > crlf.b64
      for body in form flat crlf; do
        curl -sS --cacert $ROOTS --cert birth.pem --key birth.key -H 'Content-Type: application/pkcs10' \\
          -H 'Content-Transfer-Encoding: binary' --data-binary @$body.b64 $EST/simpleenroll -o $body.reply -w '%{http_code} '
      done
      cmp form.reply flat.reply && cmp form.reply crlf.reply`)
    assert.equal(printed, '200 200 200 ', 'and the same request gets the same certificate')
  })

  test('3.2.2, 4.2.3 what is wrong is told with its status: content type, encoding, method', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    const printed = await server.sh(`
      ${request('wrong', 'SN-0001')}
      openssl base64 -d -in wrong.b64 -out wrong.der
      ask() { curl -sS --cacert $ROOTS --cert birth.pem --key birth.key "$@" $EST/simpleenroll -w '%{http_code}\\n' | grep -v '^$'; }
      ask -H 'Content-Type: application/json' --data-binary @wrong.b64
      ask -H 'Content-Type: application/pkcs10' --data-binary @wrong.der
      ask -H 'Content-Type: application/pkcs10' --data-binary ''
      ask -H 'Content-Type: application/pkcs10' --data-binary 'MIIB not base64 at all!'
      ask -X GET`)
    assert.match(
      printed,
      /est\.content_type: [\s\S]*\n415\n[\s\S]*est\.body_not_base64: [\s\S]*\n400\n[\s\S]*est\.body_empty: [\s\S]*\n400\n[\s\S]*est\.body_not_base64: [\s\S]*\n400\n[\s\S]*\n405\n$/,
    )
  })

  test('3.2.2 a label selects the profile, and .flat the form of the reply', async t => {
    if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
    const printed = await server.sh(`
      curl -sS --fail --cacert $ROOTS $EST/idevid/cacerts | base64 -d | openssl pkcs7 -inform DER -print_certs -noout
      curl -sS --fail --cacert $ROOTS $EST/ldevid.flat/cacerts | wc -l
      curl -sS --cacert $ROOTS -o /dev/null -w '%{http_code}\\n' $EST/no-such-profile/cacerts`)
    assert.match(printed, /CN = IDevID CA 1\n[\s\S]*\n0\n404\n$/)
  })
})

/** Two units get birth certificates from a factory file. */
const BIRTH = `
  openssl ecparam -name P-256 -genkey -noout -out birth.key
  openssl req -new -key birth.key -subj "/serialNumber=SN-0001" -out birth.csr
  echo "serial,model,csr" > units.csv
  echo "SN-0001,gateway,\\"$(cat birth.csr)\\"" >> units.csv
  openssl genrsa -out birth-rsa.key 2048
  openssl req -new -key birth-rsa.key -subj "/serialNumber=SN-0003" -out birth-rsa.csr
  echo "SN-0003,gateway,\\"$(cat birth-rsa.csr)\\"" >> units.csv
  touchmark batch --input units.csv --profile idevid --output factory --certificate-files
  cp factory/certificates/*SN-0001.pem birth.pem
  cp factory/certificates/*SN-0003.pem birth-rsa.pem`

/** A key and a request in base64: NAME.key, NAME.b64. */
function request(name: string, serialNumber: string): string {
  return `openssl ecparam -name P-256 -genkey -noout -out ${name}.key
    openssl req -new -key ${name}.key -subj "/serialNumber=${serialNumber}" -outform DER | openssl base64 > ${name}.b64`
}

/** Posts NAME.b64; the status on standard output, the body in NAME.reply. */
function post(name: string, identity: string, operation: string): string {
  return `curl -sS --cacert $ROOTS ${identity} -H 'Content-Type: application/pkcs10' --data-binary @${name}.b64 -D headers \\
    -o ${name}.reply -w '%{http_code}\\n' $EST/${operation}`
}

/** As `post`, and what is not 200 fails with what the server said. */
function accepted(name: string, identity: string, operation: string): string {
  return `${post(name, identity, operation)} | grep -qx 200 || { cat ${name}.reply; false; }`
}

/** Posts NAME.b64 and keeps the certificate as NAME.pem. */
function enrol(name: string, identity: string, operation: string): string {
  return `${accepted(name, identity, operation)}
    base64 -d ${name}.reply | openssl pkcs7 -inform DER -print_certs -out ${name}.pem`
}

/** The content of a part of a multipart body. */
function part(file: string, number: number): string {
  return `tr -d '\\r' < ${file} | awk -v part=${number} '/^--/ { n++; body = 0; next } n == part && body; /^$/ { body = 1 }'`
}

/** A request with AsymmetricDecryptKeyIdentifier, an OCTET STRING, which the openssl command cannot write. */
async function requestForEncryptedKey(serialNumber: string, keyIdentifier: Uint8Array): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const value = Buffer.from([0x04, keyIdentifier.length, ...keyIdentifier])
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `2.5.4.5=${serialNumber}`,
    keys,
    signingAlgorithm: algorithm,
    attributes: [new x509.Attribute('1.2.840.113549.1.9.16.2.54', [new Uint8Array(value).buffer])],
  })
  return Buffer.from(csr.rawData).toString('base64')
}

/** ContentInfo of id-signedData around a SignedData (RFC 5652 3). */
function contentInfo(signedData: Uint8Array): Buffer {
  return der(0x30, Buffer.concat([Buffer.from('06092a864886f70d010702', 'hex'), der(0xa0, signedData)]))
}

function der(tag: number, content: Uint8Array): Buffer {
  const length =
    content.length < 128
      ? [content.length]
      : [...Buffer.from(content.length.toString(16).padStart(4, '0'), 'hex')].flatMap((octet, i) =>
          i ? [octet] : [0x82, octet],
        )
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

function contentOfSequence(bytes: Buffer): Buffer {
  const first = bytes[1]!
  return bytes.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f))
}

/** RFC 5280 4.2.1.2 (1): SHA-1 over the BIT STRING of the public key without tag, length and unused bits. */
function keyIdentifierOf(pem: Buffer): Buffer {
  const spki = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })
  const algorithm = contentOfSequence(spki)
  const bitString = algorithm.subarray(2 + algorithm[1]!)
  return createHash('sha1').update(contentOfSequence(bitString).subarray(1)).digest()
}
