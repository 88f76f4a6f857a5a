// Up to which second of issue a status artefact of an authority covers its certificates. A certificate of such a second that came later would
// be answered by an artefact that does not know it: so it does not come. docs/formats/status-artefact.md, "What is covered".
import { fromHex } from '../../../core/bytes/hex.ts'
import { issuedAt, serialOctets } from '../../../core/filter/status-artefact.ts'
import type { Write } from '../../../domain/ports.ts'
import { change, octetsOf, type StepSink } from '../sql.ts'

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

/** Changes nothing but that the row is there: whether the second lies after what is covered. */
export const expectUncovered = change(
  'status_coverage',
  `INSERT INTO status_coverage (authority_id, covered_until) VALUES (?, -1)
    ON CONFLICT (authority_id) DO UPDATE SET covered_until = status_coverage.covered_until
    WHERE status_coverage.covered_until < CAST(? AS BIGINT)`,
)

export function expectNewer(
  { authorityId, serialNumber, notBefore }: Extract<Write, { kind: 'certificate.insert' }>['certificate'],
  out: StepSink,
): void {
  // Octets that no artefact takes for a serial number of ours are never covered.
  const serial = octetsOf(serialNumber) && serialOctets(fromHex(serialNumber))
  if (serial) out.begin(expectUncovered).text(authorityId).integer(issuedAt(serial, notBefore))
}
