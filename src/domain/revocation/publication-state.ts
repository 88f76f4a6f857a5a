// Which revocations are out, and where: of each shard of each authority the lists that are in place, of each authority its status artefact, and
// how many changes of status are newer than they are. OCSP reads the status itself and is never behind.
import type { Authority } from '../ca/authority.ts'
import type { AuthorityId, UnixSeconds } from '../ids.ts'
import type { PublicationHead, StoreReader } from '../ports.ts'
import { logPositionAt } from './certificate-query.ts'
import { crlBases, crlPublicationName, deltaPublicationName } from './crl-series.ts'
import { statusPublicationName } from './status-artefact.ts'

/** A list, or a status artefact, as it is served. */
export interface PublishedList {
  /** CRL number, or epoch. */
  readonly number: number
  readonly thisUpdate: UnixSeconds
  readonly nextUpdate: UnixSeconds
  readonly octets: number
  readonly sha256: string
}

export interface PublishedShard {
  readonly authorityId: AuthorityId
  readonly crlShard: number
  readonly full: PublishedList | null
  readonly delta: PublishedList | null
  /** Changes of status that neither the full list nor the delta knows: at most `MAX_BEHIND` are counted. */
  readonly behind: number
}

export interface PublishedAuthority {
  readonly authorityId: AuthorityId
  /** `null` where the authority publishes none. */
  readonly artefact: (PublishedList & { readonly behind: number }) | null
  readonly shards: readonly PublishedShard[]
}

export const MAX_BEHIND = 1_000

export async function publicationState(
  { id, crlShards }: Pick<Authority, 'id' | 'crlShards'>,
  read: StoreReader,
): Promise<PublishedAuthority> {
  const shards: PublishedShard[] = []
  for (let crlShard = 0; crlShard < crlShards; crlShard++) {
    const name = crlPublicationName(id, crlShard)
    const [full, delta] = [
      await read.publicationHead(name),
      await read.publicationHead(deltaPublicationName(id, crlShard)),
    ]
    const covers = Math.max(await coveredByFull(name, full, read), await coveredUntil(delta, read))
    const changes = await read.statusChanges({ after: covers - 1, authorityId: id, crlShard, limit: MAX_BEHIND })
    shards.push({ authorityId: id, crlShard, full: listOf(full), delta: listOf(delta), behind: changes.length })
  }
  const head = await read.publicationHead(statusPublicationName(id))
  const after = (await coveredUntil(head, read)) - 1
  const artefact = listOf(head)
  const behind = artefact === null ? [] : await read.statusChanges({ after, authorityId: id, limit: MAX_BEHIND })
  return { authorityId: id, artefact: artefact && { ...artefact, behind: behind.length }, shards }
}

/** A full list says how far it goes. */
async function coveredByFull(name: string, full: PublicationHead | undefined, read: StoreReader): Promise<number> {
  if (full === undefined) return 0
  const base = (await crlBases(name, read)).find(({ number }) => number === full.number)
  return base?.covers ?? coveredUntil(full, read)
}

/** By its second: what was changed later in the same one comes with the next, a second on. */
async function coveredUntil(head: PublicationHead | undefined, read: StoreReader): Promise<number> {
  return head === undefined ? 0 : logPositionAt(head.thisUpdate + 1, read)
}

function listOf(head: PublicationHead | undefined): PublishedList | null {
  if (head === undefined) return null
  const { number, thisUpdate, nextUpdate, octets, sha256 } = head
  return { number, thisUpdate, nextUpdate, octets, sha256 }
}
