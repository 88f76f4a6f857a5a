// Build, sign and put in place the CRL of one shard (RFC 5280 §5). The number grows with each version; the store refuses one that
// does not, so that two processes that publish at once cannot let it fall back.

import { DerWriter } from '../../core/asn1/writer.ts'
import { concat } from '../../core/bytes/bytes.ts'
import { fromHex } from '../../core/bytes/hex.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import { writeCrlEntry, writeTbsCertList } from '../../core/pki/crl.ts'
import { encodeCrlNumber, encodeIssuingDistributionPoint } from '../../core/pki/crl-extensions.ts'
import type { Extension } from '../../core/pki/extension.ts'
import { findExtension } from '../../core/pki/extension.ts'
import { encodeAuthorityKeyIdentifier, extension, parseSubjectKeyIdentifier } from '../../core/pki/extensions.ts'
import { OID } from '../../core/pki/oids.ts'
import { encodeSigned } from '../../core/pki/signed.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { Signer } from '../../crypto/signer.ts'
import type { Authority } from '../ca/authority.ts'
import { verifyOwnSignature } from '../ca/sign.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Clock, Publication, Store } from '../ports.ts'

/** How long a CRL may be relied on, and how long before its end the next one comes. */
export interface CrlSchedule {
  readonly lifetimeSeconds: number
  readonly renewBeforeSeconds: number
}

export const DEFAULT_CRL_SCHEDULE: CrlSchedule = { lifetimeSeconds: 7 * 86_400, renewBeforeSeconds: 4 * 86_400 }
/** The offline root signs by hand: once a year, with a month to do it in. */
export const OFFLINE_CRL_SCHEDULE: CrlSchedule = { lifetimeSeconds: 400 * 86_400, renewBeforeSeconds: 35 * 86_400 }

/** How often a publication is tried against other processes that publish the same shard. */
const MAX_ATTEMPTS = 5

/** An expired certificate stays on the CRL this long, so that it is on at least one issued after its end (RFC 5280 §5). */
const KEEP_EXPIRED_SECONDS = 8 * 86_400

export interface CrlIssuer {
  readonly record: Authority
  readonly certificate: Certificate
  readonly signer: Signer
}

export interface PublishCrlPorts {
  readonly store: Store
  readonly clock: Clock
}

export function crlPublicationName(authority: string, crlShard: number): string {
  return `crl/${authority}/${crlShard}`
}

/**
 * Publishes the shard's CRL as of now. `shardUrl` is the address in the distribution point of the shard's certificates.
 * Throws what the signer and the store throw; `publication.outdated` where another process took the number first.
 */
export async function publishCrl(
  issuer: CrlIssuer,
  crlShard: number,
  shardUrl: string,
  schedule: CrlSchedule,
  ports: PublishCrlPorts,
): Promise<Publication> {
  const { store } = ports
  const name = crlPublicationName(issuer.record.id, crlShard)
  const previous = await store.read.publication(name)
  const thisUpdate = ports.clock.now()
  const nextUpdate = Math.min(thisUpdate + schedule.lifetimeSeconds, issuer.certificate.notAfter)
  const number = (previous?.number ?? 0) + 1

  const entries = new DerWriter(64 * 1024)
  let count = 0
  for await (const revoked of store.read.revoked(issuer.record.id, crlShard, thisUpdate - KEEP_EXPIRED_SECONDS)) {
    if (revoked.status.kind === 'good') continue
    writeCrlEntry(entries, {
      serialNumber: fromHex(revoked.serialNumber),
      revocationDate: revoked.status.at,
      reason: revoked.status.kind === 'held' ? 'certificateHold' : revoked.status.reason,
    })
    count++
  }
  const fields = {
    issuer: issuer.certificate.subject.raw,
    signatureAlgorithm: issuer.signer.algorithm.algorithmIdentifier,
    thisUpdate,
    nextUpdate,
    extensions: crlExtensions(issuer, number, shardUrl),
  }
  const list = entries.finish()
  const chunks: Uint8Array[] = []
  for await (const chunk of writeTbsCertList(fields, list.length, list.length === 0 ? [] : [list])) chunks.push(chunk)
  const tbs = concat(...chunks)
  const signature = await issuer.signer.sign(tbs)
  verifyOwnSignature(issuer.signer, tbs, signature)
  const publication: Publication = {
    name,
    contentType: 'application/pkix-crl',
    bytes: encodeSigned(tbs, issuer.signer.algorithm.algorithmIdentifier, signature),
    number,
    thisUpdate,
    nextUpdate,
  }
  await store.commit({
    writes: [{ kind: 'publication.put', publication }],
    audit: [
      {
        at: thisUpdate,
        actor: { kind: 'system', id: 'crl' },
        action: 'crl.published',
        outcome: 'done',
        subject: { authorityId: issuer.record.id },
        detail: { shard: crlShard, number, entries: count, crlSha256: sha256Hex(publication.bytes) },
      },
    ],
  })
  return publication
}

