// C2SP signed-note, tlog-checkpoint and tlog-cosignature, with node:crypto as the judge of every signature.
import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { toBase64 } from '../../src/core/bytes/base64.ts'
import { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from '../../src/core/merkle/checkpoint.ts'
import {
  cosignatureVerifier,
  cosigner,
  ed25519CosignedMessage,
  mlDsa44CosignedMessage,
  parseCosignature,
} from '../../src/core/merkle/cosignature.ts'
import {
  ed25519NoteSigner,
  ed25519NoteVerifier,
  formatSignedNote,
  formatVerifierKey,
  type NoteVerifier,
  openNote,
  parseSignedNote,
  parseVerifierKey,
  SIGNATURE_TYPES,
  type SignatureType,
  signNote,
  type VerifySignature,
  verifierKey,
  withSignatures,
} from '../../src/core/merkle/signed-note.ts'
import { sha256 } from '../../src/crypto/digest.ts'

/** The example of the specification: a verifier key and a note that it verifies. */
const EXAMPLE_KEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'
const EXAMPLE_NOTE =
  'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n'
const EXAMPLE_CHECKPOINT = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n'

const utf8 = (text: string) => new Uint8Array(Buffer.from(text))
const ed25519: VerifySignature = (publicKey, message, signature) =>
  verify(
    null,
    message,
    createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') },
      format: 'jwk',
    }),
    signature,
  )

function newKey(name: string, type: SignatureType = SIGNATURE_TYPES.ed25519) {
  const { privateKey, publicKey } =
    type === SIGNATURE_TYPES.mlDsa44Cosignature ? generateKeyPairSync('ml-dsa-44') : generateKeyPairSync('ed25519')
  const length = type === SIGNATURE_TYPES.mlDsa44Cosignature ? 1312 : 32
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-length)
  return { key: verifierKey(sha256, name, type, raw), publicKey, signWith: signWith(privateKey) }
}
const signWith = (key: KeyObject) => async (message: Uint8Array) => new Uint8Array(sign(null, message, key))

test('verifies the example of the specification (signed-note, Verifier keys)', () => {
  const key = parseVerifierKey(sha256, EXAMPLE_KEY)
  assert.equal(key.name, 'example.com/foo')
  assert.equal(key.keyId, '530d903a')
  assert.equal(formatVerifierKey(key), EXAMPLE_KEY)
  const opened = openNote(utf8(EXAMPLE_NOTE), [ed25519NoteVerifier(key, ed25519)])
  assert.equal(opened.text, 'This is an example message.\n')
  assert.equal(opened.verified.length, 1)
  assert.equal(formatSignedNote(parseSignedNote(utf8(EXAMPLE_NOTE))), EXAMPLE_NOTE)
})

test('takes the text up to the last empty line (signed-note, Format)', () => {
  const note =
    'Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n'
  const parsed = parseSignedNote(utf8(note))
  assert.ok(parsed.text.endsWith('\n\ned è subito sera.\n'))
  assert.deepEqual(
    parsed.signatures.map(({ name, keyId }) => [name, keyId]),
    [['quasimodo.example/salvatore', '367ba04b']],
  )
})

test('signs and verifies with several keys, and ignores those that it does not know (signed-note, Signatures)', async () => {
  const [a, b, stranger] = [newKey('log.example/a'), newKey('log.example/b'), newKey('log.example/a')]
  const verifiers = [a, b].map(({ key }) => ed25519NoteVerifier(key, ed25519))
  const note = await signNote(
    'text\n',
    [a, b, stranger].map(({ key, signWith }) => ed25519NoteSigner(key, signWith)),
  )
  const opened = openNote(utf8(note), verifiers)
  assert.deepEqual(
    opened.verified.map(({ name, keyId }) => [name, keyId]),
    [a, b].map(({ key }) => [key.name, key.keyId]),
  )
  assert.deepEqual(
    opened.unknown.map(({ keyId }) => keyId),
    [stranger.key.keyId],
  )
  refuses('merkle.signature_missing', () =>
    openNote(utf8(note), [ed25519NoteVerifier(newKey('log.example/a').key, ed25519)]),
  )
  refuses('merkle.signature_missing', () => openNote(utf8(note), []))
})

