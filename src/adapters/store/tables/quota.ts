// Counters that may not pass a limit: the limit comes with each write, so that changing a rule changes what is left at once.
import { first, type Queries } from '../engine.ts'
import { change, integerOf, query, type StepSink, storableText } from '../sql.ts'

export const upsertQuota = change(
  'quota',
  `INSERT INTO quota (counter, taken) SELECT CAST(? AS TEXT), CAST(? AS BIGINT) WHERE CAST(? AS BIGINT) <= CAST(? AS BIGINT)
    ON CONFLICT (counter) DO UPDATE SET taken = quota.taken + excluded.taken
    WHERE quota.taken + excluded.taken <= CAST(? AS BIGINT)`,
)

export function takeQuota(counter: string, amount: number, limit: number, out: StepSink): void {
  out.begin(upsertQuota).text(counter).integer(amount).integer(amount).integer(limit).integer(limit)
}

const TAKEN = query('SELECT taken FROM quota WHERE counter = ?')

export async function readQuotaTaken(queries: Queries, counter: string): Promise<number> {
  if (storableText(counter) === undefined) return 0
  const row = await first(queries, TAKEN, [counter])
  return row === undefined ? 0 : integerOf(row, 'taken')
}
