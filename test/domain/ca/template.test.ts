// The template and pattern languages of profiles: what they say, what they refuse, and that nobody can make them slow.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parsePattern } from '../../../src/domain/ca/pattern.ts'
import { parseTemplate, type TemplateValues } from '../../../src/domain/ca/template.ts'
import { device } from './fixture.ts'

const values: TemplateValues = {
  device: { ...device, labels: { site: 'hall-3', empty: '' } },
  request: { commonName: 'unit' },
  fields: { name: 'x' },
  settings: { organization: 'Example', hardwareType: '1.2.3' },
}

function expand(source: string, of = values): string {
  const expansion = parseTemplate(source).expand(of)
  return 'text' in expansion ? expansion.text : `missing ${expansion.missing}`
}

describe('templates', () => {
  it('fill placeholders in', () => {
    assert.equal(expand('{device.serialNumber}.{device.labels.site}.example'), 'SN-0042.hall-3.example')
    assert.equal(expand('{device.model} {device.id}'), `${device.model} ${device.id}`)
    assert.equal(
      expand('{request.commonName}{fields.name}{settings.organization}{settings.hardwareType}'),
      'unitxExample1.2.3',
    )
  })

  it('say which value is missing; an empty one is missing too', () => {
    assert.equal(expand('a {device.labels.none}'), 'missing device.labels.none')
    assert.equal(expand('a {device.labels.empty}'), 'missing device.labels.empty')
    assert.equal(expand('{device.model}', { ...values, device: null }), 'missing device.model')
  })

  it('read own properties only', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      if (name.startsWith('_'))
        assert.throws(() => parseTemplate(`{fields.${name}}`), { code: 'profile.template_invalid' })
      else assert.equal(expand(`{fields.${name}}`), `missing fields.${name}`)
    }
  })

  it('write braces twice for one', () => {
    assert.equal(expand('{{literal}} {{{fields.name}}}'), '{literal} {x}')
  })

  it('refuse what is no placeholder, and braces that are not closed', () => {
    const wrong = [
      '{',
      '}',
      '{}',
      '{device}',
      '{device.labels}',
      '{device.labels.a.b}',
      '{process.env}',
      '{ fields.name }',
      'a}b',
      '',
    ]
    for (const source of wrong) assert.throws(() => parseTemplate(source), { code: 'profile.template_invalid' }, source)
  })

  it('refuse values that would make a certificate huge', () => {
    const huge = { ...values, fields: { name: 'x'.repeat(5000) } }
    assert.throws(() => parseTemplate('{fields.name}').expand(huge), { code: 'profile.value_too_long' })
  })

  it('any text that escapes its braces comes out as it was', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 100 }), text => {
        assert.equal(expand(text.replace(/[{}]/g, '$&$&')), text)
      }),
    )
  })
})

const matches = (pattern: string, text: string) => parsePattern(pattern).matches(text, values)

describe('patterns', () => {
  it('match literally but for their wildcards', () => {
    assert.ok(matches('gw.example.net', 'gw.example.net'))
    assert.ok(!matches('gw.example.net', 'gwxexample.net'))
    assert.ok(!matches('gw', 'gw2'))
  })

  it('* stays within a label, a segment or one side of an address; ** does not', () => {
    assert.ok(matches('*.example.net', 'gw.example.net'))
    assert.ok(!matches('*.example.net', 'a.b.example.net'))
    assert.ok(!matches('*.example.net', '.example.net'))
    assert.ok(matches('**.example.net', 'a.b.example.net'))
    assert.ok(!matches('*@example.net', 'a@b@example.net'))
    assert.ok(matches('urn:dev:*', 'urn:dev:7'))
    assert.ok(!matches('urn:*', 'urn:dev:7'))
  })

  it('fill placeholders in, as themselves', () => {
    assert.ok(matches('{device.serialNumber}.*', 'SN-0042.local'))
    assert.ok(!matches('{device.serialNumber}.*', 'SN-0043.local'))
    const starred = { ...values, device: { ...device, serialNumber: '*' } }
    assert.ok(!parsePattern('{device.serialNumber}').matches('anything', starred))
    assert.ok(parsePattern('{device.serialNumber}').matches('*', starred))
  })

  it('match nothing where a placeholder has no value', () => {
    assert.ok(!matches('{device.labels.none}**', 'x'))
  })

  it('compare names of hosts without regard to case where they are told to', () => {
    assert.ok(parsePattern('GW.{device.serialNumber}', { ignoreCase: true }).matches('gw.sn-0042', values))
  })

  it('agree with regular expressions', () => {
    const piece = fc.constantFrom('a', 'b', '.', '*', '**', 'ab')
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 8 }),
        fc.stringMatching(/^[ab.@]{0,12}$/),
        (pieces, text) => {
          const pattern = pieces.join('').replace(/\*{3,}/g, '**')
          const source = pattern
            .split(/(\*+)/)
            .map(part => (part === '*' ? '[^./@:]+' : part === '**' ? '.+' : part.replaceAll('.', '\\.')))
            .join('')
          assert.equal(matches(pattern, text), new RegExp(`^${source}$`).test(text), `${pattern} on ${text}`)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('take time in proportion to the text, whatever the pattern', () => {
    const pattern = parsePattern('**a'.repeat(60))
    const started = performance.now()
    pattern.matches('a'.repeat(4000), values)
    pattern.matches(`${'a'.repeat(4000)}b`, values)
    assert.ok(performance.now() - started < 2000)
  })
})
