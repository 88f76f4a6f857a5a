// Up to which second of issue a status artefact of an authority covers its certificates. A certificate of such a second that came later would
// be answered by an artefact that does not know it: so it does not come. docs/formats/status-artefact.md, "What is covered".
import { issuedAt, serialOctets } from '../../../core/filter/status-artefact.ts'
import type { AuthorityId, UnixSeconds } from '../../../domain/ids.ts'
import type { Write } from '../../../domain/ports.ts'
import { first, type Queries } from '../engine.ts'
import { change, integerOf, octetsOf, query, type StepSink } from '../sql.ts'

/** The time never goes back. */
export const raiseCoverage = change(
  'status_coverage',
  `INSERT INTO status_coverage (authority_id, covered_until) VALUES (?, ?)
    ON CONFLICT (authority_id) DO UPDATE SET covered_until = excluded.covered_until
    WHERE status_coverage.covered_until < excluded.covered_until`,
  'any',
)

export function putCoverage(write: Extract<Write, { kind: 'status.cover' }>, out: StepSink): void {
  out.begin(raiseCoverage).text(write.authorityId).integer(write.until)
}

const COVERED_UNTIL = query('SELECT covered_until FROM status_coverage WHERE authority_id = ?')

export async function readCoverage(queries: Queries, authorityId: AuthorityId): Promise<UnixSeconds> {
  const row = await first(queries, COVERED_UNTIL, [authorityId])
  return row === undefined ? -1 : integerOf(row, 'covered_until')
}

/** Changes nothing but that the row is there: whether the second lies after what is covered. */
export const expectUncovered = change(
  'status_coverage',
  `INSERT INTO status_coverage (authority_id, covered_until) VALUES (?, -1)
    ON CONFLICT (authority_id) DO UPDATE SET covered_until = status_coverage.covered_until
    WHERE status_coverage.covered_until < CAST(? AS BIGINT)`,
)

type Issue = Extract<Write, { kind: 'certificate.insert' }>

/** A certificate, and the second of its issue. */
export interface OldestIssue {
  readonly write: Issue
  readonly second: number
}

/** Of each authority the certificate of the oldest second among these: where that second is not covered, none of them is. */
export function oldestIssues(writes: readonly Write[]): OldestIssue[] {
  const oldest: OldestIssue[] = []
  let last: Issue['certificate'] | undefined
  for (const write of writes) {
    if (write.kind !== 'certificate.insert') continue
    const { certificate } = write
    if (last !== undefined && sharesSecond(certificate, last)) continue
    last = certificate
    const octets = octetsOf(certificate.serialNumber)
    const serial = octets && serialOctets(octets)
    // Octets that no artefact takes for a serial number of ours are never covered.
    if (serial === undefined) continue
    const issue = { write, second: issuedAt(serial, certificate.notBefore) }
    const at = oldest.findIndex(each => each.write.certificate.authorityId === certificate.authorityId)
    if (at < 0) oldest.push(issue)
    else if (issue.second < oldest[at]!.second) oldest[at] = issue
  }
  return oldest
}

/** Hexadecimal digits of a serial number of full length, and those at its beginning that tell the second. */
const DIGITS = 32
const TIME_DIGITS = 8

/** Whether both are plainly of one authority and second, as nearly all of a batch's chunk are: the octets need not be looked at. */
function sharesSecond(certificate: Issue['certificate'], last: Issue['certificate']): boolean {
  return (
    certificate.authorityId === last.authorityId &&
    certificate.notBefore === last.notBefore &&
    certificate.serialNumber.length === DIGITS &&
    last.serialNumber.length === DIGITS &&
    certificate.serialNumber.startsWith(last.serialNumber.slice(0, TIME_DIGITS))
  )
}

export function expectNewer({ write, second }: OldestIssue, out: StepSink): void {
  out.begin(expectUncovered).text(write.certificate.authorityId).integer(second)
}
