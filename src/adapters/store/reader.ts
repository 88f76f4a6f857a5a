// The reading half of the store: each question goes to the table that answers it. The same for both engines.
import type { StoreReader } from '../../domain/ports.ts'
import type { Queries } from './engine.ts'
import { readAuthorities } from './tables/authority.ts'
import { readBatch, readBatchByInput, readBatches } from './tables/batch.ts'
import {
  countRevoked,
  readAllCertificates,
  readCertificate,
  readCertificatesBySerial,
  readCertificatesOfDevice,
  readPlatformCertificates,
  readRevoked,
} from './tables/certificate.ts'
import { readDevice, readDeviceBySerial, readDevices, readDevicesAmong, readDevicesBySerial } from './tables/device.ts'
import { readKey, readKeysAmong, readKeysOfDevice } from './tables/device-key.ts'
import { readDocument, readDocuments } from './tables/document.ts'
import { readEnrolment, readEnrolments } from './tables/enrolment.ts'
import { readEntries, readEntry, readHead, readLatestCheckpoint, readLogHead, readTile } from './tables/log.ts'
import { readPublication } from './tables/publication.ts'
import { readQuotaTaken } from './tables/quota.ts'
import { readAllTokens, readTokenByHash } from './tables/token.ts'

export function storeReader(queries: Queries): StoreReader {
  return {
    changeMarker: async () => (await readHead(queries)).changes,
    configurationMarker: async () => (await readHead(queries)).configurationChanges,

    device: id => readDevice(queries, id),
    deviceBySerial: (model, serial) => readDeviceBySerial(queries, model, serial),
    devicesBySerial: serial => readDevicesBySerial(queries, serial),
    devices: page => readDevices(queries, page),
    devicesAmong: (model, serials) => readDevicesAmong(queries, model, serials),

    key: id => readKey(queries, id),
    keysOfDevice: id => readKeysOfDevice(queries, id),
    keysAmong: ids => readKeysAmong(queries, ids),

    certificate: (authority, serial) => readCertificate(queries, authority, serial),
    certificatesBySerial: serial => readCertificatesBySerial(queries, serial),
    certificatesOfDevice: id => readCertificatesOfDevice(queries, id),
    platformCertificates: (authority, profile) => readPlatformCertificates(queries, authority, profile),
    allCertificates: () => readAllCertificates(queries),
    revokedCount: (authority, shard, expiresAfter) => countRevoked(queries, authority, shard, expiresAfter),
    revoked: (authority, shard, expiresAfter) => readRevoked(queries, authority, shard, expiresAfter),

    tokenByHash: secretHash => readTokenByHash(queries, secretHash),
    allTokens: () => readAllTokens(queries),
    enrolment: digest => readEnrolment(queries, digest),
    enrolments: (state, page) => readEnrolments(queries, state, page),
    quotaTaken: counter => readQuotaTaken(queries, counter),
    batch: id => readBatch(queries, id),
    batchByInput: inputDigest => readBatchByInput(queries, inputDigest),
    batches: page => readBatches(queries, page),

    authorities: () => readAuthorities(queries),
    document: (kind, name, version) => readDocument(queries, kind, name, version),
    documents: kind => readDocuments(queries, kind),
    publication: name => readPublication(queries, name),

    auditHead: () => readLogHead(queries),
    auditEntry: index => readEntry(queries, index),
    auditEntries: from => readEntries(queries, from),
    auditTile: (level, index) => readTile(queries, level, index),
    latestCheckpoint: () => readLatestCheckpoint(queries),

    counts: async () => {
      const { devices, certificates, logSize } = await readHead(queries)
      return { devices, certificates, auditEntries: logSize }
    },
  }
}
