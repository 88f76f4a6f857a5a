// Everything impure that the domain asks for, on one page.
// Reading and writing are different objects: a reader answers questions, and a change happens only as a `ChangeSet`, which the
// store applies whole or not at all, together with its audit entries and the work that it causes.
import type { ApiToken } from './access/api-token.ts'
import type { Approval, ApprovalState } from './access/approval.ts'
import type { Operator } from './access/operator.ts'
import type { Passkey } from './access/passkey.ts'
import type { Session } from './access/session.ts'
import type { SignInLink } from './access/sign-in-link.ts'
import type { Alert, AlertState } from './alerts/alert.ts'
import type { Delivery } from './alerts/notice.ts'
import type { AuditEntry } from './audit/entry.ts'
import type { Batch } from './batch.ts'
import type { Authority, AuthorityState } from './ca/authority.ts'
import type { CertificateRecord, CertificateStatus } from './ca/certificate-record.ts'
import type { Campaign, CampaignCount, CampaignDevice, CampaignDeviceState } from './campaign/campaign.ts'
import type { Device, DeviceState } from './device/device.ts'
import type { DeviceHealth } from './device/device-health.ts'
import type { DeviceKey, KeyState } from './device/device-key.ts'
import type { DeviceProperty, PropertyName } from './device/device-property.ts'
import type { DeviceQuery, DeviceSketch, SelectedDevice } from './device/device-query.ts'
import type { KeyHolding } from './device/key-holding.ts'
import type { OwnershipTransfer, TransferState } from './device/ownership.ts'
import type { Statement } from './device/statement.ts'
import type { Suspension } from './device/suspension.ts'
import type { DocumentVersion } from './document.ts'
import type {
  AlertId,
  AuthorityId,
  BatchId,
  CampaignId,
  DeliveryId,
  DeviceId,
  KeyId,
  RequestDigest,
  SerialNumber,
  TokenId,
  TransferId,
  UnixSeconds,
} from './ids.ts'
import type { StoredJob } from './jobs/job.ts'
import type { KeptAnswer } from './kept-answer.ts'
import type { Enrolment, EnrolmentState } from './ra/enrolment.ts'
import type { Token } from './ra/token.ts'
import type { Credential, PlanMeasure, PlannedBucket } from './renewal/credential.ts'
import type { CertificateConditions, CertificateQuery, SelectedCertificate } from './revocation/certificate-query.ts'
import type { CertificateTally, TallyOptions } from './revocation/certificate-tally.ts'
import type { Activity } from './statistics/activity.ts'

/** Read once per use case; the value is passed on. */
export interface Clock {
  now(): UnixSeconds
}

/** The only source of randomness: serial numbers, tokens, nonces, salts. */
export type { Random } from '../crypto/random.ts'

/** Bytes that outlets serve as they are: a CRL, a pre-signed answer, a bundle. Replaced whole. */
export interface Publication {
  /** `crl/<authority>/<shard>`, … */
  readonly name: string
  readonly contentType: string
  readonly bytes: Uint8Array
  /** Grows with each version of the same name: the CRL number. */
  readonly number: number
  readonly thisUpdate: UnixSeconds
  readonly nextUpdate: UnixSeconds
}

/** What outlets need to know of a publication before they serve its octets. */
export interface PublicationHead extends Omit<Publication, 'bytes'> {
  readonly octets: number
  /** 64 hexadecimal digits. */
  readonly sha256: string
}

/** Work that a change causes. Rows with the same topic and key coalesce into one; `version` tells a later request from the leased one. */
export interface Work {
  /**
   * `crl`, `crl_full`: lists of the shard `<authority>/<shard>`, the delta at once and the full one when it is its turn; `status`: the status
   * artefact of the authority.
   */
  readonly topic: 'crl' | 'crl_full' | 'status' | 'checkpoint'
  readonly key: string
  readonly dueAt: UnixSeconds
  readonly version: number
}

