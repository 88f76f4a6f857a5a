// To ask a device to renew before its time, and to take that back. An order stands on the device's credential until a certificate fulfils
// it; what it wishes and what another order wished before hold together.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { CampaignTarget } from '../campaign/campaign.ts'
import type { DeviceId, UnixSeconds } from '../ids.ts'
import type { ChangeSet, Clock, Store } from '../ports.ts'
import type { Credential, RenewalOrder, StandingOrder } from './credential.ts'
import { putCredential } from './credential-writes.ts'

export interface OrderPorts {
  readonly store: Store
  readonly clock: Clock
}

/** How long a device has to follow an order whose time nobody named. */
export const DEFAULT_ORDER_SECONDS = 7 * 86_400

/** An order whose credential changes meanwhile is written again. */
const MAX_ATTEMPTS = 4

/**
 * Orders the device to renew. Throws `credential.not_found`, `renewal.order_contradicts` (another order wishes otherwise),
 * `renewal.order_too_late` (its time lies in the past), `renewal.profile_held` (it has a certificate under the profile that it is to move to,
 * which would end before its successor was seen).
 */
export async function orderRenewal(
  deviceId: DeviceId,
  profile: string,
  order: Omit<RenewalOrder, 'at'>,
  actor: AuditEntry['actor'],
  ports: OrderPorts,
): Promise<Credential> {
  const target = order.profile ?? profile
  if (target !== profile && (await ports.store.read.credential(deviceId, target)) !== undefined) {
    throw new TouchmarkError(
      'renewal.profile_held',
      'conflict',
      `The device holds a certificate under ${target} already.`,
      {
        evidence: { deviceId, profile: target },
        next: 'Revoke that one first, or let it renew by itself.',
      },
    )
  }
  return changeCredential(deviceId, profile, ports, credential =>
    orderWrites(credential, { ...order, at: ports.clock.now() }, actor),
  )
}

/** Takes the order back: the window is again the one that it had before. Throws `credential.not_found`, `renewal.no_order`. */
export async function withdrawOrder(
  deviceId: DeviceId,
  profile: string,
  actor: AuditEntry['actor'],
  ports: OrderPorts,
): Promise<Credential> {
  return changeCredential(deviceId, profile, ports, credential => withdrawWrites(credential, actor, ports.clock.now()))
}

/** What an order writes, for callers with a change set of their own. Throws `renewal.order_contradicts`, `renewal.order_too_late`. */
export function orderWrites(credential: Credential, order: RenewalOrder, actor: AuditEntry['actor']): ChangeSet {
  if (order.until <= order.at) {
    throw new TouchmarkError('renewal.order_too_late', 'malformed', 'The order names a time that has passed.', {
      next: 'Give the device time to follow.',
    })
  }
  const standing = credential.order
  const wishes = standing === null ? order : bothWishes(standing, order)
  const { windowStart, windowEnd } = standing?.scheduled ?? credential
  const { deviceId, profile, serialNumber } = credential
  return {
    writes: putCredential(credential, {
      ...credential,
      ...orderedWindow(credential, wishes),
      order: { ...wishes, scheduled: { windowStart, windowEnd } },
    }),
    audit: [
      {
        at: order.at,
        actor,
        action: 'renewal.ordered',
        outcome: 'done',
        subject: { deviceId, serialNumber },
        detail: { profile, reason: order.reason, ...wishDetail(order) },
      },
    ],
  }
}

/** What taking an order back writes. Throws `renewal.no_order`. */
export function withdrawWrites(credential: Credential, actor: AuditEntry['actor'], now: UnixSeconds): ChangeSet {
  if (credential.order === null) {
    throw new TouchmarkError('renewal.no_order', 'conflict', 'The device was not asked to renew, or has done so.', {
      evidence: { deviceId: credential.deviceId, profile: credential.profile },
    })
  }
  return {
    writes: putCredential(credential, { ...credential, ...credential.order.scheduled, order: null }),
    audit: [orderEnded(credential, 'withdrawn', actor, now)],
  }
}

/**
 * What a campaign writes that takes its order back: what somebody else ordered since (a new owner who wants a new key) stands on, without
 * the campaign's wishes. Which of the two asked for the new key nobody knows any more: it stays asked for.
 */