test('condemns a note where a known key fails, even beside one that verifies (signed-note, Signatures)', async () => {
  const [a, b] = [newKey('log.example/a'), newKey('log.example/b')]
  const note = parseSignedNote(
    utf8(
      await signNote(
        'text\n',
        [a, b].map(({ key, signWith }) => ed25519NoteSigner(key, signWith)),
      ),
    ),
  )
  const forged = formatSignedNote({
    ...note,
    signatures: note.signatures.with(1, { ...note.signatures[1]!, signature: new Uint8Array(64) }),
  })
  const verifiers = [a, b].map(({ key }) => ed25519NoteVerifier(key, ed25519))
  refuses('merkle.signature_invalid', () => openNote(utf8(forged), verifiers))
  assert.equal(openNote(utf8(forged), verifiers.slice(0, 1)).verified.length, 1)
})

test('refuses a note with any bit of its text or signature flipped', () => {
  const verifiers = [ed25519NoteVerifier(parseVerifierKey(sha256, EXAMPLE_KEY), ed25519)]
  const bytes = utf8(EXAMPLE_NOTE)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = new Uint8Array(bytes)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    assert.throws(() => openNote(flipped, verifiers), { name: 'TouchmarkError', code: /^merkle\./ }, `bit ${bit}`)
  }
})

test('refuses what is no signed note (signed-note, Format)', () => {
  const line = EXAMPLE_NOTE.slice(EXAMPLE_NOTE.indexOf('—'))
  const bad: Record<string, string> = {
    nothing: '',
    'no signature': 'text\n',
    'no signature after the empty line': 'text\n\n',
    'no empty line': `text\n${line}`,
    'no newline at the end': `text\n\n${line.slice(0, -1)}`,
    'two newlines at the end': `text\n\n${line}\n`,
    'a hyphen for the dash': `text\n\n${line.replace('—', '-')}`,
    'two spaces': `text\n\n${line.replace(' example', '  example')}`,
    'carriage returns': `text\r\n\r\n${line}`,
    'a tab in the text': `te\txt\n\n${line}`,
    'a NUL in the text': `te\0xt\n\n${line}`,
    'base64 without padding': `text\n\n${line.replace('=', '')}`,
    'a signature of no octets': 'text\n\n— a AAAAAA==\n',
    'something after the signature': `text\n\n${line.replace('=\n', '= x\n')}`,
  }
  for (const [what, note] of Object.entries(bad))
    refuses('merkle.note_malformed', () => parseSignedNote(utf8(note)), what)
  refuses('merkle.note_malformed', () => parseSignedNote(Uint8Array.of(0xff, 0x0a, 0x0a, 0x2d)), 'not UTF-8')
  refuses(
    'merkle.key_name_invalid',
    () => parseSignedNote(utf8(`text\n\n${line.replace('foo', 'f+o')}`)),
    'a plus sign in the name',
  )
  refuses(
    'merkle.key_name_invalid',
    () => parseSignedNote(utf8(`text\n\n${line.replace('foo', 'f\u00a0o')}`)),
    'a Unicode space in the name',
  )
})

test('takes 16 signatures of any kind, and has a limit (signed-note, Format)', () => {
  const large = { name: 'post.example/quantum', keyId: '01020304', signature: new Uint8Array(4_900) }
  const note = formatSignedNote({ text: 'text\n', signatures: Array.from({ length: 16 }, () => large) })
  assert.equal(parseSignedNote(utf8(note)).signatures.length, 16)
  const small = { ...large, signature: new Uint8Array(64) }
  const many = formatSignedNote({ text: 'text\n', signatures: Array.from({ length: 65 }, () => small) })
  refuses('merkle.note_too_large', () => parseSignedNote(utf8(many)))
  refuses('merkle.note_too_large', () => parseSignedNote(utf8(`${'x'.repeat(300_000)}\n\n— a AAAAAAAA\n`)))
})

