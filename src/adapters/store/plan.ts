// From the writes of a change set to statements: one or more each, the same for both engines. A statement that changes no row
// means that its write found something else than it expects; `conflictOf` says which of the contract's codes that is.
import { TouchmarkError } from '../../core/errors.ts'
import type { ChangeSet, Write } from '../../domain/ports.ts'
import { activityOf } from '../../domain/statistics/activity.ts'
import type { StepSink, Value, WriteStatement } from './sql.ts'
import { addToActivity, putActivity } from './tables/activity.ts'
import { insertAlert, putAlert, updateAlert } from './tables/alert.ts'
import { dropAnswer, dropOldAnswers, finishAnswer, insertAnswer, putAnswer } from './tables/answer.ts'
import {
  insertApiToken,
  putApiToken,
  revokeApiTokenRow,
  seeApiToken,
  updateApiTokenRevoked,
  updateApiTokenSeen,
} from './tables/api-token.ts'
import { insertApproval, putApproval, updateApproval } from './tables/approval.ts'
import { insertAuthority, moveAuthority, putAuthority, updateAuthority } from './tables/authority.ts'
import { insertBatch, moveBatch, putBatch, updateBatchProgress } from './tables/batch.ts'
import { insertCampaign, putCampaign, replaceCampaign, updateCampaign } from './tables/campaign.ts'
import {
  addToCampaignCount,
  countPlannedDevices,
  insertPlannedDevices,
  moveCampaignDevice,
  putPlannedDevices,
  updateCampaignDevice,
} from './tables/campaign-device.ts'
import {
  countCertificates,
  expectCertificate,
  expectCertificates,
  expectStatus,
  insertCertificate,
  moveCertificate,
  putCertificate,
  updateCertificateStatus,
} from './tables/certificate.ts'
import {
  deleteCredential,
  insertCredential,
  putCredential,
  removeCredential,
  updateCredential,
} from './tables/credential.ts'
import { deleteDelivery, insertDelivery, putDelivery, removeDelivery, updateDelivery } from './tables/delivery.ts'
import { DEVICE_STATE, insertDevice, moveDevice, putDevice, updateDeviceState } from './tables/device.ts'
import { insertDeviceEntry, putDeviceEntries } from './tables/device-entry.ts'
import { insertHealth, putHealth, updateHealth } from './tables/device-health.ts'
import { insertKey, moveKey, putKey, updateKeyState } from './tables/device-key.ts'
import {
  deleteProperty,
  insertLabels,
  insertProperty,
  putLabels,
  putProperty,
  updateLabel,
  updateProperty,
} from './tables/device-property.ts'
import { insertStatement, putStatement } from './tables/device-statement.ts'
import { insertDocument, putDocument } from './tables/document.ts'
import { insertEnrolment, moveEnrolment, putEnrolment, updateEnrolmentState } from './tables/enrolment.ts'
import { insertJob, putJob, updateJob } from './tables/job.ts'
import { putHolding, upsertHolding } from './tables/key-holding.ts'
import { insertOperator, putOperator, updateOperator } from './tables/operator.ts'
import {
  insertTransfer,
  moveTransfer,
  putTransfer,
  updateAgreedTransferState,
  updateTransferState,
} from './tables/ownership-transfer.ts'
import {
  deletePasskey,
  insertPasskey,
  putPasskey,
  removePasskey,
  spendPasskey,
  updatePasskeyUsed,
} from './tables/passkey.ts'
import {
  deleteStalePieces,
  insertPiece,
  placePublication,
  putPiece,
  putPublication,
  sweepPieces,
  upsertPublication,
} from './tables/publication.ts'
import { takeQuota, upsertQuota } from './tables/quota.ts'
import { addToPlan, dropEmptyBucket, putPlanned } from './tables/renewal-plan.ts'
import {
  deleteLink,
  deleteOldLinks,
  deleteOldProofs,
  deleteOldSessions,
  deleteSession,
  deleteUsedLink,
  insertProof,
  insertSession,
  putLink,
  putSession,
  removeLink,
  removeSession,
  seeSession,
  spendLink,
  spendProof,
  sweepAccess,
  updateSessionSeen,
  upsertLink,
} from './tables/session.ts'
import { insertStatusChange, putStatusChange } from './tables/status-change.ts'
import { expectNewer, expectUncovered, oldestIssues, putCoverage, raiseCoverage } from './tables/status-coverage.ts'
import { deleteSuspension, putSuspension, removeSuspension, upsertSuspension } from './tables/suspension.ts'
import { cancelToken, insertToken, putToken, updateTokenCancelled, updateTokenUsed, useToken } from './tables/token.ts'
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
  expectCertificates,
  updateTokenCancelled,
  upsertSuspension,
  deleteSuspension,
  insertLabels,
  insertProperty,
  updateProperty,
  deleteProperty,
  updateLabel,
  insertHealth,
  updateHealth,
  insertTransfer,
  updateTransferState,
  updateAgreedTransferState,
  insertStatement,
  upsertHolding,
  insertCredential,
  updateCredential,
  deleteCredential,
  addToPlan,
  dropEmptyBucket,
  insertCampaign,
  updateCampaign,
  countPlannedDevices,
  insertPlannedDevices,
  updateCampaignDevice,
  addToCampaignCount,
  insertAlert,
  updateAlert,
  insertDelivery,
  updateDelivery,
  deleteDelivery,
  addToActivity,
  insertDeviceEntry,
  insertAnswer,
  finishAnswer,
  dropAnswer,
  dropOldAnswers,
  insertJob,
  updateJob,
  insertOperator,
  updateOperator,
  insertPasskey,
  updatePasskeyUsed,
  deletePasskey,
  insertSession,
  updateSessionSeen,
  deleteSession,
  deleteOldSessions,
  upsertLink,
  deleteUsedLink,
  deleteLink,
  deleteOldLinks,
  insertProof,
  deleteOldProofs,
  insertApiToken,
  updateApiTokenSeen,
  updateApiTokenRevoked,
  insertApproval,
  updateApproval,
  insertStatusChange,
  raiseCoverage,
  expectUncovered,
  expectStatus,
  insertPiece,
  deleteStalePieces,
]

