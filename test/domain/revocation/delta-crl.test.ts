// Delta CRLs against full ones (RFC 5280 §5.2.4): whatever is revoked, held, released or expires, a full CRL and a delta that starts from it or from
// one before it say together what is so.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CertificateList, parseCertificateList } from '../../../src/core/pki/crl.ts'
import { parseCrlNumber, parseDeltaCrlIndicator } from '../../../src/core/pki/crl-extensions.ts'
import { findExtension } from '../../../src/core/pki/extension.ts'
import { OID } from '../../../src/core/pki/oids.ts'
import { sha256 } from '../../../src/crypto/digest.ts'
import { verifyStore } from '../../../src/domain/audit/verify-store.ts'
import type { CertificateStatus } from '../../../src/domain/ca/certificate-record.ts'
import { ChangeBuilder } from '../../../src/domain/change-builder.ts'
import { authorityId } from '../../../src/domain/ids.ts'
import type { Store } from '../../../src/domain/ports.ts'
import type { CrlSchedule } from '../../../src/domain/revocation/crl-schedule.ts'
import {
  basesPublicationName,
  crlPublicationName,
  deltaPublicationName,
} from '../../../src/domain/revocation/crl-series.ts'
import {
  publishDueCrls,
  publishRequestedCrls,
  publishRequestedFullCrls,
} from '../../../src/domain/revocation/crl-work.ts'
import { publishCrl, publishCrlAndDelta } from '../../../src/domain/revocation/publish-crl.ts'
import { publishDelta } from '../../../src/domain/revocation/publish-delta.ts'
import { addStatusChanges } from '../../../src/domain/revocation/status-changes.ts'
import { OPERATOR, type TestInstance, testInstance } from '../../support/instance.ts'
import { aCertificate, only } from '../../support/store-fixtures.ts'

const IDEVID = authorityId('idevid-1')
const URL = 'http://pki.example.test/crl/idevid-1/0.crl'
const SCHEDULE: CrlSchedule = {
  lifetimeSeconds: 10_000,
  renewBeforeSeconds: 5_000,
  keepExpiredSeconds: 6_000,
  delta: { lifetimeSeconds: 2_000, fromEntries: 0 },
}

/** The serial numbers of new certificates that last for so many seconds. */
async function issue({ store, clock }: TestInstance, ...lifetimes: readonly number[]): Promise<string[]> {
  const serials: string[] = []
  for (const lifetime of lifetimes) {
    const fields = { authorityId: IDEVID, notAfter: clock.now() + lifetime }
    const certificate = aCertificate(null, null, fields)
    await store.commit(only({ kind: 'certificate.insert', certificate, auditEntry: 0 }))
    serials.push(certificate.serialNumber)
  }
  return serials
}

async function move({ store, clock }: TestInstance, serial: string, kind: CertificateStatus['kind']): Promise<void> {
  const record = (await store.read.certificate(IDEVID, serial as never))!
  const now = clock.now()
  const said = { at: now, invalidityDate: null }
  const to: CertificateStatus =
    kind === 'good'
      ? { kind }
      : kind === 'held'
        ? { kind, ...said, ends: null }
        : { kind, ...said, reason: 'keyCompromise' }
  if (record.status.kind === kind || record.status.kind === 'revoked') return
  const change = new ChangeBuilder()
  addStatusChanges(change, [record], { to, actor: OPERATOR, now })
  await store.commit(change)
}

const numberOf = (crl: CertificateList) =>
  Number(parseCrlNumber(findExtension(crl.crlExtensions, OID.cRLNumber)!.value))
const baseOf = (crl: CertificateList) =>
  Number(parseDeltaCrlIndicator(findExtension(crl.crlExtensions, OID.deltaCRLIndicator)!.value))

/** What somebody knows who holds both (RFC 5280 §5.2.4). */
function combined(full: CertificateList, delta: CertificateList): Map<string, string> {
  const listed = new Map(Array.from(full.entries(), entry => [entry.serialNumber, entry.reason as string]))
  for (const { serialNumber, reason } of delta.entries()) {
    if (reason === 'removeFromCRL') listed.delete(serialNumber)
    else listed.set(serialNumber, reason)
  }
  return listed
}

