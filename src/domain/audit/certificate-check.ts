// Certificates against the log: each row was issued by an entry that commits to its bytes, each issued certificate is still there,
// and its status is what the last entry about it says. Memory grows with the certificates that are on hold, and with those that were issued and
// not yet revoked at the place in the log that is read, at about a hundred octets each; not with how many there ever were.
import { fromHex, toHex } from '../../core/bytes/hex.ts'
import type { Hash } from '../../core/merkle/tree.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import { type CertificateRecord, type CertificateStatus, replacedName } from '../ca/certificate-record.ts'
import { crlShardOf } from '../ca/distribution-urls.ts'
import { statusOfEntry } from '../ca/status-entry.ts'
import type { AuditEntry } from './entry.ts'
import type { Report } from './finding.ts'
import type { CrossCheck } from './verify.ts'

/** What is checked of a certificate's row. */
export type CertificateFacts = CertificateRecord

export interface CertificateCheckOptions {
  /** Over how many CRLs an authority spreads its certificates, where that is known by the time that it issues. */
  crlShards?(authority: string): number | undefined
  /** Further questions about a row that is as it was logged. */
  also?(record: CertificateFacts, certificate: Certificate): Promise<void>
}

/** A cross-check of the certificates, which come in order of `auditIndex`. `hash` is SHA-256. */
export function certificateCheck(
  certificates: AsyncIterable<CertificateFacts>,
  hash: Hash,
  report: Report,
  options: CertificateCheckOptions = {},
): CrossCheck {
  const rows = certificates[Symbol.asyncIterator]()
  const logged = new Map<string, LoggedStatus>()
  const stored = new Map<string, CertificateStatus>()
  /** Certificates whose status changed while we read: what was read of them may be older or newer than the entries. */
  const moving = new Set<string>()
  let row: IteratorResult<CertificateFacts, unknown> | undefined

  /** Passes the rows before `index`, which no entry has claimed. */
  async function passRows(index: number): Promise<void> {
    row ??= await rows.next()
    while (!row.done && row.value.auditIndex < index) {
      report(unlogged(row.value))
      row = await rows.next()
    }
  }

  /** The row that refers to the entry at `index`. */
  async function takeRow(index: number): Promise<CertificateFacts | undefined> {
    await passRows(index)
    if (row === undefined || row.done || row.value.auditIndex !== index) return undefined
    const found = row.value
    if (found.status.kind !== 'good') stored.set(nameOf(found), found.status)
    row = await rows.next()
    return found
  }

  return {
    async entry(index, entry) {
      if (entry.outcome !== 'done') return
      const status = statusOf(index, entry)
      if (status !== undefined) {
        const name = nameOf(entry.subject)
        // Revoked is final: what log and row agree on needs no more room. Renewals leave one such certificate each.
        const agreed = status.status.kind === 'revoked' && sameStatus(status.status, stored.get(name) ?? GOOD)
        if (agreed) {
          logged.delete(name)
          stored.delete(name)
        } else logged.set(name, status)
      } else if (entry.subject['certificateSha256'] !== undefined) {
        const found = await takeRow(index)
        if (found !== undefined) {
          const certificate = readable(found.der)
          const shards = options.crlShards?.(found.authorityId)
          const intact = compare(index, entry, found, certificate, shards, hash, report)
          if (intact && certificate !== undefined) await options.also?.(found, certificate)
        } else if (entry.action === 'certificate.issued') {
          const { authorityId = '', serialNumber = '' } = entry.subject
          report({
            code: 'audit.certificate_missing',
            index,
            message: `Certificate ${serialNumber} of ${authorityId}, issued by entry ${index}, is gone.`,
            evidence: { index, authorityId, serialNumber },
          })
        }
      }
    },
    // What the entry said is not known, so its row is neither confirmed nor accused.
    async unreadable(index) {
      await takeRow(index)
    },
    later(index, entry) {
      if (statusOf(index, entry) !== undefined) moving.add(nameOf(entry.subject))
    },
    async end(size, reaches) {
      await passRows(size)
      for (; row !== undefined && !row.done; row = await rows.next()) {
        if (!(await reaches(row.value.auditIndex + 1))) report(unlogged(row.value))
      }
      for (const [name, status] of logged) {
        const found = stored.get(name) ?? GOOD
        if (!moving.has(name) && !sameStatus(status.status, found)) report(statusAltered(name, status, found))
      }
      for (const [name, found] of stored) {
        if (!moving.has(name) && !logged.has(name)) report(statusAltered(name, undefined, found))
      }
    },
    async close() {
      await rows.return?.()
    },
  }
}

