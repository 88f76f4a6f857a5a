// Audit entries: one encoding each (RFC 8785), strict reading, the catalogue of actions, commitments.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { AUDIT_ACTIONS, type AuditAction, auditActionRow } from '../../../src/domain/audit/actions.ts'
import { commitTo, opensCommitment } from '../../../src/domain/audit/commitment.ts'
import {
  type AuditEntry,
  auditText,
  encodeAuditEntries,
  encodeAuditEntry,
  MAX_TEXT_LENGTH,
  parseAuditEntry,
} from '../../../src/domain/audit/entry.ts'

const ISSUED: AuditEntry = {
  at: 1_700_000_000,
  actor: { kind: 'device', id: '6553f100aabbccddeeff001122334455' },
  action: 'certificate.issued',
  outcome: 'done',
  subject: { serialNumber: '0f', authorityId: 'ldevid-1', certificateSha256: 'ab'.repeat(32) },
  detail: { profileVersion: 3, profile: 'ldevid', renewal: true },
}
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

test('writes members in order, without spaces, whatever order they were given in (RFC 8785 3.2)', () => {
  assert.equal(
    text(encodeAuditEntry(ISSUED)),
    '{"action":"certificate.issued","actor":{"id":"6553f100aabbccddeeff001122334455","kind":"device"},"at":1700000000,' +
      '"detail":{"profile":"ldevid","profileVersion":3,"renewal":true},"outcome":"done",' +
      `"subject":{"authorityId":"ldevid-1","certificateSha256":"${'ab'.repeat(32)}","serialNumber":"0f"},"v":1}`,
  )
})

test('leaves out code and detail where there are none', () => {
  const entry: AuditEntry = {
    at: 0,
    actor: { kind: 'system', id: 'server' },
    action: 'server.started',
    outcome: 'done',
    subject: {},
  }
  assert.equal(
    text(encodeAuditEntry({ ...entry, code: undefined, detail: undefined })),
    '{"action":"server.started","actor":{"id":"server","kind":"system"},"at":0,"outcome":"done","subject":{},"v":1}',
  )
})

const fieldName = fc.stringMatching(/^[a-z][A-Za-z0-9]{0,20}$/)
const fieldText = fc.string({ maxLength: 60, unit: 'binary' })
const anyEntry: fc.Arbitrary<AuditEntry> = fc.record(
  {
    at: fc.maxSafeNat(),
    actor: fc.record(
      {
        kind: fc.constantFrom('device', 'operator', 'system', 'stranger'),
        id: fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/),
      },
      { noNullPrototype: true },
    ),
    action: fc.constant('enrolment.refused' as const),
    outcome: fc.constant('refused' as const),
    code: fc.constant('csr.signature_invalid'),
    subject: fc.dictionary(fieldName, fieldText, { maxKeys: 8, noNullPrototype: true }),
    detail: fc.dictionary(
      fieldName,
      fc.oneof(
        fieldText,
        fc.boolean(),
        fc.double({ noNaN: true, noDefaultInfinity: true }).map(value => value + 0 || 0),
      ),
      { maxKeys: 8, noNullPrototype: true },
    ),
  },
  { noNullPrototype: true },
)

test('reads back every entry that it wrote, alone or in bulk', () => {
  fc.assert(
    fc.property(fc.array(anyEntry, { maxLength: 5 }), entries => {
      const alone = entries.map(encodeAuditEntry)
      assert.deepEqual(alone.map(parseAuditEntry), entries)
      assert.deepEqual(encodeAuditEntries(entries).map(text), alone.map(text))
      for (const bytes of alone) assert.deepEqual(JSON.parse(text(bytes)).v, 1)
    }),
  )
})

