// Signed notes (C2SP signed-note): a text and the signatures of one or more keys under it; verifier keys as text.
// Keys and signatures are opaque here: who signs and who verifies is passed in, so that any key store and any library will do.
import { fromBase64, toBase64 } from '../bytes/base64.ts'
import { type Bytes, concat } from '../bytes/bytes.ts'
import { toHex } from '../bytes/hex.ts'
import { fromUtf8, toUtf8 } from '../bytes/utf8.ts'
import { merkleError } from './merkle-error.ts'
import type { Hash } from './tree.ts'

/** Octets of a note. Sixteen signatures of the largest post-quantum kind take about 110,000. */
export const MAX_NOTE_LENGTH = 0x40000
/** Signatures of a note. Every implementation takes at least 16. */
export const MAX_NOTE_SIGNATURES = 64
/** UTF-16 code units of a key name. */
export const MAX_KEY_NAME_LENGTH = 255

/** Signature type identifiers that this implementation verifies. */
export const SIGNATURE_TYPES = {
  /** Ed25519 over the text of the note. */
  ed25519: 0x01,
  /** Timestamped Ed25519 cosignature of a checkpoint (C2SP tlog-cosignature). */
  ed25519Cosignature: 0x04,
  /** Timestamped ML-DSA-44 cosignature of a checkpoint (C2SP tlog-cosignature). */
  mlDsa44Cosignature: 0x06,
} as const

export type SignatureType = (typeof SIGNATURE_TYPES)[keyof typeof SIGNATURE_TYPES]

const PUBLIC_KEY_LENGTHS: Readonly<Record<SignatureType, number>> = { 1: 32, 4: 32, 6: 1312 }

export interface NoteSignature {
  readonly name: string
  /** Eight lower-case hex digits. With the name it identifies key and algorithm. */
  readonly keyId: string
  readonly signature: Bytes
}