test('a full CRL and a delta from it, or from one before it, say what a full CRL of now says', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          { weight: 6, arbitrary: fc.tuple(fc.constantFrom('good', 'held', 'revoked'), fc.nat(5)) },
          { weight: 2, arbitrary: fc.constant(['full', 0] as const) },
          { weight: 3, arbitrary: fc.constant(['delta', 0] as const) },
          { weight: 1, arbitrary: fc.tuple(fc.constant('wait'), fc.integer({ min: 1, max: 4_000 })) },
        ),
        { minLength: 5, maxLength: 25 },
      ),
      async steps => {
        const instance = await testInstance(t)
        const issuer = await instance.authorities.signing(IDEVID)
        const serials = await issue(instance, 1_000, 5_000, 50_000, 500_000, 500_000, 500_000)
        const fulls: CertificateList[] = []
        const publishFull = async () =>
          void fulls.push(parseCertificateList((await publishCrl(issuer, 0, URL, SCHEDULE, instance)).bytes))
        await publishFull()
        let highest = 0
        for (const [step, value] of [...steps, ['delta', 0] as const]) {
          if (step === 'wait') instance.clock.advance(value)
          else if (step === 'full') await publishFull()
          else if (step !== 'delta') await move(instance, serials[value]!, step as CertificateStatus['kind'])
          else {
            const publication = await publishDelta(issuer, 0, URL, SCHEDULE, instance)
            const delta = parseCertificateList(publication!.bytes)
            const now = instance.clock.now()
            const listed: [string, string][] = []
            for (const serial of serials) {
              const { status, notAfter } = (await instance.store.read.certificate(IDEVID, serial as never))!
              if (status.kind === 'good' || notAfter < now - SCHEDULE.keepExpiredSeconds) continue
              listed.push([serial, status.kind === 'held' ? 'certificateHold' : status.reason])
            }
            assert.ok(numberOf(delta) > Math.max(highest, ...fulls.map(numberOf)), 'one series of numbers')
            highest = numberOf(delta)
            const bases = fulls.filter(full => numberOf(full) >= baseOf(delta))
            assert.ok(bases.length > 0)
            for (const full of bases) {
              const known = combined(full, delta)
              // What expired long ago may stay: nobody asks for it.
              for (const serial of known.keys()) {
                const { notAfter } = (await instance.store.read.certificate(IDEVID, serial as never))!
                if (notAfter < now - SCHEDULE.keepExpiredSeconds) known.delete(serial)
              }
              assert.deepEqual([...known].sort(), listed.sort())
            }
          }
        }
      },
    ),
    { numRuns: 12 },
  )
})

test('who comes off hold, and who expired on hold since the base, leaves the list with removeFromCRL', async t => {
  const instance = await testInstance(t)
  const issuer = await instance.authorities.signing(IDEVID)
  const [released, expired, kept] = (await issue(instance, 100_000, 100, 100_000)) as [string, string, string]
  await move(instance, released, 'held')
  await publishCrl(issuer, 0, URL, SCHEDULE, instance)
  await move(instance, released, 'good')
  await move(instance, expired, 'held')
  await move(instance, kept, 'held')
  instance.clock.advance(101 + SCHEDULE.keepExpiredSeconds)
  const delta = parseCertificateList((await publishDelta(issuer, 0, URL, SCHEDULE, instance))!.bytes)
  const reasons = new Map(Array.from(delta.entries(), entry => [entry.serialNumber, entry.reason]))
  assert.deepEqual(
    reasons,
    new Map(
      [
        [released, 'removeFromCRL'],
        [expired, 'removeFromCRL'],
        [kept, 'certificateHold'],
      ].sort() as [string, string][],
    ),
  )
  assert.equal(findExtension(delta.crlExtensions, OID.deltaCRLIndicator)?.critical, true)
})

test('the full CRL says where its delta is had, the delta does not, and both have the same scope', async t => {
  const instance = await testInstance(t)
  const issuer = await instance.authorities.signing(IDEVID)
  const sharded = { ...issuer, record: { ...issuer.record, crlShards: 2 } }
  await publishCrlAndDelta(sharded, 0, URL, SCHEDULE, instance)
  const { read } = instance.store
  const full = parseCertificateList((await read.publication(crlPublicationName(IDEVID, 0)))!.bytes)
  const delta = parseCertificateList((await read.publication(deltaPublicationName(IDEVID, 0)))!.bytes)
  assert.ok(findExtension(full.crlExtensions, OID.freshestCRL))
  assert.equal(findExtension(delta.crlExtensions, OID.freshestCRL), undefined)
  for (const oid of [OID.issuingDistributionPoint, OID.authorityKeyIdentifier]) {
    assert.deepEqual(findExtension(delta.crlExtensions, oid), findExtension(full.crlExtensions, oid))
  }
  assert.equal(baseOf(delta), numberOf(full))
  assert.equal(numberOf(delta), numberOf(full) + 1)
})

test('a base that was moved, so that the next delta would leave out what was revoked, is found by audit verify', async t => {
  const instance = await testInstance(t)
  const { store } = instance
  const issuer = await instance.authorities.signing(IDEVID)
  await publishDueCrls(issuer, () => URL, SCHEDULE, instance)
  const name = basesPublicationName(crlPublicationName(IDEVID, 0))
  const found = async () => {
    const { findings } = await verifyStore(store.read, { hash: sha256, origin: 'test', logKeys: [] })
    return findings.filter(({ evidence }) => evidence['name'] === name).map(({ code }) => code)
  }
  assert.deepEqual(await found(), [])
  const bases = (await store.read.publication(name))!
  const moved = { ...bases, number: bases.number + 1, bytes: bases.bytes.with(-3, 0x39) }
  await store.commit(only({ kind: 'publication.put', publication: moved }))
  assert.deepEqual(await found(), ['audit.publication_altered'])
})

