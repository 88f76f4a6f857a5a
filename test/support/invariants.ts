// What is true of a store after every scenario, whatever happened in it. Asks only the public reader, and builds the tree with its own
// hand, as RFC 9162 2.1 writes it down.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { parseAuditEntry } from '../../src/domain/audit/entry.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import type { Device } from '../../src/domain/device/device.ts'
import type { AuthorityId, UnixSeconds } from '../../src/domain/ids.ts'
import type { StoreReader } from '../../src/domain/ports.ts'
import type { Credential } from '../../src/domain/renewal/credential.ts'
import { expiryBucket, windowBucket } from '../../src/domain/renewal/window.ts'
import { hexColumn } from './hex-column.ts'

const TILE = 256

/** Throws an AssertionError that names the first thing that does not fit. The store must be at rest. */
export async function assertInvariants(store: { readonly read: StoreReader }): Promise<void> {
  const { read } = store
  const head = await read.auditHead()
  const counts = await read.counts()

  const leaves: Buffer[] = []
  const certified = new Map<number, Readonly<Record<string, string>>>()
  for await (const { index, bytes } of read.auditEntries(0)) {
    assert.equal(index, leaves.length, 'entries are numbered without a gap')
    leaves.push(sha256(Uint8Array.of(0), bytes))
    const entry = parseAuditEntry(bytes)
    if (entry.action === 'certificate.issued' && entry.outcome === 'done') certified.set(index, entry.subject)
  }
  assert.equal(leaves.length, head.size, 'the head says how many entries there are')
  assert.equal(counts.auditEntries, head.size, 'the counter of entries is the size of the log')
  assert.equal(hex(head.root), hex(treeHash(leaves)), 'the root is the Merkle tree hash over all entries')
  await assertTiles(read, leaves)

  const devices = await assertDevices(read)
  assert.equal(counts.devices, devices.size, 'the counter of devices is their number')

  const notGood: CertificateRecord[] = []
  let certificates = 0
  let last = -1
  for await (const certificate of read.allCertificates()) {
    certificates++
    assert.ok(certificate.auditIndex > last, 'certificates come in the order of issue')
    last = certificate.auditIndex
    const subject = certified.get(certificate.auditIndex)
    assert.ok(subject, `entry ${certificate.auditIndex} issued a certificate`)
    certified.delete(certificate.auditIndex)
    assert.equal(subject['serialNumber'], certificate.serialNumber, 'the entry names the serial number')
    assert.equal(subject['authorityId'], certificate.authorityId, 'the entry names the authority')
    assert.equal(subject['certificateSha256'], hex(sha256(certificate.der)), 'the entry commits to the bytes')
    if (certificate.deviceId !== null) {
      assert.ok(devices.has(certificate.deviceId), 'the device of a certificate is known')
      const key = await read.key(certificate.keyId)
      assert.equal(key?.deviceId, certificate.deviceId, 'the key of a device certificate is a key of the device')
    }
    if (certificate.status.kind !== 'good') notGood.push(certificate)
  }
  assert.equal(certified.size, 0, 'every certificate that the log says was issued is there')
  assert.equal(counts.certificates, certificates, 'the counter of certificates is their number')
  await assertRevoked(read, notGood)
  await assertRenewals(read)
}

