// Revoke, hold and release (RFC 5280 §5.3.1). One transaction holds the new status, the state of the key, the audit entries and the
// requests for the CRL shards that have to be published anew. OCSP and the TLS door read the status itself: for them the
// change is in effect as soon as this returns.
import { equalBytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { CrlReason } from '../../core/pki/crl-reason.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { Authority } from '../ca/authority.ts'
import type { CertificateRecord, CertificateStatus } from '../ca/certificate-record.ts'
import { ChangeBuilder } from '../change-builder.ts'
import { addKeyMove } from '../device/key-changes.ts'
import type { AuthorityId, DeviceId, KeyId, SerialNumber } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import { standingDevice } from '../ra/standing-facts.ts'
import { addCredentialEnds } from '../renewal/end-credentials.ts'
import { untilNothingIsLeft } from '../rounds.ts'
import { addStatusChanges } from './status-changes.ts'

/** Reasons that a person or rule may give for a certificate. */
export const REVOCATION_REASONS = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
] as const satisfies readonly CrlReason[]

export type RevocationReason = (typeof REVOCATION_REASONS)[number]

/** Reads a reason as people and scripts write it. Throws `revocation.reason_unknown`. */
export function parseRevocationReason(text: string): RevocationReason {
  const reason = REVOCATION_REASONS.find(candidate => candidate.toLowerCase() === text.toLowerCase())
  if (reason) return reason
  throw new TouchmarkError('revocation.reason_unknown', 'malformed', `"${text}" is not a revocation reason.`, {
    next: `Use one of: ${REVOCATION_REASONS.join(', ')}.`,
  })
}

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

/**
 * Revokes (or, with `certificateHold`, holds) one certificate. With `keyCompromise` every other live certificate over the same key
 * ends with it, and the key is recorded as compromised, so that nobody can have it certified again. An authority whose certificate is
 * revoked retires with those below it: it issues nothing more. Throws `certificate.not_found`, `certificate.ambiguous`, `certificate.already_revoked` (with another reason),
 * `revocation.reason_not_for_this`.
 */
export async function revokeCertificate(
  selector: CertificateSelector,
  reason: RevocationReason,
  actor: AuditEntry['actor'],
  ports: RevocationPorts,
): Promise<RevocationOutcome> {
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
    reason,
    actor,
    ports,
  )
}

/**
 * Revokes or holds everything that is live of a device, in one transaction; and what the device was issued while that was written, in
 * the next. Throws `revocation.reason_not_for_this`.
 */
export async function revokeDevice(
  deviceId: DeviceId,
  reason: RevocationReason,
  actor: AuditEntry['actor'],
  ports: RevocationPorts,
): Promise<RevocationOutcome> {
  return changeAll(
    async () => {
      const now = ports.clock.now()
      const records = await ports.store.read.certificatesOfDevice(deviceId)
      for (const record of records) checkReason(record, reason)
      return records.filter(record => record.status.kind !== 'revoked' && record.notAfter >= now)
    },
    reason,
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
  reason: RevocationReason,
  actor: AuditEntry['actor'],
  ports: RevocationPorts,
  compromisedKeys?: () => Promise<readonly KeyId[]>,
): Promise<RevocationOutcome> {
  let unchanged: number | undefined
  const rounds = await untilNothingIsLeft(
    async () => {
      const records = await select()
      const keys = reason === 'keyCompromise' ? await compromisedKeys?.() : undefined
      const outcome = await change(records, keys ?? records.map(({ keyId }) => keyId), reason, actor, ports)
      unchanged ??= outcome.unchanged
      return outcome.changed.length === 0 ? null : outcome.changed
    },
    changed =>
      new TouchmarkError('revocation.contended', 'unavailable', 'Others keep changing these certificates.', {
        evidence: { changed: changed.flat().length },
        next: 'Suspend the device, so that it is issued nothing more, and revoke again.',
      }),
  )
  return { changed: rounds.flat(), unchanged: unchanged ?? 0 }
}

/**
 * Ends a hold. Throws `certificate.not_held`, and `certificate.device_suspended`: as long as a device is suspended, all that speaks for it is
 * on hold.
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
  const now = ports.clock.now()
  const status: CertificateStatus = { kind: 'good' }
  const change = new ChangeBuilder()
  const device = record.deviceId === null ? undefined : await ports.store.read.device(record.deviceId)
  if (device?.state === 'suspended') {
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
  if (device) change.write(standingDevice(device))
  addStatusChanges(change, [record], { to: status, actor, now })
  await ports.store.commit(change)
  return { changed: [{ authorityId: record.authorityId, serialNumber: record.serialNumber, status }], unchanged: 0 }
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
function checkReason(record: CertificateRecord, reason: RevocationReason): void {
  if (reason === 'cACompromise' && record.deviceId !== null) {
    throw new TouchmarkError(
      'revocation.reason_not_for_this',
      'malformed',
      'cACompromise fits the certificate of an authority only.',
      {
        next: 'For a device whose key is lost use keyCompromise.',
      },
    )
  }
}

async function change(
  records: readonly CertificateRecord[],
  compromised: readonly KeyId[],
  reason: RevocationReason,
  actor: AuditEntry['actor'],
  ports: RevocationPorts,
): Promise<RevocationOutcome> {
  const now = ports.clock.now()
  const status: CertificateStatus =
    reason === 'certificateHold'
      ? { kind: 'held', at: now, invalidityDate: null, ends: null }
      : { kind: 'revoked', at: now, reason, invalidityDate: null }
  const changing = records.filter(
    record => record.status.kind === 'good' || (record.status.kind === 'held' && status.kind === 'revoked'),
  )
  const changes = new ChangeBuilder()
  addStatusChanges(changes, changing, { to: status, actor, now })
  if (changing.some(record => record.deviceId === null)) {
    for (const authority of await endedAuthorities(changing, ports.store)) {
      if (status.kind === 'held') throw authorityOnHold(authority.id)
      const { id, certificate, issuer, chainAbove } = authority
      changes.write({ kind: 'authority.update', id, from: 'active', to: 'retired', certificate, issuer, chainAbove })
      changes.record({ at: now, actor, action: 'authority.retired', outcome: 'done', subject: { authorityId: id } })
    }
  }
  if (reason === 'keyCompromise') {
    for (const id of new Set(compromised)) {
      const key = await ports.store.read.key(id)
      if (!key || key.state === 'compromised' || key.state === 'destroyed') continue
      addKeyMove(changes, key, 'compromised', actor, now)
    }
  }
  if (status.kind === 'revoked') await addCredentialEnds(changes, changing, actor, now, ports.store.read)
  if (changes.writes.length > 0) await ports.store.commit(changes)
  return {
    changed: changing.map(({ authorityId, serialNumber }) => ({ authorityId, serialNumber, status })),
    unchanged: records.length - changing.length,
  }
}

/**
 * The active authorities whose own certificate is among these, and those below them: nobody takes what they would issue from now on. They
 * retire with it, and go on answering for what they issued.
 */
async function endedAuthorities(records: readonly CertificateRecord[], store: Store): Promise<Authority[]> {
  const authorities = await store.read.authorities()
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