/** What the head counts about a statement that succeeded. */
export interface Tally {
  devices: number
  /** By how many devices each state grows. */
  readonly byState: Map<string, number>
  certificates: number
  configuration: boolean
}

export const emptyTally = (): Tally => ({ devices: 0, byState: new Map(), certificates: 0, configuration: false })

/** A copy that the original does not move. */
export const copyTally = (tallied: Tally): Tally => ({ ...tallied, byState: new Map(tallied.byState) })

export function tally(statement: WriteStatement, values: readonly Value[], into: Tally): void {
  if (statement === insertDevice) {
    into.devices++
    addDevices(into, values[DEVICE_STATE], 1)
  } else if (statement === updateDeviceState) {
    // A move to where it is holds a decision to its facts.
    const [to, , , from] = values
    if (to === from) return
    addDevices(into, to, 1)
    addDevices(into, from, -1)
  } else if (statement === insertCertificate) into.certificates++
  else if (statement === insertDocument || statement === insertAuthority || statement === updateAuthority)
    into.configuration = true
}

function addDevices({ byState }: Tally, state: Value | undefined, amount: number): void {
  if (typeof state === 'string') byState.set(state, (byState.get(state) ?? 0) + amount)
}

/** Hands the statements of the whole change set to the sink: those of its writes in their order, then what is asked and counted once for all. */
export function planChange(change: ChangeSet, out: StepSink): void {
  for (const write of change.writes) planWrite(write, out)
  for (const issue of oldestIssues(change.writes)) expectNewer(issue, out)
  planAudit(change, out)
}

/** What the change set logs causes: counts of what happened, and whose timeline it belongs to. */
function planAudit({ audit }: ChangeSet, out: StepSink): void {
  putDeviceEntries(audit, out)
  for (const activity of activityOf(audit)) putActivity(activity, out)
}

