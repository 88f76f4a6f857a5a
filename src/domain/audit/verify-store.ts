// The store, verified against its own log in one reading: the audit entries, the tree, the checkpoint, and every row that decides about
// anything. What the log does not speak of, and what is therefore not verified: docs/operate/log-does-not-verify.md.
import { toUtf8 } from '../../core/bytes/utf8.ts'
import type { StoreReader } from '../ports.ts'
import { accessCheck } from './access-check.ts'
import { certificateCheck } from './certificate-check.ts'
import { configurationCheck } from './configuration-check.ts'
import { deviceCheck } from './device-check.ts'
import { deviceFactsCheck } from './device-facts-check.ts'
import type { AuditSource } from './reading.ts'
import { tokenCheck } from './token-check.ts'
import { type AuditReport, type VerifyOptions, verifyAuditLog } from './verify.ts'

/** Verifies everything that the log speaks of. Further checks of the caller run in the same reading. */
export async function verifyStore(read: StoreReader, options: VerifyOptions): Promise<AuditReport> {
  const signed = (await read.latestCheckpoint()) !== undefined
  return verifyAuditLog(storeSource(read), {
    ...options,
    crossChecks: report => {
      if (!signed) {
        report({
          code: 'audit.checkpoint_missing',
          message: 'The log has no signed checkpoint. It is made with one, so somebody removed it.',
          evidence: {},
        })
      }
      const configuration = configurationCheck(read, report)
      const devices = deviceCheck(read, report)
      return [
        // First: it knows the shards of an authority before the first certificate of that authority is looked at.
        configuration,
        certificateCheck(read.allCertificates(), options.hash, report, {
          crlShards: configuration.crlShards,
          also: devices.certificate,
        }),
        devices,
        deviceFactsCheck(read, report),
        tokenCheck(read, report),
        accessCheck(read, report),
        ...(options.crossChecks?.(report) ?? []),
      ]
    },
  })
}

function storeSource(read: StoreReader): AuditSource {
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
