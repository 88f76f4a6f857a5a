// The gate judges the first certificate of a shape as a whole and the next by what belongs to the unit. These tests hold the two ways
// against each other: whatever the one refuses, the other must refuse, for certificates that are wrong in every octet or in their meaning.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { TAG } from '../../../src/core/asn1/tag.ts'
import { writeDer } from '../../../src/core/asn1/writer.ts'
import { fromHex } from '../../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../../src/core/bytes/utf8.ts'
import { TouchmarkError } from '../../../src/core/errors.ts'
import { compileExtensions, encodeTbsCertificate, parseTbsCertificate } from '../../../src/core/pki/certificate.ts'
import { extension } from '../../../src/core/pki/extensions.ts'
import { type AttributeInput, encodeName } from '../../../src/core/pki/name.ts'
import { OID } from '../../../src/core/pki/oids.ts'
import { systemRandom } from '../../../src/crypto/random.ts'
import { type LintIntent, lintGate } from '../../../src/domain/ca/lint-gate.ts'
import { prepareCertificate } from '../../../src/domain/ca/prepare.ts'
import { serialNumber } from '../../../src/domain/ids.ts'
import { authorities, profile, request, settings } from './fixture.ts'

/** A certificate as it was prepared, and what the gate was told about it. */
async function sample(name = 'gateway-tls-server'): Promise<{ tbs: Uint8Array; intent: LintIntent }> {
  const { issuing } = await authorities()
  const of = profile(name)
  const wanted = await request(of)
  const prepared = prepareCertificate(wanted, issuing, { settings, random: systemRandom })
  const tbs = prepared.tbs()!
  const fields = parseTbsCertificate(tbs)
  // AKI, the profile's own, distribution point and access: what all certificates of the profile share.
  const count = 1 + of.constantExtensions.length + 2
  const shared = fields.extensions.slice(0, count)
  const intent: LintIntent = {
    request: wanted,
    authority: issuing,
    settings,
    facts: prepared.facts,
    shared: {
      signatureAlgorithm: fields.signatureAlgorithm.raw,
      extensions: shared,
      compiled: compileExtensions(shared),
      passed: new Map(),
    },
    serialNumber: fromHex(prepared.facts.serialNumber),
    issuer: fields.issuer.raw,
    subject: fields.subject.raw,
    variableExtensions: fields.extensions.slice(count),
  }
  return { tbs, intent }
}

type Outcome = 'passes' | 'refused'

function outcome(tbs: Uint8Array, intent: LintIntent): Outcome {
  try {
    lintGate(tbs, intent)
    return 'passes'
  } catch (error) {
    assert.ok(error instanceof TouchmarkError && error.code === 'lint.failed', String(error))
    return 'refused'
  }
}

/** The whole lint, whatever passed before. */
const wholly = (tbs: Uint8Array, intent: LintIntent) =>
  outcome(tbs, { ...intent, shared: { ...intent.shared, passed: new Map() } })

