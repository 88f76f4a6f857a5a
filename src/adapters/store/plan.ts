// From the writes of a change set to statements: one statement each, the same for both engines. A statement that changes no row
// means that the write found something else than it expects; `conflictOf` says which of the contract's codes that is.
import { TouchmarkError } from '../../core/errors.ts'
import type { ChangeSet, Write } from '../../domain/ports.ts'
import type { StepSink, WriteStatement } from './sql.ts'
import { insertAuthority, moveAuthority, putAuthority, updateAuthority } from './tables/authority.ts'
import { insertBatch, moveBatch, putBatch, updateBatchProgress } from './tables/batch.ts'
import { insertCertificate, moveCertificate, putCertificate, updateCertificateStatus } from './tables/certificate.ts'
import { insertDevice, moveDevice, putDevice, updateDeviceState } from './tables/device.ts'
import { insertKey, moveKey, putKey, updateKeyState } from './tables/device-key.ts'
import { insertDocument, putDocument } from './tables/document.ts'
import { insertEnrolment, moveEnrolment, putEnrolment, updateEnrolmentState } from './tables/enrolment.ts'
import { putPublication, upsertPublication } from './tables/publication.ts'
import { takeQuota, upsertQuota } from './tables/quota.ts'
import { insertToken, putToken, updateTokenUsed, useToken } from './tables/token.ts'
import { finishWork, requestWork, updateWorkDone, upsertWork } from './tables/work.ts'

/** Every statement that a change set can cause. Threads name them by their position here. */
export const WRITE_STATEMENTS: readonly WriteStatement[] = [
  insertDevice,
  updateDeviceState,
  insertKey,
  updateKeyState,
  insertCertificate,
  updateCertificateStatus,
  insertToken,
  updateTokenUsed,
  insertEnrolment,
  updateEnrolmentState,
  upsertQuota,
  insertBatch,
  updateBatchProgress,
  insertAuthority,
  updateAuthority,
  insertDocument,
  upsertPublication,
  upsertWork,
  updateWorkDone,
]

/** What the head counts about a statement that succeeded. */
export interface Tally {
  devices: number
  certificates: number
  configuration: boolean
}

export function tally(statement: WriteStatement, into: Tally): void {
  if (statement === insertDevice) into.devices++
  else if (statement === insertCertificate) into.certificates++
  else if (statement === insertDocument || statement === insertAuthority || statement === updateAuthority)
    into.configuration = true
}

/** Hands the one statement of the write, with its values, to the sink. */
export function planWrite(write: Write, out: StepSink): void {
  switch (write.kind) {
    case 'device.insert':
      putDevice(write.device, out)
      break
    case 'device.state':
      moveDevice(write.id, write.from, write.to, write.at, out)
      break
    case 'key.insert':
      putKey(write.key, out)
      break
    case 'key.state':
      moveKey(write.id, write.from, write.to, write.at, out)
      break
    case 'certificate.insert':
      putCertificate(write.certificate, write.auditEntry, out)
      break
    case 'certificate.status':
      moveCertificate(write.authorityId, write.serialNumber, write.from, write.to, out)
      break
    case 'token.insert':
      putToken(write.token, out)
      break
    case 'token.use':
      useToken(write.id, write.at, out)
      break
    case 'enrolment.insert':
      putEnrolment(write.enrolment, out)
      break
    case 'enrolment.state':
      moveEnrolment(write.digest, write.from, write.to, write.deviceId, out)
      break
    case 'quota.take':
      takeQuota(write.counter, write.amount, write.limit, out)
      break
    case 'batch.insert':
      putBatch(write.batch, out)
      break
    case 'batch.progress':
      moveBatch(write, out)
      break
    case 'authority.insert':
      putAuthority(write.authority, out)
      break
    case 'authority.update':
      moveAuthority(write, out)
      break
    case 'document.insert':
      putDocument(write.document, out)
      break
    case 'publication.put':
      putPublication(write.publication, out)
      break
    case 'work.request':
      requestWork(write.topic, write.key, write.dueAt, out)
      break
    case 'work.done':
      finishWork(write.work, out)
      break
    default:
      write satisfies never
  }
}

