// Build, sign and put in place the full CRL of one shard (RFC 5280 §5). It is read, signed and stored without ever being copied, and between
// the pages and pieces of a long one others get their turn. Two processes that publish at once cannot let it fall back: whoever finds
// that another list came between builds anew from what is stored then.
import { CrlBuilder } from '../../core/pki/crl-builder.ts'
import { encodeCRLDistributionPoints } from '../../core/pki/distribution-point.ts'
import type { Extension } from '../../core/pki/extension.ts'
import { extension } from '../../core/pki/extensions.ts'
import { OID } from '../../core/pki/oids.ts'
import { deltaUrlOf } from '../ca/distribution-urls.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Publication } from '../ports.ts'
import { placePublication } from '../publication-body.ts'
import {
  CRL_CONTENT_TYPE,
  type CrlIssuer,
  commonExtensions,
  type PublishCrlPorts,
  publishedEntry,
  signCrl,
} from './crl-parts.ts'
import type { CrlSchedule } from './crl-schedule.ts'
import { addBase, againstOthers, crlBases, crlPublicationName, deltaPublicationName, takeNumber } from './crl-series.ts'
import { publishDelta } from './publish-delta.ts'

/**
 * Publishes the shard's full CRL as of now. `shardUrl` is the address in the distribution point of the shard's certificates.
 * Throws what the signer and the store throw; `publication.outdated` where another process published meanwhile.
 */
export async function publishCrl(
  issuer: CrlIssuer,
  crlShard: number,
  shardUrl: string,
  schedule: CrlSchedule,
  ports: PublishCrlPorts,
): Promise<Publication> {
  const { store } = ports
  const { id } = issuer.record
  const name = crlPublicationName(id, crlShard)
  // Read before the rows: whatever is placed between here and the end sends this one back.
  const from = (await store.read.publicationHead(name))?.number ?? 0
  const thisUpdate = ports.clock.now()
  const nextUpdate = Math.min(thisUpdate + schedule.lifetimeSeconds, issuer.certificate.notAfter)
  const number = await takeNumber(name, thisUpdate, store)
  const covers = (await store.read.auditHead()).size

  const builder = new CrlBuilder()
  for await (const page of store.read.revokedPages(id, crlShard, thisUpdate - schedule.keepExpiredSeconds)) {
    builder.add(page)
  }
  const entries = builder.count
  const hasDelta = schedule.delta !== null && entries >= schedule.delta.fromEntries
  const extensions = [
    ...commonExtensions(issuer, number, shardUrl),
    ...(hasDelta ? [freshestCrl(deltaUrlOf(shardUrl))] : []),
  ]
  const bytes = await signCrl(builder, issuer, { thisUpdate, nextUpdate, extensions })
  const publication: Publication = { name, contentType: CRL_CONTENT_TYPE, bytes, number, thisUpdate, nextUpdate }
  const base = { number, covers, thisUpdate }
  const bases = hasDelta ? await crlBases(name, store.read) : []
  await placePublication(
    publication,
    {
      from,
      along: ({ sha256 }) => {
        const known = hasDelta ? addBase(name, bases, base, schedule.lifetimeSeconds) : undefined
        const said = { shard: crlShard, number, entries, crlSha256: sha256 }
        return {
          writes: known === undefined ? [] : [known.write],
          // A base that somebody moved would leave revocations out of the next delta: `audit verify` holds the list to this.
          audit: [
            publishedEntry(issuer, thisUpdate, known === undefined ? said : { ...said, basesSha256: known.sha256 }),
          ],
        }
      },
    },
    store,
  )
  return publication
}

/** Publishes, and the delta that the list points to where there is none; where another process came first, with the rows of now. */
export async function publishCrlAndDelta(
  issuer: CrlIssuer,
  crlShard: number,
  shardUrl: string,
  schedule: CrlSchedule,
  ports: PublishCrlPorts,
): Promise<void> {
  await againstOthers(() => publishCrl(issuer, crlShard, shardUrl, schedule, ports))
  if (schedule.delta === null) return
  const delta = await ports.store.read.publicationHead(deltaPublicationName(issuer.record.id, crlShard))
  if (delta === undefined) await publishDelta(issuer, crlShard, shardUrl, schedule, ports)
}

/** Whether the next CRL should be made now. One that lasts to the end of its issuer is the last one, unless something is revoked. */
export function isCrlDue(
  current: Pick<Publication, 'thisUpdate' | 'nextUpdate'>,
  { renewBeforeSeconds }: Pick<CrlSchedule, 'renewBeforeSeconds'>,
  now: UnixSeconds,
  issuerEnds: UnixSeconds,
): boolean {
  if (now < current.thisUpdate) return true
  return now >= current.nextUpdate - renewBeforeSeconds && current.nextUpdate < issuerEnds
}

/** Where the newest delta is had (RFC 5280 §5.2.6). */
function freshestCrl(deltaUrl: string): Extension {
  const names = [{ kind: 'uniformResourceIdentifier', value: deltaUrl }] as const
  const points = [{ distributionPoint: { kind: 'fullName', names } }] as const
  return extension(OID.freshestCRL, false, encodeCRLDistributionPoints(points))
}
