// What the issue of a certificate changes in the device's credential: the new certificate becomes the current one, the one before stays
// good until the new one was seen in use, no third one stays, and an order that is fulfilled ends. In the same change set as the
// certificate itself.
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { CampaignDevice, CampaignDeviceState } from '../campaign/campaign.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { UnixSeconds } from '../ids.ts'
import type { ChangeSet, StoreReader, Write } from '../ports.ts'
import { addStatusChanges } from '../revocation/status-changes.ts'
import type { Credential, RenewalOrder } from './credential.ts'
import { putCredential, removeCredential } from './credential-writes.ts'
import { orderEnded } from './order-renewal.ts'
import type { RenewalPolicy } from './policy.ts'
import type { RenewalWindow } from './window.ts'

/** A certificate as it is about to be written. */
export type NewCertificate = Omit<CertificateRecord, 'auditIndex'>

/** What the device holds before the issue. */
export interface Holdings {
  /** Under the profile that is issued. */
  readonly current: Credential | null
  /** Under another profile, where an order moves the device from that one. */
  readonly moved: Credential | null
  /** The certificate that was shown and is renewed, or replaced by this one. */
  readonly shown: CertificateRecord | null
  /** Every other certificate that the two credentials name. */
  readonly others: readonly CertificateRecord[]
  /** Where the order came from a campaign. */
  readonly campaign: CampaignDevice | null
}

/** A device that holds nothing yet. */
export const NO_HOLDINGS: Holdings = { current: null, moved: null, shown: null, others: [], campaign: null }

/** `shown`: the certificate of the device, of this profile or of the one that it leaves, over which the request came. */
export async function readHoldings(
  certificate: Pick<NewCertificate, 'deviceId' | 'profile'>,
  shown: CertificateRecord | null,
  read: Pick<StoreReader, 'credential' | 'certificate' | 'campaignDevice'>,
): Promise<Holdings> {
  const { deviceId, profile } = certificate
  if (deviceId === null) return NO_HOLDINGS
  const [current, moved] = await Promise.all([
    read.credential(deviceId, profile),
    shown !== null && shown.profile !== profile ? read.credential(deviceId, shown.profile) : undefined,
  ])
  const names = new Map<string, NonNullable<Credential['previous']>>()
  for (const credential of [current, moved]) {
    if (credential === undefined) continue
    for (const each of [credential, credential.previous]) {
      if (each !== null && !isSame(each, shown)) names.set(`${each.authorityId}/${each.serialNumber}`, each)
    }
  }
  const campaignId = (moved ?? current)?.order?.campaignId ?? null
  const [campaign, ...others] = await Promise.all([
    campaignId === null ? undefined : read.campaignDevice(campaignId, deviceId),
    ...Array.from(names.values(), each => read.certificate(each.authorityId, each.serialNumber)),
  ])
  return {
    current: current ?? null,
    moved: moved ?? null,
    shown,
    others: others.filter(record => record !== undefined),
    campaign: campaign ?? null,
  }
}

export interface CredentialIssue {
  readonly certificate: NewCertificate
  readonly keyAlgorithm: KeyAlgorithmName
  readonly policy: RenewalPolicy
  readonly window: RenewalWindow
  readonly holdings: Holdings
  readonly actor: AuditEntry['actor']
  readonly now: UnixSeconds
}

/**
 * The writes and entries beside the certificate's own; the first of the entries will stand at `position` of the whole change set. The
 * certificate is of a device, and has an end.
 */
export function credentialChanges(issue: CredentialIssue, position: number): ChangeSet {
  const { certificate, keyAlgorithm, policy, window, holdings, actor, now } = issue
  const { current, moved } = holdings
  const change = new ChangeBuilder(position)
  const before = certificateInUse(holdings)
  const retires = policy.previous.retire === 'superseded'
  if (retires) {
    const ending = holdings.others.filter(record => isGoodYet(record, now) && !isSame(record, before))
    addStatusChanges(change, ending, {
      to: { kind: 'revoked', at: now, reason: 'superseded', invalidityDate: null },
      actor,
      now,
    })
  }
  const ordered = moved ?? current
  const outcome = ordered?.order ? orderOutcome(ordered.order, ordered, issue) : null
  if (ordered && outcome !== null && outcome !== 'open') {
    change.record(orderEnded(ordered, outcome, actor, now))
    const had = holdings.campaign?.before ?? null
    const wentBack = had !== null && !isOfKind(ordered, had) && isOfKind({ ...certificate, keyAlgorithm }, had)
    change.write(...campaignMove(holdings.campaign, outcome, wentBack, now))
  }
  if (moved) change.write(...removeCredential(moved))
  const { authorityId, serialNumber, keyId, notBefore, notAfter, profile } = certificate
  change.write(
    ...putCredential(current, {
      deviceId: certificate.deviceId!,
      profile,
      authorityId,
      serialNumber,
      keyId,
      keyAlgorithm,
      notBefore,
      notAfter,
      windowStart: window.windowStart,
      windowEnd: window.windowEnd,
      seenAt: null,
      previous: before && { authorityId: before.authorityId, serialNumber: before.serialNumber },
      retireAt:
        retires && before && isGoodYet(before, now)
          ? Math.min(now + policy.previous.deadlineSeconds, before.notAfter)
          : null,
      order: null,
      ...(outcome === 'open' ? carriedOrder(ordered!, window) : {}),
      failures: 0,
      lastFailure: null,
    }),
  )
  return change
}