test('a small list has no delta and points to none', async t => {
  const instance = await testInstance(t)
  const issuer = await instance.authorities.signing(IDEVID)
  const schedule = { ...SCHEDULE, delta: { lifetimeSeconds: 2_000, fromEntries: 1 } }
  await publishDueCrls(issuer, () => URL, schedule, instance)
  const { read } = instance.store
  const full = parseCertificateList((await read.publication(crlPublicationName(IDEVID, 0)))!.bytes)
  assert.equal(findExtension(full.crlExtensions, OID.freshestCRL), undefined)
  assert.equal(await read.publicationHead(deltaPublicationName(IDEVID, 0)), undefined)
})

test('what is revoked is in the delta at once, and in a large full list when its turn has come', async t => {
  const instance = await testInstance(t)
  const issuer = await instance.authorities.signing(IDEVID)
  const [serial] = (await issue(instance, 100_000)) as [string]
  await publishDueCrls(issuer, () => URL, SCHEDULE, instance)
  // A list that is said to be large.
  const { read } = instance.store
  const large = {
    ...instance.store,
    read: { ...read, publicationHead: async (name: string) => largeHead(await read.publicationHead(name)) },
  }
  const store = {
    ...large,
    commit: (c: never) => instance.store.commit(c),
    lease: (...a: never) => instance.store.lease(...(a as Parameters<typeof instance.store.lease>)),
  }
  const ports = {
    store: store as typeof instance.store,
    clock: instance.clock,
    issuerOf: async () => issuer,
    shardUrl: () => URL,
    schedule: SCHEDULE,
  }
  await move(instance, serial, 'revoked')
  const entries = async (name: string) =>
    [...parseCertificateList((await read.publication(name))!.bytes).entries()].length
  assert.equal(await publishRequestedCrls(ports), 1)
  assert.equal(await entries(deltaPublicationName(IDEVID, 0)), 1)
  assert.equal(await entries(crlPublicationName(IDEVID, 0)), 0)
  assert.equal(await publishRequestedFullCrls(ports), 0)
  instance.clock.advance(60)
  assert.equal(await publishRequestedFullCrls(ports), 1)
  assert.equal(await entries(crlPublicationName(IDEVID, 0)), 1)
  assert.equal(await publishRequestedFullCrls(ports), 0)
})

test('two processes that publish at once never give one number twice, and the last list is complete', async t => {
  const instance = await testInstance(t)
  const issuer = await instance.authorities.signing(IDEVID)
  const serials = await issue(instance, ...Array<number>(12).fill(100_000))
  await publishCrlAndDelta(issuer, 0, URL, SCHEDULE, instance)
  const numbers: number[] = []
  const worker = async (mine: readonly string[]) => {
    for (const serial of mine) {
      await move(instance, serial, 'revoked')
      numbers.push((await publishDelta(issuer, 0, URL, SCHEDULE, instance))!.number)
      await publishCrlAndDelta(issuer, 0, URL, SCHEDULE, instance)
    }
  }
  await Promise.all([worker(serials.slice(0, 6)), worker(serials.slice(6))])
  assert.equal(new Set(numbers).size, numbers.length)
  const full = (await instance.store.read.publication(crlPublicationName(IDEVID, 0)))!
  assert.deepEqual(
    Array.from(parseCertificateList(full.bytes).entries(), entry => entry.serialNumber),
    serials.toSorted(),
  )
})

function largeHead<Head extends { readonly octets: number }>(head: Head | undefined): Head | undefined {
  return head && { ...head, octets: 40_000_000 }
}

test('a process that dies over the pieces of a long delta is in nobody’s way', async t => {
  const instance = await testInstance(t)
  const { store, clock } = instance
  const issuer = await instance.authorities.signing(IDEVID)
  await publishCrl(issuer, 0, URL, SCHEDULE, instance)
  const fields = { authorityId: IDEVID, notAfter: clock.now() + 50_000 }
  const records = Array.from({ length: 4_000 }, () => aCertificate(null, null, fields))
  const inserts = records.map((certificate, i) => ({ kind: 'certificate.insert', certificate, auditEntry: i }) as const)
  const { audit } = only(inserts[0]!)
  await store.commit({ writes: inserts, audit: records.map(() => audit[0]!) })
  const change = new ChangeBuilder()
  const now = clock.now()
  const to = { kind: 'revoked', at: now, reason: 'keyCompromise', invalidityDate: now - 1 } as const
  addStatusChanges(change, records, { to, actor: OPERATOR, now })
  await store.commit(change)

  const killed: Store = {
    ...store,
    read: store.read,
    commit: async change => {
      if (change.writes.some(({ kind }) => kind === 'publication.place')) throw new Error('killed')
      return store.commit(change)
    },
  }
  await assert.rejects(publishDelta(issuer, 0, URL, SCHEDULE, { store: killed, clock }), /killed/)
  const delta = await publishDelta(issuer, 0, URL, SCHEDULE, instance)
  assert.equal([...parseCertificateList(delta!.bytes).entries()].length, records.length)
})