/** One write of a change set. Each states what it expects; where the store finds otherwise, nothing of the set happens. */
export type Write =
  /** Fails with `device.exists` where model and serial number are taken. */
  | { readonly kind: 'device.insert'; readonly device: Device }
  /** Fails with `device.state_changed` where the device is not in state `from`. */
  | {
      readonly kind: 'device.state'
      readonly id: DeviceId
      readonly from: DeviceState
      readonly to: DeviceState
      readonly at: UnixSeconds
    }
  /**
   * Changes nothing. Fails with `device.certificates_changed` where the device does not have exactly so many certificates, of whatever
   * status: one was issued since they were read.
   */
  | { readonly kind: 'device.certificates'; readonly id: DeviceId; readonly count: number }
  /** Keeps what a suspension took from the device, in place of what stood there. */
  | { readonly kind: 'suspension.put'; readonly suspension: Suspension }
  /** Forgets it; nothing happens where there is none. */
  | { readonly kind: 'suspension.remove'; readonly deviceId: DeviceId }
  /**
   * Sets, replaces or (with `to` `null`) erases a property. Fails with `device.property_changed` where its value is not `from`; `null`: it
   * is not there. A label stands on the device too, and changes there as well; the labels that a new device brings become properties.
   */
  | {
      readonly kind: 'device.property'
      readonly deviceId: DeviceId
      readonly name: PropertyName
      readonly from: string | null
      readonly to: Omit<DeviceProperty, 'deviceId' | 'name'> | null
    }
  /** Replaces what the device said before. Fails with `health.sequence_changed` where the stored sequence is not `from` (`null`: none). */
  | { readonly kind: 'health.put'; readonly health: DeviceHealth; readonly from: number | null }
  /** Fails with `transfer.exists` where the id is taken, or the device has another transfer that is proposed or accepted. */
  | { readonly kind: 'transfer.insert'; readonly transfer: OwnershipTransfer }
  /** Fails with `transfer.state_changed` where the state is not `from`, or, where `agreed` is given, who agreed so far is not that. */
  | {
      readonly kind: 'transfer.state'
      readonly id: TransferId
      readonly from: TransferState
      readonly to: TransferState
      readonly at: UnixSeconds
      readonly agreements: OwnershipTransfer['agreements']
      readonly agreed?: OwnershipTransfer['agreements']
    }
  /** Keeps the statement; the same one again changes nothing. */
  | { readonly kind: 'statement.put'; readonly statement: Statement }
  /** Replaces what was said of the key before. */
  | { readonly kind: 'key.holding'; readonly holding: KeyHolding }
  /** Inserts (`from` `null`) or replaces; fails with `credential.changed` where the stored revision is not `from`. */
  | { readonly kind: 'credential.put'; readonly credential: Credential; readonly from: number | null }
  /** Fails with `credential.changed` where the stored revision is not `from`. */
  | {
      readonly kind: 'credential.remove'
      readonly deviceId: DeviceId
      readonly profile: string
      readonly from: number
    }
  /** Adds to the renewal plan, or takes from it. */
  | {
      readonly kind: 'plan.add'
      readonly profile: string
      readonly measure: PlanMeasure
      readonly bucket: UnixSeconds
      readonly amount: number
    }
  /** Fails with `campaign.exists` where id or name is taken. */
  | { readonly kind: 'campaign.insert'; readonly campaign: Campaign }
  /** Replaces all but id, name and time of creation. Fails with `campaign.changed` where the stored revision is not `from`. */
  | { readonly kind: 'campaign.update'; readonly campaign: Campaign; readonly from: number }
  /** Writes down planned devices, at most 2,000 at once, and counts them; those that stand there already stay as they are. */
  | {
      readonly kind: 'campaign.devices'
      readonly id: CampaignId
      readonly wave: number
      readonly deviceIds: readonly DeviceId[]
      readonly at: UnixSeconds
    }
  /** Moves the device and the counts of its wave. Fails with `campaign.device_changed` where the device is not in state `from`. */
  | {
      readonly kind: 'campaign.device'
      readonly id: CampaignId
      readonly deviceId: DeviceId
      readonly wave: number
      readonly from: CampaignDeviceState
      readonly to: CampaignDeviceState
      readonly at: UnixSeconds
      readonly reason: string | null
      /** Written where it is given; what stands there stays otherwise. */
      readonly before?: CampaignDevice['before']
    }
  /** Fails with `key.already_known` where the key id is taken, by whichever device. */
  | { readonly kind: 'key.insert'; readonly key: DeviceKey }
  /** Fails with `key.state_changed` where the key is not in state `from`. */
  | {
      readonly kind: 'key.state'
      readonly id: KeyId
      readonly from: KeyState
      readonly to: KeyState
      readonly at: UnixSeconds
    }
  /**
   * Fails with `certificate.serial_number_used`: also where its second of issue is covered by a status artefact (`status.cover`), which would
   * not know it. `auditEntry` is the position of its entry in this change set: one entry for each
   * certificate.
   */
  | {
      readonly kind: 'certificate.insert'
      readonly certificate: Omit<CertificateRecord, 'auditIndex'>
      readonly auditEntry: number
    }
  /**
   * Fails with `certificate.status_changed` where the status is not of kind `from`, or is a hold that ends at another time than `holdEnds`
   * (absent: one that nothing ends).
   */
  | {
      readonly kind: 'certificate.status'
      readonly authorityId: AuthorityId
      readonly serialNumber: SerialNumber
      readonly from: CertificateStatus['kind']
      readonly holdEnds?: UnixSeconds
      readonly to: CertificateStatus
      /** The shard of the certificate: the change is looked up by it. */
      readonly crlShard: number
      /** Position of its entry in this change set: one entry for each change, which is also its place in the log of status changes. */
      readonly auditEntry: number
    }
  /** Changes nothing. Fails with `certificate.status_changed` where the status is not of this kind. */
  | {
      readonly kind: 'certificate.standing'
      readonly authorityId: AuthorityId
      readonly serialNumber: SerialNumber
      readonly status: CertificateStatus['kind']
    }
  /** Fails with `token.exists`. */
  | { readonly kind: 'token.insert'; readonly token: Token }
  /** Fails with `token.used` where it was used or cancelled before. */
  | { readonly kind: 'token.use'; readonly id: TokenId; readonly at: UnixSeconds }
  /** Fails with `token.used` where it was used or cancelled before. */
  | { readonly kind: 'token.cancel'; readonly id: TokenId; readonly at: UnixSeconds }
  /** Fails with `enrolment.exists` where the digest is taken. */
  | { readonly kind: 'enrolment.insert'; readonly enrolment: Enrolment }
  /** Fails with `enrolment.state_changed` where the state is not of kind `from`. */
  | {
      readonly kind: 'enrolment.state'
      readonly digest: RequestDigest
      readonly from: EnrolmentState['kind']
      readonly to: EnrolmentState
      readonly deviceId: DeviceId | null
    }
  /** Adds to a counter; fails with `quota.exceeded` where it would pass `limit`. */
  | { readonly kind: 'quota.take'; readonly counter: string; readonly amount: number; readonly limit: number }
  /** Fails with `batch.exists` where the input digest is taken. */
  | { readonly kind: 'batch.insert'; readonly batch: Batch }
  /** Moves a running batch on; fails with `batch.state_changed` where `done` is not `from` (another process runs it). */
  | {
      readonly kind: 'batch.progress'
      readonly id: BatchId
      readonly from: number
      readonly done: number
      readonly issued: number
      readonly existing: number
      readonly rejected: number
      readonly finishedAt: UnixSeconds | null
    }
  /** Fails with `authority.exists`. */
  | { readonly kind: 'authority.insert'; readonly authority: Authority }
  /** Fails with `authority.state_changed` where the state is not `from`. */
  | {
      readonly kind: 'authority.update'
      readonly id: AuthorityId
      readonly from: AuthorityState
      readonly to: AuthorityState
      readonly certificate: Uint8Array | null
      readonly issuer: AuthorityId | null
      readonly chainAbove: readonly Uint8Array[]
    }
  /** Fails with `document.version_exists`: somebody else changed it meanwhile. */
  | { readonly kind: 'document.insert'; readonly document: DocumentVersion }
  /** Inserts (`from` `null`) or replaces; fails with `job.changed` where the stored revision is not `from`. */
  | { readonly kind: 'job.put'; readonly job: StoredJob; readonly from: number | null }
  /** Notes that a request is under way. Fails with `answer.begun` where it was noted before. */
  | { readonly kind: 'answer.begin'; readonly answer: KeptAnswer }
  /** Fails with `answer.begun` where the request was answered before, or forgotten. */
  | { readonly kind: 'answer.finish'; readonly id: string; readonly sealed: Uint8Array }
  /** Forgets a request that changed nothing; nothing happens where there is none. */
  | { readonly kind: 'answer.drop'; readonly id: string }
  /** Forgets the answers that expired before. */
  | { readonly kind: 'answer.expire'; readonly before: UnixSeconds }
  /** Fails with `publication.outdated` where the stored number is not below this one, or, where `from` is given, is another (0: none). */
  | { readonly kind: 'publication.put'; readonly publication: Publication; readonly from?: number }
  /** Stores a piece of a publication that is to be placed under this number. Fails with `publication.outdated` where it is stored. */
  | {
      readonly kind: 'publication.piece'
      readonly name: string
      readonly number: number
      /** From 0, each of `PUBLICATION_PIECE` octets but the last. */
      readonly piece: number
      readonly bytes: Uint8Array
    }
  /** As `publication.put`, with the octets of the pieces that were stored under its number: all of them were. */
  | { readonly kind: 'publication.place'; readonly head: PublicationHead; readonly from?: number }
  /** Forgets pieces, at most `limit`, that are not of the publication in place, of the one before it, or of one to come. */
  | { readonly kind: 'publication.sweep'; readonly name: string; readonly limit: number }
  /**
   * Inserts (`from` `null`), or replaces all but the time of creation. Fails with `operator.exists` where id, e-mail address or OpenID subject
   * is taken, and with `operator.changed` where the stored revision is not `from`.
   */
  | { readonly kind: 'operator.put'; readonly operator: Operator; readonly from: number | null }
  /** Fails with `passkey.exists`. */
  | { readonly kind: 'passkey.insert'; readonly passkey: Passkey }
  /** Fails with `passkey.changed` where the stored count is not `from`: it was used meanwhile, or is gone. */
  | {
      readonly kind: 'passkey.use'
      readonly id: Passkey['id']
      readonly from: number
      readonly to: number
      readonly at: UnixSeconds
    }
  /** Fails with `passkey.not_found` where the operator has no such passkey. */
  | { readonly kind: 'passkey.remove'; readonly id: Passkey['id']; readonly operatorId: Operator['id'] }
  /** Fails with `session.exists`. */
  | { readonly kind: 'session.insert'; readonly session: Session }
  /** Never moves the time back; nothing happens where there is no such session. */
  | { readonly kind: 'session.seen'; readonly id: Session['id']; readonly at: UnixSeconds }
  /** Fails with `session.not_found`. */
  | { readonly kind: 'session.remove'; readonly id: Session['id'] }
  /** In place of the link of this name. */
  | { readonly kind: 'link.put'; readonly link: SignInLink }
  /** Fails with `access.link_used` where there is no such link: it was used, replaced or withdrawn. */
  | { readonly kind: 'link.use'; readonly secretHash: SignInLink['secretHash'] }
  /** Nothing happens where there is none. */
  | { readonly kind: 'link.remove'; readonly name: SignInLink['name'] }
  /** Fails with `access.replayed` where it was spent before. `digest`: 64 hex digits. */
  | { readonly kind: 'proof.spend'; readonly digest: string; readonly expiresAt: UnixSeconds }
  /** Fails with `api_token.exists`. */
  | { readonly kind: 'api_token.insert'; readonly token: ApiToken }
  /** Never moves the time back; nothing happens where there is none. */
  | { readonly kind: 'api_token.seen'; readonly id: ApiToken['id']; readonly at: UnixSeconds }
  /** Fails with `api_token.revoked` where it was revoked before, or does not exist. */
  | { readonly kind: 'api_token.revoke'; readonly id: ApiToken['id']; readonly at: UnixSeconds }
  /** Inserts (`from` `null`), or moves on. Fails with `approval.changed` where the stored revision is not `from`. */
  | { readonly kind: 'approval.put'; readonly approval: Approval; readonly from: number | null }
  /** Forgets sessions, links and spent proofs whose time is over. */
  | { readonly kind: 'access.sweep'; readonly now: UnixSeconds }
  /** Inserts (`from` `null`) or replaces; fails with `alert.changed` where the stored revision is not `from`, or the key has an open one. */
  | { readonly kind: 'alert.put'; readonly alert: Alert; readonly from: number | null }
  /** Inserts (`from` `null`) or replaces; fails with `delivery.changed` where the stored revision is not `from`. */
  | { readonly kind: 'delivery.put'; readonly delivery: Delivery; readonly from: number | null }
  /** Fails with `delivery.changed` where the stored revision is not `from`. */
  | { readonly kind: 'delivery.remove'; readonly id: DeliveryId; readonly from: number }
  /**
   * From now on the authority gets no certificate that was issued in this second or earlier: whatever was, stands in the store. Never moves
   * the time back.
   */
  | { readonly kind: 'status.cover'; readonly authorityId: AuthorityId; readonly until: UnixSeconds }
  | { readonly kind: 'work.request'; readonly topic: Work['topic']; readonly key: string; readonly dueAt: UnixSeconds }
  /** Removes the row unless it was requested again since it was leased. */
  | { readonly kind: 'work.done'; readonly work: Work }

