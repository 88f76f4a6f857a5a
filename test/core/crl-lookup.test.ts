// Looking a serial number up in a CRL without reading its entries one by one: the answer is that of the reader, the first time and every time.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { concat } from '../../src/core/bytes/bytes.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import {
  type CertificateList,
  type CrlEntry,
  encodeCrlEntry,
  findRevoked,
  parseCertificateList,
  type RevokedCertificate,
} from '../../src/core/pki/crl.ts'
import { findEntry } from '../../src/core/pki/crl-lookup.ts'
import { encodeName, parseNameText } from '../../src/core/pki/name.ts'
import { encodeSigned } from '../../src/core/pki/signed.ts'
import { ECDSA_SHA256 } from '../support/certificates.ts'
import { mutated } from '../support/mutate.ts'

/** A list with these octets for entries, as far as anybody has looked. */
function listOf(entries: Uint8Array): CertificateList {
  const tbs = writeDer(w =>
    w.sequence(() => {
      w.integer(1)
        .raw(ECDSA_SHA256)
        .raw(encodeName(parseNameText('CN=issuer')))
      w.time(0).time(1)
      if (entries.length > 0) w.sequence(() => w.raw(entries))
    }),
  )
  return parseCertificateList(encodeSigned(tbs, ECDSA_SHA256, fromHex('00')))
}

const list = (entries: readonly CrlEntry[]) => listOf(concat(...entries.map(encodeCrlEntry)))

/** Entry by entry; `throws` where the reader refuses one on the way. */
function walk(crl: CertificateList, serialNumber: string): RevokedCertificate | undefined | 'throws' {
  try {
    for (const entry of crl.entries()) if (entry.serialNumber === serialNumber) return entry
    return undefined
  } catch (error) {
    assert.ok(error instanceof TouchmarkError)
    return 'throws'
  }
}

const serial = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map(bytes => (bytes[0] === 0 && bytes.length > 1 ? bytes.map(octet => octet | 1) : bytes))
const entry: fc.Arbitrary<CrlEntry> = fc.record({
  serialNumber: serial,
  revocationDate: fc.integer({ min: 0, max: 4_000_000_000 }),
  reason: fc.constantFrom(undefined, 'keyCompromise' as const, 'certificateHold' as const),
  invalidityDate: fc.option(fc.integer({ min: 0, max: 4_000_000_000 }), { nil: undefined }),
})

describe('Looking up a serial number', () => {
  it('finds what the reader finds, at the first, second and third question', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 40 }), serial, (entries, other) => {
        const crl = list(entries)
        for (const wanted of [...entries.map(({ serialNumber }) => toHex(serialNumber)), toHex(other)]) {
          const expected = walk(crl, wanted)
          for (let round = 0; round < 3; round++) assert.deepEqual(findRevoked(crl, wanted), expected)
        }
        // All of these entries have the usual shapes: the reader was never needed.
        assert.equal(findEntry(crl.entriesContent, fromHex('7f'.repeat(21))), -1)
      }),
      { numRuns: 150 },
    )
  })

  it('where octets were changed it says what the reader says, or leaves the list to it', () => {
    const cases = fc.array(entry, { minLength: 1, maxLength: 6 }).chain(entries => {
      const { entriesContent } = list(entries)
      return fc.record({ entries: fc.constant(entries), bytes: mutated(entriesContent) })
    })
    let compared = 0
    fc.assert(
      fc.property(cases, ({ entries, bytes }) => {
        const wanted = entries.at(-1)!.serialNumber
        const content = wanted[0]! >= 0x80 ? new Uint8Array([0, ...wanted]) : wanted
        const found = findEntry(bytes, content)
        assert.equal(findEntry(bytes, content) ?? found, found)
        if (found === undefined) return
        const expected = walk(listOf(bytes), toHex(wanted))
        // A time that is none (the 31st of February) is seen by the reader alone.
        if (expected === 'throws') return
        assert.equal(found >= 0, expected !== undefined)
        compared++
      }),
      { numRuns: 2000 },
    )
    assert.ok(compared > 20, `${compared} compared`)
  })
})
