// What `Store` of domain/ports.ts promises about revocation: the log of status changes, the universe of an authority and what its lists hold,
// as tests that run for every engine.
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { afterEach, describe, it } from 'node:test'
import { createStore } from '../../../src/adapters/store/open-store.ts'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { CRL_REASONS } from '../../../src/core/pki/crl-reason.ts'
import type { CertificateStatus } from '../../../src/domain/ca/certificate-record.ts'
import type { Device } from '../../../src/domain/device/device.ts'
import { authorityId, type SerialNumber, serialNumber } from '../../../src/domain/ids.ts'
import type { Store } from '../../../src/domain/ports.ts'
import { PUBLICATION_PIECE } from '../../../src/domain/publication-piece.ts'
import { type CertificateQuery, meetsConditions } from '../../../src/domain/revocation/certificate-query.ts'
import { isInShare, SHARE_OF_ALL, tallyMeant } from '../../../src/domain/revocation/certificate-tally.ts'
import { hexColumn } from '../../support/hex-column.ts'
import { aCertificate, aUnit, type NewCertificate, NOW, only } from '../../support/store-fixtures.ts'
import type { StoreEngine } from './contract.ts'

const IDEVID = authorityId('idevid-1')
const LDEVID = authorityId('ldevid-1')
const OWNER = { value: 'acme', personal: false, salt: null } as const
const HELD = { kind: 'held', at: NOW, invalidityDate: null, ends: null } as const
const REVOKED = { kind: 'revoked', at: NOW + 1, reason: 'superseded', invalidityDate: null } as const

const status = (of: NewCertificate, from: CertificateStatus['kind'], to: CertificateStatus) => ({
  kind: 'certificate.status' as const,
  authorityId: of.authorityId,
  serialNumber: of.serialNumber,
  crlShard: of.crlShard,
  from,
  to,
  auditEntry: 0,
})

