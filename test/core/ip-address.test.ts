// IP addresses and ranges from text (RFC 4291 §2.2, RFC 4632 §3.1), with node:net as the judge.
import assert from 'node:assert/strict'
import { BlockList, isIP } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { toHex } from '../../src/core/bytes/hex.ts'
import { ipRangeContains, ipRangeOctets, parseIpAddress, parseIpRange } from '../../src/core/pki/ip-address.ts'

const hex = (text: string) => {
  const octets = parseIpAddress(text)
  return octets && toHex(octets)
}

describe('IP addresses', () => {
  it('are read in every form of RFC 4291 §2.2', () => {
    assert.equal(hex('192.0.2.1'), 'c0000201')
    assert.equal(hex('2001:db8:0:0:8:800:200C:417A'), '20010db80000000000080800200c417a')
    assert.equal(hex('2001:db8::8:800:200c:417a'), '20010db80000000000080800200c417a')
    assert.equal(hex('::1'), '00000000000000000000000000000001')
    assert.equal(hex('::'), '00'.repeat(16))
    assert.equal(hex('fe80::'), `fe80${'00'.repeat(14)}`)
    assert.equal(hex('::ffff:192.0.2.1'), `${'00'.repeat(10)}ffffc0000201`)
  })

  it('are refused in any other', () => {
    const wrong = [
      '',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '01.2.3.4',
      '1.2.3.-4',
      ':',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
    ]
    wrong.push(
      '12345::',
      'g::',
      '::1%eth0',
      '[::1]',
      '1.2.3.4:5',
      '1:2:3:4:5:6:7:1.2.3.4',
      '1.2.3.4::',
      '::1.2.3',
      '1:2:3:4:5:6:7::8:9',
    )
    for (const text of wrong) assert.equal(hex(text), undefined, text)
  })

  it('agree with node:net about what is one', () => {
    const anything = fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{0,20}$/))
    fc.assert(
      fc.property(anything, text => {
        const expected = isIP(text)
        const octets = parseIpAddress(text)
        assert.equal(octets?.length, expected === 4 ? 4 : expected === 6 ? 16 : undefined, text)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('ranges', () => {
  it('are address and prefix, without bits below it', () => {
    assert.equal(toHex(ipRangeOctets(parseIpRange('10.0.0.0/8')!)), '0a000000ff000000')
    assert.equal(toHex(ipRangeOctets(parseIpRange('192.0.2.4/30')!)), 'c0000204fffffffc')
    assert.equal(toHex(ipRangeOctets(parseIpRange('0.0.0.0/0')!)), '0000000000000000')
    for (const wrong of [
      '10.0.0.1/8',
      '10.0.0.0',
      '10.0.0.0/33',
      '10.0.0.0/08',
      '10.0.0.0/8/8',
      'x/8',
      '::/129',
      '/8',
    ]) {
      assert.equal(parseIpRange(wrong), undefined, wrong)
    }
  })

  it('contain what node:net says they contain', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, base, prefix) => {
        const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0
        const masked = [...parseIpAddress(base)!].map((octet, i) => octet & (mask >>> (24 - 8 * i)) & 255).join('.')
        const judge = new BlockList()
        judge.addSubnet(masked, prefix)
        const range = parseIpRange(`${masked}/${prefix}`)!
        for (const each of [address, base])
          assert.equal(ipRangeContains(range, parseIpAddress(each)!), judge.check(each))
        assert.ok(!ipRangeContains(range, new Uint8Array(16)))
      }),
    )
  })
})
