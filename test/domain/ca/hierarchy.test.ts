// Hierarchies on a real store: the first one of an instance, authorities under it, certificates that come from elsewhere.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createStore } from '../../../src/adapters/store/open-store.ts'
import { toPem } from '../../../src/core/asn1/pem.ts'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import { parseCertificationRequest } from '../../../src/core/pki/csr.ts'
import { findExtension } from '../../../src/core/pki/extension.ts'
import { parseBasicConstraints } from '../../../src/core/pki/extensions.ts'
import { formatName } from '../../../src/core/pki/name.ts'
import { OID } from '../../../src/core/pki/oids.ts'
import { validateChain } from '../../../src/core/pki/path.ts'
import { systemRandom } from '../../../src/crypto/random.ts'
import { verifySignature } from '../../../src/crypto/verify.ts'
import { parseAuditEntry } from '../../../src/domain/audit/entry.ts'
import { addAwaiting, addSubordinate, signAuthorityRequest } from '../../../src/domain/ca/add-authority.ts'
import { AuthorityDirectory } from '../../../src/domain/ca/authorities.ts'
import { profileCatalogue } from '../../../src/domain/ca/catalogue.ts'
import { certificationRequestFor, createRoot, createSubordinate } from '../../../src/domain/ca/create-authority.ts'
import { createInitialHierarchy, type InitialHierarchy } from '../../../src/domain/ca/hierarchy.ts'
import { importAuthorityCertificate, retireAuthority } from '../../../src/domain/ca/import-authority.ts'
import { CertificateIssuer } from '../../../src/domain/ca/issuer.ts'
import { prepareCertificate } from '../../../src/domain/ca/prepare.ts'
import { settingsDocument } from '../../../src/domain/ca/settings.ts'
import { signPrepared } from '../../../src/domain/ca/sign.ts'
import { ChangeBuilder } from '../../../src/domain/change-builder.ts'
import { authorityId } from '../../../src/domain/ids.ts'
import type { Store } from '../../../src/domain/ports.ts'
import { requireTool } from '../../support/tools.ts'
import {
  ACTOR,
  createPorts,
  device,
  keyOf,
  MemoryKeyStore,
  NOW,
  plan,
  profile,
  request,
  settings,
  settingsConfig,
  authorities as world,
} from './fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'touchmark-hierarchy-'))
const stores: Store[] = []
after(async () => {
  for (const store of stores) await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

async function newStore(): Promise<Store> {
  const store = await createStore({ folder: join(folder, String(stores.length)) })
  stores.push(store)
  return store
}

const options = { organization: 'Example Devices', publicHttpUrl: 'http://pki.example:8080' }
const clock = { now: () => NOW }

async function newInstance(more: Partial<Parameters<typeof createInitialHierarchy>[0]> = {}) {
  const store = await newStore()
  const keyStore = new MemoryKeyStore()
  const offlineKeyStore = new MemoryKeyStore()
  const ports = { store, keyStore, offlineKeyStore, clock, random: systemRandom, actor: ACTOR }
  const hierarchy = await createInitialHierarchy({ ...options, ...more }, ports)
  const authorities = new AuthorityDirectory({ store, keyStore })
  const issuer = new CertificateIssuer({ authorities, random: systemRandom })
  const add = { store, authorities, keyStore, random: systemRandom, now: NOW, actor: ACTOR }
  /** The offline root with its key, as `--issuer-keys` opens it. */
  const offline = new AuthorityDirectory({ store, keyStore: offlineKeyStore })
  const root = () => offline.signing(hierarchy.root.id)
  const taking = { store, authorities, keyStore, now: NOW, actor: ACTOR }
  return { ...ports, hierarchy, authorities, issuer, add, root, taking }
}

async function auditActions(store: Store): Promise<string[]> {
  const actions: string[] = []
  for await (const { bytes } of store.read.auditEntries(0)) actions.push(parseAuditEntry(bytes).action)
  return actions
}

describe('the first hierarchy', () => {
  let instance: Awaited<ReturnType<typeof newInstance>>
  before(async () => {
    instance = await newInstance()
  })

  it('is a root and three issuing authorities, all in force', async () => {
    const all = await instance.authorities.all()
    assert.deepEqual(all.map(({ id, kind, state, issuer }) => [id, kind, state, issuer]).sort(), [
      ['idevid-1', 'issuing', 'active', 'root-1'],
      ['ldevid-1', 'issuing', 'active', 'root-1'],
      ['root-1', 'root', 'active', 'root-1'],
      ['services-1', 'issuing', 'active', 'root-1'],
    ])
    const { root, idevid } = instance.hierarchy
    assert.equal(formatName(parseCertificate(root.certificate!).subject), 'CN=Root CA 1,O=Example Devices')
    const constraints = findExtension(parseCertificate(idevid.certificate!).extensions, OID.basicConstraints)!
    assert.deepEqual({ ...parseBasicConstraints(constraints.value) }, { cA: true, pathLenConstraint: 0 })
  })

  it('keeps the key of the root where no server looks', async () => {
    const inService = async (keyStore: MemoryKeyStore) =>
      (await keyStore.list()).map(({ label, state }) => `${label} ${state}`)
    assert.deepEqual(await inService(instance.offlineKeyStore), ['root-1 in-use'])
    assert.deepEqual(await inService(instance.keyStore), ['idevid-1 in-use', 'ldevid-1 in-use', 'services-1 in-use'])
    await assert.rejects(instance.authorities.signing(authorityId('root-1')), { code: 'authority.key_unavailable' })
  })

  it('is on record: documents, certificates and an audit entry for each', async () => {
    const { store } = instance
    assert.ok(await store.read.document('settings', 'instance'))
    assert.ok(await store.read.document('rules', 'default'))
    assert.equal((await store.read.documents('profile')).length, profileCatalogue.length + 4)
    assert.equal((await store.read.counts()).certificates, 4)
    const actions = await auditActions(store)
    for (const [action, count] of [
      ['setting.changed', 1],
      ['rule.changed', 1],
      ['profile.changed', profileCatalogue.length + 4],
      ['keystore.key_generated', 4],
      ['authority.created', 4],
      ['certificate.issued', 4],
      ['crl.published', 1],
    ] as const) {
      assert.equal(actions.filter(each => each === action).length, count, action)
    }
  })

  it('has its root CRL, so that the status of the authorities can be checked from the first day', async t => {
    const crl = await instance.store.read.publication('crl/root-1/0')
    assert.ok(crl && crl.nextUpdate - crl.thisUpdate > 365 * 86_400)
    if (!requireTool(t, 'openssl')) return
    const write = (name: string, label: string, ...ders: Uint8Array[]) => {
      writeFileSync(join(folder, name), ders.map(der => toPem(label, der)).join(''))
      return join(folder, name)
    }
    const { issuer, authorities } = instance
    const wanted = await request(await authorities.profile('idevid'))
    const { der } = await issuer.sign(await issuer.prepare(wanted))
    const chain = await authorities.chain(authorityId('idevid-1'))
    const root = write('root.pem', 'CERTIFICATE', ...(await authorities.trustBundle()))
    const args = [
      'verify',
      '-x509_strict',
      '-attime',
      String(NOW),
      '-CAfile',
      root,
      '-CRLfile',
      write('root.crl', 'X509 CRL', crl.bytes),
    ]
    // The CRL covers the authority; that of the device's own issuer is the server's to publish.
    const ca = spawnSync('openssl', [...args, '-crl_check', write('ca.pem', 'CERTIFICATE', chain[0]!)], {
      encoding: 'utf8',
    })
    assert.equal(ca.status, 0, ca.stderr)
    const leaf = spawnSync(
      'openssl',
      [...args, '-untrusted', join(folder, 'ca.pem'), write('leaf.pem', 'CERTIFICATE', der)],
      { encoding: 'utf8' },
    )
    assert.equal(leaf.status, 0, leaf.stderr)
  })

  it('is not made twice', async () => {
    await assert.rejects(createInitialHierarchy(options, instance), { code: 'hierarchy.exists' })
  })

  it('goes on with the keys that an interrupted run made', async () => {
    const store = await newStore()
    const keyStore = new MemoryKeyStore()
    const offlineKeyStore = new MemoryKeyStore()
    const ports = { store, keyStore, offlineKeyStore, clock, random: systemRandom, actor: ACTOR }
    const failing = {
      ...ports,
      store: { ...store, read: store.read, commit: () => Promise.reject(new Error('power cut')) } as unknown as Store,
    }
    await assert.rejects(createInitialHierarchy(options, failing), /power cut/)
    const made = (await keyStore.list()).map(({ publicKey }) => Buffer.from(publicKey).toString('hex'))
    const hierarchy = await createInitialHierarchy(options, ports)
    const used = [hierarchy.idevid, hierarchy.ldevid, hierarchy.services].map(({ certificate }) =>
      Buffer.from(parseCertificate(certificate!).subjectPublicKeyInfo.raw).toString('hex'),
    )
    assert.deepEqual(used, made)
  })

  it('takes any algorithm of the table, constraints and policies', async () => {
    const { hierarchy, authorities, issuer } = await newInstance({
      rootAlgorithm: 'ML-DSA-65',
      issuingAlgorithm: 'Ed25519',
      nameConstraints: { permitted: [{ kind: 'directoryName', value: 'O=Example Devices' }] },
      certificatePolicies: [{ oid: '1.3.6.1.4.1.32473.5' }],
      crlShards: 8,
    })
    const { idevid, root } = hierarchy
    assert.equal(idevid.crlShards, 8)
    const wanted = await request(await authorities.profile('idevid'))
    const { der } = await issuer.sign(await issuer.prepare(wanted))
    const path = validateChain({
      leaf: parseCertificate(der),
      intermediates: [parseCertificate(idevid.certificate!)],
      anchors: [parseCertificate(root.certificate!)],
      at: NOW,
      verify: verifySignature,
    })
    assert.ok(path.ok, path.ok ? '' : path.message)
  })
})

describe('authorities that are added', () => {
  let instance: Awaited<ReturnType<typeof newInstance>>
  let hierarchy: InitialHierarchy
  before(async () => {
    instance = await newInstance()
    hierarchy = instance.hierarchy
  })

  it('issue at once when one of ours certifies them, to any depth that the path lengths allow', async () => {
    const { add, authorities } = instance
    const level = (id: string, pathLength: number) => plan(id, { kind: 'intermediate', pathLength })
    await addSubordinate(level('region-1', 2), await instance.root(), add)
    const by = (id: string) => authorities.signing(authorityId(id))
    await addSubordinate(level('site-1', 1), await by('region-1'), add)
    await addSubordinate(plan('line-1'), await by('site-1'), add)
    assert.equal((await authorities.chain(authorityId('line-1'))).length, 4)
    // RFC 5280 §4.2.1.9: no CA below path length 0, and none deeper than an upper CA allows.
    await assert.rejects(addSubordinate(plan('below-1'), await by('line-1'), add), {
      code: 'lint.failed',
      evidence: { 'lint.issuer_path_length': 'RFC 5280 6.1.4', 'path.length_exceeded': 'RFC 5280 6.1' },
    })
    await addSubordinate(level('deep-1', 5), await by('site-1'), add)
    await assert.rejects(addSubordinate(plan('deeper-1'), await by('deep-1'), add), {
      code: 'lint.failed',
      evidence: { 'path.length_exceeded': 'RFC 5280 6.1' },
    })
  })

  it('are not made from plans that make no sense', async () => {
    const { add } = instance
    for (const wrong of [
      plan('Region'),
      plan('region'),
      plan('x-1', { pathLength: 1 }),
      plan('x-1', { kind: 'intermediate', pathLength: 0 }),
      plan('x-1', { crlShards: 0 }),
    ]) {
      await assert.rejects(addSubordinate(wrong, await instance.root(), add), { code: 'authority.plan_invalid' })
    }
    await assert.rejects(addSubordinate(plan('idevid-1'), await instance.root(), add), { code: 'authority.exists' })
    await assert.rejects(addAwaiting(plan('x-1', { kind: 'root' }), add), { code: 'authority.plan_invalid' })
  })

  it('issue nothing outside of the names that are permitted to an authority above (RFC 5280 §4.2.1.10)', async () => {
    const { add, authorities } = instance
    const permitted = [
      { kind: 'dNSName', value: 'plant.example' },
      { kind: 'iPAddress', value: '10.0.0.0/8' },
    ] as const
    const constrained = plan('plant-1', {
      kind: 'intermediate',
      pathLength: 1,
      nameConstraints: { permitted: [...permitted], excluded: [{ kind: 'dNSName', value: 'secret.plant.example' }] },
    })
    await addSubordinate(constrained, await instance.root(), add)
    await addSubordinate(plan('hall-1'), await authorities.signing(authorityId('plant-1')), add)
    const gateway = profile('gateway-tls-server', { authority: 'hall' })
    const issuing = await authorities.issuing(gateway)
    const names = async (labels: Record<string, string>) =>
      prepareCertificate(await request(gateway, 'P-256', { device: { ...device, labels } }), issuing, {
        settings,
        random: systemRandom,
      })
    assert.ok(await names({ dnsNames: 'gw.plant.example', ipAddresses: '10.1.2.3' }))
    for (const [labels, code] of [
      [{ dnsNames: 'gw.example' }, 'path.name_not_permitted'],
      [{ dnsNames: 'a.secret.plant.example' }, 'path.name_excluded'],
      [{ ipAddresses: '192.0.2.1' }, 'path.name_not_permitted'],
    ] as const) {
      await assert.rejects(names(labels), { code: 'lint.failed', evidence: { [code]: 'RFC 5280 6.1' } })
    }
  })

  it('can be certified elsewhere: a request goes out, the certificate comes in', async () => {
    const { add, authorities, taking, issuer, keyStore } = instance
    const waiting = plan('ldevid-2', { commonName: 'LDevID CA 2' })
    const out = await addAwaiting(waiting, add)
    const csr = parseCertificationRequest(out)
    assert.ok(verifySignature(csr.subjectPublicKeyInfo.raw, csr.signatureAlgorithm, csr.tbs, csr.signature))
    assert.equal(formatName(csr.subject), 'CN=LDevID CA 2,O=Example Devices')
    assert.equal(findExtension(csr.requestedExtensions, OID.basicConstraints)?.critical, true)
    const again = parseCertificationRequest(await certificationRequestFor(waiting.id, { authorities, keyStore }))
    assert.deepEqual(again.tbs, csr.tbs)

    const ldevid = await authorities.profile('ldevid')
    await assert.rejects(authorities.issuing(profile('ldevid', { authority: 'ldevid-2' })), {
      code: 'authority.awaiting_certificate',
    })
    assert.equal((await authorities.issuing(ldevid)).record.id, 'ldevid-1')

    // The offline root signs it, on whichever machine its key is.
    const certificate = await signAuthorityRequest(out, waiting, await instance.root(), add)
    const record = await importAuthorityCertificate(waiting.id, certificate, {}, taking)
    assert.deepEqual([record.state, record.issuer], ['active', 'root-1'])
    // The profile names ldevid: the newest active generation issues now.
    assert.equal((await issuer.prepare(await request(ldevid))).facts.authorityId, 'ldevid-2')
    assert.equal((await keyStore.list()).find(({ label }) => label === 'ldevid-2')?.state, 'in-use')
    await assert.rejects(importAuthorityCertificate(waiting.id, certificate, {}, taking), {
      code: 'authority.not_awaiting',
    })
    await assert.rejects(certificationRequestFor(waiting.id, { authorities, keyStore }), {
      code: 'authority.not_awaiting',
    })

    const late = await issuer.prepare(await request(ldevid))
    await retireAuthority(waiting.id, taking)
    await assert.rejects(issuer.sign(late), { code: 'authority.not_active' })
    await assert.rejects(issuer.signMany([late]), { code: 'authority.not_active' })
    assert.equal((await issuer.prepare(await request(ldevid))).facts.authorityId, 'ldevid-1')
    await assert.rejects(authorities.issuing(profile('ldevid', { authority: 'ldevid-2' })), {
      code: 'authority.not_active',
    })
    const retired = await authorities.signing(waiting.id)
    assert.ok(retired, 'it still answers for what it issued')
    const wanted = await request(ldevid)
    assert.throws(() => prepareCertificate(wanted, retired, { settings, random: systemRandom }), {
      code: 'authority.not_active',
    })
    const actions = await auditActions(instance.store)
    assert.ok(actions.includes('authority.certificate_imported') && actions.includes('authority.retired'))
  })

  it('take only the right certificate', async () => {
    const { add, taking } = instance
    const waiting = plan('other-1', { kind: 'intermediate', pathLength: 1 })
    const out = await addAwaiting(waiting, add)
    const { root } = await world()
    const spki = parseCertificationRequest(out).subjectPublicKeyInfo.raw
    const under = async (changes: Parameters<typeof profile>[1], key: Uint8Array = spki) => {
      const of = profile('sub-ca', {
        subject: [{ O: 'Example Devices' }, { CN: 'CA other-1' }],
        basicConstraints: { cA: true },
        ...changes,
      })
      const prepared = prepareCertificate({ ...(await request(of)), spki: key }, root, {
        settings,
        random: systemRandom,
      })
      return (await signPrepared(prepared, root.signer)).der
    }
    const above = [root.certificate.raw]
    const take = (der: Uint8Array, more: Parameters<typeof importAuthorityCertificate>[2] = { above }) =>
      importAuthorityCertificate(waiting.id, der, more, taking)

    await assert.rejects(take(await under({}, (await keyOf('P-256')).publicKey)), { code: 'authority.key_mismatch' })
    await assert.rejects(take(await under({ subject: [{ CN: 'Somebody Else' }] })), {
      code: 'authority.name_mismatch',
      next: 'Have it issued again with the name of the request, or take the other one with --accept-other-name.',
    })
    await assert.rejects(take(await under({ basicConstraints: { cA: true, pathLenConstraint: 0 } })), {
      code: 'authority.path_length',
    })
    await assert.rejects(take(await under({ keyUsage: ['keyCertSign'] })), { code: 'authority.not_a_ca' })
    await assert.rejects(take(await under({}), { above: [] }), { code: 'authority.chain_invalid' })
    const broken = new Uint8Array(await under({}))
    broken[broken.length - 1]! ^= 1
    await assert.rejects(take(broken), { code: 'authority.chain_invalid' })
    const other = await createRoot(plan('root-1', { kind: 'root' }), createPorts(), new ChangeBuilder())
    await assert.rejects(take(await under({}), { above: [other.certificate.raw] }), { code: 'authority.chain_invalid' })

    const record = await take(await under({ subject: [{ CN: 'Somebody Else' }] }), { above, acceptOtherName: true })
    assert.deepEqual([record.state, record.issuer, record.chainAbove.length], ['active', null, 1])
    assert.equal((await instance.authorities.chain(waiting.id)).length, 2)
    assert.equal((await instance.authorities.trustBundle()).length, 2)
  })

  it('of another instance are certified and on record', async () => {
    const { add, store } = instance
    const theirs = plan('partner-1', { algorithm: 'P-384' })
    const elsewhere = await newStore()
    await elsewhere.commit({
      writes: [
        { kind: 'document.insert', document: settingsDocument({ ...settingsConfig, organization: 'Partner' }, 1, NOW) },
      ],
      audit: [
        {
          at: NOW,
          actor: ACTOR,
          action: 'setting.changed',
          outcome: 'done',
          subject: { name: 'instance' },
          detail: { version: 1 },
        },
      ],
    })
    const out = await addAwaiting(theirs, {
      ...add,
      store: elsewhere,
      authorities: new AuthorityDirectory({ store: elsewhere, keyStore: new MemoryKeyStore() }),
      keyStore: new MemoryKeyStore(),
    })
    const certificate = await signAuthorityRequest(out, theirs, await instance.root(), add)
    const parsed = parseCertificate(certificate)
    assert.ok(await store.read.certificate(hierarchy.root.id, parsed.serialNumber as never))
    const forged = new Uint8Array(out)
    forged[forged.length - 1]! ^= 1
    await assert.rejects(signAuthorityRequest(forged, theirs, await instance.root(), add), {
      code: 'csr.signature_invalid',
    })
  })
})

describe('a change that is put together', () => {
  it('points each certificate at its own audit entry', async () => {
    const change = new ChangeBuilder()
    const root = await createRoot(plan('root-1', { kind: 'root' }), createPorts(), change)
    await createSubordinate(plan('issuing-1'), root, createPorts(), change)
    const inserts = change.writes.filter(write => write.kind === 'certificate.insert')
    assert.equal(inserts.length, 2)
    for (const { auditEntry, certificate } of inserts) {
      const entry = change.audit[auditEntry]!
      assert.equal(entry.action, 'certificate.issued')
      assert.equal(entry.subject['serialNumber'], certificate.serialNumber)
    }
  })
})