export function revocationContract(name: string, engine: StoreEngine): void {
  describe(`Revocation on ${name}`, () => {
    const opened: Store[] = []
    afterEach(async () => {
      for (const store of opened.splice(0)) await store[Symbol.asyncDispose]()
    })

    async function newStore(): Promise<Store> {
      const store = await createStore(await engine.newLocation())
      opened.push(store)
      return store
    }

    async function issued(store: Store, ...fields: readonly Partial<NewCertificate>[]): Promise<NewCertificate[]> {
      const certificates = fields.map(each => aCertificate(null, null, each))
      for (const certificate of certificates) {
        await store.commit(only({ kind: 'certificate.insert', certificate, auditEntry: 0 }))
      }
      return certificates
    }

    it('takes no certificate of a second that a status artefact covers, whatever its notBefore, and goes on behind it', async () => {
      const store = await newStore()
      const serial = (second: number, end: number) =>
        serialNumber(second.toString(16).padStart(8, '0') + end.toString(16).padStart(24, '0'))
      await issued(store, { authorityId: IDEVID, serialNumber: serial(NOW, 1) })
      await store.commit({ writes: [{ kind: 'status.cover', authorityId: IDEVID, until: NOW }], audit: [] })
      // A time that lies before takes nothing back.
      await store.commit({ writes: [{ kind: 'status.cover', authorityId: IDEVID, until: NOW - 50 }], audit: [] })
      assert.equal(await store.read.coveredUntil(IDEVID), NOW)
      assert.equal(await store.read.coveredUntil(LDEVID), -1)
      for (const second of [NOW - 10, NOW]) {
        for (const backdating of [0, 300, 900_000_000]) {
          const late = { authorityId: IDEVID, serialNumber: serial(second, 2), notBefore: second - backdating }
          await assert.rejects(issued(store, late), { code: 'certificate.serial_number_used' })
        }
      }
      const after = { authorityId: IDEVID, serialNumber: serial(NOW + 1, 3), notBefore: NOW - 300 }
      const other = { authorityId: LDEVID, serialNumber: serial(NOW - 10, 4), notBefore: NOW - 10 }
      const foreign = { authorityId: IDEVID, serialNumber: serialNumber('77'.repeat(18)), notBefore: NOW - 10 }
      assert.equal((await issued(store, after, other, foreign)).length, 3)
      assert.equal((await store.read.universe(IDEVID, { after: -1, upTo: 1_000, limit: 9 })).count, 3)
    })

    it('finds the one certificate of a covered second in a change set of many, wherever it stands', async () => {
      const store = await newStore()
      const serial = (second: number, end: number) =>
        serialNumber(second.toString(16).padStart(8, '0') + end.toString(16).padStart(24, '0'))
      await store.commit({ writes: [{ kind: 'status.cover', authorityId: IDEVID, until: NOW }], audit: [] })
      const seconds = [NOW + 1, NOW + 1, NOW + 2, NOW + 1]
      for (let late = 0; late <= seconds.length; late++) {
        const certificates = seconds.map((second, i) =>
          aCertificate(null, null, {
            authorityId: i === 0 ? LDEVID : IDEVID,
            serialNumber: serial(i === late ? NOW : second, 16 * late + i),
            notBefore: NOW - 300,
          }),
        )
        const whole = only(
          ...certificates.map(certificate => ({ kind: 'certificate.insert' as const, certificate, auditEntry: 0 })),
        )
        // The first is of an authority that nothing is published for, and the last round has none that is late.
        if (late === 0 || late === seconds.length) await store.commit(whole)
        else {
          await assert.rejects(store.commit(whole), {
            code: 'certificate.serial_number_used',
            evidence: { authorityId: IDEVID, serialNumber: certificates[late]!.serialNumber },
          })
        }
      }
      assert.equal((await store.read.universe(IDEVID, { after: -1, upTo: 1_000, limit: 9 })).count, 6)
    })

    it('counts what a query means in stretches: certificates, devices, the last expiry, and a share of them by name', async () => {
      const store = await newStore()
      const later = {
        kind: 'held',
        at: NOW,
        invalidityDate: null,
        ends: { at: NOW + 60, reason: 'superseded' },
      } as const
      const devices: Device[] = []
      for (let i = 0; i < 12; i++) {
        const { device, key, certificate } = aUnit({ model: i % 3 === 0 ? 'meter' : 'gate' })
        const field = aCertificate(device, key, { authorityId: LDEVID, profile: 'ldevid', notAfter: NOW + 100 + i })
        devices.push(device)
        await store.commit(
          only(
            { kind: 'device.insert', device },
            { kind: 'key.insert', key },
            { kind: 'certificate.insert', certificate: { ...certificate, authorityId: IDEVID }, auditEntry: 0 },
            { kind: 'certificate.insert', certificate: field, auditEntry: 0 },
            { kind: 'device.property', deviceId: device.id, name: 'owner', from: null, to: OWNER },
          ),
        )
        if (i === 4) await store.commit(only(status(field, 'good', later)))
        if (i === 5) await store.commit(only(status(field, 'good', REVOKED)))
      }
      await issued(store, { authorityId: IDEVID })
      const live = ['good', 'held'] as const
      const queries: readonly CertificateQuery[] = [
        { statuses: live },
        { statuses: live, authority: IDEVID },
        { statuses: live, authority: LDEVID, profile: 'ldevid', expiresFrom: NOW, expiresBefore: NOW + 108 },
        { statuses: ['held'], holdEndsAt: NOW + 60 },
        { statuses: live, issuedFrom: 8, issuedBefore: 15 },
        { statuses: live, keyAlgorithm: 'P-256' },
        { statuses: live, profile: 'nobody' },
        { statuses: live, devices: { model: 'meter' } },
        { statuses: live, devices: { owner: 'acme', states: ['manufactured'] }, profile: 'ldevid' },
        { statuses: live, devices: { owner: 'acme', notSeenAfter: NOW }, authority: IDEVID },
        { statuses: live, devices: { authority: LDEVID } },
        { statuses: live, devices: {}, issuedFrom: 12 },
        { statuses: live, devices: { model: 'meter', owner: 'nobody' } },
        { statuses: ['revoked'], devices: { model: 'gate' } },
      ]
      const all = await store.read.certificatesOfDevices(devices.map(({ id }) => id))
      for (const query of queries) {
        const { devices: of, ...conditions } = query
        const whose = new Set(
          devices
            .filter(({ model }) => of?.owner !== 'nobody' && [undefined, model].includes(of?.model))
            .map(({ id }) => id),
        )
        // No device has a credential in the registry.
        const meant = all.filter(
          each => of?.authority === undefined && whose.has(each.deviceId) && meetsConditions(conditions, each),
        )
        const found = await tallyMeant(query, { atMost: 1_000, countDevices: true }, store.read)
        assert.deepEqual(
          found,
          {
            certificates: meant.length,
            devices: new Set(meant.map(({ deviceId }) => deviceId)).size,
            lastExpiry: meant.length === 0 ? null : Math.max(...meant.map(({ notAfter }) => notAfter)),
            sampled: meant.map(({ auditIndex }) => auditIndex).sort((a, b) => a - b),
          },
          JSON.stringify(query),
        )
        const byName = await store.read.certificatesAt(found.sampled)
        assert.deepEqual(new Set(byName), new Set(meant))
        const few = await tallyMeant(query, { atMost: 5 }, store.read)
        assert.ok(few.certificates === meant.length && few.sampled.length <= 5 && few.devices === 0)
        const share = SHARE_OF_ALL / 4
        const { sampled } = await store.read.tallyCertificates(query, { share, countDevices: false })
        assert.deepEqual(
          [...sampled].sort((a, b) => a - b),
          found.sampled.filter(auditIndex => isInShare(auditIndex, share)),
        )
      }
    })

    it('says of many certificates at once how they stand, and nothing of those that the authority did not issue', async () => {
      const store = await newStore()
      const [good, held, revoked, foreign] = (await issued(
        store,
        { authorityId: IDEVID, notAfter: NOW + 10 },
        { authorityId: IDEVID, notAfter: NOW + 20 },
        { authorityId: IDEVID, notAfter: NOW + 30 },
        { authorityId: LDEVID, notAfter: NOW + 40 },
      )) as [NewCertificate, NewCertificate, NewCertificate, NewCertificate]
      await store.commit(only(status(held, 'good', HELD)))
      await store.commit(only(status(revoked, 'good', REVOKED)))
      const never = serialNumber('7f00000000ff')
      const asked = [revoked, foreign, good, held, good].map(each => each.serialNumber)
      assert.deepEqual(
        await store.read.certificateStandings(IDEVID, [never, ...asked]),
        new Map([
          [good.serialNumber, { status: { kind: 'good' }, notAfter: NOW + 10 }],
          [held.serialNumber, { status: HELD, notAfter: NOW + 20 }],
          [revoked.serialNumber, { status: REVOKED, notAfter: NOW + 30 }],
        ]),
      )
      assert.deepEqual(await store.read.certificateStandings(IDEVID, []), new Map())
      // What a stranger asks for may be no serial number at all, and an authority with no name that can be stored.
      const odd = ['', '0', 'zz', '00'.repeat(200)] as SerialNumber[]
      assert.deepEqual(await store.read.certificateStandings(IDEVID, odd), new Map())
      assert.deepEqual(await store.read.certificateStandings(authorityId('\0'), asked), new Map())
      const many = Array.from({ length: 1000 }, (_, i) => serialNumber((i + 1).toString(16)))
      assert.equal((await store.read.certificateStandings(IDEVID, [...many, good.serialNumber])).size, 1)
    })

    it('keeps each change of a status where its audit entry stands, and says the status of now', async () => {
      const store = await newStore()
      const [first, second, third] = (await issued(
        store,
        { authorityId: IDEVID, crlShard: 1, notAfter: NOW + 10 },
        { authorityId: IDEVID, crlShard: 2, notAfter: NOW + 20 },
        { authorityId: LDEVID, crlShard: 1, notAfter: NOW + 30 },
      )) as [NewCertificate, NewCertificate, NewCertificate]
      assert.deepEqual(await store.read.statusChanges({ after: -1, limit: 9 }), [])
      const before = (await store.read.auditHead()).size
      // `only` writes an entry of its own before the first.
      const held = (await store.commit(only(status(first, 'good', HELD)))).firstAuditIndex + 1
      const two = (await store.commit(only(status(second, 'good', REVOKED), status(third, 'good', HELD))))
        .firstAuditIndex
      const released = (await store.commit(only(status(first, 'held', { kind: 'good' })))).firstAuditIndex + 1
      const row = (auditIndex: number, of: NewCertificate, now: CertificateStatus) => ({
        auditIndex,
        authorityId: of.authorityId,
        crlShard: of.crlShard,
        serialNumber: of.serialNumber,
        status: now,
        notAfter: of.notAfter,
      })
      const all = [
        row(held, first, { kind: 'good' }),
        row(two + 1, second, REVOKED),
        row(two + 2, third, HELD),
        row(released, first, { kind: 'good' }),
      ]
      assert.deepEqual(await store.read.statusChanges({ after: before - 1, limit: 9 }), all)
      assert.deepEqual(await store.read.statusChanges({ after: held, limit: 2 }), all.slice(1, 3))
      const of = (authority: typeof IDEVID, crlShard?: number, after = -1) =>
        store.read.statusChanges({
          after,
          limit: 9,
          authorityId: authority,
          ...(crlShard === undefined ? {} : { crlShard }),
        })
      assert.deepEqual(await of(IDEVID), [all[0], all[1], all[3]])
      assert.deepEqual(await of(IDEVID, 1), [all[0], all[3]])
      assert.deepEqual(await of(IDEVID, 1, held), [all[3]])
      assert.deepEqual(await of(LDEVID), [all[2]])
      assert.deepEqual(await of(authorityId('nobody-1')), [])
      const size = (await store.read.auditHead()).size
      assert.ok(all.every(({ auditIndex }) => auditIndex < size))
    })

    it('keeps nothing of a change that did not happen, and nothing of a look at a status', async () => {
      const store = await newStore()
      const [certificate] = (await issued(store, {})) as [NewCertificate]
      const { authorityId: authority, serialNumber } = certificate
      const standing = (kind: CertificateStatus['kind']) =>
        ({ kind: 'certificate.standing', authorityId: authority, serialNumber, status: kind }) as const
      await store.commit(only(standing('good')))
      const refused = (error: unknown) => error instanceof TouchmarkError && error.code === 'certificate.status_changed'
      await assert.rejects(store.commit(only(standing('held'))), refused)
      await assert.rejects(store.commit(only(status(certificate, 'held', REVOKED))), refused)
      assert.deepEqual(await store.read.statusChanges({ after: -1, limit: 9 }), [])
      const entryTwice = only(status(certificate, 'good', REVOKED))
      await assert.rejects(store.commit({ ...entryTwice, audit: [] }), { code: 'store.change_invalid' })
    })

    it('reads the universe of an authority in the order of issue, as columns', async () => {
      const store = await newStore()
      const units = Array.from({ length: 50 }, () => aUnit())
      await store.commitEach(units.map(({ change }) => change))
      const [other] = (await issued(store, { authorityId: LDEVID, notAfter: NOW + 5 })) as [NewCertificate]
      const upTo = (await store.read.auditHead()).size - 1
      const found: { serialNumber: string; auditIndex: number; notAfter: number }[] = []
      for (let after = -1; ; ) {
        const page = await store.read.universe(IDEVID, { after, upTo, limit: 20 })
        const serials = hexColumn(page.serialNumbers)
        for (let i = 0; i < page.count; i++) {
          found.push({
            serialNumber: serials[i]!,
            auditIndex: page.auditIndexes[i]!,
            notAfter: page.notAfter[i]!,
          })
        }
        if (page.count < 20) break
        after = page.auditIndexes[page.count - 1]!
      }
      const expected = await Promise.all(
        units.map(async ({ certificate }) => {
          const record = await store.read.certificate(IDEVID, certificate.serialNumber)
          return {
            serialNumber: certificate.serialNumber,
            auditIndex: record!.auditIndex,
            notAfter: certificate.notAfter,
          }
        }),
      )
      assert.deepEqual(found, expected)
      const { auditIndex } = expected[9]!
      assert.equal((await store.read.universe(IDEVID, { after: -1, upTo: auditIndex, limit: 100 })).count, 10)
      assert.equal((await store.read.universe(IDEVID, { after: upTo, upTo: upTo + 9, limit: 100 })).count, 0)
      const single = await store.read.universe(LDEVID, { after: -1, upTo, limit: 100 })
      assert.deepEqual(hexColumn(single.serialNumbers), [other.serialNumber])
      assert.equal((await store.read.universe(authorityId('nobody-1'), { after: -1, upTo, limit: 9 })).count, 0)
    })

    it('reads what a CRL lists as columns: all that the shard holds that is not over, held ones too', async () => {
      const store = await newStore()
      const invalid = { ...REVOKED, reason: 'keyCompromise', invalidityDate: NOW - 7 } as const
      const ends = { ...HELD, ends: { at: NOW + 99, reason: 'keyCompromise' } } as const
      const certificates = await issued(
        store,
        { crlShard: 1, notAfter: NOW + 10 },
        { crlShard: 1, notAfter: NOW + 11 },
        { crlShard: 1, notAfter: NOW + 12 },
        { crlShard: 1, notAfter: NOW + 9 },
        { crlShard: 2, notAfter: NOW + 10 },
        { crlShard: 1, notAfter: NOW + 10, authorityId: LDEVID },
        { crlShard: 1 },
      )
      for (const [i, to] of [REVOKED, invalid, ends, REVOKED, REVOKED, REVOKED].entries())
        await store.commit(only(status(certificates[i]!, 'good', to)))
      const pages = await Array.fromAsync(store.read.revokedPages(IDEVID, 1, NOW + 10))
      assert.equal(pages.length, 1)
      const [page] = pages
      assert.equal(page!.count, 3)
      assert.deepEqual(
        hexColumn(page!.serialNumbers),
        certificates.slice(0, 3).map(each => each.serialNumber),
      )
      assert.deepEqual([...page!.revokedAt], [NOW + 1, NOW + 1, NOW])
      assert.deepEqual(
        [...page!.reasons],
        [CRL_REASONS.superseded, CRL_REASONS.keyCompromise, CRL_REASONS.certificateHold],
      )
      assert.deepEqual([...page!.invalidityDates], [Number.NaN, NOW - 7, Number.NaN])
      assert.deepEqual(await Array.fromAsync(store.read.revokedPages(IDEVID, 3, NOW)), [])
    })

    it('serves a large publication from its pieces, and the one before to those who are reading it', async () => {
      const store = await newStore()
      const name = 'crl/ca-1/0'
      const made = (number: number, octets = 2 * PUBLICATION_PIECE + 5) => {
        const bytes = new Uint8Array(octets).fill(number)
        const head = {
          name,
          contentType: 'application/pkix-crl',
          number,
          thisUpdate: NOW,
          nextUpdate: NOW + 60,
          octets,
          sha256: createHash('sha256').update(bytes).digest('hex'),
        }
        return { bytes, head }
      }
      const stage = async ({ bytes, head }: ReturnType<typeof made>, pieces = 3) => {
        for (let piece = 0; piece < pieces; piece++) {
          const part = bytes.subarray(piece * PUBLICATION_PIECE, (piece + 1) * PUBLICATION_PIECE)
          await store.commit(only({ kind: 'publication.piece', name, number: head.number, piece, bytes: part }))
        }
      }
      const read = async ({ head }: ReturnType<typeof made>) => {
        const parts = await Promise.all([0, 1, 2].map(i => store.read.publicationPiece(name, head.number, i)))
        return parts.some(part => part === undefined) ? undefined : Buffer.concat(parts as Uint8Array[])
      }
      const outdated = { code: 'publication.outdated' }
      const [one, two, three, four] = [made(1), made(2), made(3), made(4)] as const
      await stage(one)
      assert.equal(await store.read.publicationHead(name), undefined)
      await store.commit(only({ kind: 'publication.place', head: one.head, from: 0 }))
      assert.deepEqual(await store.read.publicationHead(name), one.head)
      assert.deepEqual(await read(one), Buffer.from(one.bytes))
      const { octets: _octets, sha256: _sha256, ...facts } = one.head
      assert.deepEqual(await store.read.publication(name), { ...facts, bytes: one.bytes })
      assert.equal(await store.read.publicationPiece(name, 1, 3), undefined)

      await stage(two, 1)
      await assert.rejects(stage(two, 1), outdated)
      await stage(three)
      await assert.rejects(store.commit(only({ kind: 'publication.place', head: three.head, from: 2 })), outdated)
      await store.commit(only({ kind: 'publication.place', head: three.head, from: 1 }))
      await assert.rejects(store.commit(only({ kind: 'publication.place', head: two.head })), outdated)
      assert.deepEqual(await read(three), Buffer.from(three.bytes))
      assert.deepEqual(await read(one), Buffer.from(one.bytes))

      // Those of the second were never placed; those of the fourth are being made.
      await stage(four, 2)
      assert.equal(await store.read.stalePieces(name, 9), 1)
      await store.commit(only({ kind: 'publication.sweep', name, limit: 9 }))
      assert.equal(await store.read.stalePieces(name, 9), 0)
      assert.deepEqual(await read(one), Buffer.from(one.bytes))
      const small = { ...facts, number: 5, bytes: Uint8Array.of(5, 5) }
      await store.commit(only({ kind: 'publication.put', publication: small, from: 3 }))
      assert.deepEqual(await store.read.publication(name), small)
      assert.deepEqual(await store.read.publicationPiece(name, 5, 0), small.bytes)
      assert.equal(await store.read.stalePieces(name, 9), 5)
      assert.equal(await store.read.stalePieces(name, 2), 2)
      await store.commit(only({ kind: 'publication.sweep', name, limit: 4 }))
      await store.commit(only({ kind: 'publication.sweep', name, limit: 4 }))
      assert.deepEqual(await read(three), Buffer.from(three.bytes))
      assert.equal(await read(one), undefined)

      // Put in place without its pieces: a fault that is told, and does not end in looking for ever.
      await store.commit(only({ kind: 'publication.place', head: { ...one.head, name: 'crl/ca-1/1' } }))
      await assert.rejects(store.read.publication('crl/ca-1/1'), { code: 'store.row_unexpected' })
    })

    it('reads more rows than one page holds, each once', async () => {
      const store = await newStore()
      const units = Array.from({ length: 4100 }, () => aUnit())
      await store.commitEach(units.map(({ change }) => change))
      const outcomes = await store.commitEach(
        units.map(({ certificate }) => only(status(certificate, 'good', REVOKED))),
      )
      assert.ok(outcomes.every(outcome => !(outcome instanceof Error)))
      const listed: string[] = []
      for await (const page of store.read.revokedPages(IDEVID, 0, NOW)) listed.push(...hexColumn(page.serialNumbers))
      const serials: SerialNumber[] = units.map(({ certificate }) => certificate.serialNumber)
      assert.deepEqual(listed, serials)
    })
  })
}
