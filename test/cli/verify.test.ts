// `touchmark verify FILE…`: the words for people, the JSON for programs, the exit code for both.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { toPem } from '../../src/core/asn1/pem.ts'
import { encodeSubjectAltName, extension } from '../../src/core/pki/extensions.ts'
import { OID } from '../../src/core/pki/oids.ts'
import type { VerdictView } from '../../src/domain/verdict/verdict-view.ts'
import { makeCertificate, privateKeyPem, TEST_NOW } from '../support/certificates.ts'
import { type CliResult, testFolder, touchmark } from '../support/cli.ts'
import { requireTool } from '../support/tools.ts'

/** OpenSSL takes the time from the clock. */
const notAfter = Date.UTC(2075, 0, 1) / 1000
const AT = ['--at', new Date(TEST_NOW * 1000).toISOString()]

describe('verify FILE', () => {
  const folder = testFolder()
  const root = makeCertificate({ subject: 'CN=Root', ca: true, notAfter })
  const ca = makeCertificate({ subject: 'CN=CA', ca: 0, issuer: root, notAfter })
  const san = extension(OID.subjectAltName, false, encodeSubjectAltName([{ kind: 'dNSName', value: 'host.example' }]))
  const leaf = makeCertificate({ subject: 'CN=host', issuer: ca, extensions: [san], serial: '1234', notAfter })
  const pem = ({ certificate }: typeof root) => toPem('CERTIFICATE', certificate.raw)

  before(() => {
    writeFileSync(folder.join('root.pem'), `a comment\n${pem(root)}`)
    writeFileSync(folder.join('chain.pem'), pem(leaf) + pem(ca))
    writeFileSync(folder.join('leaf.der'), leaf.certificate.raw)
    writeFileSync(folder.join('ca.pem'), pem(ca))
    writeFileSync(folder.join('ca.key'), privateKeyPem(ca.key))
    writeFileSync(folder.join('root.key'), privateKeyPem(root.key))
    writeFileSync(folder.join('rubbish.pem'), 'rubbish')
  })

  after(() => folder[Symbol.dispose]())

  const verify = (...args: string[]): Promise<CliResult> =>
    touchmark(['verify', ...AT, ...args], { cwd: folder.path, env: { TOUCHMARK_DATA: folder.join('none') } })

  it('is good, in words, with the anchors that were named and no data folder', async () => {
    const { code, stdout } = await verify(
      'chain.pem',
      '--trust',
      'root.pem',
      '--purpose',
      'server',
      '--name',
      'dns:host.example',
    )
    assert.equal(code, 0)
    assert.match(stdout, /^CN=host: good at 2026-01-01T00:00:00Z\n/)
    assert.match(stdout, /✓ path {8}It leads to an anchor: CN=host ← CN=CA ← CN=Root\./)
    assert.match(stdout, /✓ name {8}It is for dns host\.example\./)
    assert.match(stdout, /✓ validity {4}It ends at 2075-01-01T00:00:00Z, in 17897 days\./)
    assert.equal((await verify('leaf.der', 'ca.pem', '--trust', 'root.pem')).code, 0)
  })

  it('is not good, with the reasons', async () => {
    const { code, stdout } = await verify('leaf.der', '--trust', 'root.pem', '--name', 'ip:192.0.2.1')
    assert.equal(code, 1)
    assert.match(stdout, /^CN=host: not good at .* {2}path\.no_issuer\n/)
    assert.match(stdout, /✗ name/)
    assert.match(stdout, /reason {3}identity\.no_such_name /)
    const { code: asJson, stdout: text, stderr } = await verify('leaf.der', '--trust', 'root.pem', '--json')
    assert.deepEqual([asJson, stderr], [1, ''])
    const verdict = JSON.parse(text) as VerdictView
    assert.deepEqual([verdict.good, verdict.code, verdict.path[0]?.serialNumber], [false, 'path.no_issuer', '1234'])
  })

  it('says what is wrong with the command line, the files and the data folder', async () => {
    const WRONG: readonly (readonly string[])[] = [
      [],
      ['chain.pem', '--ndjson'],
      ['chain.pem', '--purpose', 'fun'],
      ['chain.pem', '--name', 'host.example'],
      ['chain.pem', '--at', 'tomorrow'],
    ]
    const codes = Promise.all(WRONG.map(async args => (await verify(...args)).code))
    const said = Promise.all([
      verify('missing.pem', '--trust', 'root.pem'),
      verify('rubbish.pem', '--trust', 'root.pem'),
      verify('chain.pem', '--trust', 'root.pem', '--crl', 'rubbish.pem'),
      verify('chain.pem'),
    ])
    assert.deepEqual(await codes, [2, 2, 2, 2, 2])
    const [missing, rubbish, crl, folderless] = await said
    assert.match(missing.stderr, /file\.unreadable/)
    assert.match(rubbish.stderr, /file\.empty/)
    assert.match(crl.stderr, /file\.empty/)
    assert.deepEqual([folderless.code, folderless.stderr.includes('data.not_initialised')], [3, true])
  })

  it('takes CRLs and OCSP responses that OpenSSL made', async t => {
    if (!requireTool(t, 'openssl')) return
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder.path, stdio: 'pipe' })
    writeFileSync(
      folder.join('openssl.cnf'),
      '[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ndefault_md = sha256\ncrlnumber = crlnumber\n',
    )
    const index = (line: string) => writeFileSync(folder.join('index.txt'), line)
    writeFileSync(folder.join('crlnumber'), '01\n')
    const crl = (name: string) =>
      openssl(
        'ca',
        '-config',
        'openssl.cnf',
        '-gencrl',
        '-keyfile',
        `${name}.key`,
        '-cert',
        `${name}.pem`,
        '-crldays',
        '30',
        '-out',
        `${name}.crl`,
      )
    const judge = async (...args: string[]) => {
      const asked = ['verify', 'chain.pem', '--trust', 'root.pem', ...args, '--json']
      const { stdout, stderr } = await touchmark(asked, {
        cwd: folder.path,
        env: { TOUCHMARK_DATA: folder.join('none') },
      })
      assert.ok(stdout, stderr)
      return (JSON.parse(stdout) as VerdictView).code
    }
    index('')
    crl('root')
    crl('ca')
    assert.equal(await judge('--crl', 'root.crl', '--crl', 'ca.crl'), 'good')
    assert.equal(await judge('--crl', 'ca.crl'), 'path.revocation_unknown')
    const respond = () => {
      openssl(
        'ocsp',
        '-index',
        'index.txt',
        '-CA',
        'ca.pem',
        '-rsigner',
        'ca.pem',
        '-rkey',
        'ca.key',
        '-issuer',
        'ca.pem',
        '-serial',
        '0x1234',
        '-ndays',
        '7',
        '-respout',
        'leaf.ors',
      )
    }
    index('V\t270101000000Z\t\t1234\tunknown\t/CN=host\n')
    respond()
    assert.equal(await judge('--ocsp', 'leaf.ors'), 'good')
    index('R\t270101000000Z\t260601000000Z,keyCompromise\t1234\tunknown\t/CN=host\n')
    crl('ca')
    respond()
    assert.equal(await judge('--crl', 'root.crl', '--crl', 'ca.crl'), 'path.revoked')
    assert.equal(await judge('--ocsp', 'leaf.ors'), 'path.revoked')
  })
})