export interface SignedNote {
  /** Ends in a newline. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** A public key with the name and type under which it signs. */
export interface VerifierKey {
  readonly name: string
  readonly keyId: string
  readonly type: SignatureType
  /** Ed25519: 32 octets (RFC 8032); ML-DSA-44: 1312 octets (FIPS 204). */
  readonly publicKey: Bytes
}

/** `true` where `signature` over `message` was made with the private half of `publicKey`. Throws nothing. */
export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

/** Somebody whose signature on notes is known. */
export interface NoteVerifier {
  readonly name: string
  readonly keyId: string
  verify(text: string, signature: Uint8Array): boolean
}

/** Somebody who signs notes: the signature without the key ID before it. */
export interface NoteSigner {
  readonly name: string
  readonly keyId: string
  sign(text: string): Promise<Uint8Array>
}

/** A note of which at least one signature is by a known key and verifies. */
export interface OpenedNote {
  readonly text: string
  readonly verified: readonly NoteSignature[]
  /** Signatures of unknown keys: they say nothing. */
  readonly unknown: readonly NoteSignature[]
}

/**
 * Reads a signed note, without checking a signature. Errors: `merkle.note_too_large`, `merkle.note_malformed`,
 * `merkle.key_name_invalid`.
 */
export function parseSignedNote(bytes: Uint8Array): SignedNote {
  if (bytes.length > MAX_NOTE_LENGTH) throw tooLarge(`A note has at most ${MAX_NOTE_LENGTH} octets.`)
  const note = noteText(bytes)
  // The text may hold empty lines; the last one separates the signatures.
  const separator = note.lastIndexOf('\n\n')
  if (separator < 0 || !note.endsWith('\n')) throw malformed('A note is a text, an empty line and signature lines.')
  const text = note.slice(0, separator + 1)
  const lines = note.slice(separator + 2, -1).split('\n')
  if (lines.length > MAX_NOTE_SIGNATURES) throw tooLarge(`A note has at most ${MAX_NOTE_SIGNATURES} signatures.`)
  return { text, signatures: lines.map(parseSignatureLine) }
}

/** Writes a signed note. Errors: `merkle.note_malformed`, `merkle.key_name_invalid`. */
export function formatSignedNote(note: SignedNote): string {
  checkText(note.text)
  if (note.signatures.length === 0) throw malformed('A note has at least one signature.')
  return `${note.text}\n${note.signatures.map(formatSignatureLine).join('')}`
}

/** Adds signatures to a note that stands, after those that it has: how a witness's cosignature is put under a checkpoint. */
export function withSignatures(note: SignedNote, added: readonly NoteSignature[]): SignedNote {
  return { text: note.text, signatures: [...note.signatures, ...added] }
}

/**
 * Reads a note and verifies every signature of a known key. Signatures of unknown keys are ignored, even where they share a name
 * or an ID with a known one; a known key whose signature fails condemns the note.
 * Errors: as `parseSignedNote`, `merkle.signature_invalid`, `merkle.signature_missing`.
 */
export function openNote(bytes: Uint8Array, verifiers: readonly NoteVerifier[]): OpenedNote {
  const { text, signatures } = parseSignedNote(bytes)
  const verified: NoteSignature[] = []
  const unknown: NoteSignature[] = []
  for (const signature of signatures) {
    const verifier = verifiers.find(({ name, keyId }) => name === signature.name && keyId === signature.keyId)
    if (verifier === undefined) {
      unknown.push(signature)
    } else if (verifier.verify(text, signature.signature)) {
      verified.push(signature)
    } else {
      throw merkleError('merkle.signature_invalid', `The signature of ${signature.name} on the note does not verify.`, {
        evidence: { name: signature.name, keyId: signature.keyId },
      })
    }
  }
  if (verified.length === 0) throw merkleError('merkle.signature_missing', 'No known key has signed the note.')
  return { text, verified, unknown }
}

/** Has each signer sign the text, in order, and gives the note. Errors: as `formatSignedNote`. */
export async function signNote(text: string, signers: readonly NoteSigner[]): Promise<string> {
  checkText(text)
  const signatures: NoteSignature[] = []
  for (const signer of signers) {
    const signature = new Uint8Array(await signer.sign(text))
    signatures.push({ name: signer.name, keyId: signer.keyId, signature })
  }
  return formatSignedNote({ text, signatures })
}

/** A key with its ID: the first four octets of `SHA-256(name || 0x0A || type || public key)`. */
export function verifierKey(hash: Hash, name: string, type: SignatureType, publicKey: Uint8Array): VerifierKey {
  checkKeyName(name)
  if (publicKey.length !== PUBLIC_KEY_LENGTHS[type]) {
    throw keyMalformed(`A public key of type ${type} has ${PUBLIC_KEY_LENGTHS[type]} octets, not ${publicKey.length}.`)
  }
  const digest = hash(concat(toUtf8(name), Uint8Array.of(0x0a, type), publicKey))
  return { name, type, publicKey: new Uint8Array(publicKey), keyId: toHex(digest.subarray(0, 4)) }
}

/** `<name>+<key ID in hex>+<base64 of type and public key>`. */
export function formatVerifierKey(key: VerifierKey): string {
  return `${key.name}+${key.keyId}+${toBase64(concat(Uint8Array.of(key.type), key.publicKey))}`
}

/**
 * Reads a verifier key. Errors: `merkle.verifier_key_malformed` (also where the ID is not the one of the key),
 * `merkle.verifier_key_unsupported`, `merkle.key_name_invalid`.
 */
export function parseVerifierKey(hash: Hash, text: string): VerifierKey {
  const [, name, keyId, material] = /^([^+]*)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{4,8192})$/.exec(text) ?? []
  if (name === undefined || keyId === undefined || material === undefined) {
    throw keyMalformed('A verifier key is <name>+<8 hex digits>+<base64>.')
  }
  const bytes = base64(material, keyMalformed)
  const type = bytes[0]!
  if (!isSupported(type)) {
    throw merkleError('merkle.verifier_key_unsupported', `Signatures of type ${type} are not implemented.`, {
      evidence: { type },
    })
  }
  const key = verifierKey(hash, name, type, bytes.subarray(1))
  if (key.keyId !== keyId) throw keyMalformed(`The ID of this key is ${key.keyId}, not ${keyId}.`)
  return key
}

