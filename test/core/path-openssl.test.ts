// OpenSSL as the judge of our verdicts on paths: the same certificates, CRLs, time and policies, and the same answer, valid or not.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { toPem } from '../../src/core/asn1/pem.ts'
import type { CertificateList } from '../../src/core/pki/crl.ts'
import { encodeCRLDistributionPoints } from '../../src/core/pki/distribution-point.ts'
import type { Extension } from '../../src/core/pki/extension.ts'
import { encodeKeyUsage, encodeSubjectAltName, extension } from '../../src/core/pki/extensions.ts'
import type { GeneralName } from '../../src/core/pki/general-name.ts'
import { encodeNameConstraints } from '../../src/core/pki/name-constraints.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { type PolicyInput, validateChain } from '../../src/core/pki/path.ts'
import {
  encodeCertificatePolicies,
  encodePolicyConstraints,
  encodePolicyMappings,
} from '../../src/core/pki/policies.ts'
import { type Made, makeCertificate, p256Key, TEST_NOW, verifyWithNode } from '../support/certificates.ts'
import { makeCrl } from '../support/crls.ts'
import { requireTool } from '../support/tools.ts'

interface Case {
  readonly leaf: Made
  readonly intermediates?: readonly Made[]
  readonly crls?: readonly CertificateList[]
  readonly policies?: PolicyInput
  readonly valid: boolean
}

const root = makeCertificate({ subject: 'CN=root', ca: true })
const issuing = makeCertificate({ subject: 'CN=issuing', issuer: root, ca: true })
const device = makeCertificate({ subject: 'CN=device', issuer: issuing })
const rootCrl = makeCrl({ issuer: root })
const base = makeCrl({ issuer: issuing, number: 10 })
const heldBase = makeCrl({ issuer: issuing, number: 10, revoked: [[device.certificate, 'certificateHold']] })

const dns = (value: string): GeneralName => ({ kind: 'dNSName', value })
const ip = (...octets: readonly number[]): GeneralName => ({ kind: 'iPAddress', bytes: new Uint8Array(octets) })
const mail = (value: string): GeneralName => ({ kind: 'rfc822Name', value })
const uri = (value: string): GeneralName => ({ kind: 'uniformResourceIdentifier', value })
const point = (value: string) => ({ distributionPoint: { kind: 'fullName' as const, names: [uri(value)] } })
const policies = (...oids: readonly string[]): Extension =>
  extension(
    OID.certificatePolicies,
    false,
    encodeCertificatePolicies(oids.map(policyIdentifier => ({ policyIdentifier, policyQualifiers: [] }))),
  )
const ca = (...extensions: readonly Extension[]) =>
  makeCertificate({ subject: 'CN=ca', issuer: root, ca: true, extensions })
const below = (issuer: Made, ...extensions: readonly Extension[]) =>
  makeCertificate({ subject: 'CN=leaf', issuer, extensions })

function withNames(base: GeneralName, ...names: readonly GeneralName[]): Pick<Case, 'leaf' | 'intermediates'> {
  const constrained = ca(extension(OID.nameConstraints, true, encodeNameConstraints({ permittedSubtrees: [{ base }] })))
  const leaf = below(constrained, extension(OID.subjectAltName, false, encodeSubjectAltName(names)))
  return { leaf, intermediates: [constrained] }
}

function withPolicies(leafPolicies: readonly string[], ...extensions: readonly Extension[]) {
  const constrained = ca(...extensions)
  return { leaf: below(constrained, policies(...leafPolicies)), intermediates: [constrained] }
}

const shardOne = makeCrl({ issuer: issuing, scope: point('http://crl.example/1') })
const shardOf = (n: number) =>
  below(
    issuing,
    extension(OID.cRLDistributionPoints, false, encodeCRLDistributionPoints([point(`http://crl.example/${n}`)])),
  )
const mapping = [{ issuerDomainPolicy: '1.2.3.1', subjectDomainPolicy: '1.2.3.2' }]
const mute = makeCertificate({
  subject: 'CN=mute',
  issuer: root,
  ca: true,
  extensions: [extension(OID.keyUsage, true, encodeKeyUsage(['keyCertSign']))],
})

