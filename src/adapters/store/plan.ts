// From the writes of a change set to statements: one statement each, the same for both engines. A statement that changes no row
// means that the write found something else than it expects; `conflictOf` says which of the contract's codes that is.
import { type Evidence, TouchmarkError } from '../../core/errors.ts'
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
        throw invalid('A certificate names an audit entry that its change set does not have.')
      }
      if (entries === undefined) entries = new Set()
      else if (entries.has(auditEntry)) throw invalid('Two certificates name the same audit entry.')
      entries.add(auditEntry)
    } else if (write.kind === 'quota.take' && !(Number.isSafeInteger(write.amount) && write.amount > 0)) {
      throw invalid('A quota is taken by a whole number above zero.')
    }
  }
}

function invalid(message: string): TouchmarkError {
  return new TouchmarkError('store.change_invalid', 'internal', message)
}

/** What it means that the statement of this write changed no row. */
export function conflictOf(write: Write): TouchmarkError {
  switch (write.kind) {
    case 'device.insert':
      return conflict('device.exists', 'A device of this model and serial number exists.', {
        deviceId: write.device.id,
      })
    case 'device.state':
      return conflict('device.state_changed', `The device is not ${write.from}.`, {
        deviceId: write.id,
        from: write.from,
      })
    case 'key.insert':
      return conflict('key.already_known', 'The public key is known already.', { keyId: write.key.id })
    case 'key.state':
      return conflict('key.state_changed', `The key is not ${write.from}.`, { keyId: write.id, from: write.from })
    case 'certificate.insert':
      return conflict('certificate.serial_number_used', 'The authority has issued this serial number.', {
        authorityId: write.certificate.authorityId,
        serialNumber: write.certificate.serialNumber,
      })
    case 'certificate.status':
      return conflict('certificate.status_changed', `The certificate is not ${write.from}.`, {
        authorityId: write.authorityId,
        serialNumber: write.serialNumber,
        from: write.from,
      })
    case 'token.insert':
      return conflict('token.exists', 'The token exists.', { tokenId: write.token.id })
    case 'token.use':
      return conflict('token.used', 'The token was used before, or does not exist.', { tokenId: write.id })
    case 'enrolment.insert':
      return conflict('enrolment.exists', 'The request is known already.', { requestDigest: write.enrolment.digest })
    case 'enrolment.state':
      return conflict('enrolment.state_changed', `The request is not ${write.from}.`, {
        requestDigest: write.digest,
        from: write.from,
      })
    case 'quota.take':
      return conflict('quota.exceeded', 'The quota is used up.', { counter: write.counter, limit: write.limit })
    case 'batch.insert':
      return conflict('batch.exists', 'The same input was begun before.', { inputDigest: write.batch.inputDigest })
    case 'batch.progress':
      return conflict('batch.state_changed', 'Another process runs the batch, or it is finished.', {
        batchId: write.id,
        from: write.from,
      })
    case 'authority.insert':
      return conflict('authority.exists', 'An authority has this name.', { authorityId: write.authority.id })
    case 'authority.update':
      return conflict('authority.state_changed', `The authority is not ${write.from}.`, {
        authorityId: write.id,
        from: write.from,
      })
    case 'document.insert':
      return conflict('document.version_exists', 'Somebody else changed the document meanwhile.', {
        name: write.document.name,
        version: write.document.version,
      })
    case 'publication.put':
      return conflict('publication.outdated', 'A publication with this number or a higher one is stored.', {
        name: write.publication.name,
        number: write.publication.number,
      })
    case 'work.request':
    case 'work.done':
      return new TouchmarkError('store.row_unexpected', 'internal', 'A work row did not change as it must.')
    default:
      return write satisfies never
  }
}

function conflict(code: string, message: string, evidence: Evidence): TouchmarkError {
  return new TouchmarkError(code, 'conflict', message, { evidence })
}
