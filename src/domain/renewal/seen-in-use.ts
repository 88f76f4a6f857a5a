// Make before break: the certificate before ends when its successor was seen in use, or at its deadline. Seen is a certificate whose key
// signed a TLS handshake with us; whoever accepts one calls `seenInUse`.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { type CertificateRecord, isLive } from '../ca/certificate-record.ts'
import { ChangeBuilder } from '../change-builder.ts'
import { mayCertify, mayKeyMove } from '../device/device-key.ts'
import { addKeyMove } from '../device/key-changes.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Clock, Store, StoreReader } from '../ports.ts'
import { standingCertificate } from '../ra/standing-facts.ts'
import { addStatusChanges } from '../revocation/status-changes.ts'
import type { Credential } from './credential.ts'
import { putCredential } from './credential-writes.ts'

export interface SeenPorts {
  readonly store: Store
  readonly clock: Clock
}

const RENEWAL: AuditEntry['actor'] = { kind: 'system', id: 'renewal' }
/** So long after its deadline the certificate before is looked at again, where the successor was on hold. */
const HELD_SECONDS = 86_400
/** Credentials whose deadline one call of `retireDue` looks at, at once. */
const PAGE = 200

/**
 * Notes that a live certificate of a device was used, and ends the one before it, in one transaction. Answers whether this was news; costs
 * one look at an index where it is none. Certificates without a credential are none of its business.
 */
export async function seenInUse(record: CertificateRecord, { store, clock }: SeenPorts): Promise<boolean> {
  if (record.deviceId === null) return false
  const credential = await store.read.credential(record.deviceId, record.profile)
  if (credential === undefined || credential.seenAt !== null || !isCurrent(credential, record)) return false
  const now = clock.now()
  if (!isLive(record, now)) return false
  return retire(credential, { seenAt: now }, store, now)
}

/**
 * Ends every previous certificate whose deadline has come: revoked where its successor is live, else left to its own end, so that nobody
 * is without a good certificate because of us. Where the successor is on hold (a suspended device), the deadline is put off by a day: two
 * shall not be good when the hold is over. Answers how many credentials it settled.
 */
export async function retireDue({ store, clock }: SeenPorts, signal?: AbortSignal): Promise<number> {
  let settled = 0
  for (;;) {
    const due = await store.read.credentialsToRetire(clock.now(), PAGE)
    let moved = 0
    for (const credential of due) {
      if (signal?.aborted) return settled
      if (await retire(credential, {}, store, clock.now())) moved++
    }
    settled += moved
    // What others changed meanwhile is theirs; a page that did not move at all would come again for ever.
    if (due.length < PAGE || moved === 0) return settled
  }
}

/** Whether the certificate is the one that the device goes by. */
export function isCurrent(credential: Credential, record: Pick<CertificateRecord, 'authorityId' | 'serialNumber'>) {
  return credential.authorityId === record.authorityId && credential.serialNumber === record.serialNumber
}

/** The key of a certificate that the device has left behind is done with, unless another certificate is over it. */
async function addKeyArchived(
  change: ChangeBuilder,
  before: CertificateRecord,
  { keyId, deviceId }: Credential,
  read: Pick<StoreReader, 'key' | 'certificatesOfDevice'>,
  now: UnixSeconds,
): Promise<void> {
  if (before.keyId === keyId) return
  const [key, records] = await Promise.all([read.key(before.keyId), read.certificatesOfDevice(deviceId)])
  const others = records.filter(record => record.keyId === before.keyId && record.serialNumber !== before.serialNumber)
  const isNeeded = others.some(({ status, notAfter }) => status.kind !== 'revoked' && notAfter >= now)
  if (key && !isNeeded && mayCertify(key.state) && mayKeyMove(key.state, 'archived')) {
    addKeyMove(change, key, 'archived', RENEWAL, now)
  }
}

async function retire(
  credential: Credential,
  seen: { readonly seenAt?: UnixSeconds },
  store: Store,
  now: UnixSeconds,
): Promise<boolean> {
  const { previous } = credential
  const [current, before] = await Promise.all([
    store.read.certificate(credential.authorityId, credential.serialNumber),
    previous && store.read.certificate(previous.authorityId, previous.serialNumber),
  ])
  const change = new ChangeBuilder()
  const ends = credential.retireAt !== null && before && before.status.kind !== 'revoked' && before.notAfter >= now
  if (ends && current && isLive(current, now)) {
    addStatusChanges(change, [before], {
      to: { kind: 'revoked', at: now, reason: 'superseded', invalidityDate: null },
      actor: RENEWAL,
      now,
      detail: {
        successor: credential.serialNumber,
        because: seen.seenAt === undefined ? 'deadline' : 'successor_seen',
      },
    })
    // The successor stays as it was found: what was good a moment ago must not be the second to end.
    change.write(standingCertificate(current))
    if (seen.seenAt !== undefined) await addKeyArchived(change, before, credential, store.read, now)
  }
  // The certificate before stays named until its successor is seen: over it, and nothing else, who lost the answer can ask again.
  const named = seen.seenAt === undefined ? previous : null
  const retireAt = ends && current?.status.kind === 'held' ? now + HELD_SECONDS : null
  change.write(...putCredential(credential, { ...credential, ...seen, previous: named, retireAt }))
  try {
    await store.commit(change)
    return true
  } catch (thrown) {
    // Somebody renewed, revoked or saw it in this moment: the next look finds what is left.
    if (thrown instanceof TouchmarkError && thrown.kind === 'conflict') return false
    throw thrown
  }
}