export function withdrawCampaignWrites(
  credential: Credential,
  wishes: Pick<CampaignTarget, 'keyAlgorithm' | 'newProfile' | 'authorityId'>,
  actor: AuditEntry['actor'],
  now: UnixSeconds,
): ChangeSet {
  const { order } = credential
  if (order === null || order.reason === 'campaign') return withdrawWrites(credential, actor, now)
  const left: StandingOrder = {
    ...order,
    campaignId: null,
    keyAlgorithm: order.keyAlgorithm === wishes.keyAlgorithm ? null : order.keyAlgorithm,
    profile: order.profile === wishes.newProfile ? null : order.profile,
    authorityId: order.authorityId === wishes.authorityId ? null : order.authorityId,
  }
  const { deviceId, profile, serialNumber } = credential
  return {
    writes: putCredential(credential, { ...credential, order: left }),
    audit: [
      orderEnded(credential, 'withdrawn', actor, now),
      {
        at: now,
        actor,
        action: 'renewal.ordered',
        outcome: 'done',
        subject: { deviceId, serialNumber },
        detail: { profile, reason: left.reason, ...wishDetail(left) },
      },
    ],
  }
}

/** The entry that ends an order. */
export function orderEnded(
  { deviceId, profile, order, serialNumber }: Credential,
  outcome: 'fulfilled' | 'unmet' | 'withdrawn' | 'ended_with_certificate',
  actor: AuditEntry['actor'],
  at: UnixSeconds,
): AuditEntry {
  return {
    at,
    actor,
    action: 'renewal.order_ended',
    outcome: 'done',
    subject: { deviceId, serialNumber },
    detail: { profile, outcome, ...(order === null ? {} : { reason: order.reason }) },
  }
}

/** From the order on, or from when the window was to open before that; until the order's time, or the end of the certificate. */
function orderedWindow({ windowStart, windowEnd, notAfter }: Credential, { at, until }: RenewalOrder) {
  const start = Math.min(windowStart, at)
  const end = windowStart <= at ? Math.min(windowEnd, until) : until
  return { windowStart: start, windowEnd: Math.max(Math.min(end, notAfter), start + 1) }
}

/** A second order adds to the first: neither is lost, and who waits for the first (a campaign) still hears of it. */
function bothWishes(standing: StandingOrder, order: RenewalOrder): RenewalOrder {
  return {
    reason: order.reason,
    at: order.at,
    until: Math.min(standing.until, order.until) > order.at ? Math.min(standing.until, order.until) : order.until,
    newKey: standing.newKey || order.newKey,
    keyAlgorithm: both(standing, order, 'keyAlgorithm'),
    profile: both(standing, order, 'profile'),
    authorityId: both(standing, order, 'authorityId'),
    campaignId: both(standing, order, 'campaignId'),
  }
}

function both<Wish extends 'keyAlgorithm' | 'profile' | 'authorityId' | 'campaignId'>(
  standing: RenewalOrder,
  order: RenewalOrder,
  wish: Wish,
): RenewalOrder[Wish] {
  if (standing[wish] !== null && order[wish] !== null && standing[wish] !== order[wish]) {
    throw new TouchmarkError(
      'renewal.order_contradicts',
      'conflict',
      'The device was already ordered to do otherwise.',
      {
        evidence: { wish, stands: standing[wish], ordered: order[wish] },
        next: 'Withdraw the order that stands, or cancel its campaign.',
      },
    )
  }
  return order[wish] ?? standing[wish]
}

function wishDetail({ until, newKey, keyAlgorithm, profile, authorityId, campaignId }: RenewalOrder) {
  return {
    until,
    newKey,
    ...(keyAlgorithm === null ? {} : { keyAlgorithm }),
    ...(profile === null ? {} : { newProfile: profile }),
    ...(authorityId === null ? {} : { newAuthority: authorityId }),
    ...(campaignId === null ? {} : { campaignId }),
  }
}

async function changeCredential(
  deviceId: DeviceId,
  profile: string,
  { store }: OrderPorts,
  change: (credential: Credential) => ChangeSet,
): Promise<Credential> {
  for (let attempt = 1; ; attempt++) {
    const credential = await store.read.credential(deviceId, profile)
    if (credential === undefined) throw credentialNotFound(deviceId, profile)
    const changes = change(credential)
    try {
      await store.commit(changes)
      const [put] = changes.writes
      return put?.kind === 'credential.put' ? put.credential : credential
    } catch (thrown) {
      const moved = thrown instanceof TouchmarkError && thrown.code === 'credential.changed'
      if (!moved || attempt === MAX_ATTEMPTS) throw thrown
    }
  }
}

function credentialNotFound(deviceId: DeviceId, profile: string): TouchmarkError {
  return new TouchmarkError('credential.not_found', 'not_found', `The device has nothing to renew under ${profile}.`, {
    evidence: { deviceId, profile },
    next: 'List what a device holds with: touchmark renewal show SERIAL',
  })
}
