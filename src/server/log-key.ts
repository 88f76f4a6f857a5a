// The log's key: Ed25519, in the key store, under the name that the configuration gives the log. The verifier key stands in
// `touchmark.json`, so that anybody who has the folder can verify the log without a passphrase.
import type { Bytes } from '../core/bytes/bytes.ts'
import { toUtf8 } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type Checkpoint, openCheckpoint, signCheckpoint } from '../core/merkle/checkpoint.ts'
import {
  ed25519NoteSigner,
  ed25519NoteVerifier,
  formatVerifierKey,
  type NoteSigner,
  type NoteVerifier,
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
import { checkNotRolledBack, type LastSigned } from './last-signed.ts'

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
  /** The log's own keys: what it signed last has to be under one of them. */
  readonly verifiers: readonly NoteVerifier[]
  /** What was signed last, as it is remembered outside of the store. */
  readonly lastSigned: LastSigned
  /** Only where the log is made: nothing was signed before. */
  readonly first?: boolean
}

/**
 * Signs the head of the log where it has grown since the last checkpoint. Answers the new checkpoint, if one was made. Throws
 * `audit.log_not_continued` where the log does not extend what was signed last, by the store; `log.rolled_back` where it does not by what is
 * remembered outside of it: a store that was restored from an old copy, or altered.
 */
export async function signDueCheckpoint(ports: CheckpointPorts): Promise<StoredCheckpoint | undefined> {
  const { store, clock, origin, signer, lastSigned } = ports
  const latest = await store.read.latestCheckpoint()
  const head = await store.read.auditHead()
  if (head.size === (latest?.size ?? 0)) return undefined
  await checkNotRolledBack(lastSigned, store.read)
  if (latest) {
    await checkContinuity(sha256, signedBefore(latest, ports), head, (level, index) =>
      store.read.auditTile(level, index),
    )
  } else if (!ports.first) throw notContinued('The log has grown, and its last checkpoint is gone.')
  const statement: Checkpoint = { origin, size: head.size, root: new Uint8Array(head.root), extensions: [] }
  const checkpoint = { size: head.size, note: await signCheckpoint(statement, [signer]), at: clock.now() }
  // The entries are durable, so that this speaks of nothing that a crash could take away. Only what is saved in the store is shown to others.
  await lastSigned.keep(checkpoint.note)
  await store.saveCheckpoint(checkpoint)
  return checkpoint
}

/** The last statement of the log, which whoever writes into the store could have put there: believed only under the log's own key. */
function signedBefore(latest: StoredCheckpoint, { origin, verifiers }: CheckpointPorts): Checkpoint {
  let checkpoint: Checkpoint
  try {
    checkpoint = openCheckpoint(toUtf8(latest.note), origin, verifiers).checkpoint
  } catch (cause) {
    throw notContinued('The last checkpoint in the store is not one that this log signed.', cause)
  }
  if (checkpoint.size !== latest.size) throw notContinued('The last checkpoint in the store stands in the wrong place.')
  return checkpoint
}

function notContinued(message: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError('audit.log_not_continued', 'internal', message, {
    next: 'Sign nothing. Find out what was altered with: touchmark audit verify',
    cause,
  })
}