test('reads no other spelling of an entry', () => {
  const good = text(encodeAuditEntry(ISSUED))
  const other: Record<string, string> = {
    'a space': good.replace(',', ', '),
    'a newline at the end': `${good}\n`,
    'a byte order mark': `\ufeff${good}`,
    'members in another order': good.replace(/^\{(.*),"v":1\}$/, '{"v":1,$1}'),
    'fields in another order': good.replace(
      '"profile":"ldevid","profileVersion":3',
      '"profileVersion":3,"profile":"ldevid"',
    ),
    'a member twice': good.replace('"v":1}', '"v":1,"v":1}'),
    'a field twice': good.replace('"profile":"ldevid"', '"profile":"ldevid","profile":"ldevid"'),
    'an unknown member': good.replace('"v":1}', '"v":1,"w":1}'),
    'an unknown member of the actor': good.replace('"kind":"device"', '"kind":"device","name":"x"'),
    'an escape that is not needed': good.replace('ldevid-1', '\\u006cdevid-1'),
    'a number as text': good.replace('1700000000', '"1700000000"'),
    'another spelling of a number': good.replace('"profileVersion":3', '"profileVersion":3.0'),
    'minus zero': good.replace('"profileVersion":3', '"profileVersion":-0'),
    'a number beyond all bounds': good.replace('"profileVersion":3', '"profileVersion":1e999'),
    'a time before 1970': good.replace('1700000000', '-1'),
    'a time with a fraction': good.replace('1700000000', '1700000000.5'),
    'another version': good.replace('"v":1', '"v":2'),
    'no version': good.replace(',"v":1', ''),
    'another outcome': good.replace('"done"', '"maybe"'),
    'another kind of actor': good.replace('"device"', '"person"'),
    'an actor by name': good.replace('6553f100aabbccddeeff001122334455', 'alice@example.com'),
    'a list as the action': good.replace('"certificate.issued"', '["certificate.issued"]'),
    'nothing as the code': good.replace('"detail"', '"code":null,"detail"'),
    'a list as the subject': good.replace(/"subject":\{[^}]*\}/, '"subject":[]'),
    'a list': `[${good}]`,
    nothing: '',
    half: good.slice(0, 100),
  }
  for (const [what, each] of Object.entries(other)) {
    assert.notEqual(each, good, what)
    assert.throws(() => parseAuditEntry(Buffer.from(each)), { code: 'audit.entry_malformed' }, what)
  }
  assert.throws(() => parseAuditEntry(Uint8Array.of(0x7b, 0xff, 0x7d)), { code: 'audit.entry_malformed' })
  assert.throws(() => parseAuditEntry(new Uint8Array(65_536)), { code: 'audit.entry_malformed' })
  assert.throws(() => parseAuditEntry(Buffer.from('['.repeat(65_000))), { code: 'audit.entry_malformed' })
})

test('never reads an entry that it would write otherwise, whatever bit is flipped', () => {
  const refusal = { ...ISSUED, action: 'enrolment.refused', outcome: 'refused', code: 'rule.denied' } as const
  const good = encodeAuditEntry(refusal)
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bytes = new Uint8Array(good)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    let read: AuditEntry<string>
    try {
      read = parseAuditEntry(bytes)
    } catch (thrown) {
      assert.equal((thrown as { code?: string }).code, 'audit.entry_malformed')
      continue
    }
    if (auditActionRow(read.action) !== undefined)
      assert.deepEqual(text(encodeAuditEntry(read as AuditEntry)), text(bytes))
  }
})

test('reads an action of a later version as it is', () => {
  const bytes = Buffer.from(text(encodeAuditEntry(ISSUED)).replace('certificate.issued', 'certificate.teleported'))
  assert.equal(parseAuditEntry(bytes).action, 'certificate.teleported')
})

test('writes no entry that lacks what its action must name, and no refusal without a code', () => {
  const { certificateSha256: _, ...without } = ISSUED.subject as Record<string, string>
  invalid({ ...ISSUED, subject: without })
  invalid({ ...ISSUED, outcome: 'refused' })
  invalid({ ...ISSUED, action: 'certificate.eaten' as AuditAction })
  invalid({ ...ISSUED, action: 'constructor' as AuditAction })
  invalid({ ...ISSUED, action: 'certificate.revoked', detail: {} })
  assert.ok(encodeAuditEntry({ ...ISSUED, subject: {}, outcome: 'refused', code: 'rule.denied' }).length > 0)
})

test('writes no field beyond its bounds', () => {
  const withField = (name: string, value: unknown): AuditEntry =>
    ({ ...ISSUED, detail: { [name]: value } }) as AuditEntry
  for (const name of ['', 'A', '1a', 'a-b', 'a b', 'ä', '__proto__', 'a'.repeat(49)]) invalid(withField(name, 'x'))
  for (const value of [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    undefined,
    [],
    {},
    1n,
    '\ud800',
    'x'.repeat(MAX_TEXT_LENGTH + 1),
  ]) {
    invalid(withField('field', value))
  }
  invalid({ ...ISSUED, subject: { ...ISSUED.subject, number: 1 as unknown as string } })
  invalid({ ...ISSUED, detail: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`f${i}`, i])) })
  for (const id of ['', 'a b', 'alice@example.com', 'x'.repeat(129), '"'])
    invalid({ ...ISSUED, actor: { kind: 'operator', id } })
  for (const code of ['', 'x', 'X.y', 'a.b"', 'a.b c']) invalid({ ...ISSUED, code })
})

