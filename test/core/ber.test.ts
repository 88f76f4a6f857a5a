// BER to DER (X.690 §8.1.3, §8.7): what streaming writers of CMS send.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { derFromBer } from '../../src/core/asn1/ber.ts'
import { encodeHeader, writeDer } from '../../src/core/asn1/writer.ts'
import { concat } from '../../src/core/bytes/bytes.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { assertOnlyTypedErrors } from '../support/mutate.ts'

const convert = (hex: string) => toHex(derFromBer(fromHex(hex.replaceAll(' ', ''))))

/** A value with both encodings. */
interface Pair {
  readonly der: Uint8Array
  readonly ber: Uint8Array
}

const END = new Uint8Array(2)
const LONG_LENGTH = (tag: number, length: number) =>
  new Uint8Array([tag, 0x84, 0, length >> 16, (length >> 8) & 255, length & 255])

/** Values nested a few levels deep, each header in one of the forms that BER has for it. */
const pair: fc.Arbitrary<Pair> = fc.letrec<{ value: Pair }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.boolean()).map(([content, isLong]) => ({
      der: writeDer(w => w.octetString(content)),
      ber: isLong ? concat(LONG_LENGTH(0x04, content.length), content) : writeDer(w => w.octetString(content)),
    })),
    fc
      .tuple(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 4 }), fc.boolean())
      .map(([parts, isIndefinite]) => {
        const segments = concat(...parts.map(part => writeDer(w => w.octetString(part))))
        return {
          der: writeDer(w => w.octetString(concat(...parts))),
          ber: isIndefinite
            ? concat(new Uint8Array([0x24, 0x80]), segments, END)
            : concat(encodeHeader(0x24, segments.length), segments),
        }
      }),
    fc
      .tuple(
        fc.constantFrom(0x30, 0x31, 0xa0, 0xa1),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.constantFrom(0, 1, 2),
      )
      .map(([tag, members, form]) => {
        const ber = concat(...members.map(member => member.ber))
        const header = [encodeHeader(tag, ber.length), LONG_LENGTH(tag, ber.length), new Uint8Array([tag, 0x80])][form]!
        return {
          der: writeDer(w => w.constructed(tag, () => members.forEach(member => void w.raw(member.der)))),
          ber: concat(header, ber, form === 2 ? END : new Uint8Array(0)),
        }
      }),
  ),
})).value

describe('BER to DER', () => {
  it('gives lengths their shortest definite form', () => {
    assert.equal(convert('3080 020105 0000'), '3003020105')
    assert.equal(convert('3084 00000003 020105'), '3003020105')
    assert.equal(convert('3080 3080 0000 a080 0500 0000 0000'), '30063000a0020500')
  })

  it('joins the segments of an OCTET STRING (8.7.3)', () => {
    assert.equal(convert('2480 0401aa 0402bbcc 0000'), '0403aabbcc')
    assert.equal(convert('2408 0401aa 2403 0401bb'), '0402aabb')
    assert.equal(convert('2400'), '0400')
  })

  it('is the inverse of whatever BER writers do', () => {
    fc.assert(
      fc.property(pair, ({ ber, der }) => assert.deepEqual(Uint8Array.from(derFromBer(ber)), Uint8Array.from(der))),
      { numRuns: 500 },
    )
  })

  it('returns DER itself, not a copy', () => {
    fc.assert(fc.property(pair, ({ der }) => assert.equal(derFromBer(der), der)))
  })

  it('leaves broken octets that are not BER to the strict reader', () => {
    const broken = fromHex('30050201')
    assert.equal(derFromBer(broken), broken)
  })

  it('refuses what has no end, other segments, trailing octets and deep nesting', () => {
    const code = (hex: string, expected: string) => assert.throws(() => convert(hex), { code: expected }, hex)
    code('3080 020105', 'der.truncated')
    code('3080 020105 00', 'der.truncated')
    code('3080 02050102 0000', 'der.truncated')
    code('2480 020105 0000', 'der.tag_unexpected')
    code('3080 0000 00', 'der.trailing_data')
    code('3080 0480 0000 0000', 'der.length_indefinite')
    code('3080'.repeat(40) + '0000'.repeat(40), 'der.too_deep')
    code('2480'.repeat(40) + '0000'.repeat(40), 'der.too_deep')
    code('3080'.repeat(100_000), 'der.too_deep')
  })

  it('gives typed errors only', () => {
    const original = fromHex('308006092a864886f70d010702a080308002010131002480040448656c6c0000310000000000000000')
    assertOnlyTypedErrors([original], derFromBer, 4000)
  })
})
