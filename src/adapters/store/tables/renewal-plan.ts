// How many renewals and expiries are planned in each bucket of time: counters that issuing, renewing and revoking move.
import type { UnixSeconds } from '../../../domain/ids.ts'
import type { PlanMeasure, PlannedBucket } from '../../../domain/renewal/credential.ts'
import type { Queries } from '../engine.ts'
import { change, integerOf, query, type StepSink, storableText } from '../sql.ts'

export const addToPlan = change(
  'renewal_plan',
  `INSERT INTO renewal_plan (profile, measure, bucket, planned) VALUES (?, ?, ?, ?)
    ON CONFLICT (profile, measure, bucket) DO UPDATE SET planned = renewal_plan.planned + excluded.planned`,
)
/** A bucket that nothing is planned in any more has no row: years of them would gather. */
export const dropEmptyBucket = change(
  'renewal_plan',
  'DELETE FROM renewal_plan WHERE profile = ? AND measure = ? AND bucket = ? AND planned = 0',
  'any',
)

export function putPlanned(
  profile: string,
  measure: PlanMeasure,
  bucket: UnixSeconds,
  amount: number,
  out: StepSink,
): void {
  out.begin(addToPlan).text(profile).text(measure).integer(bucket).integer(amount)
  if (amount < 0) out.begin(dropEmptyBucket).text(profile).text(measure).integer(bucket)
}

const PLANNED = query(
  `SELECT bucket, planned FROM renewal_plan WHERE profile = ? AND measure = ? AND bucket >= ? AND bucket < ?
    AND planned > 0 ORDER BY bucket`,
)

export async function readPlanned(
  queries: Queries,
  profile: string,
  measure: PlanMeasure,
  from: UnixSeconds,
  until: UnixSeconds,
): Promise<PlannedBucket[]> {
  if (storableText(profile) === undefined) return []
  const rows = await queries.all(PLANNED, [profile, measure, from, until])
  return rows.map(row => ({ start: integerOf(row, 'bucket'), planned: integerOf(row, 'planned') }))
}