test('refuses verifier keys that are none (signed-note, Verifier keys)', () => {
  const bad = [
    '',
    'a',
    'a+b',
    'a+530d903a',
    '+530d903a+AekyeRrm',
    EXAMPLE_KEY.replace('530d903a', '530d903b'),
    EXAMPLE_KEY.replace('530d903a', '530D903A'),
    EXAMPLE_KEY.replace('example', 'exomple'),
    `${EXAMPLE_KEY}=`,
    `${EXAMPLE_KEY}AAAA`,
    EXAMPLE_KEY.slice(0, -4),
  ]
  for (const text of bad)
    assert.throws(
      () => parseVerifierKey(sha256, text),
      { code: /^merkle\.(verifier_key_malformed|key_name_invalid)$/ },
      text,
    )
  const ecdsa = `a+00000000+${toBase64(Uint8Array.of(2, ...new Uint8Array(91)))}`
  refuses('merkle.verifier_key_unsupported', () => parseVerifierKey(sha256, ecdsa))
  for (const name of ['', 'a b', 'a+b', 'a\u2003b', 'a\nb', '\ud800']) {
    refuses('merkle.key_name_invalid', () => verifierKey(sha256, name, 0x01, new Uint8Array(32)), JSON.stringify(name))
  }
  refuses('merkle.verifier_key_malformed', () => verifierKey(sha256, 'a', 0x01, new Uint8Array(31)))
  refuses('merkle.verifier_key_unsupported', () => ed25519NoteVerifier(newKey('a', 0x04).key, ed25519))
  refuses('merkle.verifier_key_unsupported', () => cosignatureVerifier(newKey('a').key, ed25519))
})

test('reads and writes the example checkpoint (tlog-checkpoint, Note text)', () => {
  const checkpoint = parseCheckpoint(EXAMPLE_CHECKPOINT)
  assert.equal(checkpoint.origin, 'example.com/behind-the-sofa')
  assert.equal(checkpoint.size, 20_852_163)
  assert.equal(checkpoint.root.length, 32)
  assert.deepEqual(checkpoint.extensions, [])
  assert.equal(formatCheckpoint(checkpoint), EXAMPLE_CHECKPOINT)
  assert.deepEqual(parseCheckpoint(`${EXAMPLE_CHECKPOINT}one\ntwo\n`).extensions, ['one', 'two'])
})

test('refuses what is no checkpoint (tlog-checkpoint, Note text)', () => {
  const [origin, size, root] = EXAMPLE_CHECKPOINT.split('\n') as [string, string, string]
  const text = (...lines: string[]) => `${lines.join('\n')}\n`
  const bad = [
    '',
    '\n',
    text(origin),
    text(origin, size),
    text('', size, root),
    text(origin, '', root),
    text(origin, size, ''),
    text(origin, `0${size}`, root),
    text(origin, '-1', root),
    text(origin, '1e3', root),
    text(origin, '+1', root),
    text(origin, ' 1', root),
    text(origin, '9007199254740992', root),
    text(origin, '18446744073709551616', root),
    text(origin, size, root.slice(0, -1)),
    text(origin, size, root.replaceAll('/', '_')),
    text(origin, size, 'AAAA'),
    text(origin, size, root, ''),
    text(origin, size, root).slice(0, -1),
  ]
  for (const each of bad) refuses('merkle.checkpoint_malformed', () => parseCheckpoint(each), JSON.stringify(each))
  const checkpoint = parseCheckpoint(EXAMPLE_CHECKPOINT)
  refuses('merkle.checkpoint_malformed', () => formatCheckpoint({ ...checkpoint, origin: '' }))
  refuses('merkle.checkpoint_malformed', () => formatCheckpoint({ ...checkpoint, extensions: ['a\nb'] }))
  refuses('merkle.size_invalid', () => formatCheckpoint({ ...checkpoint, size: 2 ** 53 }))
  refuses('merkle.hash_length', () => formatCheckpoint({ ...checkpoint, root: new Uint8Array(31) }))
})

test('signs a checkpoint and opens it for its own origin and keys only', async () => {
  const log = newKey('ca.example/audit')
  const checkpoint = { origin: 'ca.example/audit', size: 12, root: sha256(utf8('root')), extensions: [] }
  const note = utf8(await signCheckpoint(checkpoint, [ed25519NoteSigner(log.key, log.signWith)]))
  const keys = [ed25519NoteVerifier(log.key, ed25519)]
  assert.deepEqual(openCheckpoint(note, 'ca.example/audit', keys).checkpoint, checkpoint)
  refuses('merkle.origin_unexpected', () => openCheckpoint(note, 'ca.example/other', keys))
  refuses('merkle.signature_missing', () =>
    openCheckpoint(note, 'ca.example/audit', [ed25519NoteVerifier(newKey('ca.example/audit').key, ed25519)]),
  )
})

