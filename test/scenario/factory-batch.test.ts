// A factory line as its engineer runs it: the commands of docs/guides/factory-batch.md, on files as they come.
import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { parsePemBlock } from '../../src/core/asn1/pem.ts'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

interface BatchResult {
  readonly issued: number
  readonly existing: number
  readonly rejected: number
}

/** The last line of standard output: scripts outside rely on it. */
const lastLine = (stdout: string) => JSON.parse(stdout.trim().split('\n').at(-1)!) as BatchResult

test('CSRs in a CSV: certificates by serial number, a table, a manifest that OpenSSL verifies; run again, nothing is doubled', async t => {
  if (!requireTool(t, 'openssl')) return
  await using server = await LiveServer.prepare()
  const rows = ['serial,model,csr']
  for (const serial of ['SN-1', 'SN-2', 'SN-3']) {
    await server.sh(
      `openssl ecparam -name prime256v1 -genkey -noout -out ${serial}.key && openssl req -new -key ${serial}.key -subj /serialNumber=${serial} -out ${serial}.csr`,
    )
    rows.push(`${serial},gw,"${readFileSync(server.folder.join(`${serial}.csr`), 'utf8')}"`)
  }
  rows.push('SN-4,gw,bm90IGEgQ1NS')
  writeFileSync(server.folder.join('units.csv'), rows.join('\n'))
  const command = 'touchmark batch --input units.csv --profile idevid --output out --certificate-files --json'
  const first = lastLine(await server.sh(command))
  assert.deepEqual([first.issued, first.existing, first.rejected], [3, 0, 1])

  await server.sh('touchmark trust > trust.pem && touchmark authority show idevid-1 --chain > chain.pem')
  for (const serial of ['SN-1', 'SN-2', 'SN-3']) {
    const file = `out/certificates/gw+${serial}.pem`
    await server.sh(`openssl verify -x509_strict -CAfile trust.pem -untrusted chain.pem ${file}`)
    const certificate = new X509Certificate(readFileSync(server.folder.join(file)))
    assert.match(certificate.subject, new RegExp(`serialNumber=${serial}`))
    assert.equal(certificate.validTo, 'Dec 31 23:59:59 9999 GMT')
  }
  await server.sh(
    'openssl cms -verify -binary -inform DER -in out/manifest.json.p7s -content out/manifest.json -CAfile trust.pem -purpose any -out /dev/null',
  )
  const tampered =
    'sed s/3/4/ out/manifest.json > tampered.json && openssl cms -verify -binary -inform DER -in out/manifest.json.p7s -content tampered.json -CAfile trust.pem -purpose any -out /dev/null'
  assert.notEqual((await server.run(tampered)).code, 0)
  const table = readFileSync(server.folder.join('out/results.csv'), 'utf8').trim().split('\n')
  assert.deepEqual(
    table.map(row => row.split(',')[3]),
    ['outcome', 'issued', 'issued', 'issued', 'rejected'],
  )

  const rejects = readFileSync(server.folder.join('out/rejects.csv'), 'utf8').trim().split('\n')
  assert.equal(rejects.length, 2)
  const lineOfReject = rows.join('\n').split('\n').length
  assert.match(rejects[1]!, new RegExp(`^${lineOfReject},gw,SN-4,`))
  const manifest = JSON.parse(readFileSync(server.folder.join('out/manifest.json'), 'utf8'))
  assert.match(manifest.checkpoint, /\n\n\u2014 /, 'a signed note')

  const second = lastLine(await server.sh(command.replace('--output out', '--output again')))
  assert.deepEqual([second.issued, second.existing, second.rejected], [0, 3, 1])
  const pem = (folder: string) => readFileSync(server.folder.join(`${folder}/certificates/gw+SN-1.pem`), 'utf8')
  assert.equal(pem('again'), pem('out'))
  await server.sh('touchmark audit verify')
  await server.assertInvariants()
})