/** Hands the statements of the write, at least one, with their values to the sink. */
function planWrite(write: Write, out: StepSink): void {
  switch (write.kind) {
    case 'device.insert':
      putDevice(write.device, out)
      // A batch without labels stays as fast as it is.
      for (const _ in write.device.labels) {
        putLabels(write.device.id, write.device.labels, out)
        break
      }
      break
    case 'device.state':
      moveDevice(write.id, write.from, write.to, write.at, out)
      break
    case 'device.certificates':
      countCertificates(write.id, write.count, out)
      break
    case 'suspension.put':
      putSuspension(write.suspension, out)
      break
    case 'suspension.remove':
      removeSuspension(write.deviceId, out)
      break
    case 'device.property':
      putProperty(write, out)
      break
    case 'health.put':
      putHealth(write.health, write.from, out)
      break
    case 'transfer.insert':
      putTransfer(write.transfer, out)
      break
    case 'transfer.state':
      moveTransfer(write, out)
      break
    case 'statement.put':
      putStatement(write.statement, out)
      break
    case 'key.holding':
      putHolding(write.holding, out)
      break
    case 'credential.put':
      putCredential(write.credential, write.from, out)
      break
    case 'credential.remove':
      removeCredential(write.deviceId, write.profile, write.from, out)
      break
    case 'plan.add':
      putPlanned(write.profile, write.measure, write.bucket, write.amount, out)
      break
    case 'campaign.insert':
      putCampaign(write.campaign, out)
      break
    case 'campaign.update':
      replaceCampaign(write.campaign, write.from, out)
      break
    case 'campaign.devices':
      putPlannedDevices(write, out)
      break
    case 'campaign.device':
      moveCampaignDevice(write, out)
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
      moveCertificate(write, out)
      putStatusChange(write, out)
      break
    case 'certificate.standing':
      expectCertificate(write, out)
      break
    case 'token.insert':
      putToken(write.token, out)
      break
    case 'token.use':
      useToken(write.id, write.at, out)
      break
    case 'token.cancel':
      cancelToken(write.id, write.at, out)
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
    case 'job.put':
      putJob(write.job, write.from, out)
      break
    case 'answer.begin':
      putAnswer(write.answer, out)
      break
    case 'answer.finish':
      out.begin(finishAnswer).bytes(write.sealed).hex(write.id)
      break
    case 'answer.drop':
      out.begin(dropAnswer).hex(write.id)
      break
    case 'answer.expire':
      out.begin(dropOldAnswers).integer(write.before)
      break
    case 'publication.put':
      putPublication(write, out)
      break
    case 'publication.place':
      placePublication(write, out)
      break
    case 'publication.piece':
      putPiece(write, out)
      break
    case 'publication.sweep':
      sweepPieces(write, out)
      break
    case 'operator.put':
      putOperator(write.operator, write.from, out)
      break
    case 'passkey.insert':
      putPasskey(write.passkey, out)
      break
    case 'passkey.use':
      spendPasskey(write, out)
      break
    case 'passkey.remove':
      removePasskey(write.id, write.operatorId, out)
      break
    case 'session.insert':
      putSession(write.session, out)
      break
    case 'session.seen':
      seeSession(write.id, write.at, out)
      break
    case 'session.remove':
      removeSession(write.id, out)
      break
    case 'link.put':
      putLink(write.link, out)
      break
    case 'link.use':
      spendLink(write.secretHash, out)
      break
    case 'link.remove':
      removeLink(write.name, out)
      break
    case 'proof.spend':
      spendProof(write.digest, write.expiresAt, out)
      break
    case 'api_token.insert':
      putApiToken(write.token, out)
      break
    case 'api_token.seen':
      seeApiToken(write.id, write.at, out)
      break
    case 'api_token.revoke':
      revokeApiTokenRow(write.id, write.at, out)
      break
    case 'approval.put':
      putApproval(write.approval, write.from, out)
      break
    case 'access.sweep':
      sweepAccess(write.now, out)
      break
    case 'alert.put':
      putAlert(write.alert, write.from, out)
      break
    case 'delivery.put':
      putDelivery(write.delivery, write.from, out)
      break
    case 'delivery.remove':
      removeDelivery(write.id, write.from, out)
      break
    case 'status.cover':
      putCoverage(write, out)
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

/** Devices of a campaign that one write writes down. */
const MAX_CAMPAIGN_DEVICES = 2_000

/** Refuses a change set that no store could apply: a mistake of the caller, found before anything is written. */
export function checkChangeSet(change: ChangeSet): void {
  let entries: Set<number> | undefined
  for (const write of change.writes) {
    if (write.kind === 'certificate.insert' || write.kind === 'certificate.status') {
      const { auditEntry } = write
      if (!Number.isInteger(auditEntry) || auditEntry < 0 || auditEntry >= change.audit.length) {
        throw invalid('a certificate names an audit entry that is not in it.')
      }
      if (entries === undefined) entries = new Set()
      else if (entries.has(auditEntry)) throw invalid('two certificates name the same audit entry.')
      entries.add(auditEntry)
    } else if (write.kind === 'quota.take' && !(Number.isSafeInteger(write.amount) && write.amount > 0)) {
      throw invalid('a quota is taken by a whole number above zero.')
    } else if (write.kind === 'campaign.devices' && write.deviceIds.length > MAX_CAMPAIGN_DEVICES) {
      throw invalid(`it writes down more than ${MAX_CAMPAIGN_DEVICES} devices of a campaign at once.`)
    } else if (write.kind === 'device.property' && write.from === null && write.to === null) {
      throw invalid('it erases a property that is not there.')
    }
  }
}

function invalid(why: string): TouchmarkError {
  return new TouchmarkError('store.change_invalid', 'internal', `No store could apply the change set: ${why}`)
}

/** The write that the statement at this position of the change set belongs to. */
export function writeOfStep(change: ChangeSet, step: number): Write {
  const counter = new StepCounter()
  const write =
    change.writes.find(each => {
      planWrite(each, counter)
      return counter.steps > step
    }) ?? oldestIssues(change.writes)[step - counter.steps]?.write
  if (write === undefined) throw new TypeError('The change set has no such statement')
  return write
}

/** Counts statements, and looks at nothing else of them. */
class StepCounter implements StepSink {
  steps = 0

  begin(): this {
    this.steps++
    return this
  }

  text(): this {
    return this
  }

  integer(): this {
    return this
  }

  bytes(): this {
    return this
  }

  hex(): this {
    return this
  }

  auditIndex(): this {
    return this
  }
}

/** What it means that a statement of this write changed no row. */
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
    case 'device.certificates':
      return new TouchmarkError(
        'device.certificates_changed',
        'conflict',
        'The device got a certificate meanwhile, or does not exist.',
        { evidence: { deviceId: write.id } },
      )
    case 'device.property':
      return new TouchmarkError(
        'device.property_changed',
        'conflict',
        'Somebody else changed the property of the device meanwhile.',
        { evidence: { deviceId: write.deviceId, name: write.name } },
      )
    case 'health.put':
      return new TouchmarkError(
        'health.sequence_changed',
        'conflict',
        'The device reported meanwhile: another report stands in the store.',
        { evidence: { deviceId: write.health.deviceId, from: write.from ?? 'none' } },
      )
    case 'transfer.insert':
      return new TouchmarkError('transfer.exists', 'conflict', 'The device has a transfer that is under way.', {
        evidence: { deviceId: write.transfer.deviceId, transferId: write.transfer.id },
      })
    case 'transfer.state':
      return new TouchmarkError('transfer.state_changed', 'conflict', `The transfer is not ${write.from}.`, {
        evidence: { transferId: write.id, from: write.from },
      })
    case 'credential.put':
    case 'credential.remove': {
      const { deviceId, profile } = write.kind === 'credential.put' ? write.credential : write
      return new TouchmarkError(
        'credential.changed',
        'conflict',
        'Somebody else changed what the device holds meanwhile.',
        { evidence: { deviceId, profile, from: write.from ?? 'none' } },
      )
    }
    case 'campaign.insert':
      return new TouchmarkError('campaign.exists', 'conflict', 'A campaign has this name.', {
        evidence: { campaignId: write.campaign.id, name: write.campaign.name },
      })
    case 'campaign.update':
      return new TouchmarkError('campaign.changed', 'conflict', 'Somebody else changed the campaign meanwhile.', {
        evidence: { campaignId: write.campaign.id, from: write.from },
      })
    case 'campaign.device':
      return new TouchmarkError(
        'campaign.device_changed',
        'conflict',
        `The device is not ${write.from} in this wave of the campaign.`,
        { evidence: { campaignId: write.id, deviceId: write.deviceId, wave: write.wave, from: write.from } },
      )
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
        'The authority has issued this serial number, or published status up to a later second.',
        { evidence: { authorityId: write.certificate.authorityId, serialNumber: write.certificate.serialNumber } },
      )
    case 'certificate.status':
    case 'certificate.standing': {
      const from = write.kind === 'certificate.status' ? write.from : write.status
      return new TouchmarkError('certificate.status_changed', 'conflict', `The certificate is not ${from}.`, {
        evidence: { authorityId: write.authorityId, serialNumber: write.serialNumber, from },
      })
    }
    case 'token.insert':
      return new TouchmarkError('token.exists', 'conflict', 'The token exists.', {
        evidence: { tokenId: write.token.id },
      })
    case 'token.use':
    case 'token.cancel':
      return new TouchmarkError(
        'token.used',
        'conflict',
        'The token was used or cancelled before, or does not exist.',
        {
          evidence: { tokenId: write.id },
        },
      )
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
    case 'job.put':
      return new TouchmarkError('job.changed', 'conflict', 'Somebody else changed the job meanwhile.', {
        evidence: { jobId: write.job.id, from: write.from ?? 'none' },
      })
    case 'answer.begin':
    case 'answer.finish':
      return new TouchmarkError('answer.begun', 'conflict', 'The same request is under way, or was answered.')
    case 'publication.put':
    case 'publication.place':
    case 'publication.piece': {
      const { name, number } =
        write.kind === 'publication.put' ? write.publication : write.kind === 'publication.place' ? write.head : write
      return new TouchmarkError('publication.outdated', 'conflict', 'Another publication of this name came first.', {
        evidence: { name, number },
      })
    }
    case 'operator.put':
      return write.from === null
        ? new TouchmarkError('operator.exists', 'conflict', 'An operator signs in with this already.')
        : new TouchmarkError('operator.changed', 'conflict', 'Somebody else changed the operator meanwhile.', {
            evidence: { operatorId: write.operator.id, from: write.from },
            next: 'Read it again, and try again.',
          })
    case 'passkey.insert':
      return new TouchmarkError('passkey.exists', 'conflict', 'The passkey is known already.')
    case 'passkey.use':
      return new TouchmarkError('passkey.changed', 'conflict', 'The passkey was used meanwhile, or is gone.')
    case 'passkey.remove':
      return new TouchmarkError('passkey.not_found', 'not_found', 'There is no such passkey.')
    case 'session.insert':
      return new TouchmarkError('session.exists', 'conflict', 'The session exists.')
    case 'session.remove':
      return new TouchmarkError('session.not_found', 'not_found', 'There is no such session.')
    case 'link.use':
      return new TouchmarkError('access.link_used', 'conflict', 'The link was used, replaced or withdrawn.')
    case 'proof.spend':
      return new TouchmarkError('access.replayed', 'conflict', 'This proof was used before.')
    case 'api_token.insert':
      return new TouchmarkError('api_token.exists', 'conflict', 'The API token exists.', {
        evidence: { tokenId: write.token.id },
      })
    case 'api_token.revoke':
      return new TouchmarkError(
        'api_token.revoked',
        'conflict',
        'The API token was revoked before, or does not exist.',
        {
          evidence: { tokenId: write.id },
        },
      )
    case 'approval.put':
      return new TouchmarkError('approval.changed', 'conflict', 'Somebody else decided meanwhile.', {
        evidence: { approvalId: write.approval.id, from: write.from ?? 'none' },
        next: 'Read it again.',
      })
    case 'alert.put':
      return new TouchmarkError('alert.changed', 'conflict', 'The alert changed meanwhile.', {
        evidence: { alert: write.alert.id, from: write.from ?? 'none' },
        next: 'Read it again, and try again.',
      })
    case 'delivery.put':
    case 'delivery.remove':
      return new TouchmarkError(
        'delivery.changed',
        'conflict',
        'The notice was tried, delivered or discarded meanwhile.',
        {
          evidence: { from: write.from ?? 'none' },
        },
      )
    case 'publication.sweep':
    case 'status.cover':
    case 'work.request':
    case 'work.done':
    case 'answer.drop':
    case 'answer.expire':
    case 'session.seen':
    case 'link.put':
    case 'link.remove':
    case 'api_token.seen':
    case 'access.sweep':
    case 'suspension.put':
    case 'suspension.remove':
    case 'statement.put':
    case 'key.holding':
    case 'plan.add':
    case 'campaign.devices':
      return new TouchmarkError('store.row_unexpected', 'internal', `A row of ${write.kind} did not change as it must.`)
    default:
      return write satisfies never
  }
}
