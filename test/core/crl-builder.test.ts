// A list that is built from columns is, octet for octet, the one that is written entry by entry (RFC 5280 §5.1).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { toHex } from '../../src/core/bytes/hex.ts'
import { encodeTbsCertList, parseCertificateList } from '../../src/core/pki/crl.ts'
import { CrlBuilder, type CrlEntryColumns } from '../../src/core/pki/crl-builder.ts'
import { CRL_REASONS, type CrlReason } from '../../src/core/pki/crl-reason.ts'

interface Entry {
  readonly serialNumber: Uint8Array
  readonly revocationDate: number
  readonly reason: CrlReason
  readonly invalidityDate: number | undefined
}

const algorithm = writeDer(w => w.sequence(() => w.oid('1.2.840.10045.4.3.2')))
const fields = {
  issuer: writeDer(w => w.sequence(() => w)),
  signatureAlgorithm: algorithm,
  thisUpdate: 1_750_000_000,
  nextUpdate: 1_750_600_000,
  extensions: [],
}

function columns(entries: readonly Entry[]): CrlEntryColumns {
  const ends: number[] = []
  const octets: number[] = []
  for (const { serialNumber } of entries) ends.push(octets.push(...serialNumber))
  return {
    count: entries.length,
    serialNumbers: { bytes: Uint8Array.from(octets), ends },
    revokedAt: entries.map(({ revocationDate }) => revocationDate),
    reasons: entries.map(({ reason }) => CRL_REASONS[reason]),
    invalidityDates: entries.map(({ invalidityDate }) => invalidityDate ?? Number.NaN),
  }
}

const seconds = fc.oneof(
  fc.integer({ min: -2_200_000_000, max: 253_402_300_799 }),
  // Days that many entries share, around the change from one form of time to the other.
  fc.integer({ min: 2_524_608_000 - 100_000, max: 2_524_608_000 + 100_000 }),
)
const entry: fc.Arbitrary<Entry> = fc.record({
  serialNumber: fc.uint8Array({ minLength: 1, maxLength: 20 }).filter(octets => octets.some(octet => octet !== 0)),
  revocationDate: seconds,
  reason: fc.constantFrom(...(Object.keys(CRL_REASONS) as CrlReason[])),
  invalidityDate: fc.option(seconds, { nil: undefined }),
})

test('entries from columns are those of the encoder, in pages of any size', () => {
  fc.assert(
    fc.property(fc.array(fc.array(entry, { maxLength: 20 }), { maxLength: 4 }), pages => {
      const builder = new CrlBuilder()
      for (const page of pages) builder.add(columns(page))
      const entries = pages.flat()
      assert.equal(builder.count, entries.length)
      const tbs = builder.finish(fields)
      assert.equal(toHex(tbs), toHex(encodeTbsCertList(fields, entries)))
      const list = parseCertificateList(builder.sign(algorithm, Uint8Array.of(1, 2, 3)))
      assert.equal(toHex(list.tbs), toHex(tbs))
      assert.equal([...list.entries()].length, entries.length)
    }),
  )
})

test('a serial number of zero or of more than 20 octets, a reason that is none, and a time between two seconds are refused', () => {
  const good: Entry = {
    serialNumber: Uint8Array.of(1),
    revocationDate: 0,
    reason: 'superseded',
    invalidityDate: undefined,
  }
  for (const serialNumber of [Uint8Array.of(0), new Uint8Array(21).fill(1)]) {
    assert.throws(() => new CrlBuilder().add(columns([{ ...good, serialNumber }])), { code: 'der.value_invalid' })
  }
  assert.throws(() => new CrlBuilder().add({ ...columns([good]), reasons: [7] }), { code: 'der.value_invalid' })
  const times = [0, 0.5]
  assert.throws(() => new CrlBuilder().add({ ...columns([good, good]), revokedAt: times }), {
    code: 'der.time_invalid',
  })
})

test('a list that would be longer than its reader takes is refused, and nothing is signed twice over', () => {
  const page = columns(
    Array<Entry>(1000).fill({
      serialNumber: new Uint8Array(20).fill(1),
      revocationDate: 0,
      reason: 'superseded',
      invalidityDate: undefined,
    }),
  )
  const builder = new CrlBuilder(1024 * 1024)
  assert.throws(
    () => {
      for (let i = 0; i < 100; i++) builder.add(page)
    },
    { code: 'der.value_invalid' },
  )
  assert.throws(() => new CrlBuilder().sign(algorithm, Uint8Array.of(1)), TypeError)
})