/**
 * One transaction: every write, every audit entry, or nothing. Never without an audit entry, but for what decides nothing: publications,
 * work, health reports, alerts and their notices, the renewal plan, what a credential says of its use and its failures, the progress of a campaign or a job, answers that are kept.
 */
export interface ChangeSet {
  readonly writes: readonly Write[]
  readonly audit: readonly AuditEntry[]
}

export interface Committed {
  /** Position in the log of the change set's first audit entry. */
  readonly firstAuditIndex: number
}

/** A signed statement of the log's size and root (C2SP tlog-checkpoint), as stored text. */
export interface StoredCheckpoint {
  readonly size: number
  readonly note: string
  readonly at: UnixSeconds
}

export interface AuditHead {
  readonly size: number
  /** RFC 9162 Merkle tree hash over all entries. */
  readonly root: Uint8Array
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Pass as `after` to go on; `null` at the end. */
  readonly next: string | null
}

export interface StatusChangesAsked {
  /** A position in the log; -1 for all. What was committed before `auditHead` was read stands below its size. */
  readonly after: number
  readonly limit: number
  readonly authorityId?: AuthorityId
  /** Only with an authority. */
  readonly crlShard?: number
}

/** That the status of a certificate changed, and what it is now: of one that changed several times, each says the last. */
export interface StatusChange {
  readonly auditIndex: number
  readonly authorityId: AuthorityId
  readonly crlShard: number
  readonly serialNumber: SerialNumber
  readonly status: CertificateStatus
  readonly notAfter: UnixSeconds
}

