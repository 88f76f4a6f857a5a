// A renewal that was refused: counted on the credential, so that who hangs is found before it expires. And one that only a second holder
// of the device's name can have asked for: written down, and by policy the device is suspended.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import { suspendDevice } from '../device/suspend-device.ts'
import type { DeviceId, UnixSeconds } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import type { Credential } from './credential.ts'
import { putCredential } from './credential-writes.ts'
import type { RenewalPolicy } from './policy.ts'

export interface RefusedRenewalPorts {
  readonly store: Store
  readonly clock: Clock
}

/** Of the failures within a minute one is written: a device that asks in a loop, or a stranger with its name, fills no disk. */
const FAILURE_SECONDS = 60
/** A copy that keeps asking is written down once an hour. */
const CLONE_SECONDS = 3600

export const CLONE_SUSPECTED = 'device.clone_suspected'

const RENEWAL: AuditEntry['actor'] = { kind: 'system', id: 'renewal' }

/** Counts a refused renewal on the credential of the certificate that was shown. What stands there changes nothing about who gets what. */
export async function noteRefusedRenewal(
  record: Pick<CertificateRecord, 'deviceId' | 'profile'>,
  code: string,
  { store, clock }: RefusedRenewalPorts,
): Promise<void> {
  if (record.deviceId === null) return
  const credential = await store.read.credential(record.deviceId, record.profile)
  const now = clock.now()
  if (credential === undefined || isRecent(credential.lastFailure, FAILURE_SECONDS, now)) return
  // The sign of a copy outlives a lesser failure: else the two in turns would write it down each time.
  if (isSignOfCopy(credential.lastFailure, now)) return
  await commitUnlessMoved({ writes: putCredential(credential, withFailure(credential, code, now)), audit: [] }, store)
}

export type CloneSign =
  /** A certificate was shown for renewal that the device has left behind, over another key. */
  | 'left_behind_certificate'
  /** Two reports of one device with the same number. */
  | 'sequence_repeated'

/**
 * Writes down that two act as this device; once an hour, however often they do. Suspends it where the policy says so. Answers whether it
 * was written now.
 */
export async function suspectClone(
  credential: Credential,
  sign: CloneSign,
  policy: Pick<RenewalPolicy, 'clones'>,
  detail: Readonly<Record<string, string | number>>,
  ports: RefusedRenewalPorts,
): Promise<boolean> {
  const { store, clock } = ports
  const now = clock.now()
  const { deviceId, profile, serialNumber, lastFailure } = credential
  const known = isSignOfCopy(lastFailure, now)
  const written = !known && (await write())
  // Also where it is known: whoever wrote it down may have been stopped before the suspension.
  if ((written || known) && policy.clones === 'suspend') await suspend(deviceId, ports)
  return written

  function write(): Promise<boolean> {
    const entry = {
      at: now,
      actor: RENEWAL,
      action: CLONE_SUSPECTED,
      outcome: 'done',
      subject: { deviceId },
      detail: { sign, profile, goesBy: serialNumber, ...detail },
    } as const
    const writes = putCredential(credential, withFailure(credential, CLONE_SUSPECTED, now))
    return commitUnlessMoved({ writes, audit: [entry] }, store)
  }
}

function isSignOfCopy(failure: Credential['lastFailure'], now: UnixSeconds): boolean {
  return failure?.code === CLONE_SUSPECTED && isRecent(failure, CLONE_SECONDS, now)
}

async function suspend(deviceId: DeviceId, ports: RefusedRenewalPorts): Promise<void> {
  try {
    await suspendDevice(deviceId, { actor: RENEWAL, because: CLONE_SUSPECTED }, ports)
  } catch (thrown) {
    // Retired meanwhile: that is more than was asked.
    if (!(thrown instanceof TouchmarkError) || thrown.code !== 'device.move_not_allowed') throw thrown
  }
}

function withFailure(credential: Credential, code: string, at: UnixSeconds): Credential {
  return { ...credential, failures: credential.failures + 1, lastFailure: { code, at } }
}

function isRecent(failure: Credential['lastFailure'], seconds: number, now: UnixSeconds): boolean {
  return failure !== null && now - failure.at < seconds
}

/** Who else changed the credential in this moment knows more than we did. */
async function commitUnlessMoved(change: Parameters<Store['commit']>[0], store: Store): Promise<boolean> {
  try {
    await store.commit(change)
    return true
  } catch (thrown) {
    if (thrown instanceof TouchmarkError && thrown.kind === 'conflict') return false
    throw thrown
  }
}