/** What is to be written when a device loses what it has under a profile for good: its certificate is revoked, or it retires. */
export function endCredentialWrites(credential: Credential): Write[] {
  return removeCredential(credential)
}

/** The order is fulfilled where everything that it wishes is true of the new certificate. */
export function fulfils(
  order: Pick<RenewalOrder, 'newKey' | 'keyAlgorithm' | 'profile' | 'authorityId'>,
  before: Pick<Credential, 'keyId'>,
  after: Pick<Credential, 'keyId' | 'keyAlgorithm' | 'profile' | 'authorityId'>,
): boolean {
  return (
    (!order.newKey || after.keyId !== before.keyId) &&
    (order.keyAlgorithm === null || after.keyAlgorithm === order.keyAlgorithm) &&
    (order.profile === null || after.profile === order.profile) &&
    (order.authorityId === null || after.authorityId === order.authorityId)
  )
}

/** A new enrolment that leaves a wish open is no answer to the order: it stands on. */
function orderOutcome(
  order: RenewalOrder,
  before: Credential,
  { certificate, keyAlgorithm, holdings }: CredentialIssue,
): 'fulfilled' | 'unmet' | 'open' {
  if (fulfils(order, before, { ...certificate, keyAlgorithm })) return 'fulfilled'
  return holdings.shown === null ? 'open' : 'unmet'
}

function carriedOrder({ order, windowStart, windowEnd }: Credential, scheduled: RenewalWindow) {
  const { windowStart: start, windowEnd: end } = scheduled
  return {
    windowStart: Math.min(windowStart, start),
    windowEnd: Math.min(windowEnd, end),
    order: { ...order!, scheduled: { windowStart: start, windowEnd: end } },
  }
}

/** A device that comes late, after it counted as failed, is done all the same. */
function campaignMove(
  campaign: CampaignDevice | null,
  outcome: 'fulfilled' | 'unmet',
  wentBack: boolean,
  at: UnixSeconds,
): Write[] {
  const to = campaign && nextState(campaign.state, outcome, wentBack)
  if (campaign === null || to === undefined) return []
  const { campaignId: id, deviceId, wave, state: from } = campaign
  const reason = outcome === 'fulfilled' ? null : 'renewal.order_unmet'
  return [{ kind: 'campaign.device', id, deviceId, wave, from, to: to as CampaignDeviceState, at, reason }]
}

/** What a roll-back brings back: of those who failed it tells who followed late from who went back late. */
function isOfKind(
  credential: Pick<Credential, 'profile' | 'authorityId' | 'keyAlgorithm'>,
  { profile, authorityId, keyAlgorithm }: NonNullable<CampaignDevice['before']>,
): boolean {
  return (
    credential.profile === profile && credential.authorityId === authorityId && credential.keyAlgorithm === keyAlgorithm
  )
}

function nextState(
  state: CampaignDeviceState,
  outcome: 'fulfilled' | 'unmet',
  wentBack: boolean,
): CampaignDeviceState | null | undefined {
  switch (state) {
    case 'asked':
      return outcome === 'fulfilled' ? 'done' : 'failed'
    case 'failed':
      return outcome === 'fulfilled' ? (wentBack ? 'back' : 'done') : undefined
    case 'going_back':
      return outcome === 'fulfilled' ? 'back' : undefined
    case 'planned':
    case 'done':
    case 'skipped':
    case 'back':
      return undefined
    default:
      return state satisfies never
  }
}

/** The certificate that the device goes by now: the only one that stays good beside the new one. */
function certificateInUse({ current, shown, others }: Holdings): CertificateRecord | null {
  return (
    shown ??
    // A successor that was never seen may never have arrived: then the one before it is the one in use.
    others.find(record => isSame(record, current?.seenAt === null ? current.previous : null)) ??
    others.find(record => isSame(record, current)) ??
    null
  )
}

function isGoodYet({ status, notAfter }: CertificateRecord, now: UnixSeconds): boolean {
  return status.kind !== 'revoked' && now <= notAfter
}

type CertificateName = Pick<CertificateRecord, 'authorityId' | 'serialNumber'>

function isSame(a: CertificateName | null, b: CertificateName | null): boolean {
  return a !== null && b !== null && a.authorityId === b.authorityId && a.serialNumber === b.serialNumber
}
