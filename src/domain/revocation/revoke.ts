// Revoke, hold and release (RFC 5280 §5.3.1): the one recipe, for one certificate as for a thousand at once. One transaction holds the new
// status, the state of the keys, the audit entries and the requests for the outlets. OCSP and the TLS door read the status itself: for them
// the change is in effect as soon as this returns.
import { equalBytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { Authority } from '../ca/authority.ts'
import type { CertificateRecord, CertificateStatus, StatusRecord } from '../ca/certificate-record.ts'
import { ChangeBuilder } from '../change-builder.ts'
import { addKeyMove } from '../device/key-changes.ts'
import type { AuthorityId, DeviceId, KeyId, SerialNumber, UnixSeconds } from '../ids.ts'
import type { Clock, Store, StoreReader } from '../ports.ts'
import { standingDevice } from '../ra/standing-facts.ts'
import { addCredentialEnds } from '../renewal/end-credentials.ts'
import { untilNothingIsLeft } from '../rounds.ts'
import { addStatusChanges, statusAfter } from './status-changes.ts'
import { checkTerms, mayBecome, type RevocationReason, type RevocationTerms, statusOfTerms, undoOver } from './terms.ts'

export interface RevocationPorts {
  readonly store: Store
  readonly clock: Clock
}

export interface CertificateSelector {
  readonly serialNumber: SerialNumber
  /** Needed only where two authorities used the same serial number. */
  readonly authorityId?: AuthorityId
}

export interface RevocationOutcome {
  /** What changed now; empty where everything was in that state before. */
  readonly changed: readonly {
    readonly authorityId: AuthorityId
    readonly serialNumber: SerialNumber
    readonly status: CertificateStatus
  }[]
  /** Certificates that already had this status. */
  readonly unchanged: number
}

/** A bare reason, where there is nothing else to say. */
export type Terms = RevocationReason | RevocationTerms

export const termsOf = (terms: Terms): RevocationTerms => (typeof terms === 'string' ? { reason: terms } : terms)

/**
 * Revokes (or, with `certificateHold`, holds) one certificate. With `keyCompromise` every other live certificate over the same key
 * ends with it, and the key is recorded as compromised, so that nobody can have it certified again. An authority whose certificate is
 * revoked retires with those below it: it issues nothing more. Throws `certificate.not_found`, `certificate.ambiguous`, `certificate.already_revoked` (with another reason),
 * `revocation.reason_not_for_this`, and what `checkTerms` throws.
 */
export async function revokeCertificate(
  selector: CertificateSelector,
  asked: Terms,
  actor: AuditEntry['actor'],
  ports: RevocationPorts,
): Promise<RevocationOutcome> {
  const terms = termsOf(asked)
  const { reason } = terms
  return changeAll(
    async () => {
      const record = await findCertificate(selector, ports.store)
      checkReason(record, reason)
      if (record.status.kind === 'revoked' && record.status.reason !== reason && reason !== 'keyCompromise') {
        throw new TouchmarkError(
          'certificate.already_revoked',
          'conflict',
          'The certificate was revoked before, for another reason.',
          {
            evidence: { serialNumber: record.serialNumber, reason: record.status.reason },
            next: 'A revocation is final. Only keyCompromise may be added to it.',
          },
        )
      }
      if (reason !== 'keyCompromise' || record.deviceId === null) return [record]
      const records = await ports.store.read.certificatesOfDevice(record.deviceId)
      return records.filter(other => other.keyId === record.keyId)
    },
    terms,
    actor,
    ports,
  )
}

/**
 * Revokes or holds everything that is live of a device, in one transaction; and what the device was issued while that was written, in
 * the next. Throws `revocation.reason_not_for_this`, and what `checkTerms` throws.
 */
export async function revokeDevice(
  deviceId: DeviceId,
  asked: Terms,
  actor: AuditEntry['actor'],
  ports: RevocationPorts,
): Promise<RevocationOutcome> {
  const terms = termsOf(asked)
  return changeAll(
    async () => {
      const now = ports.clock.now()
      const records = await ports.store.read.certificatesOfDevice(deviceId)
      for (const record of records) checkReason(record, terms.reason)
      return records.filter(record => record.status.kind !== 'revoked' && record.notAfter >= now)
    },
    terms,
    actor,
    ports,
    // Every key, also those without a live certificate: a device that is lost loses the key that it was born with, and the key that
    // another maker certified.
    async () => (await ports.store.read.keysOfDevice(deviceId)).map(key => key.id),
  )
}

/**
 * Changes what `select` finds until it finds nothing more. A request that was decided before is written only where its evidence still
 * holds (`grant-changes.ts`), so that nothing comes after the round that found nothing.
 */
async function changeAll(
  select: () => Promise<readonly CertificateRecord[]>,
  terms: RevocationTerms,
  actor: AuditEntry['actor'],
  ports: RevocationPorts,
  compromisedKeys?: () => Promise<readonly KeyId[]>,
): Promise<RevocationOutcome> {
  const { store, clock } = ports
  checkTerms(terms, clock.now())
  let unchanged: number | undefined
  const rounds = await untilNothingIsLeft(
    async () => {
      const records = await select()
      const now = clock.now()
      const to = statusOfTerms(terms, now)
      const compromised =
        terms.reason === 'keyCompromise' ? ((await compromisedKeys?.()) ?? records.map(({ keyId }) => keyId)) : []
      const change = new ChangeBuilder()
      const changing = await addRevocation(change, records, to, compromised, { actor, now, ...terms }, store.read)
      await addEndedAuthorities(
        change,
        records.filter(record => changing.includes(record)),
        to,
        actor,
        now,
        store.read,
      )
      unchanged ??= records.length - changing.length
      if (change.writes.length > 0) await store.commit(change)
      return changing.length === 0
        ? null
        : changing.map(({ authorityId, serialNumber, status }) => ({
            authorityId,
            serialNumber,
            status: statusAfter(status, to),
          }))
    },
    changed => contended(changed.flat().length),
  )
  return { changed: rounds.flat(), unchanged: unchanged ?? 0 }
}

export interface RevokedBy {
  readonly actor: AuditEntry['actor']
  readonly now: UnixSeconds
  readonly because?: string
}

export interface ReleasedBy extends RevokedBy {
  /** What was on hold before stays so: whoever undoes what was announced later takes back no more than that. */
  readonly heldBefore?: UnixSeconds
}

/**
 * Adds what it means that these certificates get the status, and answers those that change: their entries, the keys that are compromised with
 * them (where they are revoked for that), the credentials that end. `compromised` are at most 2,000 keys.
 */
export async function addRevocation<Item extends StatusRecord>(
  change: ChangeBuilder,
  records: readonly Item[],
  to: CertificateStatus,
  compromised: readonly KeyId[],
  { actor, now, because }: RevokedBy,
  read: Pick<StoreReader, 'keysAmong' | 'credentialsOfDevices'>,
): Promise<Item[]> {
  const changing = records.filter(({ status }) => mayBecome(status, to))
  addStatusChanges(change, changing, { to, actor, now, ...(because === undefined ? {} : { detail: { because } }) })
  if (to.kind !== 'revoked') return changing
  if (to.reason === 'keyCompromise' && compromised.length > 0) {
    for (const key of await read.keysAmong([...new Set(compromised)])) {
      if (key.state !== 'compromised' && key.state !== 'destroyed') addKeyMove(change, key, 'compromised', actor, now)
    }
  }
  await addCredentialEnds(change, changing, actor, now, read)
  return changing
}

/** What is live over these keys of the devices. */
export async function liveOver(
  keys: ReadonlySet<KeyId>,
  devices: readonly DeviceId[],
  now: UnixSeconds,
  read: Pick<StoreReader, 'certificatesOfDevices'>,
) {
  const records = await read.certificatesOfDevices(devices)
  return records.filter(
    ({ keyId, status, notAfter }) => keys.has(keyId) && status.kind !== 'revoked' && notAfter >= now,
  )
}

/**
 * Ends a hold. Throws `certificate.not_held`, `revocation.undo_over`, and `certificate.device_suspended`: as long as a device is suspended, all that speaks for it is
 * on hold. What would be revoked by and by is then no more than on hold.
 */
export async function releaseCertificate(
  selector: CertificateSelector,
  actor: AuditEntry['actor'],
  ports: RevocationPorts,
): Promise<RevocationOutcome> {
  const record = await findCertificate(selector, ports.store)
  if (record.status.kind !== 'held') {
    throw new TouchmarkError('certificate.not_held', 'conflict', 'The certificate is not on hold.', {
      next: 'Look at it with: touchmark certificate show HEX. What is revoked stays so.',
      evidence: { serialNumber: record.serialNumber, status: record.status.kind },
    })
  }
  const change = new ChangeBuilder()
  const status = await addRelease(change, record, { actor, now: ports.clock.now() }, ports.store.read)
  await ports.store.commit(change)
  return { changed: [{ authorityId: record.authorityId, serialNumber: record.serialNumber, status }], unchanged: 0 }
}

/**
 * Adds the end of a hold, and answers what the certificate is then. Throws `certificate.device_suspended`, and `revocation.undo_over` where its
 * time is over: late is the job that revokes it, not the revocation.
 */
export async function addRelease(
  change: ChangeBuilder,
  record: StatusRecord,
  { actor, now, because, heldBefore = 0 }: ReleasedBy,
  read: Pick<StoreReader, 'device'>,
): Promise<CertificateStatus> {
  const { status, deviceId } = record
  if (status.kind === 'held' && status.ends !== null && status.ends.at <= now) {
    throw undoOver({ serialNumber: record.serialNumber, until: status.ends.at })
  }
  const device = deviceId === null ? undefined : await read.device(deviceId)
  let to: CertificateStatus = { kind: 'good' }
  if (device?.state === 'suspended') {
    if (status.kind !== 'held' || status.ends === null) {
      throw new TouchmarkError(
        'certificate.device_suspended',
        'conflict',
        'The device of the certificate is suspended.',
        {
          next: `Resume the device first: touchmark device resume ${device.serialNumber}`,
          evidence: { deviceId: device.id },
        },
      )
    }
    to = { ...status, ends: null }
  }
  if (status.kind === 'held' && status.ends !== null && status.at < heldBefore) to = { ...status, ends: null }
  if (device) change.write(standingDevice(device))
  addStatusChanges(change, [record], { to, actor, now, ...(because === undefined ? {} : { detail: { because } }) })
  return to
}

async function findCertificate(selector: CertificateSelector, store: Store): Promise<CertificateRecord> {
  const { serialNumber, authorityId } = selector
  const found = authorityId
    ? [await store.read.certificate(authorityId, serialNumber)].filter(record => record !== undefined)
    : await store.read.certificatesBySerial(serialNumber)
  const [record, ...others] = found
  if (!record) {
    throw new TouchmarkError(
      'certificate.not_found',
      'not_found',
      `No certificate has the serial number ${serialNumber}.`,
      {
        next: 'Look the serial number up with: touchmark device show SERIAL',
      },
    )
  }
  if (others.length > 0) {
    throw new TouchmarkError(
      'certificate.ambiguous',
      'conflict',
      `Several authorities issued a certificate ${serialNumber}.`,
      {
        next: `Name one with --authority: ${found.map(each => each.authorityId).join(', ')}.`,
      },
    )
  }
  return record
}

/** `cACompromise` says that the subject's own authority key is lost: it fits certificates of the platform only (RFC 5280 §5.3.1). */
function checkReason(record: Pick<CertificateRecord, 'deviceId'>, reason: RevocationReason): void {
  if (record.deviceId !== null) checkDeviceReason(reason)
}

/** Throws `revocation.reason_not_for_this` for a reason that fits no certificate of a device. */
export function checkDeviceReason(reason: RevocationReason): void {
  if (reason !== 'cACompromise') return
  throw new TouchmarkError(
    'revocation.reason_not_for_this',
    'malformed',
    'cACompromise fits the certificate of an authority only.',
    {
      next: 'For a device whose key is lost use keyCompromise.',
    },
  )
}

/**
 * Adds the end of the active authorities whose own certificate is among these, and of those below them: nobody takes what they would issue from
 * now on. They retire with it, and go on answering for what they issued. Throws `revocation.reason_not_for_this` where it would only hold one.
 */
async function addEndedAuthorities(
  change: ChangeBuilder,
  records: readonly CertificateRecord[],
  to: CertificateStatus,
  actor: AuditEntry['actor'],
  now: UnixSeconds,
  read: Pick<StoreReader, 'authorities'>,
): Promise<void> {
  if (records.every(({ deviceId }) => deviceId !== null)) return
  for (const authority of endedAuthorities(records, await read.authorities())) {
    if (to.kind === 'held') throw authorityOnHold(authority.id)
    const { id, certificate, issuer, chainAbove } = authority
    change.write({ kind: 'authority.update', id, from: 'active', to: 'retired', certificate, issuer, chainAbove })
    change.record({ at: now, actor, action: 'authority.retired', outcome: 'done', subject: { authorityId: id } })
  }
}

function endedAuthorities(records: readonly CertificateRecord[], authorities: readonly Authority[]): Authority[] {
  const ended = new Set<string>()
  for (const { id, certificate } of authorities) {
    if (certificate && records.some(record => equalBytes(record.der, certificate))) ended.add(id)
  }
  for (let before = -1; before !== ended.size; ) {
    before = ended.size
    for (const { id, issuer } of authorities) if (issuer !== null && ended.has(issuer)) ended.add(id)
  }
  return authorities.filter(({ id, state }) => ended.has(id) && state === 'active')
}

function authorityOnHold(id: AuthorityId): TouchmarkError {
  return new TouchmarkError(
    'revocation.reason_not_for_this',
    'malformed',
    `The certificate is that of the authority ${id}, which cannot be on hold.`,
    { next: 'To let it issue no more: touchmark authority retire. To end what it issued as well, revoke it.' },
  )
}

function contended(changed: number): TouchmarkError {
  return new TouchmarkError('revocation.contended', 'unavailable', 'Others keep changing these certificates.', {
    evidence: { changed },
    next: 'Suspend the device, so that it is issued nothing more, and revoke again.',
  })
}