/** What relying parties ask of a certificate. */
export interface CertificateStanding {
  readonly status: CertificateStatus
  readonly notAfter: UnixSeconds
}

/** Octets of many rows, one value behind the other, and where in `bytes` each ends. */
export interface OctetsColumn {
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
}

/** Certificates as columns: a million are walked over without an object for each. */
export interface UniversePage {
  readonly count: number
  readonly serialNumbers: OctetsColumn
  readonly auditIndexes: Float64Array
  readonly notAfter: Float64Array
}

/** What a CRL lists, as columns. */
export interface RevokedPage {
  readonly count: number
  readonly serialNumbers: OctetsColumn
  readonly revokedAt: Float64Array
  /** CRLReason as RFC 5280 §5.3.1 numbers it: of a hold, `certificateHold`. */
  readonly reasons: Float64Array
  /** NaN where nobody said. */
  readonly invalidityDates: Float64Array
}

/** Questions. Every one is answered from an index, whatever the size of the store. */
export interface StoreReader {
  /** Grows with every committed change, whichever process made it: what is cached under an older value is stale. */
  changeMarker(): Promise<number>
  /**
   * Grows with every committed change of an authority or a document, and with nothing else: what is derived from them is cached
   * under this value and survives the issuing of certificates.
   */
  configurationMarker(): Promise<number>