/** Every credential names its certificate rightly, and the renewal plan is the sum of the credentials. */
export async function assertRenewals(read: StoreReader): Promise<Credential[]> {
  const credentials: Credential[] = []
  for (let after: string | undefined; ; ) {
    const page = await read.credentialsExpiring(
      { from: 0, until: FOREVER },
      { limit: 500, ...(after === undefined ? {} : { after }) },
    )
    credentials.push(...page.items)
    if (page.next === null) break
    after = page.next
  }
  const expected = { window: new Map<string, number>(), expiry: new Map<string, number>() }
  for (const credential of credentials) {
    const { deviceId, profile, authorityId, serialNumber, keyId, notBefore, notAfter } = credential
    const record = await read.certificate(authorityId, serialNumber)
    assert.ok(record, 'the certificate of a credential is there')
    assert.notEqual(record.status.kind, 'revoked', 'nobody renews a certificate that is revoked')
    const { profile: under, deviceId: of, keyId: over, notBefore: from, notAfter: to } = record
    assert.deepEqual(
      { under, of, over, from, to },
      { under: profile, of: deviceId, over: keyId, from: notBefore, to: notAfter },
    )
    assert.ok(credential.windowStart < credential.windowEnd, 'a window ends after it begins')
    const count = (measure: 'window' | 'expiry', bucket: number) => {
      const name = `${profile} ${bucket}`
      expected[measure].set(name, (expected[measure].get(name) ?? 0) + 1)
    }
    count('window', windowBucket(credential))
    count('expiry', expiryBucket(credential))
  }
  const profiles = new Set((await read.documents('profile')).map(({ name }) => name))
  for (const measure of ['window', 'expiry'] as const) {
    const planned = new Map<string, number>()
    for (const profile of profiles) {
      const buckets = await read.planned(profile, measure, 0, FOREVER)
      for (const bucket of buckets) planned.set(`${profile} ${bucket.start}`, bucket.planned)
    }
    const sorted = (counts: ReadonlyMap<string, number>) => [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
    assert.deepEqual(sorted(planned), sorted(expected[measure]), `the plan counts each ${measure} once`)
  }
  return credentials
}

const FOREVER = 253_402_300_799

async function assertDevices(read: StoreReader): Promise<Map<string, Device>> {
  const devices = new Map<string, Device>()
  let after: string | undefined
  do {
    const page = await read.devices({ limit: 500, ...(after === undefined ? {} : { after }) })
    for (const device of page.items) {
      assert.ok(
        !devices.has(device.id) && (after === undefined || device.id > after),
        'devices come in the order of id',
      )
      devices.set(device.id, device)
    }
    after = page.next ?? undefined
  } while (after !== undefined)
  const names = new Set(Array.from(devices.values(), ({ model, serialNumber }) => `${model}\0${serialNumber}`))
  assert.equal(names.size, devices.size, 'a serial number is unique within its model')
  return devices
}

async function assertTiles(read: StoreReader, leaves: readonly Buffer[]): Promise<void> {
  let hashes = leaves
  for (let level = 0; hashes.length > 0; level++) {
    const above: Buffer[] = []
    for (let index = 0; index * TILE < hashes.length; index++) {
      const tile = hashes.slice(index * TILE, (index + 1) * TILE)
      const stored = await read.auditTile(level, index)
      assert.ok(stored, `tile ${level}/${index} is there`)
      assert.equal(hex(stored), hex(Buffer.concat(tile)), `tile ${level}/${index} holds the hashes below it`)
      if (tile.length === TILE) above.push(treeHash(tile))
    }
    const next = Math.ceil(hashes.length / TILE)
    assert.equal(await read.auditTile(level, next), undefined, `no tile follows the last of level ${level}`)
    hashes = above
  }
}

async function assertRevoked(read: StoreReader, notGood: readonly CertificateRecord[]): Promise<void> {
  const lists = new Map<string, { authority: AuthorityId; shard: number; serials: string[]; earliest: UnixSeconds }>()
  for (const { authorityId: authority, crlShard: shard, serialNumber, notAfter } of notGood) {
    const name = `${authority}/${shard}`
    const list = lists.get(name) ?? { authority, shard, serials: [], earliest: notAfter }
    list.serials.push(serialNumber)
    list.earliest = Math.min(list.earliest, notAfter)
    lists.set(name, list)
  }
  for (const { authority, shard, serials, earliest } of lists.values()) {
    const listed: string[] = []
    for await (const page of read.revokedPages(authority, shard, earliest))
      listed.push(...hexColumn(page.serialNumbers))
    assert.deepEqual(listed, serials.sort(), 'a list of revoked certificates has each that is not good, in order')
  }
}

/** MTH of RFC 9162 2.1.1 over leaf hashes. */
function treeHash(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return leaves[0]!
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return sha256(Uint8Array.of(1), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)))
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