/** Refuses a change set that no store could apply: a mistake of the caller, found before anything is written. */
export function checkChangeSet(change: ChangeSet): void {
  let entries: Set<number> | undefined
  for (const write of change.writes) {
    if (write.kind === 'certificate.insert') {
      const { auditEntry } = write
      if (!Number.isInteger(auditEntry) || auditEntry < 0 || auditEntry >= change.audit.length) {
        throw invalid('a certificate names an audit entry that is not in it.')
      }
      if (entries === undefined) entries = new Set()
      else if (entries.has(auditEntry)) throw invalid('two certificates name the same audit entry.')
      entries.add(auditEntry)
    } else if (write.kind === 'quota.take' && !(Number.isSafeInteger(write.amount) && write.amount > 0)) {
      throw invalid('a quota is taken by a whole number above zero.')
    }
  }
}

function invalid(why: string): TouchmarkError {
  return new TouchmarkError('store.change_invalid', 'internal', `No store could apply the change set: ${why}`)
}

/** What it means that the statement of this write changed no row. */
export function conflictOf(write: Write): TouchmarkError {
  switch (write.kind) {
    case 'device.insert':
      return new TouchmarkError('device.exists', 'conflict', 'A device of this model and serial number exists.', {
        evidence: { deviceId: write.device.id },
      })
    case 'device.state':
      return new TouchmarkError('device.state_changed', 'conflict', `The device is not ${write.from}.`, {
        evidence: { deviceId: write.id, from: write.from },
      })
    case 'key.insert':
      return new TouchmarkError('key.already_known', 'conflict', 'The public key is known already.', {
        evidence: { keyId: write.key.id },
      })
    case 'key.state':
      return new TouchmarkError('key.state_changed', 'conflict', `The key is not ${write.from}.`, {
        evidence: { keyId: write.id, from: write.from },
      })
    case 'certificate.insert':
      return new TouchmarkError(
        'certificate.serial_number_used',
        'conflict',
        'The authority has issued this serial number.',
        { evidence: { authorityId: write.certificate.authorityId, serialNumber: write.certificate.serialNumber } },
      )
    case 'certificate.status':
      return new TouchmarkError('certificate.status_changed', 'conflict', `The certificate is not ${write.from}.`, {
        evidence: { authorityId: write.authorityId, serialNumber: write.serialNumber, from: write.from },
      })
    case 'token.insert':
      return new TouchmarkError('token.exists', 'conflict', 'The token exists.', {
        evidence: { tokenId: write.token.id },
      })
    case 'token.use':
      return new TouchmarkError('token.used', 'conflict', 'The token was used before, or does not exist.', {
        evidence: { tokenId: write.id },
      })
    case 'enrolment.insert':
      return new TouchmarkError('enrolment.exists', 'conflict', 'The request is known already.', {
        evidence: { requestDigest: write.enrolment.digest },
      })
    case 'enrolment.state':
      return new TouchmarkError('enrolment.state_changed', 'conflict', `The request is not ${write.from}.`, {
        evidence: { requestDigest: write.digest, from: write.from },
      })
    case 'quota.take':
      return new TouchmarkError('quota.exceeded', 'conflict', 'The quota is used up.', {
        evidence: { counter: write.counter, limit: write.limit },
      })
    case 'batch.insert':
      return new TouchmarkError('batch.exists', 'conflict', 'The same input was begun before.', {
        evidence: { inputDigest: write.batch.inputDigest },
      })
    case 'batch.progress':
      return new TouchmarkError(
        'batch.state_changed',
        'conflict',
        'Another process runs the batch, or it is finished.',
        { evidence: { batchId: write.id, from: write.from } },
      )
    case 'authority.insert':
      return new TouchmarkError('authority.exists', 'conflict', 'An authority has this name.', {
        evidence: { authorityId: write.authority.id },
      })
    case 'authority.update':
      return new TouchmarkError('authority.state_changed', 'conflict', `The authority is not ${write.from}.`, {
        evidence: { authorityId: write.id, from: write.from },
      })
    case 'document.insert':
      return new TouchmarkError(
        'document.version_exists',
        'conflict',
        'Somebody else changed the document meanwhile.',
        { evidence: { name: write.document.name, version: write.document.version } },
      )
    case 'publication.put':
      return new TouchmarkError(
        'publication.outdated',
        'conflict',
        'A publication with this number or a higher one is stored.',
        { evidence: { name: write.publication.name, number: write.publication.number } },
      )
    case 'work.request':
    case 'work.done':
      return new TouchmarkError('store.row_unexpected', 'internal', 'A work row did not change as it must.')
    default:
      return write satisfies never
  }
}