  device(id: DeviceId): Promise<Device | undefined>
  deviceBySerial(model: string, serialNumber: string): Promise<Device | undefined>
  /** Devices of any model with this serial number; at most 100. */
  devicesBySerial(serialNumber: string): Promise<Device[]>
  /** In order of id; those of a model, where no batch is named, in order of serial number. */
  devices(page: {
    after?: string
    limit: number
    model?: string
    batch?: BatchId
    /** From the highest id down; only where neither model nor batch is named. */
    newestFirst?: boolean
  }): Promise<Page<Device>>
  /** Devices whose serial number begins so, in order of model and serial number. */
  devicesBeginning(prefix: string, page: { after?: string; limit: number; model?: string }): Promise<Page<Device>>
  /** What previews tell of these devices; at most 2,000 at once. */
  deviceSketches(ids: readonly DeviceId[]): Promise<DeviceSketch[]>
  /** Of these serial numbers of the model, the devices that exist. For batches: at most 2,000 at once. */
  devicesAmong(model: string, serialNumbers: readonly string[]): Promise<Device[]>

  /**
   * What the query means, in an order of the store's own; pass `next` as `after`. Where the query has conditions on a credential, a device
   * stands there once for each credential that meets all of them. At most 2,000 at once.
   */
  selectDevices(query: DeviceQuery, page: { after?: string; limit: number }): Promise<Page<SelectedDevice>>
  /** In order of name. */
  propertiesOfDevice(id: DeviceId): Promise<DeviceProperty[]>
  /** All properties, streamed in order of device and name: for verification, never for a request. */
  allProperties(): AsyncIterable<DeviceProperty>
  /** What the suspension of the device took from it; `undefined` where it is not suspended. */
  suspension(id: DeviceId): Promise<Suspension | undefined>
  health(id: DeviceId): Promise<DeviceHealth | undefined>
  transfer(id: TransferId): Promise<OwnershipTransfer | undefined>
  /** Newest first. */
  transfersOfDevice(id: DeviceId): Promise<OwnershipTransfer[]>
  /** Accepted transfers whose date has come, at most `limit`. */
  transfersDue(now: UnixSeconds, limit: number): Promise<OwnershipTransfer[]>
  /** All transfers, streamed in order of id: for verification, never for a request. */
  allTransfers(): AsyncIterable<OwnershipTransfer>
  /** Oldest first. */
  statementsOfDevice(id: DeviceId): Promise<Statement[]>