test('gives back any checkpoint that it wrote', () => {
  const line = fc
    .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
    .filter(text => !text.includes('\n') && text.isWellFormed())
  const checkpoint = fc.record(
    {
      origin: line,
      size: fc.maxSafeNat(),
      root: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => new Uint8Array(bytes)),
      extensions: fc.array(line, { maxLength: 3 }),
    },
    { noNullPrototype: true },
  )
  fc.assert(fc.property(checkpoint, each => assert.deepEqual(parseCheckpoint(formatCheckpoint(each)), each)))
})

test('builds the message that an Ed25519 witness signs (tlog-cosignature, Ed25519 signed message)', () => {
  const message = Buffer.from(ed25519CosignedMessage(EXAMPLE_CHECKPOINT, 1679315147)).toString()
  assert.equal(
    message,
    'cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
  )
})

test('reads the time of the example cosignature (tlog-cosignature, Format)', () => {
  const note = `${EXAMPLE_CHECKPOINT}\n— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n`
  const [signature] = parseSignedNote(utf8(note)).signatures
  assert.equal(parseCosignature(0x04, signature!.signature)?.timestamp, 1679315147)
  assert.equal(parseCosignature(0x06, signature!.signature), undefined)
  assert.equal(parseCosignature(0x04, new Uint8Array(72).fill(0xff)), undefined)
})

test('builds the message that an ML-DSA-44 cosigner signs (tlog-cosignature, ML-DSA-44 signed message)', () => {
  const checkpoint = parseCheckpoint(`${EXAMPLE_CHECKPOINT}extension\n`)
  const expected = Buffer.concat([
    Buffer.from('subtree/v1\n\0'),
    Buffer.from([2]),
    Buffer.from('w1'),
    Buffer.from('00000000641850cb', 'hex'),
    Buffer.from([27]),
    Buffer.from('example.com/behind-the-sofa'),
    Buffer.alloc(8),
    Buffer.from('00000000013e2dc3', 'hex'),
    checkpoint.root,
  ])
  assert.equal(
    Buffer.from(mlDsa44CosignedMessage('w1', checkpoint, 1679315147)).toString('hex'),
    expected.toString('hex'),
  )
})

test('verifies cosignatures of both kinds under a checkpoint, and refuses another time, text or key (tlog-cosignature)', async () => {
  const log = newKey('ca.example/audit')
  const text = formatCheckpoint({ origin: 'ca.example/audit', size: 7, root: sha256(utf8('root')), extensions: [] })
  const signed = parseSignedNote(utf8(await signNote(text, [ed25519NoteSigner(log.key, log.signWith)])))
  for (const type of [SIGNATURE_TYPES.ed25519Cosignature, SIGNATURE_TYPES.mlDsa44Cosignature]) {
    const witness = newKey('witness.example/w1', type)
    const judge: VerifySignature = (_publicKey, message, signature) =>
      verify(null, message, witness.publicKey, signature)
    const verifier: NoteVerifier = cosignatureVerifier(parseVerifierKey(sha256, formatVerifierKey(witness.key)), judge)
    const signature = new Uint8Array(await cosigner(witness.key, 1_700_000_000, witness.signWith).sign(text))
    const note = withSignatures(signed, [{ name: witness.key.name, keyId: witness.key.keyId, signature }])
    const bytes = utf8(formatSignedNote(note))
    assert.equal(openNote(bytes, [ed25519NoteVerifier(log.key, ed25519), verifier]).verified.length, 2)
    assert.equal(openNote(bytes, [verifier]).verified.length, 1)
    const later = new Uint8Array(signature)
    later[7]! ^= 1
    assert.equal(verifier.verify(text, later), false, 'another time')
    assert.equal(verifier.verify(text.replace('\n7\n', '\n8\n'), signature), false, 'another size')
    assert.equal(verifier.verify('no checkpoint\n', signature), false, 'no checkpoint')
    assert.equal(verifier.verify(text, signature.subarray(1)), false, 'cut')
    await assert.rejects(cosigner(witness.key, 1, witness.signWith).sign('no checkpoint\n'), {
      code: 'merkle.checkpoint_malformed',
    })
  }
})

test('gives one key two IDs under two types, so that signatures do not pass for one another (signed-note, Signatures)', () => {
  const publicKey = new Uint8Array(32).fill(9)
  assert.notEqual(verifierKey(sha256, 'a', 0x01, publicKey).keyId, verifierKey(sha256, 'a', 0x04, publicKey).keyId)
})

function refuses(code: string, run: () => unknown, what?: string): void {
  assert.throws(run, { name: 'TouchmarkError', code }, what)
}
