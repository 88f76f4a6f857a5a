// The log's key: Ed25519, in the key store, under the name that the configuration gives the log. The verifier key stands in
// `touchmark.json`, so that anybody who has the folder can verify the log without a passphrase.
import type { Bytes } from '../core/bytes/bytes.ts'
import { toUtf8 } from '../core/bytes/utf8.ts'
import { type Checkpoint, parseCheckpoint, signCheckpoint } from '../core/merkle/checkpoint.ts'
import {
  ed25519NoteSigner,
  ed25519NoteVerifier,
  formatVerifierKey,
  type NoteSigner,
  type NoteVerifier,
  parseSignedNote,
  parseVerifierKey,
  SIGNATURE_TYPES,
  verifierKey,
} from '../core/merkle/signed-note.ts'
import { encodeSubjectPublicKeyInfo } from '../core/pki/spki.ts'
import { keyAlgorithm, readSpki, signatureAlgorithm } from '../crypto/algorithms.ts'
import { sha256 } from '../crypto/digest.ts'
import type { Signer } from '../crypto/signer.ts'
import { checkSignatureWith } from '../crypto/verify.ts'
import { checkContinuity } from '../domain/audit/continuity.ts'
import type { Clock, Store, StoredCheckpoint } from '../domain/ports.ts'

/** Label of the key in the key store. */
export const LOG_KEY_LABEL = 'log'

/** The verifier key text (C2SP signed-note) of an Ed25519 public key: `<origin>+<key id>+<key>`. */
export function logVerifierKey(origin: string, spki: Uint8Array): string {
  return formatVerifierKey(verifierKey(sha256, origin, SIGNATURE_TYPES.ed25519, readSpki(spki).publicKey))
}

/** Signs checkpoints as `origin`. */
export function logSigner(origin: string, signer: Signer): NoteSigner {
  const key = verifierKey(sha256, origin, SIGNATURE_TYPES.ed25519, readSpki(signer.publicKey).publicKey)
  return ed25519NoteSigner(key, message => signer.sign(message))
}

/** Verifies checkpoints with the keys of the configuration. Errors: `merkle.verifier_key_malformed`. */
export function logVerifiers(verifierKeys: readonly string[]): NoteVerifier[] {
  return verifierKeys.map(text => ed25519NoteVerifier(parseVerifierKey(sha256, text), verifyEd25519))
}

function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const spki: Bytes = encodeSubjectPublicKeyInfo(keyAlgorithm('Ed25519').algorithmIdentifier, publicKey)
  return checkSignatureWith(spki, signatureAlgorithm('Ed25519'), message, signature) === 'valid'
}

export interface CheckpointPorts {
  readonly store: Store
  readonly clock: Clock
  readonly origin: string
  readonly signer: NoteSigner
}

/**
 * Signs the head of the log where it has grown since the last checkpoint. Answers the new checkpoint, if one was made. Throws
 * `audit.log_not_continued` where the log does not extend what was signed last: a store that was restored from an old copy, or altered.
 */
export async function signDueCheckpoint(ports: CheckpointPorts): Promise<StoredCheckpoint | undefined> {
  const { store, clock, origin, signer } = ports
  const latest = await store.read.latestCheckpoint()
  const head = await store.read.auditHead()
  if (head.size === (latest?.size ?? 0)) return undefined
  if (latest) {
    const signed = parseCheckpoint(parseSignedNote(toUtf8(latest.note)).text)
    await checkContinuity(sha256, signed, head, (level, index) => store.read.auditTile(level, index))
  }
  const statement: Checkpoint = { origin, size: head.size, root: new Uint8Array(head.root), extensions: [] }
  const checkpoint = { size: head.size, note: await signCheckpoint(statement, [signer]), at: clock.now() }
  await store.saveCheckpoint(checkpoint)
  return checkpoint
}