  credential(deviceId: DeviceId, profile: string): Promise<Credential | undefined>
  credentialsOfDevice(id: DeviceId): Promise<Credential[]>
  /** For acts on many: at most 2,000 devices at once. */
  credentialsOfDevices(ids: readonly DeviceId[]): Promise<Credential[]>
  /** Whose previous certificate has come to its end, soonest first, at most `limit`. */
  credentialsToRetire(now: UnixSeconds, limit: number): Promise<Credential[]>
  /** In order of expiry: those that expire in [from, until). */
  credentialsExpiring(
    range: { from: UnixSeconds; until: UnixSeconds },
    page: { after?: string; limit: number },
  ): Promise<Page<Credential>>
  /** Whose window closed before `at` and who have not renewed; in order of the window's end. */
  credentialsOverdue(at: UnixSeconds, page: { after?: string; limit: number }): Promise<Page<Credential>>
  /** Buckets of the renewal plan in [from, until) that are not empty, in order of time. */
  planned(profile: string, measure: PlanMeasure, from: UnixSeconds, until: UnixSeconds): Promise<PlannedBucket[]>

  campaign(id: CampaignId): Promise<Campaign | undefined>
  campaignByName(name: string): Promise<Campaign | undefined>
  /** Newest first. */
  campaigns(page: { after?: string; limit: number }): Promise<Page<Campaign>>
  /** Every campaign that is running, paused, cancelling or rolling back: devices may be waiting for it. */
  campaignsAtWork(): Promise<Campaign[]>
  campaignCounts(id: CampaignId): Promise<CampaignCount[]>
  campaignDevice(id: CampaignId, device: DeviceId): Promise<CampaignDevice | undefined>
  /** How many of these devices the campaign has yet to ask, or has asked and waits for; at most 2,000 at once. */
  campaignDevicesUnderWay(id: CampaignId, devices: readonly DeviceId[]): Promise<number>
  /** In order of wave, and in a wave in order of the time of their last change. */
  campaignDevices(
    id: CampaignId,
    of: { state: CampaignDeviceState; wave?: number },
    page: { after?: string; limit: number },
  ): Promise<Page<CampaignDevice>>

  key(id: KeyId): Promise<DeviceKey | undefined>
  keyHolding(id: KeyId): Promise<KeyHolding | undefined>
  /** Oldest first. */
  keysOfDevice(id: DeviceId): Promise<DeviceKey[]>
  /** For acts on many: at most 2,000 devices at once. */
  keysOfDevices(ids: readonly DeviceId[]): Promise<DeviceKey[]>
  /** Of these keys, the ones that are known. For batches: at most 2,000 at once. */
  keysAmong(ids: readonly KeyId[]): Promise<DeviceKey[]>

  certificate(authorityId: AuthorityId, serialNumber: SerialNumber): Promise<CertificateRecord | undefined>
  /** Of these serial numbers of the authority, how those stand that it issued. For OCSP: at most 1,000 at once. */
  certificateStandings(
    authorityId: AuthorityId,
    serialNumbers: readonly SerialNumber[],
  ): Promise<ReadonlyMap<SerialNumber, CertificateStanding>>
  /** Of whichever authority; at most 100. */
  certificatesBySerial(serialNumber: SerialNumber): Promise<CertificateRecord[]>
  /** Certificates of devices that meet the conditions, in the order of issue; at most 2,000 at once. */
  selectCertificates(
    conditions: CertificateConditions,
    page: { after?: string; limit: number },
  ): Promise<Page<SelectedCertificate>>
  /** Those of devices whose entries stand at these positions of the log; at most 2,000 at once. */
  certificatesAt(auditIndexes: readonly number[]): Promise<SelectedCertificate[]>
  /** Counts what the query means in a stretch of it; pass `next` as `after`. The query names no device by its id. */
  tallyCertificates(query: CertificateQuery, options: TallyOptions): Promise<CertificateTally>
  /** All that these devices were issued, of each in the order of issue. For acts on many: at most 2,000 devices at once. */
  certificatesOfDevices(ids: readonly DeviceId[]): Promise<SelectedCertificate[]>
  /** Newest first. */
  certificatesOfDevice(id: DeviceId): Promise<CertificateRecord[]>
  /** Everything that the authority issued, in the order of issue: how far it reaches. At most 2,000 at once. */
  certificatesOfAuthority(
    authorityId: AuthorityId,
    page: { after?: string; limit: number },
  ): Promise<Page<CertificateRecord>>
  /** Certificates of the platform itself under a profile (OCSP signers, servers), newest first; at most 100. */
  platformCertificates(authorityId: AuthorityId, profile: string): Promise<CertificateRecord[]>
  /** Certificates whose hold ends at `now` or ended before, the longest ago first; at most `limit`. */
  holdsEnded(now: UnixSeconds, limit: number): Promise<CertificateRecord[]>
  /** All certificates, streamed in the order of issue: for verification and export, never for a request. */
  allCertificates(): AsyncIterable<CertificateRecord>
  /** Changes of status behind the position `after` in the log, in its order: of all, of an authority, or of one of its shards. */
  statusChanges(asked: StatusChangesAsked): Promise<StatusChange[]>
  /**
   * What the authority issued behind the position `after` and not behind `upTo`, in the order of issue; at most 4,096 at once. The page
   * after it begins behind the last `auditIndexes`; one with less than was asked for is the last.
   */
  universe(
    authorityId: AuthorityId,
    page: { readonly after: number; readonly upTo: number; readonly limit: number },
  ): Promise<UniversePage>
  /**
   * What the CRL of a shard lists, streamed in order of serial number: revoked and held certificates whose last second is `expiresAfter` or
   * later. A page is valid until the next one is asked for.
   */
  revokedPages(authorityId: AuthorityId, crlShard: number, expiresAfter: UnixSeconds): AsyncIterable<RevokedPage>

