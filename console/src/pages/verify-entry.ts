// The proof that an entry is in the log, checked here and not believed: the leaf is hashed from the text on the screen, the path is walked to
// the root of RFC 9162, and the root is that of a checkpoint which the log's key has signed (C2SP signed-note).
import { fromHex } from '../../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../../src/core/bytes/utf8.ts'
import { parseCheckpoint } from '../../../src/core/merkle/checkpoint.ts'
import { parseSignedNote, parseVerifierKey } from '../../../src/core/merkle/signed-note.ts'
import { leafHash, verifyInclusion } from '../../../src/core/merkle/tree.ts'
import type { InclusionProof } from '../api/schema.ts'
import { sha256 } from '../parts/sha256.ts'

export interface VerifiedEntry {
  readonly leaf: Uint8Array
  readonly size: number
  readonly root: Uint8Array
  /** Name of the key that signed; `undefined` where this browser has no Ed25519. */
  readonly signedBy: string | undefined
}

/** Throws `TouchmarkError` with a code of the Merkle tree where anything does not hold. */
export async function verifyEntry(text: string, index: number, proof: InclusionProof): Promise<VerifiedEntry> {
  const note = parseSignedNote(toUtf8(proof.checkpoint.note))
  const { origin, size, root } = parseCheckpoint(note.text)
  if (origin !== proof.checkpoint.origin) throw new Error('The checkpoint is one of another log.')
  const leaf = leafHash(sha256, toUtf8(text))
  verifyInclusion(sha256, { index, size, leafHash: leaf, proof: proof.proof.map(fromHex), root })
  return { leaf, size, root, signedBy: await signerOf(proof, note) }
}

async function signerOf(proof: InclusionProof, note: ReturnType<typeof parseSignedNote>): Promise<string | undefined> {
  for (const text of proof.checkpoint.verifierKeys) {
    const key = parseVerifierKey(sha256, text)
    const signature = note.signatures.find(({ name, keyId }) => name === key.name && keyId === key.keyId)
    if (!signature) continue
    let imported: CryptoKey
    try {
      imported = await crypto.subtle.importKey('raw', new Uint8Array(key.publicKey), 'Ed25519', false, ['verify'])
    } catch {
      return undefined
    }
    const good = await crypto.subtle.verify('Ed25519', imported, new Uint8Array(signature.signature), toUtf8(note.text))
    if (!good) throw new Error(`The signature of ${key.name} does not verify.`)
    return key.name
  }
  throw new Error('No key of the log has signed the checkpoint.')
}
