// Every profile of the catalogue, issued for every key algorithm that it allows and under every algorithm that a CA may have, and judged by
// tools that are not ours: OpenSSL (strict), GnuTLS, and Node's own X.509 for what OpenSSL 3.0 does not know.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { toPem } from '../../../src/core/asn1/pem.ts'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import { lintCertificateFields } from '../../../src/core/pki/lint.ts'
import { type KeyAlgorithmName, keyAlgorithms } from '../../../src/crypto/algorithms.ts'
import { systemRandom } from '../../../src/crypto/random.ts'
import { profileCatalogue } from '../../../src/domain/ca/catalogue.ts'
import { createSubordinate } from '../../../src/domain/ca/create-authority.ts'
import { prepareCertificate } from '../../../src/domain/ca/prepare.ts'
import { parseProfile } from '../../../src/domain/ca/profile.ts'
import { signPrepared } from '../../../src/domain/ca/sign.ts'
import type { IssuingAuthority } from '../../../src/domain/ca/signing-authority.ts'
import { ChangeBuilder } from '../../../src/domain/change-builder.ts'
import { requireTool } from '../../support/tools.ts'
import { authorities, createPorts, keyOf, MemoryKeyStore, NOW, plan, request, settings } from './fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'touchmark-catalogue-'))
after(() => rmSync(folder, { recursive: true }))

/** The system's OpenSSL is 3.0, which has no ML-DSA. */
const isPostQuantum = (algorithm: KeyAlgorithmName) => algorithm.startsWith('ML-DSA')
/** How OpenSSL calls what each profile is for; none: no purpose is asked. */
const PURPOSES: Readonly<Record<string, string>> = {
  ldevid: 'sslclient',
  'gateway-tls-server': 'sslserver',
  'operator-client': 'sslclient',
  'ocsp-signer': 'ocsphelper',
  'time-stamping': 'timestampsign',
  'server-tls': 'sslserver',
}

interface Case {
  readonly profile: string
  readonly key: KeyAlgorithmName
  readonly leaf: Uint8Array
  readonly authority: IssuingAuthority
}

/** Matter's are P-256 from top to bottom, and roots are made by `createRoot`. */
const issued = profileCatalogue.filter(({ name }) => name !== 'root')

async function issue(name: string, key: KeyAlgorithmName, authority: IssuingAuthority, now = NOW): Promise<Case> {
  const profile = parseProfile(issued.find(each => each.name === name))
  const wanted = await request(profile, key, { now })
  const prepared = prepareCertificate(wanted, authority, { settings, random: systemRandom })
  const { der } = await signPrepared(prepared, authority.signer)
  return { profile: name, key, leaf: der, authority }
}

/** The authority that may issue the profile: CA certificates need a path length. */
async function authorityFor(name: string): Promise<IssuingAuthority> {
  const { root, issuing } = await authorities()
  return name === 'sub-ca' ? root : issuing
}

/** Any CA key algorithm, under a P-256 root: the device's key of that algorithm serves as the CA's. */
async function issuingWith(algorithm: KeyAlgorithmName): Promise<IssuingAuthority> {
  const { root } = await authorities()
  const ports = createPorts(new MemoryKeyStore(name => keyOf(name)), NOW - 86_400)
  return createSubordinate(plan('any-1', { algorithm }), root, ports, new ChangeBuilder())
}

function write(name: string, ...ders: Uint8Array[]): string {
  const path = join(folder, name)
  writeFileSync(path, ders.map(der => toPem('CERTIFICATE', der)).join(''))
  return path
}

function opensslVerify({ leaf, authority, profile }: Case) {
  const chain = [authority.certificate, ...authority.chain].map(({ raw }) => raw)
  const purpose = PURPOSES[profile]
  const args = ['verify', '-x509_strict', '-attime', String(NOW), ...(purpose ? ['-purpose', purpose] : [])]
  args.push('-CAfile', write('root.pem', chain.at(-1)!))
  if (chain.length > 1) args.push('-untrusted', write('chain.pem', ...chain.slice(0, -1)))
  return spawnSync('openssl', [...args, write('leaf.pem', leaf)], { encoding: 'utf8' })
}

function certtoolVerify({ leaf, authority }: Case) {
  const chain = [authority.certificate, ...authority.chain].map(({ raw }) => raw)
  const args = ['--verify', '--verify-profile', 'low', '--load-ca-certificate', write('anchor.pem', chain.at(-1)!)]
  args.push('--infile', write('whole.pem', leaf, ...chain.slice(0, -1)))
  return spawnSync('certtool', args, { encoding: 'utf8' })
}

function assertByNode({ leaf, authority }: Case): void {
  const certificate = new X509Certificate(leaf)
  const issuer = new X509Certificate(authority.certificate.raw)
  assert.ok(certificate.checkIssued(issuer))
  assert.ok(certificate.verify(issuer.publicKey))
}

describe('the catalogue', () => {
  for (const { name, keyAlgorithms: allowed } of issued) {
    it(`${name}: every allowed key, by our lint, by OpenSSL -x509_strict and by Node`, async t => {
      const openssl = requireTool(t, 'openssl')
      for (const key of allowed) {
        const made = await issue(name, key, await authorityFor(name))
        assertByNode(made)
        const { certificate } = made.authority
        assert.deepEqual(
          lintCertificateFields(parseCertificate(made.leaf), { issuer: certificate }),
          [],
          `${name} ${key}`,
        )
        if (!openssl || isPostQuantum(key)) continue
        const { status, stdout, stderr } = opensslVerify(made)
        assert.equal(status, 0, `${name} ${key}: ${stdout}${stderr}`)
      }
    })
  }

  it('every profile verifies with GnuTLS', async t => {
    if (!requireTool(t, 'certtool')) return
    // certtool knows no other time than that of the machine.
    const now = Math.floor(Date.now() / 1000)
    for (const { name } of issued) {
      const { status, stdout, stderr } = certtoolVerify(await issue(name, 'P-256', await authorityFor(name), now))
      assert.equal(status, 0, `${name}: ${stdout}${stderr}`)
    }
  })
})

describe('CA keys of every algorithm', () => {
  for (const { name: algorithm } of keyAlgorithms) {
    it(`${algorithm} signs, and OpenSSL or Node verifies`, async t => {
      const made = await issue('ldevid', 'P-256', await issuingWith(algorithm))
      assertByNode(made)
      if (isPostQuantum(algorithm) || !requireTool(t, 'openssl')) return
      const { status, stdout, stderr } = opensslVerify(made)
      assert.equal(status, 0, `${stdout}${stderr}`)
    })
  }
})