  token(id: TokenId): Promise<Token | undefined>
  tokenByHash(secretHash: string): Promise<Token | undefined>
  /** Of the device, those that were neither used nor cancelled, expired or not; oldest first, at most 1,000. */
  openTokensOfDevice(id: DeviceId): Promise<Token[]>
  /** Newest first. */
  tokens(page: { after?: string; limit: number }): Promise<Page<Token>>
  /** All tokens, streamed in order of id: for verification, never for a request. */
  allTokens(): AsyncIterable<Token>
  enrolment(digest: RequestDigest): Promise<Enrolment | undefined>
  /** Who waited longest first. */
  enrolments(state: EnrolmentState['kind'], page: { after?: string; limit: number }): Promise<Page<Enrolment>>
  /** Of the device, those that wait or are approved; who waited longest first, at most 1,000. */
  openEnrolmentsOfDevice(id: DeviceId): Promise<Enrolment[]>
  /** Up to which second of issue a status artefact covers the certificates of the authority; -1 where none does. */
  coveredUntil(authorityId: AuthorityId): Promise<UnixSeconds>
  quotaTaken(counter: string): Promise<number>
  batch(id: BatchId): Promise<Batch | undefined>
  batchByInput(inputDigest: string): Promise<Batch | undefined>
  /** Newest first. */
  batches(page: { after?: string; limit: number }): Promise<Page<Batch>>

  authorities(): Promise<Authority[]>
  /** The version in force, or the named one. */
  document(kind: DocumentVersion['kind'], name: string, version?: number): Promise<DocumentVersion | undefined>
  /** Each name's version in force. */
  documents(kind: DocumentVersion['kind']): Promise<DocumentVersion[]>
  /** With all its octets: for those that are small. */
  publication(name: string): Promise<Publication | undefined>
  publicationHead(name: string): Promise<PublicationHead | undefined>
  /**
   * A piece of the publication as it was under this number: `PUBLICATION_PIECE` octets from `piece` times as many on. `undefined` where there
   * is no such piece, or it was replaced; of those in pieces, the one before the one in place is kept.
   */
  publicationPiece(name: string, number: number, piece: number): Promise<Uint8Array | undefined>
  /** How many pieces `publication.sweep` would forget; at most `limit`. */
  stalePieces(name: string, limit: number): Promise<number>

