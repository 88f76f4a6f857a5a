// The reading half of the store: each question goes to the table that answers it. The same for both engines.
import type { StoreReader } from '../../domain/ports.ts'
import type { Queries } from './engine.ts'
import { readActivity, readDeviceCounts } from './tables/activity.ts'
import { readAlert, readAlerts, readAlertsResolvedSince, readOpenAlerts } from './tables/alert.ts'
import { readAnswer } from './tables/answer.ts'
import { readApiToken, readApiTokenByHash, readApiTokens } from './tables/api-token.ts'
import { readApproval, readApprovals, readApprovalsOverdue } from './tables/approval.ts'
import { readAuthorities } from './tables/authority.ts'
import { readBatch, readBatchByInput, readBatches } from './tables/batch.ts'
import { readCampaign, readCampaignByName, readCampaigns, readCampaignsAtWork } from './tables/campaign.ts'
import {
  countCampaignDevicesUnderWay,
  readCampaignCounts,
  readCampaignDevice,
  readCampaignDevices,
} from './tables/campaign-device.ts'
import {
  readAllCertificates,
  readCertificate,
  readCertificatesBySerial,
  readCertificatesOfAuthority,
  readCertificatesOfDevice,
  readHoldsEnded,
  readPlatformCertificates,
} from './tables/certificate.ts'
import {
  readCertificatesAt,
  readCertificatesOfDevices,
  readSelectedCertificates,
} from './tables/certificate-selection.ts'
import { readCertificateStandings } from './tables/certificate-standing.ts'
import { readCertificateTally } from './tables/certificate-tally.ts'
import {
  readCredential,
  readCredentialsExpiring,
  readCredentialsOfDevice,
  readCredentialsOfDevices,
  readCredentialsOverdue,
  readCredentialsToRetire,
} from './tables/credential.ts'
import { readDeadDeliveries, readDeliveriesDue, readDelivery } from './tables/delivery.ts'
import {
  readDevice,
  readDeviceBySerial,
  readDeviceSketches,
  readDevices,
  readDevicesAmong,
  readDevicesBeginning,
  readDevicesBySerial,
} from './tables/device.ts'
import { readEntriesOfDevice } from './tables/device-entry.ts'
import { readHealth } from './tables/device-health.ts'
import { readKey, readKeysAmong, readKeysOfDevice, readKeysOfDevices } from './tables/device-key.ts'
import { readAllProperties, readPropertiesOfDevice } from './tables/device-property.ts'
import { readStatementsOfDevice } from './tables/device-statement.ts'
import { readDocument, readDocuments } from './tables/document.ts'
import { readEnrolment, readEnrolments, readOpenEnrolmentsOfDevice } from './tables/enrolment.ts'
import { readJob, readJobs, readJobsAtWork } from './tables/job.ts'
import { readHolding } from './tables/key-holding.ts'
import { readEntries, readEntry, readHead, readLatestCheckpoint, readLogHead, readTile } from './tables/log.ts'
import { readOperator, readOperatorByEmail, readOperatorByOidc, readOperators } from './tables/operator.ts'
import { readAllTransfers, readTransfer, readTransfersDue, readTransfersOfDevice } from './tables/ownership-transfer.ts'
import { readPasskey, readPasskeysOfOperator } from './tables/passkey.ts'
import { countStalePieces, readPublication, readPublicationHead, readPublicationPiece } from './tables/publication.ts'
import { readQuotaTaken } from './tables/quota.ts'
import { readPlanned } from './tables/renewal-plan.ts'
import { readRevokedPages } from './tables/revoked.ts'
import { readSelectedDevices } from './tables/selection.ts'
import { readLinkByHash, readSessionByHash, readSessionsOfOperator } from './tables/session.ts'
import { readStatusChanges } from './tables/status-change.ts'
import { readCoverage } from './tables/status-coverage.ts'
import { readSuspension } from './tables/suspension.ts'
import { readAllTokens, readOpenTokensOfDevice, readToken, readTokenByHash, readTokens } from './tables/token.ts'
import { readUniverse } from './tables/universe.ts'
import { readWorkWaiting } from './tables/work.ts'