test('serial numbers only: refused, unless the station may make keys; it delivers them encrypted, for this user only, the same ones when repeated', async () => {
  await using server = await LiveServer.prepare()
  writeFileSync(server.folder.join('serials.txt'), 'K-1\nK-2\n')
  const plain = 'touchmark batch --input serials.txt --model gw --profile idevid --output out --json'
  const refused = await server.run(plain)
  assert.deepEqual([refused.code, lastLine(refused.stdout).rejected], [1, 2])
  assert.match(readFileSync(server.folder.join('out/rejects.csv'), 'utf8'), /^1,gw,K-1,factory\.key_missing,/m)
  writeFileSync(server.folder.join('line.pass'), 'for the line\n', { mode: 0o600 })
  const command = `${plain} --generate-keys --key-passphrase-file line.pass`
  assert.equal(lastLine(await server.sh(command)).issued, 2)
  const table = readFileSync(server.folder.join('out/results.csv'), 'utf8')
  assert.ok(!existsSync(server.folder.join('out/certificates')), 'PEM files are written on request only')
  const files = readdirSync(server.folder.join('out/keys')).sort()
  assert.deepEqual(files, ['gw+K-1.key.pem', 'gw+K-2.key.pem'])
  assert.equal(statSync(server.folder.join('out/keys')).mode & 0o777, 0o700)
  for (const file of files) assert.equal(statSync(server.folder.join(`out/keys/${file}`)).mode & 0o777, 0o600)
  const key = readFileSync(server.folder.join('out/keys/gw+K-1.key.pem'), 'utf8')
  const certificate = new X509Certificate(Buffer.from(/,K-1,issued,.*,([^,\n]+)$/m.exec(table)![1]!, 'base64'))
  assert.match(key, /^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
  assert.ok(certificate.checkPrivateKey(createPrivateKey({ key, passphrase: 'for the line' })))
  assert.throws(() => createPrivateKey({ key, passphrase: 'another' }))
  assert.equal(lastLine(await server.sh(command)).existing, 2)
  assert.equal(readFileSync(server.folder.join('out/keys/gw+K-1.key.pem'), 'utf8'), key)
})

test('a serial number cannot lead out of the output folder', async () => {
  await using server = await LiveServer.prepare()
  writeFileSync(server.folder.join('serials.txt'), 'serial,model\n../../evil,..\n/etc/x,gw\n')
  await server.sh(
    'touchmark batch --input serials.txt --profile idevid --output out/deep/deeper --generate-keys --certificate-files --json',
  )
  const certificates = readdirSync(server.folder.join('out/deep/deeper/certificates'))
  assert.equal(certificates.length, 2)
  assert.deepEqual(readdirSync(server.folder.join('out')), ['deep'])
  assert.deepEqual(readdirSync(server.folder.join('out/deep')), ['deeper'])
})

test('an input that nobody understands, a profile that does not exist, an output that cannot be: said plainly, nothing is done', async () => {
  await using server = await LiveServer.prepare()
  const before = await server.counts()
  writeFileSync(server.folder.join('bin.dat'), Buffer.from([0, 1, 2, 0xff]))
  writeFileSync(server.folder.join('units.csv'), 'serial\nA\n')
  writeFileSync(server.folder.join('file'), '')
  for (const [command, code] of [
    ['touchmark batch --input nothing.csv --profile idevid --output out', 'factory.input_missing'],
    ['touchmark batch --input bin.dat --profile idevid --output out', 'factory.input_unknown'],
    ['touchmark batch --input units.csv --profile nothing --output out', 'profile.not_found'],
    ['touchmark batch --input units.csv --profile idevid --output file', 'factory.output_unusable'],
  ] as const) {
    const { code: exit, stderr } = await server.run(command)
    assert.notEqual(exit, 0, command)
    assert.match(stderr, new RegExp(code.replace('.', '\\.')))
  }
  // The profile that there is not is a refusal, and written down (operator.refused).
  assert.deepEqual(await server.counts(), { ...before, auditEntries: before.auditEntries + 1 })
})

test('the example programs run', async t => {
  if (!requireTool(t, 'openssl')) return
  const node = process.execPath
  const examples = new URL('../../examples/', import.meta.url).pathname
  await using server = await LiveServer.start()
  const request = await server.sh(`'${node}' ${examples}make-request.ts SN-7 2>said && cat said >&2`)
  assert.ok(parsePemBlock(request, 'CERTIFICATE REQUEST').length > 0)
  writeFileSync(server.folder.join('sn7.csr'), request)
  await server.sh('openssl req -in sn7.csr -noout -verify')
  await server.sh('touchmark batch --input sn7.csr --profile idevid --output out --certificate-files')
  await server.sh('sleep 3')
  const proof = await server.sh(
    `'${node}' ${examples}prove-certificate.ts "$HTTP" "$(curl -sf $HTTP/log/key)" out/certificates/SN-7.pem`,
  )
  assert.match(proof, /^Entry \d+ of \d+ records this certificate/)
  await server.sh(
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout x.key -subj /CN=x -out x.pem`,
  )
  const stranger = await server.run(
    `'${node}' ${examples}prove-certificate.ts "$HTTP" "$(curl -sf $HTTP/log/key)" x.pem`,
  )
  assert.equal(stranger.code, 1)
})