  operator(id: Operator['id']): Promise<Operator | undefined>
  /** `email` in small letters. */
  operatorByEmail(email: string): Promise<Operator | undefined>
  operatorByOidc(oidc: { readonly issuer: string; readonly subject: string }): Promise<Operator | undefined>
  /** Oldest first, removed ones too. */
  operators(page: { after?: string; limit: number }): Promise<Page<Operator>>
  passkey(id: Passkey['id']): Promise<Passkey | undefined>
  /** Oldest first. */
  passkeysOfOperator(id: Operator['id']): Promise<Passkey[]>
  sessionByHash(secretHash: Session['secretHash']): Promise<Session | undefined>
  /** Oldest first, those too that are over. */
  sessionsOfOperator(id: Operator['id']): Promise<Session[]>
  linkByHash(secretHash: SignInLink['secretHash']): Promise<SignInLink | undefined>
  apiToken(id: ApiToken['id']): Promise<ApiToken | undefined>
  apiTokenByHash(secretHash: ApiToken['secretHash']): Promise<ApiToken | undefined>
  /** Oldest first, revoked ones too; of one operator or of all. */
  apiTokens(page: { after?: string; limit: number; operatorId?: Operator['id'] }): Promise<Page<ApiToken>>
  approval(id: Approval['id']): Promise<Approval | undefined>
  /** Newest first. */
  approvals(page: { after?: string; limit: number; state?: ApprovalState }): Promise<Page<Approval>>
  /** Those that wait and whose time is over, at most `limit`. */
  approvalsOverdue(now: UnixSeconds, limit: number): Promise<Approval[]>

  /** Work that waits to be done, by topic: how much, and since when the first is due; topics without any are left out. */
  workWaiting(): Promise<{ readonly topic: Work['topic']; readonly count: number; readonly dueSince: UnixSeconds }[]>

  alert(id: AlertId): Promise<Alert | undefined>
  /** Alerts that are not resolved, in order of key; at most `limit`. */
  openAlerts(limit: number): Promise<Alert[]>
  /** Resolved at `since` or later, the earliest first; at most `limit`. */
  alertsResolvedSince(since: UnixSeconds, limit: number): Promise<Alert[]>
  /** Newest first. */
  alerts(page: { after?: string; limit: number; state?: AlertState }): Promise<Page<Alert>>
  delivery(id: DeliveryId): Promise<Delivery | undefined>
  /** Notices whose next try has come, the longest due first; at most `limit`. */
  deliveriesDue(now: UnixSeconds, limit: number): Promise<Delivery[]>
  /** Notices that nobody took, oldest first. */
  deadDeliveries(page: { after?: string; limit: number }): Promise<Page<Delivery>>

  auditHead(): Promise<AuditHead>
  auditEntry(index: number): Promise<Uint8Array | undefined>
  /** Entries from `from` on, streamed. */
  auditEntries(from: number): AsyncIterable<{ readonly index: number; readonly bytes: Uint8Array }>
  /** The hashes of a tile (C2SP tlog-tiles), full or partial as it stands now. */
  auditTile(level: number, index: number): Promise<Uint8Array | undefined>
  latestCheckpoint(): Promise<StoredCheckpoint | undefined>

  /** Positions of entries about the device, newest first: those before `before`. */
  entriesOfDevice(id: DeviceId, page: { before?: number; limit: number }): Promise<number[]>
  /** What happened in the hours that begin in [from, until), in order of time. */
  activity(from: UnixSeconds, until: UnixSeconds): Promise<Activity[]>
  /** How many devices there are in each state; states without any are left out. */
  deviceCounts(): Promise<Partial<Readonly<Record<DeviceState, number>>>>
  job(id: string): Promise<StoredJob | undefined>
  /** Newest first. */
  jobs(page: { after?: string; limit: number }): Promise<Page<StoredJob>>
  /** Jobs that are running, oldest first, at most 100. */
  jobsAtWork(): Promise<StoredJob[]>
  keptAnswer(id: string): Promise<KeptAnswer | undefined>

  counts(): Promise<{ readonly devices: number; readonly certificates: number; readonly auditEntries: number }>
}

/**
 * The store. `commit` resolves only after the change is durable (fsync); many callers share one fsync. It rejects with a
 * `TouchmarkError` of kind `conflict` where a write found something else than it expects, with `store.full`, `store.unavailable`
 * or `store.overloaded` (kind `unavailable`) where the change could not be made durable, with `store.text_invalid` or
 * `store.value_invalid` (kind `malformed`) where it holds what no row can hold, and with `store.log_damaged`, `store.failed` or
 * `store.change_invalid` (kind `internal`) otherwise; in all cases nothing of the set happened.
 */
export interface Store {
  readonly read: StoreReader
  commit(change: ChangeSet): Promise<Committed>
  /** As `commit` for each, in order, with one outcome each: one that fails takes nothing from the others. */
  commitEach(changes: readonly ChangeSet[]): Promise<(Committed | Error)[]>
  /** Takes due work for `leaseSeconds`; nobody else gets it meanwhile. */
  lease(topic: Work['topic'], now: UnixSeconds, leaseSeconds: number, limit: number): Promise<Work[]>
  /** Stores a signed checkpoint in place of the one before; one that is smaller is ignored. */
  saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
