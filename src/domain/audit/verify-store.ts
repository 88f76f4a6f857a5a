// The store, verified against its own log: the audit entries, the tree, the checkpoints and the certificates in one reading.
import { toUtf8 } from '../../core/bytes/utf8.ts'
import type { StoreReader } from '../ports.ts'
import { certificateCheck } from './certificate-check.ts'
import type { AuditSource } from './reading.ts'
import { type AuditReport, type VerifyOptions, verifyAuditLog } from './verify.ts'

type AuditReader = Pick<
  StoreReader,
  'auditHead' | 'auditEntries' | 'auditTile' | 'latestCheckpoint' | 'allCertificates'
>

/** Verifies everything that the log speaks of. Further checks of the caller run in the same reading. */
export function verifyStore(read: AuditReader, options: VerifyOptions): Promise<AuditReport> {
  return verifyAuditLog(storeSource(read), {
    ...options,
    crossChecks: report => [
      certificateCheck(read.allCertificates(), options.hash, report),
      ...(options.crossChecks?.(report) ?? []),
    ],
  })
}

function storeSource(read: AuditReader): AuditSource {
  return {
    head: () => read.auditHead(),
    entries: from => read.auditEntries(from),
    tile: (level, index) => read.auditTile(level, index),
    async *checkpoints() {
      const latest = await read.latestCheckpoint()
      if (latest !== undefined) yield toUtf8(latest.note)
    },
  }
}
