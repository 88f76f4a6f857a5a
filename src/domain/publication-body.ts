// Publications of any size on their way in and out: placed piece after piece, read by range, held whole by nobody. Whoever is reading one that
// is replaced reads on; where it is replaced twice meanwhile, the reading ends with an error and starts anew.
import { TouchmarkError } from '../core/errors.ts'
import { sha256Stream } from '../crypto/digest.ts'
import type { AuditEntry } from './audit/entry.ts'
import type { Publication, PublicationHead, Store, StoreReader, Write } from './ports.ts'
import { PUBLICATION_PIECE } from './publication-piece.ts'

/** Pieces that are stored, or forgotten, with one commit. */
const PIECES_AT_ONCE = 1
/** Octets up to which a publication lies in its row. */
const IN_ROW = PUBLICATION_PIECE

export interface Placing {
  /** The number that is in place (0: none): the publication must take its place and no other's. Left out: any that is lower. */
  readonly from?: number
  /** What is committed together with it, once its digest is known. */
  along?(head: PublicationHead): { readonly writes: readonly Write[]; readonly audit: readonly AuditEntry[] }
}

/**
 * Puts the publication in place, whole or not at all. `bytes` may be large: they are hashed and stored piece by piece, and between the pieces
 * others get their turn. Throws `publication.outdated` where another came first.
 */
export async function placePublication(
  publication: Publication,
  placing: Placing,
  store: Store,
): Promise<PublicationHead> {
  const { name, number, bytes } = publication
  const isLarge = bytes.length > IN_ROW
  const hash = sha256Stream()
  for (let at = 0, piece = 0; at < bytes.length; ) {
    const writes: Extract<Write, { kind: 'publication.piece' }>[] = []
    for (; writes.length < PIECES_AT_ONCE && at < bytes.length; piece++, at += PUBLICATION_PIECE) {
      const part = bytes.subarray(at, at + PUBLICATION_PIECE)
      writes.push({ kind: 'publication.piece', name, number, piece, bytes: part })
    }
    const stored = isLarge ? store.commit({ writes, audit: [] }) : undefined
    // By now it is on its way: it is hashed while it is written.
    await Promise.resolve()
    for (const write of writes) hash.update(write.bytes)
    await stored
  }
  const { bytes: _bytes, ...facts } = publication
  const head: PublicationHead = { ...facts, octets: bytes.length, sha256: hash.hex() }
  const { writes, audit } = placing.along?.(head) ?? { writes: [], audit: [] }
  const expected = placing.from === undefined ? {} : { from: placing.from }
  const write: Write = isLarge
    ? { kind: 'publication.place', head, ...expected }
    : { kind: 'publication.put', publication, ...expected }
  await store.commit({ writes: [write, ...writes], audit })
  await sweepPieces(name, store)
  return head
}

/** Forgets what nobody reads any more, a little at a time: the writer of the store belongs to others too. */
async function sweepPieces(name: string, store: Store): Promise<void> {
  const limit = PIECES_AT_ONCE
  while ((await store.read.stalePieces(name, 1)) > 0) {
    await store.commit({ writes: [{ kind: 'publication.sweep', name, limit }], audit: [] })
  }
}

/** Octets `from` up to, not including, `to`. */
export interface OctetRange {
  readonly from: number
  readonly to: number
}

/** The octets of the publication, or those of a range within it. Throws `publication.replaced` where it is gone before they are read. */
export async function* publicationBody(
  head: PublicationHead,
  read: Pick<StoreReader, 'publicationPiece'>,
  { from, to }: OctetRange = { from: 0, to: head.octets },
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = from; at < to; ) {
    const piece = Math.floor(at / PUBLICATION_PIECE)
    const start = piece * PUBLICATION_PIECE
    const bytes = await read.publicationPiece(head.name, head.number, piece)
    const part = bytes?.subarray(at - start, to - start)
    if (part === undefined || part.length === 0) {
      throw publicationReplaced(head)
    }
    yield part
    at += part.length
  }
}

export function publicationReplaced({ name, number }: PublicationHead): TouchmarkError {
  return new TouchmarkError('publication.replaced', 'unavailable', 'A newer version replaced what was being read.', {
    next: 'Ask again.',
    evidence: { name, number },
  })
}
