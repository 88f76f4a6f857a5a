// CertificateSerialNumber (RFC 5280 §4.1.2.2): hexadecimal and back, odd ones included.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readDer } from '../../src/core/asn1/reader.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { parseSerialNumber, writeSerialNumber } from '../../src/core/pki/serial-number.ts'

const read = (hex: string) => readDer(fromHex(hex), parseSerialNumber)
const write = (serial: string) => toHex(writeDer(w => writeSerialNumber(w, serial)))

describe('serial numbers (RFC 5280 4.1.2.2)', () => {
  it('are hexadecimal without the sign octet', () => {
    for (const [der, text] of [
      ['020100', '00'],
      ['02017f', '7f'],
      ['02020080', '80'],
      ['02030100ff', '0100ff'],
      ['0201ff', '-01'],
      ['020180', '-80'],
      ['0202ff7f', '-81'],
      ['0202ff00', '-0100'],
      ['02028000', '-8000'],
    ] as const) {
      assert.equal(read(der), text)
      assert.equal(write(text), der)
    }
  })

  it('come back as the same octets', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 160n), max: 2n ** 160n }), value => {
        const hex = (value < 0n ? -value : value).toString(16)
        const serial = `${value < 0n ? '-' : ''}${hex.padStart(hex.length + (hex.length % 2), '0')}`
        assert.equal(read(write(serial)), serial)
      }),
    )
  })

  it('have at most 64 octets', () => {
    assert.equal(read(`0240${'11'.repeat(64)}`), '11'.repeat(64))
    assert.throws(() => read(`0241${'11'.repeat(65)}`), { code: 'der.integer_too_large' })
    assert.throws(() => read('0200'), { code: 'der.integer_invalid' })
    assert.throws(() => read('02020001'), { code: 'der.integer_invalid' })
    assert.throws(() => read('0202ff80'), { code: 'der.integer_invalid' })
  })
})
