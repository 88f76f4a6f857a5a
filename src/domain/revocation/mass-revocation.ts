// Asking for a mass revocation, for a release, and for the undoing of one while there is time: each is a job (`run-revocation-job.ts`). Who may ask,
// and who has to agree, is the caller's question.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { CertificateStatus } from '../ca/certificate-record.ts'
import type { UnixSeconds } from '../ids.ts'
import type { StoredJob } from '../jobs/job.ts'
import { type ReleaseParameters, type RevocationParameters, revocationParameters } from '../jobs/run-revocation-job.ts'
import { type JobPorts, readJob, startJob } from '../jobs/start-job.ts'
import type { Random, StoreReader } from '../ports.ts'
import type { Selection } from './asked-certificates.ts'
import type { CertificateQuery } from './certificate-query.ts'
import { checkDeviceReason } from './revoke.ts'
import { checkTerms, type RevocationReason, type RevocationTerms, undoOver } from './terms.ts'

/** As people ask: spans from now on, since an approval may take days. */
export interface AskedTerms {
  readonly reason: RevocationReason
  readonly suspectSince?: UnixSeconds | undefined
  readonly undoWithinSeconds?: number | undefined
  readonly because?: string | undefined
}

export type MassPorts = JobPorts & { readonly random: Random }

/** Of these statuses a revocation for this reason finds certificates to change. */
export function statusesFor(reason: RevocationReason): CertificateStatus['kind'][] {
  return reason === 'certificateHold' ? ['good'] : ['good', 'held']
}

/** What is asked for, from `now` on. Throws what `checkTerms` throws. */
export function termsAt(
  { reason, suspectSince, undoWithinSeconds, because }: AskedTerms,
  now: UnixSeconds,
): RevocationTerms {
  const terms = {
    reason,
    ...(suspectSince === undefined ? {} : { suspectSince }),
    ...(undoWithinSeconds === undefined ? {} : { undoUntil: now + undoWithinSeconds }),
    ...(because === undefined ? {} : { because }),
  }
  checkTerms(terms, now)
  return terms
}

/** Throws `revocation.reason_not_for_this`, and what `checkTerms` throws. */
export async function startRevocation(
  {
    selection,
    terms: asked,
    total,
  }: { readonly selection: Selection; readonly terms: AskedTerms; readonly total: number },
  actor: AuditEntry['actor'],
  ports: MassPorts,
): Promise<StoredJob> {
  checkDeviceReason(asked.reason)
  const terms = termsAt(asked, ports.clock.now())
  const parameters: RevocationParameters = {
    query: { ...selection.query },
    whole: selection.whole,
    terms:
      terms.undoUntil === undefined
        ? terms
        : { ...terms, undoUntil: await freeSecond(terms.undoUntil, ports.store.read) },
  }
  return startJob({ act: 'certificates.revoke', parameters, total }, actor, ports)
}

/** No two mass revocations end at the same second: undoing one releases what it held, and nothing else. */
async function freeSecond(from: UnixSeconds, read: Pick<StoreReader, 'selectCertificates'>): Promise<UnixSeconds> {
  for (let at = from; ; at++) {
    const { items } = await read.selectCertificates({ statuses: ['held'], holdEndsAt: at }, { limit: 1 })
    if (items.length === 0) return at
  }
}

export interface AskedRelease extends ReleaseSelection {
  readonly because?: string | undefined
  readonly total: number
}

export interface ReleaseSelection {
  readonly query: CertificateQuery
  /** What was on hold before then stays so. */
  readonly heldBefore?: UnixSeconds | undefined
}

export async function startRelease(
  { query, because, heldBefore, total }: AskedRelease,
  actor: AuditEntry['actor'],
  ports: MassPorts,
): Promise<StoredJob> {
  const parameters: ReleaseParameters = {
    query: { ...query },
    ...(because === undefined ? {} : { because }),
    ...(heldBefore === undefined ? {} : { heldBefore }),
  }
  return startJob({ act: 'certificates.release', parameters, total }, actor, ports)
}

/**
 * What a mass revocation put on hold and did not revoke yet; what was on hold before it goes back to that. Throws `job.not_found`, `revocation.not_to_undo` where the job is no revocation
 * that can be undone or still runs, `revocation.undo_over` where the time is over.
 */
export async function undoSelection(
  jobId: string,
  now: UnixSeconds,
  ports: Pick<JobPorts, 'store'>,
): Promise<ReleaseSelection> {
  const job = await readJob(jobId, ports.store)
  const until =
    job.act === 'certificates.revoke'
      ? revocationParameters.parse(JSON.parse(job.parameters)).terms.undoUntil
      : undefined
  if (until === undefined || job.state === 'running') {
    throw new TouchmarkError('revocation.not_to_undo', 'conflict', 'There is nothing that can be undone.', {
      evidence: { job: jobId, state: job.state },
      next:
        job.state === 'running'
          ? 'Call the job off first.'
          : 'Only what was revoked with a time to undo it is on hold.',
    })
  }
  if (now >= until) throw undoOver({ job: jobId, until })
  return { query: { statuses: ['held'], holdEndsAt: until }, heldBefore: job.createdAt }
}