export function storeReader(queries: Queries): StoreReader {
  return {
    changeMarker: async () => (await readHead(queries)).changes,
    configurationMarker: async () => (await readHead(queries)).configurationChanges,

    device: id => readDevice(queries, id),
    deviceBySerial: (model, serial) => readDeviceBySerial(queries, model, serial),
    devicesBySerial: serial => readDevicesBySerial(queries, serial),
    devices: page => readDevices(queries, page),
    devicesBeginning: (prefix, page) => readDevicesBeginning(queries, prefix, page),
    deviceSketches: ids => readDeviceSketches(queries, ids),
    devicesAmong: (model, serials) => readDevicesAmong(queries, model, serials),

    selectDevices: (asked, page) => readSelectedDevices(queries, asked, page),
    propertiesOfDevice: id => readPropertiesOfDevice(queries, id),
    allProperties: () => readAllProperties(queries),
    health: id => readHealth(queries, id),
    suspension: id => readSuspension(queries, id),
    transfer: id => readTransfer(queries, id),
    transfersOfDevice: id => readTransfersOfDevice(queries, id),
    transfersDue: (now, limit) => readTransfersDue(queries, now, limit),
    allTransfers: () => readAllTransfers(queries),
    statementsOfDevice: id => readStatementsOfDevice(queries, id),

    credential: (device, profile) => readCredential(queries, device, profile),
    credentialsOfDevices: ids => readCredentialsOfDevices(queries, ids),
    credentialsOfDevice: id => readCredentialsOfDevice(queries, id),
    credentialsToRetire: (now, limit) => readCredentialsToRetire(queries, now, limit),
    credentialsExpiring: (range, page) => readCredentialsExpiring(queries, range, page),
    credentialsOverdue: (at, page) => readCredentialsOverdue(queries, at, page),
    planned: (profile, measure, from, until) => readPlanned(queries, profile, measure, from, until),

    campaign: id => readCampaign(queries, id),
    campaignByName: name => readCampaignByName(queries, name),
    campaigns: page => readCampaigns(queries, page),
    campaignsAtWork: () => readCampaignsAtWork(queries),
    campaignCounts: id => readCampaignCounts(queries, id),
    campaignDevice: (id, device) => readCampaignDevice(queries, id, device),
    campaignDevicesUnderWay: (id, devices) => countCampaignDevicesUnderWay(queries, id, devices),
    campaignDevices: (id, of, page) => readCampaignDevices(queries, id, of, page),

    key: id => readKey(queries, id),
    keyHolding: id => readHolding(queries, id),
    keysOfDevice: id => readKeysOfDevice(queries, id),
    keysOfDevices: ids => readKeysOfDevices(queries, ids),
    keysAmong: ids => readKeysAmong(queries, ids),

    certificate: (authority, serial) => readCertificate(queries, authority, serial),
    certificateStandings: (authority, serials) => readCertificateStandings(queries, authority, serials),
    certificatesBySerial: serial => readCertificatesBySerial(queries, serial),
    selectCertificates: (conditions, page) => readSelectedCertificates(queries, conditions, page),
    certificatesAt: indexes => readCertificatesAt(queries, indexes),
    tallyCertificates: (asked, options) => readCertificateTally(queries, asked, options),
    certificatesOfDevices: ids => readCertificatesOfDevices(queries, ids),
    certificatesOfDevice: id => readCertificatesOfDevice(queries, id),
    certificatesOfAuthority: (authority, page) => readCertificatesOfAuthority(queries, authority, page),
    holdsEnded: (now, limit) => readHoldsEnded(queries, now, limit),
    platformCertificates: (authority, profile) => readPlatformCertificates(queries, authority, profile),
    allCertificates: () => readAllCertificates(queries),
    statusChanges: asked => readStatusChanges(queries, asked),
    universe: (authority, asked) => readUniverse(queries, authority, asked),
    revokedPages: (authority, shard, expiresAfter) => readRevokedPages(queries, authority, shard, expiresAfter),

    token: id => readToken(queries, id),
    tokenByHash: secretHash => readTokenByHash(queries, secretHash),
    tokens: page => readTokens(queries, page),
    allTokens: () => readAllTokens(queries),
    openTokensOfDevice: id => readOpenTokensOfDevice(queries, id),
    enrolment: digest => readEnrolment(queries, digest),
    enrolments: (state, page) => readEnrolments(queries, state, page),
    openEnrolmentsOfDevice: id => readOpenEnrolmentsOfDevice(queries, id),
    coveredUntil: authority => readCoverage(queries, authority),
    quotaTaken: counter => readQuotaTaken(queries, counter),
    batch: id => readBatch(queries, id),
    batchByInput: inputDigest => readBatchByInput(queries, inputDigest),
    batches: page => readBatches(queries, page),

    authorities: () => readAuthorities(queries),
    document: (kind, name, version) => readDocument(queries, kind, name, version),
    documents: kind => readDocuments(queries, kind),
    publication: name => readPublication(queries, name),
    publicationHead: name => readPublicationHead(queries, name),
    publicationPiece: (name, number, piece) => readPublicationPiece(queries, name, number, piece),
    stalePieces: (name, limit) => countStalePieces(queries, name, limit),

    operator: id => readOperator(queries, id),
    operatorByEmail: email => readOperatorByEmail(queries, email),
    operatorByOidc: oidc => readOperatorByOidc(queries, oidc),
    operators: page => readOperators(queries, page),
    passkey: id => readPasskey(queries, id),
    passkeysOfOperator: id => readPasskeysOfOperator(queries, id),
    sessionByHash: secretHash => readSessionByHash(queries, secretHash),
    sessionsOfOperator: id => readSessionsOfOperator(queries, id),
    linkByHash: secretHash => readLinkByHash(queries, secretHash),
    apiToken: id => readApiToken(queries, id),
    apiTokenByHash: secretHash => readApiTokenByHash(queries, secretHash),
    apiTokens: page => readApiTokens(queries, page),
    approval: id => readApproval(queries, id),
    approvals: page => readApprovals(queries, page),
    approvalsOverdue: (now, limit) => readApprovalsOverdue(queries, now, limit),

    workWaiting: () => readWorkWaiting(queries),

    alert: id => readAlert(queries, id),
    openAlerts: limit => readOpenAlerts(queries, limit),
    alertsResolvedSince: (since, limit) => readAlertsResolvedSince(queries, since, limit),
    alerts: page => readAlerts(queries, page),
    delivery: id => readDelivery(queries, id),
    deliveriesDue: (now, limit) => readDeliveriesDue(queries, now, limit),
    deadDeliveries: page => readDeadDeliveries(queries, page),

    auditHead: () => readLogHead(queries),
    auditEntry: index => readEntry(queries, index),
    auditEntries: from => readEntries(queries, from),
    auditTile: (level, index) => readTile(queries, level, index),
    latestCheckpoint: () => readLatestCheckpoint(queries),

    entriesOfDevice: (id, { before = Number.MAX_SAFE_INTEGER, limit }) =>
      readEntriesOfDevice(queries, id, before, limit),
    activity: (from, until) => readActivity(queries, from, until),
    deviceCounts: () => readDeviceCounts(queries),
    job: id => readJob(queries, id),
    jobs: page => readJobs(queries, page),
    jobsAtWork: () => readJobsAtWork(queries),
    keptAnswer: id => readAnswer(queries, id),

    counts: async () => {
      const { devices, certificates, logSize } = await readHead(queries)
      return { devices, certificates, auditEntries: logSize }
    },
  }
}
