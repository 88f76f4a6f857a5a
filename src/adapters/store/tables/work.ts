// Work that changes cause (the outbox). Each topic and key has one row; asking again raises its version, and there is work where the
// version is above what was done. Nothing is lost where a worker dies, and nothing is done twice where many ask at once.
import type { UnixSeconds } from '../../../domain/ids.ts'
import type { Work } from '../../../domain/ports.ts'
import type { Queries } from '../engine.ts'
import { change, integerOf, query, type Row, type StepSink, textOf, wordOf } from '../sql.ts'

export const upsertWork = change(
  'work',
  `INSERT INTO work (topic, key, due_at, version, leased_version, lease_until, done_version) VALUES (?, ?, ?, 1, 0, 0, 0)
    ON CONFLICT (topic, key) DO UPDATE SET version = work.version + 1,
      due_at = CASE WHEN work.version > work.done_version AND work.due_at < excluded.due_at
        THEN work.due_at ELSE excluded.due_at END`,
)

export function requestWork(topic: Work['topic'], key: string, dueAt: UnixSeconds, out: StepSink): void {
  out.begin(upsertWork).text(topic).text(key).integer(dueAt)
}

/** The lease ends only where it is still the one of this version: a late worker does not end that of its successor. */
export const updateWorkDone = change(
  'work',
  `UPDATE work SET done_version = ?, lease_until = CASE WHEN leased_version = ? THEN 0 ELSE lease_until END
    WHERE topic = ? AND key = ? AND done_version < ?`,
  'any',
)

export function finishWork(work: Work, out: StepSink): void {
  out
    .begin(updateWorkDone)
    .integer(work.version)
    .integer(work.version)
    .text(work.topic)
    .text(work.key)
    .integer(work.version)
}

/** Values: lease_until, topic, now, now, limit. Rows as `workOf` reads them. */
export const LEASE_WORK = change(
  'work',
  `UPDATE work SET lease_until = ?, leased_version = version WHERE (topic, key) IN (
      SELECT due.topic, due.key FROM work AS due
      WHERE due.topic = ? AND due.version > due.done_version AND due.due_at <= ? AND due.lease_until <= ?
      ORDER BY due.due_at LIMIT ? {skipLocked})
    RETURNING topic, key, due_at, version`,
  'any',
)

/** One row for each topic and key at most is waiting: shards, not devices. */
const WAITING = query(
  `SELECT topic, COUNT(*) AS waiting, MIN(due_at) AS due_since FROM work WHERE version > done_version
    GROUP BY topic ORDER BY topic`,
)

export async function readWorkWaiting(
  queries: Queries,
): Promise<{ topic: Work['topic']; count: number; dueSince: UnixSeconds }[]> {
  return (await queries.all(WAITING, [])).map(row => ({
    topic: wordOf<Work['topic']>(row, 'topic'),
    count: integerOf(row, 'waiting'),
    dueSince: integerOf(row, 'due_since'),
  }))
}

export function workOf(row: Row): Work {
  return {
    topic: wordOf<Work['topic']>(row, 'topic'),
    key: textOf(row, 'key'),
    dueAt: integerOf(row, 'due_at'),
    version: integerOf(row, 'version'),
  }
}