test('always has room for what a stranger sent, cut by auditText', () => {
  const nasty = ['\0', '"', '\\', '\ud800', '\u20ac', '\u{1f600}', '\u2028', 'x'].map(unit =>
    auditText(unit.repeat(5_000)),
  )
  for (const each of nasty) assert.ok(each.length <= MAX_TEXT_LENGTH && each.isWellFormed() && !/\p{Cc}/u.test(each))
  for (const each of nasty) {
    const fields = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`${'f'.repeat(45)}${i}`, each]))
    const bytes = encodeAuditEntry({
      at: Number.MAX_SAFE_INTEGER,
      actor: { kind: 'stranger', id: 'x'.repeat(128) },
      action: 'enrolment.refused',
      outcome: 'refused',
      code: `${'c'.repeat(64)}.${'c'.repeat(64)}`,
      subject: fields,
      detail: fields,
    })
    assert.ok(bytes.length <= 65_535)
    assert.deepEqual(parseAuditEntry(bytes).detail, fields)
  }
  assert.equal(auditText('short'), 'short')
  assert.equal(auditText('line\r\nbreak'), 'line\ufffd\ufffdbreak')
})

test('refuses an entry that is too large for a bundle (tlog-tiles, Log entries)', () => {
  // Control characters take six octets each where they are not replaced by auditText.
  const fields = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`f${i}`, '\u0001'.repeat(MAX_TEXT_LENGTH)]))
  const entry = {
    ...ISSUED,
    subject: { ...fields },
    detail: fields,
    action: 'enrolment.refused',
    outcome: 'refused',
    code: 'a.b',
  } as const
  assert.throws(() => encodeAuditEntry(entry), { code: 'audit.entry_too_large' })
  assert.throws(() => encodeAuditEntries([ISSUED, entry]), { code: 'audit.entry_too_large' })
})

test('catalogues actions in one form, with what each means', () => {
  for (const [action, row] of Object.entries(AUDIT_ACTIONS)) {
    assert.match(action, /^[a-z_]+\.[a-z_]+$/)
    assert.match(row.meaning, /^[A-Z].*\.$/, action)
  }
  assert.equal(auditActionRow('toString'), undefined)
  assert.ok(
    AUDIT_ACTIONS['certificate.issued'].subject.includes('certificateSha256'),
    'the log commits to each certificate',
  )
})

test('commits to a value so that only its salt opens it (architecture, privacy on a log)', () => {
  const hmac = (key: Uint8Array, message: Uint8Array) =>
    new Uint8Array(createHmac('sha256', key).update(message).digest())
  const salt = new Uint8Array(32).fill(7)
  const commitment = commitTo(hmac, salt, 'owner', 'Ada')
  assert.equal(commitment, createHmac('sha256', salt).update('touchmark/commitment/v1\0owner\0Ada').digest('base64url'))
  assert.match(commitment, /^[A-Za-z0-9_-]{43}$/)
  assert.ok(opensCommitment(hmac, commitment, salt, 'owner', 'Ada'))
  assert.ok(!opensCommitment(hmac, commitment, salt, 'owner', 'Bob'))
  assert.ok(!opensCommitment(hmac, commitment, salt, 'site', 'Ada'))
  assert.ok(!opensCommitment(hmac, commitment, new Uint8Array(32), 'owner', 'Ada'))
  assert.ok(!opensCommitment(hmac, commitment, salt.subarray(1), 'owner', 'Ada'))
  assert.throws(() => commitTo(hmac, new Uint8Array(16), 'owner', 'Ada'), { code: 'audit.salt_invalid' })
  assert.ok(parseAuditEntry(encodeAuditEntry({ ...ISSUED, detail: { owner: commitment } })))
})

function invalid(entry: AuditEntry): void {
  assert.throws(() => encodeAuditEntry(entry), { name: 'TouchmarkError', code: 'audit.entry_invalid' })
}
