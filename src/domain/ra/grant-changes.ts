// Everything that a granted request changes, as one change set: the device enters or becomes active, keys are recorded or move on, the
// certificate with its audit entry, the spent token, the quota, and the record that makes the request repeatable.
import { copyBytes } from '../../core/bytes/bytes.ts'
import type { ActorKind, AuditEntry } from '../audit/entry.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import { certificateWrites } from '../ca/issuer.ts'
import type { SignedCertificate } from '../ca/sign.ts'
import type { Device } from '../device/device.ts'
import type { DeviceKey, KeyState } from '../device/device-key.ts'
import type { DeviceId, KeyId, RequestDigest, UnixSeconds } from '../ids.ts'
import type { ChangeSet, Write } from '../ports.ts'
import { type CredentialIssue, credentialChanges } from '../renewal/credential-changes.ts'
import type { Decision } from './decide.ts'
import type { Enrolment, EnrolmentState } from './enrolment.ts'
import type { EnrolmentRequest } from './enrolment-request.ts'
import { type Evidence, evidenceReference } from './evidence.ts'
import type { RequestedKey } from './requested-key.ts'
import { standingCertificate, standingDevice, standingKey } from './standing-facts.ts'

export interface Grant {
  readonly request: EnrolmentRequest
  readonly decision: Extract<Decision, { readonly outcome: 'granted' | 'pending' }>
  /** As it is, or as it is to be registered. */
  readonly device: Device
  readonly key: RequestedKey
  /** The record of that key, where it is known already. */
  readonly known: DeviceKey | null
  readonly digest: RequestDigest
  /** The record of the request, where it waited. */
  readonly enrolment: Enrolment | undefined
  readonly signed: SignedCertificate
  /** What the device holds and when it is to renew; `null` for a certificate without an end, which is never renewed. */
  readonly renewal: Pick<CredentialIssue, 'policy' | 'window' | 'holdings'> | null
  readonly now: UnixSeconds
}

export interface GrantChanges {
  readonly changes: ChangeSet
  readonly certificate: Omit<CertificateRecord, 'auditIndex'>
  /** Position of the certificate's entry among the audit entries. */
  readonly position: number
}

export function grantChanges(grant: Grant): GrantChanges {
  const { signed, request, decision, device, digest, enrolment, now } = grant
  const { evidence, rule, subject, quota } = decision
  const actor = actorOf(evidence, device.id)
  const writes: Write[] = []
  const audit: AuditEntry[] = []
  const done = (entry: Pick<AuditEntry, 'action' | 'subject' | 'detail'>) =>
    void audit.push({ at: now, actor, outcome: 'done', ...entry })

  if (subject.kind === 'unknown') {
    writes.push({ kind: 'device.insert', device })
    done({
      action: 'device.registered',
      subject: { deviceId: device.id },
      detail: { by: request.protocol, rule: rule.name },
    })
  } else if (evidence.kind !== 'operator' && (device.state === 'manufactured' || device.state === 'shipped')) {
    // It asks for itself, so it is in the field. What the station certifies for it says nothing of the kind.
    writes.push({ kind: 'device.state', id: device.id, from: device.state, to: 'active', at: now })
    done({
      action: 'device.state_changed',
      subject: { deviceId: device.id },
      detail: { from: device.state, to: 'active' },
    })
  }
  for (const change of keyChanges(grant)) {
    writes.push(change.write)
    done(change.entry)
  }
  writes.push(...standingFacts(grant, writes))

  const position = audit.length
  const { write, audit: issued } = certificateWrites(signed, position, {
    actor,
    subject: { requestDigest: digest },
    detail: {
      protocol: request.protocol,
      operation: request.operation,
      rule: rule.name,
      evidence: evidenceReference(evidence),
    },
  })
  const { certificate } = write
  writes.push(write)
  audit.push(issued)

  if (evidence.kind === 'token') {
    writes.push({ kind: 'token.use', id: evidence.token.id, at: now })
    done({ action: 'token.used', subject: { tokenId: evidence.token.id, deviceId: device.id } })
  }
  if (quota) writes.push({ kind: 'quota.take', counter: quota.counter, amount: 1, limit: quota.limit })
  const { authorityId, serialNumber } = certificate
  const state: EnrolmentState = { kind: 'issued', authorityId, serialNumber, at: now }
  writes.push(
    enrolment
      ? { kind: 'enrolment.state', digest, from: enrolment.state.kind, to: state, deviceId: device.id }
      : {
          kind: 'enrolment.insert',
          enrolment: {
            digest,
            protocol: request.protocol,
            profile: request.profile,
            deviceId: device.id,
            serialNumberClaimed: device.serialNumber,
            rule: rule.name,
            csr: copyBytes(request.csr.raw),
            state,
            createdAt: now,
          },
        },
  )
  if (grant.renewal) {
    const issue = { ...grant.renewal, certificate, keyAlgorithm: grant.key.algorithm, actor, now }
    const held = credentialChanges(issue, audit.length)
    writes.push(...held.writes)
    audit.push(...held.audit)
  }
  return { changes: { writes, audit }, certificate, position }
}

