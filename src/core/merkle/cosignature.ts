// Cosignatures (C2SP tlog-cosignature): a witness states when it saw a checkpoint and that it was consistent with all it saw before.
// Type 0x04 is Ed25519 over the checkpoint's text; type 0x06 is ML-DSA-44 over a structure that also names the cosigner.
import { type Bytes, concat } from '../bytes/bytes.ts'
import { toUtf8 } from '../bytes/utf8.ts'
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts'
import { merkleError } from './merkle-error.ts'
import {
  type NoteSigner,
  type NoteVerifier,
  SIGNATURE_TYPES,
  type VerifierKey,
  type VerifySignature,
} from './signed-note.ts'

export interface Cosignature {
  /** When the witness signed, in seconds since 1970. Zero (ML-DSA-44 only): it says nothing about time. */
  readonly timestamp: number
  /** Ed25519: 64 octets; ML-DSA-44: 2420 octets. */
  readonly signature: Bytes
}

const SIGNATURE_LENGTHS = { [SIGNATURE_TYPES.ed25519Cosignature]: 64, [SIGNATURE_TYPES.mlDsa44Cosignature]: 2420 }

/**
 * Reads the `timestamped_signature` of a note's signature line; `undefined` where it has the wrong length or a time beyond
 * 2^53 - 1 seconds (the format ends at 2^63 - 1).
 */
export function parseCosignature(type: 0x04 | 0x06, bytes: Uint8Array): Cosignature | undefined {
  if (bytes.length !== 8 + SIGNATURE_LENGTHS[type]) return undefined
  const timestamp = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0))
  return Number.isSafeInteger(timestamp) ? { timestamp, signature: new Uint8Array(bytes.subarray(8)) } : undefined
}

export function encodeCosignature({ timestamp, signature }: Cosignature): Bytes {
  return concat(uint64(timestamp), signature)
}

/** What a cosigner with an Ed25519 key signs: header, time and the whole text of the checkpoint. */
export function ed25519CosignedMessage(text: string, timestamp: number): Bytes {
  return toUtf8(`cosignature/v1\ntime ${timestamp}\n${text}`)
}

/** What a cosigner with an ML-DSA-44 key signs: `cosigned_message`, for a whole tree. Extension lines are not part of it. */
export function mlDsa44CosignedMessage(cosigner: string, { origin, size, root }: Checkpoint, timestamp: number): Bytes {
  const label = toUtf8('subtree/v1\n\0')
  return concat(label, opaque8(cosigner), uint64(timestamp), opaque8(origin), uint64(0), uint64(size), root)
}

/**
 * Verifies cosignatures of one witness on checkpoints, and nothing but checkpoints. `verify` is of the key's algorithm
 * (ML-DSA-44 with an empty context). Errors: `merkle.verifier_key_unsupported` (the key is no cosigner's).
 */
export function cosignatureVerifier(key: VerifierKey, verify: VerifySignature): NoteVerifier {
  const { name, keyId, publicKey } = key
  const type = cosignerType(key)
  return {
    name,
    keyId,
    verify(text, bytes) {
      const cosignature = parseCosignature(type, bytes)
      if (cosignature === undefined) return false
      const message = cosignedMessage(type, name, text, cosignature.timestamp)
      return message !== undefined && verify(publicKey, message, cosignature.signature)
    },
  }
}

/** Cosigns checkpoints as of `timestamp`, which the caller reads from its clock for each. Errors: as `cosignatureVerifier`. */
export function cosigner(
  key: VerifierKey,
  timestamp: number,
  sign: (message: Uint8Array) => Promise<Uint8Array>,
): NoteSigner {
  const { name, keyId } = key
  const type = cosignerType(key)
  return {
    name,
    keyId,
    async sign(text) {
      const message = cosignedMessage(type, name, text, timestamp)
      if (message === undefined) throw merkleError('merkle.checkpoint_malformed', 'Only checkpoints are cosigned.')
      return encodeCosignature({ timestamp, signature: new Uint8Array(await sign(message)) })
    },
  }
}

function cosignedMessage(type: 0x04 | 0x06, name: string, text: string, timestamp: number): Bytes | undefined {
  try {
    const checkpoint = parseCheckpoint(text)
    return type === SIGNATURE_TYPES.ed25519Cosignature
      ? ed25519CosignedMessage(text, timestamp)
      : mlDsa44CosignedMessage(name, checkpoint, timestamp)
  } catch {
    // Whatever the text is, it is no checkpoint that could have been cosigned.
    return undefined
  }
}

function cosignerType(key: VerifierKey): 0x04 | 0x06 {
  if (key.type === SIGNATURE_TYPES.ed25519) {
    throw merkleError('merkle.verifier_key_unsupported', 'This key does not cosign.', { evidence: { type: key.type } })
  }
  return key.type
}

function uint64(value: number): Bytes {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes
}

/** `opaque<1..255>` (RFC 8446 §3.4). */
function opaque8(text: string): Bytes {
  const bytes = toUtf8(text)
  if (bytes.length === 0 || bytes.length > 255) {
    throw merkleError('merkle.key_name_invalid', 'Names in a cosigned message have 1 to 255 octets.')
  }
  return concat(Uint8Array.of(bytes.length), bytes)
}