interface LoggedStatus {
  readonly status: CertificateStatus
  readonly index: number
}

const GOOD: CertificateStatus = { kind: 'good' }

function statusOf(index: number, entry: AuditEntry<string>): LoggedStatus | undefined {
  const status = statusOfEntry(entry)
  return status && { index, status }
}

function sameStatus(a: CertificateStatus, b: CertificateStatus): boolean {
  return statusText(a) === statusText(b)
}

function statusText(status: CertificateStatus): string {
  switch (status.kind) {
    case 'good':
      return 'good'
    case 'held':
      return `held since ${status.at}${status.ends === null ? '' : ` until ${status.ends.at}, then ${status.ends.reason}`}${suspect(status)}`
    case 'revoked':
      return `revoked at ${status.at} for ${status.reason}${suspect(status)}`
    default:
      return status satisfies never
  }
}

function suspect({ invalidityDate }: Exclude<CertificateStatus, { kind: 'good' }>): string {
  return invalidityDate === null ? '' : `, suspect since ${invalidityDate}`
}

function statusAltered(name: string, logged: LoggedStatus | undefined, found: CertificateStatus) {
  const [authorityId = '', serialNumber = ''] = name.split('/')
  const expected = statusText(logged?.status ?? GOOD)
  return {
    code: 'audit.status_altered' as const,
    ...(logged === undefined ? {} : { index: logged.index }),
    message: `Certificate ${serialNumber} of ${authorityId} is ${statusText(found)} in the store and ${expected} by the log.`,
    evidence: { authorityId, serialNumber, expected, found: statusText(found) },
  }
}

/**
 * Holds every column against what the entry knows and against what the octets say, to which the entry commits; answers whether all are the
 * same. Octets that were logged and cannot be read say nothing.
 */
function compare(
  index: number,
  entry: AuditEntry<string>,
  row: CertificateFacts,
  certificate: Certificate | undefined,
  crlShards: number | undefined,
  hash: Hash,
  report: Report,
): boolean {
  const { subject, detail = {} } = entry
  const shard = crlShards === undefined ? undefined : crlShardOf(fromHex(row.serialNumber), crlShards)
  const own = entry.action === 'certificate.issued'
  const facts: readonly (readonly [string, unknown, unknown])[] = [
    ['certificateSha256', toHex(hash(row.der)), subject['certificateSha256']],
    ['authorityId', row.authorityId, subject['authorityId']],
    ['serialNumber', row.serialNumber, subject['serialNumber'] ?? certificate?.serialNumber],
    ['deviceId', row.deviceId, subject['deviceId'] ?? (own ? null : undefined)],
    ['keyId', row.keyId, subject['keyId']],
    ['profile', row.profile, detail['profile']],
    ['profileVersion', row.profileVersion, detail['profileVersion']],
    ['notBefore', row.notBefore, certificate?.notBefore],
    ['notAfter', row.notAfter, certificate?.notAfter ?? detail['notAfter']],
    ['crlShard', row.crlShard, shard],
    ['replaces', row.replaces && replacedName(row.replaces), own ? (detail['replaces'] ?? null) : undefined],
  ]
  const altered = facts.filter(([, found, expected]) => expected !== undefined && found !== expected)
  if (altered.length === 0) return true
  const names = altered.map(([field]) => (field === 'certificateSha256' ? 'its bytes' : field)).join(', ')
  const { authorityId = row.authorityId, serialNumber = row.serialNumber } = subject
  report({
    code: 'audit.certificate_altered',
    index,
    message: `Certificate ${serialNumber} of ${authorityId} is not the one that entry ${index} issued: ${names} differ.`,
    evidence: {
      index,
      authorityId,
      serialNumber,
      ...Object.fromEntries(altered.map(([field, found]) => [`${field}Found`, String(found ?? 'none')])),
    },
  })
  return false
}

function readable(der: Uint8Array): Certificate | undefined {
  try {
    return parseCertificate(der)
  } catch {
    return undefined
  }
}

function unlogged(row: CertificateFacts) {
  const { authorityId, serialNumber, auditIndex } = row
  return {
    code: 'audit.certificate_unlogged' as const,
    message: `Certificate ${serialNumber} of ${authorityId} refers to entry ${auditIndex}, which issued no certificate.`,
    evidence: { authorityId, serialNumber, index: auditIndex },
  }
}

function nameOf(of: { readonly authorityId?: string; readonly serialNumber?: string }): string {
  return `${of.authorityId}/${of.serialNumber}`
}
