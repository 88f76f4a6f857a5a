// Distinguished names: DER (RFC 5280 §4.1.2.4), text (RFC 4514), comparison (RFC 5280 §7.1), general names (§4.2.1.6).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DerError } from '../../src/core/asn1/der-error.ts'
import { readDer } from '../../src/core/asn1/reader.ts'
import { TAG } from '../../src/core/asn1/tag.ts'
import { writeDer } from '../../src/core/asn1/writer.ts'
import { fromHex, toHex } from '../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { decodeString, encodeString } from '../../src/core/pki/directory-string.ts'
import {
  encodeGeneralName,
  encodeHardwareModuleName,
  encodePermanentIdentifier,
  type GeneralName,
  parseGeneralName,
  parseGeneralNames,
  parseHardwareModuleName,
  parsePermanentIdentifier,
} from '../../src/core/pki/general-name.ts'
import {
  ATTRIBUTE,
  type AttributeInput,
  attributeValue,
  encodeName,
  formatName,
  type Name,
  nameIsWithin,
  nameKey,
  namesEqual,
  parseName,
  parseNameText,
} from '../../src/core/pki/name.ts'
import { OID } from '../../src/core/pki/oids.ts'

const name = (text: string): Name => readDer(encodeName(parseNameText(text)), parseName)
const withTag = (value: string, tag: number): Name =>
  readDer(encodeName([[{ type: ATTRIBUTE.CN, value, tag }]]), parseName)