/** Publishes every shard whose CRL is missing or near its end; returns how many. */
export async function publishDueCrls(
  issuer: CrlIssuer,
  shardUrl: (crlShard: number) => string,
  schedule: CrlSchedule,
  ports: PublishCrlPorts,
): Promise<number> {
  let published = 0
  for (let shard = 0; shard < issuer.record.crlShards; shard++) {
    const current = await ports.store.read.publication(crlPublicationName(issuer.record.id, shard))
    if (current && !isCrlDue(current, schedule, ports.clock.now(), issuer.certificate.notAfter)) continue
    await publishAfterOthers(() => publishCrl(issuer, shard, shardUrl(shard), schedule, ports))
    published++
  }
  return published
}

/** Whether the next CRL should be made now. One that lasts to the end of its issuer is the last one, unless something is revoked. */
export function isCrlDue(
  current: Publication,
  schedule: CrlSchedule,
  now: UnixSeconds,
  issuerEnds: UnixSeconds,
): boolean {
  if (now < current.thisUpdate) return true
  return now >= current.nextUpdate - schedule.renewBeforeSeconds && current.nextUpdate < issuerEnds
}

/**
 * Takes the requested shards, publishes each, and closes the request. A shard that fails stays requested and is tried again
 * when its lease ends; the first failure is thrown after the others were tried.
 */
export async function publishRequestedCrls(
  issuerOf: (authority: string) => Promise<CrlIssuer | undefined>,
  shardUrl: (authority: string, crlShard: number) => string,
  schedule: CrlSchedule,
  ports: PublishCrlPorts,
): Promise<number> {
  const leased = await ports.store.lease('crl', ports.clock.now(), 30, 64)
  let published = 0
  let failure: unknown
  for (const work of leased) {
    const slash = work.key.lastIndexOf('/')
    const authority = work.key.slice(0, slash)
    const crlShard = Number(work.key.slice(slash + 1))
    try {
      const issuer = await issuerOf(authority)
      // The offline root's CRL is made where its key is, by `touchmark authority crl`.
      if (issuer) {
        await publishAfterOthers(() => publishCrl(issuer, crlShard, shardUrl(authority, crlShard), schedule, ports))
        published++
      }
      await ports.store.commit({ writes: [{ kind: 'work.done', work }], audit: [] })
    } catch (thrown) {
      failure ??= thrown
    }
  }
  if (failure !== undefined) throw asTouchmarkError(failure)
  return published
}

/**
 * Publishes; where another process took the number first, again with the rows of now. `publishCrl` reads the previous number before it
 * reads the rows, so a CRL never holds less than one with a smaller number.
 */
async function publishAfterOthers(publish: () => Promise<Publication>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await publish()
      return
    } catch (thrown) {
      const outdated = thrown instanceof TouchmarkError && thrown.code === 'publication.outdated'
      if (!outdated || attempt === MAX_ATTEMPTS) throw thrown
    }
  }
}

/**
 * AKI and number always (RFC 5280 §5.2.1, §5.2.3; strongSwan ignores a CRL without AKI). The issuing distribution point only where
 * there are several shards: it is critical, and a relying party that does not know it may then not use the CRL.
 */
function crlExtensions(issuer: CrlIssuer, number: number, shardUrl: string): Extension[] {
  const subjectKeyIdentifier = findExtension(issuer.certificate.extensions, OID.subjectKeyIdentifier)
  const list: Extension[] = []
  if (subjectKeyIdentifier) {
    const keyIdentifier = parseSubjectKeyIdentifier(subjectKeyIdentifier.value)
    list.push(extension(OID.authorityKeyIdentifier, false, encodeAuthorityKeyIdentifier({ keyIdentifier })))
  }
  list.push(extension(OID.cRLNumber, false, encodeCrlNumber(number)))
  if (issuer.record.crlShards > 1) {
    const point = {
      distributionPoint: { kind: 'fullName', names: [{ kind: 'uniformResourceIdentifier', value: shardUrl }] },
    } as const
    list.push(extension(OID.issuingDistributionPoint, true, encodeIssuingDistributionPoint(point)))
  }
  return list
}