/** Verifies signatures of type 0x01: Ed25519 over the text. Errors: `merkle.verifier_key_unsupported`. */
export function ed25519NoteVerifier(key: VerifierKey, verify: VerifySignature): NoteVerifier {
  if (key.type !== SIGNATURE_TYPES.ed25519) {
    throw merkleError('merkle.verifier_key_unsupported', 'This key does not sign plain notes.', {
      evidence: { type: key.type },
    })
  }
  return {
    name: key.name,
    keyId: key.keyId,
    verify: (text, signature) => signature.length === 64 && verify(key.publicKey, toUtf8(text), signature),
  }
}

/** Signs with type 0x01. `sign` makes an Ed25519 signature (64 octets) over what it is given. */
export function ed25519NoteSigner(key: VerifierKey, sign: (message: Uint8Array) => Promise<Uint8Array>): NoteSigner {
  return { name: key.name, keyId: key.keyId, sign: text => sign(toUtf8(text)) }
}

/** Errors: `merkle.key_name_invalid`. */
export function checkKeyName(name: string): void {
  if (
    name.length === 0 ||
    name.length > MAX_KEY_NAME_LENGTH ||
    !/^[^\p{White_Space}\p{Cc}+]+$/u.test(name) ||
    !name.isWellFormed()
  ) {
    throw merkleError(
      'merkle.key_name_invalid',
      'A key name is not empty and has no space, plus sign or control character.',
      {
        evidence: { length: name.length },
      },
    )
  }
}

function parseSignatureLine(line: string): NoteSignature {
  const [, name, encoded] = /^— ([^ ]+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? []
  if (name === undefined || encoded === undefined) throw malformed('A signature line is "— <key name> <base64>".')
  checkKeyName(name)
  const bytes = base64(encoded, malformed)
  if (bytes.length < 5) throw malformed('A signature line holds a key ID of four octets and a signature.')
  return { name, keyId: toHex(bytes.subarray(0, 4)), signature: bytes.slice(4) }
}

function formatSignatureLine({ name, keyId, signature }: NoteSignature): string {
  checkKeyName(name)
  const id = Number.parseInt(keyId, 16)
  const bytes = concat(Uint8Array.of(id >>> 24, id >>> 16, id >>> 8, id), signature)
  return `— ${name} ${toBase64(bytes)}\n`
}

function noteText(bytes: Uint8Array): string {
  try {
    const note = fromUtf8(bytes)
    checkControls(note)
    return note
  } catch (cause) {
    throw malformed('A note is UTF-8 without control characters but newline.', cause)
  }
}

function checkText(text: string): void {
  if (!text.endsWith('\n') || !text.isWellFormed()) throw malformed('The text of a note ends in a newline.')
  checkControls(text)
}

function checkControls(text: string): void {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 && code !== 0x0a) throw malformed('A note has no control character but newline.')
  }
}

function isSupported(type: number): type is SignatureType {
  return Object.values<number>(SIGNATURE_TYPES).includes(type)
}

function base64(text: string, error: (message: string, cause?: unknown) => Error): Bytes {
  try {
    return fromBase64(text)
  } catch (cause) {
    throw error('The base64 is not well formed.', cause)
  }
}

function malformed(message: string, cause?: unknown) {
  return merkleError('merkle.note_malformed', message, { cause })
}

function tooLarge(message: string) {
  return merkleError('merkle.note_too_large', message)
}

function keyMalformed(message: string, cause?: unknown) {
  return merkleError('merkle.verifier_key_malformed', message, { cause })
}