const CASES: Readonly<Record<string, Case>> = {
  'a chain of three': { leaf: device, valid: true },
  'no CA in the middle': { leaf: below(device), intermediates: [issuing, device], valid: false },
  'nothing revoked': { leaf: device, crls: [rootCrl, base], valid: true },
  'no CRL of the issuing CA': { leaf: device, crls: [rootCrl], valid: false },
  'a leaf that is revoked': {
    leaf: device,
    crls: [rootCrl, makeCrl({ issuer: issuing, revoked: [[device.certificate]] })],
    valid: false,
  },
  'a CA that is revoked': {
    leaf: device,
    crls: [makeCrl({ issuer: root, revoked: [[issuing.certificate, 'cACompromise']] }), base],
    valid: false,
  },
  'a CRL that has expired': {
    leaf: device,
    crls: [rootCrl, makeCrl({ issuer: issuing, nextUpdate: TEST_NOW - 1 })],
    valid: false,
  },
  'a CRL from the future': {
    leaf: device,
    crls: [rootCrl, makeCrl({ issuer: issuing, thisUpdate: TEST_NOW + 9 })],
    valid: false,
  },
  'a CRL with a foreign signature': {
    leaf: device,
    crls: [rootCrl, makeCrl({ issuer: issuing, key: p256Key() })],
    valid: false,
  },
  'a CA that may not sign CRLs': {
    leaf: below(mute),
    intermediates: [mute],
    crls: [rootCrl, makeCrl({ issuer: mute })],
    valid: false,
  },
  'a hold': { leaf: device, crls: [rootCrl, heldBase], valid: false },
  'a CRL of CAs for a leaf': {
    leaf: device,
    crls: [rootCrl, makeCrl({ issuer: issuing, scope: { onlyContainsCACerts: true } })],
    valid: false,
  },
  'a CRL of users for a leaf': {
    leaf: device,
    crls: [rootCrl, makeCrl({ issuer: issuing, scope: { onlyContainsUserCerts: true } })],
    valid: true,
  },
  'its shard': { leaf: shardOf(1), crls: [rootCrl, shardOne], valid: true },
  'another shard': { leaf: shardOf(2), crls: [rootCrl, shardOne], valid: false },
  'a DNS name inside': { ...withNames(dns('example.com'), dns('a.example.com')), valid: true },
  'a DNS name outside': { ...withNames(dns('example.com'), dns('a.example.org')), valid: false },
  'an address inside': { ...withNames(ip(10, 0, 0, 0, 255, 0, 0, 0), ip(10, 1, 2, 3)), valid: true },
  'an address outside': { ...withNames(ip(10, 0, 0, 0, 255, 0, 0, 0), ip(11, 1, 2, 3)), valid: false },
  'a mailbox inside': { ...withNames(mail('example.com'), mail('a@example.com')), valid: true },
  'a mailbox outside': { ...withNames(mail('example.com'), mail('a@sub.example.com')), valid: false },
  'a URI inside': { ...withNames(uri('.example.com'), uri('https://a.example.com/x')), valid: true },
  'a URI outside': { ...withNames(uri('.example.com'), uri('https://example.com/x')), valid: false },
  'a name of another form': { ...withNames(uri('.example.com'), dns('elsewhere')), valid: true },
  'the policy that is wanted': {
    ...withPolicies(['1.2.3.1'], policies('1.2.3.1')),
    policies: { initial: ['1.2.3.1'], explicit: true },
    valid: true,
  },
  'another policy': {
    ...withPolicies(['1.2.3.1'], policies('1.2.3.1')),
    policies: { initial: ['1.2.3.2'], explicit: true },
    valid: false,
  },
  'a policy under anyPolicy': {
    ...withPolicies(['1.2.3.1'], policies(OID.anyPolicy)),
    policies: { initial: ['1.2.3.1'], explicit: true },
    valid: true,
  },
  'anyPolicy where that is inhibited': {
    ...withPolicies(['1.2.3.1'], policies(OID.anyPolicy)),
    policies: { initial: ['1.2.3.1'], explicit: true, inhibitAny: true },
    valid: false,
  },
  'a CA that requires a policy': {
    ...withPolicies(
      ['1.2.3.9'],
      policies('1.2.3.1'),
      extension(OID.policyConstraints, true, encodePolicyConstraints({ requireExplicitPolicy: 0 })),
    ),
    policies: {},
    valid: false,
  },
  'a policy that was mapped': {
    ...withPolicies(
      ['1.2.3.2'],
      policies('1.2.3.1'),
      extension(OID.policyMappings, true, encodePolicyMappings(mapping)),
    ),
    policies: { initial: ['1.2.3.1'], explicit: true },
    valid: true,
  },
  'a mapping where that is inhibited': {
    ...withPolicies(
      ['1.2.3.2'],
      policies('1.2.3.1'),
      extension(OID.policyMappings, true, encodePolicyMappings(mapping)),
    ),
    policies: { initial: ['1.2.3.1'], explicit: true, inhibitMapping: true },
    valid: false,
  },
}

function ours({ leaf, intermediates = [issuing], crls, policies: wanted }: Case): boolean {
  return validateChain({
    leaf: leaf.certificate,
    intermediates: intermediates.map(({ certificate }) => certificate),
    anchors: [root.certificate],
    at: TEST_NOW,
    verify: verifyWithNode,
    policies: wanted,
    revocation: crls && { crls, required: true },
  }).ok
}

function openssl(folder: string, { leaf, intermediates = [issuing], crls, policies: wanted }: Case): boolean {
  const write = (name: string, label: string, ders: readonly Uint8Array[]) => {
    writeFileSync(join(folder, name), ders.map(der => toPem(label, der)).join(''))
    return join(folder, name)
  }
  const certificates = (name: string, all: readonly Made[]) =>
    write(
      name,
      'CERTIFICATE',
      all.map(({ certificate }) => certificate.raw),
    )
  const options = ['-attime', String(TEST_NOW), '-CAfile', certificates('root.pem', [root])]
  options.push('-untrusted', certificates('untrusted.pem', intermediates))
  if (crls) {
    const lists = crls.map(({ raw }) => raw)
    options.push('-crl_check_all', '-extended_crl', '-use_deltas', '-CRLfile', write('crls.pem', 'X509 CRL', lists))
  }
  if (wanted) options.push('-policy_check')
  for (const oid of wanted?.initial ?? []) options.push('-policy', oid)
  if (wanted?.explicit) options.push('-explicit_policy')
  if (wanted?.inhibitAny) options.push('-inhibit_any')
  if (wanted?.inhibitMapping) options.push('-inhibit_map')
  return spawnSync('openssl', ['verify', ...options, certificates('leaf.pem', [leaf])]).status === 0
}

describe('Paths as OpenSSL judges them', () => {
  it('the answer is the same', t => {
    if (!requireTool(t, 'openssl')) return
    const folder = mkdtempSync(join(tmpdir(), 'touchmark-path-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    for (const [what, each] of Object.entries(CASES)) {
      assert.equal(ours(each), each.valid, `ours: ${what}`)
      assert.equal(openssl(folder, each), each.valid, `openssl: ${what}`)
    }
  })
})