/** Who acts: the operator where one does, else the device as soon as it has an id. */
export function actorOf(
  evidence: Evidence,
  device: DeviceId | null,
): { readonly kind: ActorKind; readonly id: string } {
  if (evidence.kind === 'operator') return { kind: 'operator', id: evidence.name }
  return device === null ? { kind: 'stranger', id: 'unknown' } : { kind: 'device', id: device }
}

/** What the decision went by and the grant does not move. */
function standingFacts({ request, device, decision, known }: Grant, moves: readonly Write[]): Write[] {
  const moved = new Set(moves.flatMap(write => ('id' in write ? [write.id] : [])))
  const facts: Write[] = []
  if (decision.subject.kind === 'known' && !moved.has(device.id)) facts.push(standingDevice(device))
  const keys = new Map<KeyId, DeviceKey>()
  if (known) keys.set(known.id, known)
  for (const piece of request.evidence) {
    if (piece.kind !== 'own-certificate' && piece.kind !== 'manufacturer-certificate') continue
    if (piece.key) keys.set(piece.key.id, piece.key)
    if (piece.kind === 'own-certificate') facts.push(standingCertificate(piece.record))
  }
  for (const key of keys.values()) if (!moved.has(key.id)) facts.push(standingKey(key))
  return facts
}

interface KeyChange {
  readonly write: Write
  readonly entry: Pick<AuditEntry, 'action' | 'subject' | 'detail'>
}

/** The key that proved itself in the TLS handshake is in use from now on; the key that is certified is established. */
function keyChanges({ decision, device, key, known, now }: Grant): KeyChange[] {
  const { evidence } = decision
  const insert = (fields: Pick<DeviceKey, 'id' | 'algorithm' | 'origin' | 'state'>): KeyChange => ({
    write: { kind: 'key.insert', key: { ...fields, deviceId: device.id, createdAt: now, stateChangedAt: now } },
    entry: {
      action: 'key.registered',
      subject: { deviceId: device.id, keyId: fields.id },
      detail: { origin: fields.origin, algorithm: fields.algorithm },
    },
  })
  const move = (id: KeyId, from: KeyState, to: KeyState): KeyChange => ({
    write: { kind: 'key.state', id, from, to, at: now },
    entry: { action: 'key.state_changed', subject: { deviceId: device.id, keyId: id }, detail: { from, to } },
  })

  const changes: KeyChange[] = []
  const shown =
    evidence.kind === 'own-certificate' || evidence.kind === 'manufacturer-certificate' ? evidence.key : null
  if (shown?.state === 'established') changes.push(move(shown.id, 'established', 'in_use'))
  let certified = known !== null
  if (evidence.kind === 'manufacturer-certificate' && evidence.key === null && evidence.keyAlgorithm !== null) {
    changes.push(insert({ id: evidence.keyId, algorithm: evidence.keyAlgorithm, origin: 'imported', state: 'in_use' }))
    certified ||= evidence.keyId === key.id
  }
  if (known?.state === 'generated') changes.push(move(key.id, 'generated', 'established'))
  if (!certified)
    changes.push(insert({ id: key.id, algorithm: key.algorithm, origin: key.origin, state: 'established' }))
  return changes
}