const attribute = fc.record({
  type: fc.constantFrom(...Object.values(ATTRIBUTE), '1.3.6.1.4.1.32473.1', '2.999.1'),
  value: fc.oneof(fc.string({ maxLength: 20 }), fc.stringMatching(/^[ #,+"\\<>;=a-zA-Z0-9]{0,12}$/)),
})
const rdns = fc.array(fc.array(attribute, { minLength: 1, maxLength: 3 }), { maxLength: 5 })

function encodable(input: readonly (readonly AttributeInput[])[]): Name | undefined {
  try {
    return readDer(encodeName(input), parseName)
  } catch (error) {
    assert.ok(error instanceof TouchmarkError && error.code === 'name.value_invalid', String(error))
    return undefined
  }
}

const flat = (of: Pick<Name, 'rdns'>) => of.rdns.map(rdn => rdn.map(({ type, value }) => `${type}=${value}`).sort())

describe('Name in DER (RFC 5280 4.1.2.4)', () => {
  it('what is encoded reads back, and encodes to the same octets again', () => {
    fc.assert(
      fc.property(rdns, input => {
        const read = encodable(input)
        if (read === undefined) return
        assert.deepEqual(flat(read), flat({ rdns: input.map(rdn => rdn.map(a => ({ ...a, tag: 0 }))) }))
        assert.deepEqual(encodeName(read.rdns), read.raw)
      }),
      { numRuns: 300 },
    )
  })

  it('countryName, serialNumber and dnQualifier are PrintableString, e-mail and DC IA5String, the rest UTF8String', () => {
    const tags = new Map(
      name('C=FI,serialNumber=7,dnQualifier=q,emailAddress=a@b,DC=example,CN=x,O=y,UID=z').rdns.map(([first]) => [
        first!.type,
        first!.tag,
      ]),
    )
    assert.equal(tags.get(ATTRIBUTE.C), TAG.PRINTABLE_STRING)
    assert.equal(tags.get(ATTRIBUTE.serialNumber), TAG.PRINTABLE_STRING)
    assert.equal(tags.get(ATTRIBUTE.dnQualifier), TAG.PRINTABLE_STRING)
    assert.equal(tags.get(ATTRIBUTE.emailAddress), TAG.IA5_STRING)
    assert.equal(tags.get(ATTRIBUTE.DC), TAG.IA5_STRING)
    for (const type of [ATTRIBUTE.CN, ATTRIBUTE.O, ATTRIBUTE.UID]) assert.equal(tags.get(type), TAG.UTF8_STRING)
  })

  it('a value that its string type cannot say is refused when writing', () => {
    for (const [type, value] of [
      [ATTRIBUTE.C, 'Ä'],
      [ATTRIBUTE.serialNumber, 'SN_7'],
      [ATTRIBUTE.emailAddress, 'ü@example'],
      [ATTRIBUTE.CN, '\ud800'],
    ] as const) {
      assert.throws(() => encodeName([[{ type, value }]]), { code: 'name.value_invalid' })
    }
    assert.throws(() => encodeName([[]]), { code: 'name.rdn_empty' })
  })

  it('every string type reads to text and back: T.61 as Latin-1, BMPString, UniversalString', () => {
    const texts: readonly [number, string, string][] = [
      [TAG.TELETEX_STRING, 'Café', '436166e9'],
      [TAG.BMP_STRING, 'Ä中', '00c44e2d'],
      [TAG.UNIVERSAL_STRING, 'a😀', '000000610001f600'],
      [TAG.UTF8_STRING, 'Ä😀', 'c384f09f9880'],
      [TAG.NUMERIC_STRING, '12 34', '3132203334'],
      [TAG.VISIBLE_STRING, 'a~', '617e'],
    ]
    for (const [tag, text, hex] of texts) {
      assert.equal(toHex(encodeString(tag, text)), hex)
      assert.equal(decodeString(tag, fromHex(hex)), text)
    }
  })

  it('octets that do not fit their string type are refused when reading', () => {
    for (const [tag, hex] of [
      [TAG.UTF8_STRING, 'c3'],
      [TAG.UTF8_STRING, 'c080'],
      [TAG.PRINTABLE_STRING, '00'],
      [TAG.PRINTABLE_STRING, '41c4'],
      [TAG.IA5_STRING, '80'],
      [TAG.NUMERIC_STRING, '41'],
      [TAG.VISIBLE_STRING, '1f'],
      [TAG.BMP_STRING, '00c44e'],
      [TAG.BMP_STRING, 'd83d'],
      [TAG.UNIVERSAL_STRING, '00110000'],
    ] as const) {
      assert.throws(() => decodeString(tag, fromHex(hex)), { code: 'der.string_invalid' }, `${tag} ${hex}`)
    }
  })

  it('a PrintableString with an underscore, as device makers write it, is read and never written', () => {
    assert.equal(decodeString(TAG.PRINTABLE_STRING, toUtf8('SN_7*@&')), 'SN_7*@&')
    assert.throws(() => encodeString(TAG.PRINTABLE_STRING, 'SN_7'), { code: 'name.value_invalid' })
  })

  it('a value of a type that is no string survives as its DER', () => {
    const bits = readDer(fromHex('30123110300e060355042d0307' + '0001020304050600'.slice(0, 14)), parseName)
    const value = bits.rdns[0]![0]!
    assert.equal(value.tag, TAG.BIT_STRING)
    assert.equal(value.value, '#030700010203040506')
    assert.deepEqual(encodeName(bits.rdns), bits.raw)
    assert.equal(formatName(bits), '2.5.4.45=#030700010203040506')
    assert.deepEqual(encodeName(parseNameText(formatName(bits))), bits.raw)
  })

  it('an RDN that is empty or not in DER order is refused', () => {
    assert.throws(() => readDer(fromHex('30023100'), parseName), { code: 'der.value_invalid' })
    const ordered = encodeName([
      [
        { type: ATTRIBUTE.CN, value: 'a' },
        { type: ATTRIBUTE.O, value: 'b' },
      ],
    ])
    const first = ordered.slice(4, 14)
    const second = ordered.slice(14)
    const swapped = Uint8Array.from([...ordered.slice(0, 4), ...second, ...first])
    assert.deepEqual(readDer(ordered, parseName).rdns[0]!.length, 2)
    assert.throws(() => readDer(swapped, parseName), { code: 'der.set_order' })
  })

  it('more than 64 RDNs or 16 attributes in one are refused', () => {
    const one = { type: ATTRIBUTE.OU, value: 'x' }
    assert.throws(() => readDer(encodeName(new Array(65).fill([one])), parseName), { code: 'der.too_large' })
    const many = Array.from({ length: 17 }, (_, i) => ({ ...one, value: String(i) }))
    assert.throws(() => readDer(encodeName([many]), parseName), { code: 'der.too_large' })
  })

  it('attributeValue gives the most specific value', () => {
    assert.equal(attributeValue(name('CN=leaf,OU=b,OU=a,O=x'), ATTRIBUTE.OU), 'b')
    assert.equal(attributeValue(name('CN=leaf'), ATTRIBUTE.O), undefined)
  })
})

describe('Name as text (RFC 4514)', () => {
  it('what is written reads back to the same name', () => {
    fc.assert(
      fc.property(rdns, input => {
        const read = encodable(input)
        if (read === undefined) return
        assert.deepEqual(flat({ rdns: parseNameText(formatName(read)).map(withTags) }), flat(read))
      }),
      { numRuns: 300 },
    )
    function withTags(rdn: AttributeInput[]) {
      return rdn.map(a => ({ ...a, tag: 0 }))
    }
  })

  it('the examples of RFC 4514 section 4', () => {
    assert.equal(formatName(name('UID=jsmith,DC=example,DC=net')), 'UID=jsmith,DC=example,DC=net')
    assert.equal(name('UID=jsmith,DC=example,DC=net').rdns[0]![0]!.value, 'net')
    assert.equal(formatName(name('OU=Sales+CN=J.  Smith,DC=example,DC=net')).split(',')[1], 'DC=example')
    assert.equal(attributeValue(name('CN=James \\"Jim\\" Smith\\, III,DC=net'), ATTRIBUTE.CN), 'James "Jim" Smith, III')
    assert.equal(attributeValue(name('CN=Before\\0dAfter,DC=net'), ATTRIBUTE.CN), 'Before\rAfter')
    assert.equal(formatName(name('CN=Before\\0dAfter')), 'CN=Before\\0dAfter')
    assert.equal(attributeValue(name('CN=Lu\\C4\\8Di\\C4\\87'), ATTRIBUTE.CN), 'Lučić')
    assert.equal(formatName(name('1.3.6.1.4.1.1466.0=#04024869')), '1.3.6.1.4.1.1466.0=#04024869')
  })

  it('spaces and # at the edges are escaped and come back', () => {
    const odd = readDer(encodeName([[{ type: ATTRIBUTE.CN, value: ' # ' }]]), parseName)
    assert.equal(formatName(odd), 'CN=\\ #\\ ')
    const slashed = readDer(encodeName([[{ type: ATTRIBUTE.CN, value: '\\ ' }]]), parseName)
    assert.equal(formatName(slashed), 'CN=\\\\\\ ')
    assert.equal(parseNameText(formatName(slashed))[0]![0]!.value, '\\ ')
    assert.equal(parseNameText(' CN = \\ #\\  , O = x ')[1]![0]!.value, ' # ')
    assert.equal(formatName({ rdns: [[{ type: ATTRIBUTE.CN, value: '#x', tag: TAG.UTF8_STRING }]] }), 'CN=\\#x')
  })

  it('the empty name is the empty text', () => {
    assert.equal(formatName(name('')), '')
    assert.equal(toHex(encodeName(parseNameText(' '))), '3000')
  })

  it('long names and other spellings are understood', () => {
    assert.deepEqual(
      parseNameText('commonName=a, S=b, e=c@d, 2.5.4.10=e').map(([first]) => first!.type),
      [ATTRIBUTE.O, ATTRIBUTE.emailAddress, ATTRIBUTE.ST, ATTRIBUTE.CN],
    )
  })

  it('refuses what is no name', () => {
    for (const text of [
      'CN',
      '=x',
      'foo=x',
      'CN=a,',
      'CN=a\\',
      'CN=a\\zz',
      'CN=a"b',
      'CN=#xyz',
      'CN=#0c05',
      'CN=\\ff',
    ]) {
      assert.throws(() => parseNameText(text), { code: 'name.text_invalid' }, text)
    }
  })
})

describe('Comparison of names (RFC 5280 7.1)', () => {
  it('case, string type and white space do not matter', () => {
    assert.ok(namesEqual(withTag('Good CA', TAG.PRINTABLE_STRING), withTag('  good   ca ', TAG.UTF8_STRING)))
    assert.ok(namesEqual(withTag('ÄÖ', TAG.BMP_STRING), withTag('äö', TAG.UTF8_STRING)))
    assert.ok(namesEqual(withTag('Straße', TAG.UTF8_STRING), withTag('STRASSE', TAG.PRINTABLE_STRING)))
    // A precomposed and a decomposed letter, a soft hyphen.
    assert.ok(namesEqual(withTag('\u00e9t\u00ad\u00e9', TAG.UTF8_STRING), withTag('e\u0301te\u0301', TAG.UTF8_STRING)))
  })

  it('order of RDNs, attribute types and values do matter', () => {
    assert.ok(!namesEqual(name('CN=a,O=b'), name('O=b,CN=a')))
    assert.ok(!namesEqual(name('CN=a'), name('OU=a')))
    assert.ok(!namesEqual(name('CN=a'), name('CN=a,CN=a')))
    assert.ok(!namesEqual(name('CN=a b'), name('CN=ab')))
    assert.ok(!namesEqual(name('CN=a'), name('')))
    // Dotless i is another letter.
    assert.ok(!namesEqual(withTag('ı', TAG.UTF8_STRING), withTag('i', TAG.UTF8_STRING)))
  })

  it('two names have the same key where they are equal, and only there', () => {
    const likely = fc.array(
      fc.array(
        fc.record({
          type: fc.constantFrom(ATTRIBUTE.CN, ATTRIBUTE.O),
          value: fc.constantFrom('a', 'A', ' a', 'b', 'a b', 'A  b', 'a;b', '1:a', 'ß', 'ss', 'é', 'e\u0301', ''),
        }),
        { minLength: 1, maxLength: 2 },
      ),
      { maxLength: 2 },
    )
    let equal = 0
    fc.assert(
      fc.property(fc.oneof(likely, rdns), likely, (one, other) => {
        const [a, b] = [encodable(one), encodable(other)]
        if (a === undefined || b === undefined) return
        assert.equal(nameKey(a) === nameKey(b), namesEqual(a, b))
        if (namesEqual(a, b)) equal++
      }),
      { numRuns: 2000 },
    )
    assert.ok(equal > 10)
  })

  it('attributes of one RDN compare as a set', () => {
    assert.ok(namesEqual(name('CN=b+OU=a'), name('OU=A+CN=B')))
    assert.ok(!namesEqual(name('CN=b+OU=a'), name('CN=b+OU=c')))
    assert.ok(!namesEqual(name('OU=a+OU=b'), name('OU=a+OU=a')))
  })

  it('values that are no strings must be the same octets', () => {
    assert.ok(namesEqual(name('2.5.4.45=#03020001'), name('2.5.4.45=#03020001')))
    assert.ok(!namesEqual(name('2.5.4.45=#03020001'), name('2.5.4.45=#03020002')))
  })

  it('is reflexive and symmetric', () => {
    fc.assert(
      fc.property(rdns, rdns, (left, right) => {
        const a = encodable(left)
        const b = encodable(right)
        if (a === undefined || b === undefined) return
        assert.ok(namesEqual(a, { ...a, raw: new Uint8Array(0) }))
        assert.equal(namesEqual(a, b), namesEqual(b, a))
      }),
      { numRuns: 200 },
    )
  })

  it('a name lies within its first RDNs', () => {
    assert.ok(nameIsWithin(name('CN=a,O=b,C=FI'), name('o=B,C=fi')))
    assert.ok(nameIsWithin(name('CN=a'), name('')))
    assert.ok(!nameIsWithin(name('O=b,C=FI'), name('CN=a,O=b,C=FI')))
    assert.ok(!nameIsWithin(name('CN=a,O=b,C=SE'), name('O=b,C=FI')))
  })
})

describe('GeneralName (RFC 5280 4.2.1.6)', () => {
  const generalName: fc.Arbitrary<GeneralName> = fc.oneof(
    fc.record({
      kind: fc.constantFrom('rfc822Name' as const, 'dNSName' as const, 'uniformResourceIdentifier' as const),
      value: fc.stringMatching(/^[\x20-\x7e]{0,30}$/),
    }),
    fc.record({ kind: fc.constant('iPAddress' as const), bytes: fc.uint8Array({ maxLength: 32 }) }),
    fc.record({ kind: fc.constant('registeredID' as const), oid: fc.constantFrom('1.2.3', '2.5.4.3', '2.999.4711') }),
    fc.record({
      kind: fc.constant('otherName' as const),
      typeId: fc.constantFrom('1.2.3', OID.hardwareModuleName),
      value: fc.uint8Array({ maxLength: 20 }).map(octets => writeDer(w => w.octetString(octets))),
    }),
    fc.constantFrom('', 'CN=a,O=b').map(text => ({ kind: 'directoryName' as const, name: name(text) })),
    fc.constant({ kind: 'other' as const, tag: 0xa5, raw: fromHex('a505a1030c0161') }),
  )

  it('every kind round-trips', () => {
    fc.assert(
      fc.property(generalName, value => {
        const der = encodeGeneralName(value)
        const read = readDer(der, parseGeneralName)
        assert.deepEqual(plain(read), plain(value))
        assert.deepEqual(encodeGeneralName(read), der)
      }),
      { numRuns: 300 },
    )
    function plain(value: GeneralName): unknown {
      return JSON.parse(JSON.stringify(value, (_key, part) => (part instanceof Uint8Array ? toHex(part) : part)))
    }
  })

  it('HardwareModuleName (RFC 4108 5) is an otherName with type and serial number', () => {
    const value = encodeHardwareModuleName('1.3.6.1.4.1.32473.1.7', fromHex('00a1b2'))
    assert.equal(toHex(encodeGeneralName(value)), 'a01f06082b06010505070804a0133011060a2b0601040181fd590107040300a1b2')
    const parsed = parseHardwareModuleName(value)
    assert.equal(parsed?.hwType, '1.3.6.1.4.1.32473.1.7')
    assert.equal(toHex(parsed!.hwSerialNum), '00a1b2')
    assert.equal(parseHardwareModuleName({ kind: 'dNSName', value: 'x' }), undefined)
    assert.throws(
      () => parseHardwareModuleName({ kind: 'otherName', typeId: OID.hardwareModuleName, value: fromHex('0500') }),
      DerError,
    )
  })

  it('PermanentIdentifier (RFC 4043 2) has a value, an assigner, or both', () => {
    for (const [identifierValue, assigner] of [
      ['unit-7', '1.3.6.1.4.1.32473'],
      ['unit-7', undefined],
      [undefined, '1.3.6.1.4.1.32473'],
    ] as const) {
      assert.deepEqual(parsePermanentIdentifier(encodePermanentIdentifier(identifierValue, assigner)), {
        identifierValue,
        assigner,
      })
    }
  })

  it('refuses an empty list, a foreign tag and a text that is not IA5', () => {
    assert.throws(() => readDer(fromHex('3000'), reader => parseGeneralNames(reader)), { code: 'der.value_invalid' })
    assert.throws(() => readDer(fromHex('8900'), parseGeneralName), { code: 'der.tag_unexpected' })
    assert.throws(() => readDer(fromHex('8201c4'), parseGeneralName), { code: 'der.string_invalid' })
    assert.throws(() => encodeGeneralName({ kind: 'dNSName', value: 'ä.example' }), { code: 'name.value_invalid' })
  })
})