describe('the lint gate', () => {
  it('passes what was prepared, both ways', async () => {
    const { tbs, intent } = await sample()
    assert.equal(outcome(tbs, intent), 'passes')
    assert.equal(intent.shared.passed.size, 1)
    assert.equal(outcome(tbs, intent), 'passes')
  })

  it('refuses every certificate with one bit changed, both ways', async () => {
    const { tbs, intent } = await sample()
    outcome(tbs, intent)
    for (let bit = 0; bit < tbs.length * 8; bit++) {
      const changed = new Uint8Array(tbs)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(outcome(changed, intent), 'refused', `bit ${bit}, after a pass`)
      assert.equal(wholly(changed, intent), 'refused', `bit ${bit}, as a whole`)
    }
  })

  it('refuses every certificate that is cut off or has something behind, both ways', async () => {
    const { tbs, intent } = await sample()
    outcome(tbs, intent)
    for (let length = 0; length < tbs.length; length++) {
      assert.equal(outcome(tbs.subarray(0, length), intent), 'refused')
    }
    const longer = new Uint8Array([...tbs, 0])
    assert.equal(outcome(longer, intent), 'refused')
    assert.equal(wholly(longer, intent), 'refused')
  })

  it('refuses one extension more, both ways', async () => {
    const { intent } = await sample()
    const tbs = encode(intent, {
      extensions: [...intent.variableExtensions, extension('1.3.6.1.4.1.32473.9', false, fromHex('0500'))],
    })
    assert.equal(outcome(encode(intent, {}), intent), 'passes')
    assert.equal(outcome(tbs, intent), 'refused')
    assert.equal(wholly(tbs, intent), 'refused')
  })

  it('agrees with itself on what certificates mean', async () => {
    const { tbs: good, intent: base } = await sample()
    outcome(good, base)
    const seen = { passes: 0, refused: 0 }
    fc.assert(
      fc.property(
        subjects,
        alternativeNames,
        serials,
        fc.constantFrom(false, false, false, true),
        (rdns, names, serial, swapped) => {
          const subject = encodeName(rdns)
          const altName = extension(OID.subjectAltName, rdns.length === 0, names)
          const [, ...others] = base.variableExtensions
          const { notBefore, notAfter } = base.facts
          const intent: LintIntent = {
            ...base,
            subject,
            serialNumber: serial,
            variableExtensions: [altName, ...others],
            facts: {
              ...base.facts,
              serialNumber: serialNumber(Buffer.from(serial).toString('hex')),
              ...(swapped && { notBefore: notAfter, notAfter: notBefore }),
            },
          }
          const tbs = encode(intent, {})
          const whole = wholly(tbs, intent)
          seen[whole]++
          // The first makes the shape pass where it does; the second is judged as a unit.
          assert.equal(outcome(tbs, intent), whole)
          assert.equal(outcome(tbs, intent), whole)
        },
      ),
      { numRuns: 600 },
    )
    assert.ok(seen.passes > 20 && seen.refused > 100, JSON.stringify(seen))
  })

  it('names every rule that was broken, with its source', async () => {
    const { intent } = await sample()
    const subject = encodeName([[{ type: '2.5.4.10', value: 'x'.repeat(65) }], [{ type: '2.5.4.5', value: '' }]])
    const wrong = { ...intent, subject }
    assert.throws(() => lintGate(encode(wrong, {}), wrong), {
      code: 'lint.failed',
      evidence: { 'lint.name_value_too_long': 'RFC 5280 A.1', 'lint.name_value_empty': 'RFC 5280 A.1' },
    })
  })
})

const usual = fc.constantFrom<AttributeInput>({ type: '2.5.4.10', value: 'Maker' }, { type: '2.5.4.5', value: 'SN 7' })
const unusual = fc.record({
  type: fc.constantFrom('2.5.4.10', '2.5.4.5', '2.5.4.3'),
  value: fc.oneof(fc.constant(''), fc.stringMatching(/^[A-Za-z0-9 ]{1,70}$/)),
  tag: fc.constantFrom(TAG.UTF8_STRING, TAG.PRINTABLE_STRING, TAG.IA5_STRING),
})
const subjects: fc.Arbitrary<AttributeInput[][]> = fc.array(
  fc.oneof({ arbitrary: usual, weight: 4 }, { arbitrary: unusual, weight: 1 }).map(attribute => [attribute]),
  { maxLength: 3 },
)

const generalName = fc.oneof(
  fc
    .constantFrom('gw.example', 'a_b.example', '', '-x', '*.example')
    .map(text => writeDer(w => w.primitive(0x82, toUtf8(text)))),
  fc.uint8Array({ maxLength: 18 }).map(octets => writeDer(w => w.primitive(0x87, octets))),
  fc
    .constantFrom('https://a.example/x', 'relative', 'urn:a:b')
    .map(text => writeDer(w => w.primitive(0x86, toUtf8(text)))),
  fc.constant(writeDer(w => w.primitive(0x89, fromHex('00')))),
)
const alternativeNames = fc.array(generalName, { maxLength: 3 }).map(names =>
  writeDer(w =>
    w.sequence(() => {
      for (const name of names) w.raw(name)
    }),
  ),
)

const serials = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map(octets => new Uint8Array([0x6a, ...octets.subarray(1)])),
  fc.uint8Array({ minLength: 1, maxLength: 22 }).map(octets => {
    const from = octets.findIndex(octet => octet !== 0)
    return from < 0 ? new Uint8Array([0]) : octets.slice(from)
  }),
)

/** The TBSCertificate that an intent describes. */
function encode(intent: LintIntent, changes: { extensions?: LintIntent['variableExtensions'] }): Uint8Array {
  return encodeTbsCertificate({
    serialNumber: intent.serialNumber,
    signatureAlgorithm: intent.shared.signatureAlgorithm,
    issuer: intent.issuer,
    notBefore: intent.facts.notBefore,
    notAfter: intent.facts.notAfter,
    subject: intent.subject,
    subjectPublicKeyInfo: intent.request.spki,
    precompiledExtensions: intent.shared.compiled,
    extensions: changes.extensions ?? intent.variableExtensions,
  })
}
