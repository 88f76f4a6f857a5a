// Alerts: one row for each, of which one may be open for a key. Lists begin with the newest.
import type { Alert, AlertSeverity, AlertState } from '../../../domain/alerts/alert.ts'
import { type AlertId, alertId, type UnixSeconds } from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import { first, type Queries } from '../engine.ts'
import {
  change,
  hexOf,
  insert,
  integerOf,
  nullable,
  octetsOf,
  query,
  type Row,
  type StepSink,
  textOf,
  wordOf,
} from '../sql.ts'

const COLUMNS = {
  severity: 'text',
  kind: 'text',
  summary: 'text',
  measured: 'integer',
  state: 'text',
  changed_at: 'integer',
  acknowledged_by: 'text',
  acknowledged_at: 'integer',
  note: 'text',
  silenced_until: 'integer',
  notified_at: 'integer',
  occurrences: 'integer',
  revision: 'integer',
} as const
const NAMES = Object.keys(COLUMNS)

export const insertAlert = insert('alert', {
  id: 'bytes',
  alert_key: 'text',
  rule: 'text',
  subject: 'text',
  started_at: 'integer',
  ...COLUMNS,
})
export const updateAlert = change(
  'alert',
  `UPDATE alert SET ${NAMES.map(name => `${name} = ?`).join(', ')} WHERE id = ? AND revision = ?`,
)

export function putAlert(alert: Alert, from: number | null, out: StepSink): void {
  if (from === null) {
    out.begin(insertAlert).hex(alert.id).text(alert.key).text(alert.rule).text(alert.subject).integer(alert.startedAt)
    putColumns(alert, out)
    return
  }
  out.begin(updateAlert)
  putColumns(alert, out)
  out.hex(alert.id).integer(from)
}

/** As `COLUMNS` has them. */
function putColumns(alert: Alert, out: StepSink): void {
  const { acknowledgement } = alert
  out
    .text(alert.severity)
    .text(alert.kind)
    .text(alert.summary)
    .integer(alert.value)
    .text(alert.state)
    .integer(alert.changedAt)
    .text(acknowledgement?.by ?? null)
    .integer(acknowledgement?.at ?? null)
    .text(acknowledgement?.note ?? null)
    .integer(alert.silencedUntil)
    .integer(alert.notifiedAt)
    .integer(alert.occurrences)
    .integer(alert.revision)
}

const SELECT = `SELECT id, alert_key, rule, subject, started_at, ${NAMES.join(', ')} FROM alert`
const BY_ID = query(`${SELECT} WHERE id = ?`)
const OPEN = query(`${SELECT} WHERE state <> 'resolved' ORDER BY alert_key LIMIT ?`)
const RESOLVED_SINCE = query(`${SELECT} WHERE state = 'resolved' AND changed_at >= ? ORDER BY changed_at, id LIMIT ?`)
const NEWEST = query(`${SELECT} WHERE id < ? ORDER BY id DESC LIMIT ?`)
const NEWEST_IN_STATE = query(`${SELECT} WHERE state = ? AND id < ? ORDER BY id DESC LIMIT ?`)

export async function readAlert(queries: Queries, id: AlertId): Promise<Alert | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, BY_ID, [octets]))
  return row && alertOf(row)
}

export async function readOpenAlerts(queries: Queries, limit: number): Promise<Alert[]> {
  return (await queries.all(OPEN, [limit])).map(alertOf)
}

export async function readAlertsResolvedSince(queries: Queries, since: UnixSeconds, limit: number): Promise<Alert[]> {
  return (await queries.all(RESOLVED_SINCE, [since, limit])).map(alertOf)
}

/** Above every id: 17 octets. */
const ABOVE_ALL = new Uint8Array(17).fill(0xff)

export async function readAlerts(
  queries: Queries,
  page: { after?: string; limit: number; state?: AlertState },
): Promise<Page<Alert>> {
  const below = (page.after !== undefined && octetsOf(page.after)) || ABOVE_ALL
  const rows =
    page.state === undefined
      ? await queries.all(NEWEST, [below, page.limit])
      : await queries.all(NEWEST_IN_STATE, [page.state, below, page.limit])
  const items = rows.map(alertOf)
  return { items, next: items.length < page.limit ? null : (items.at(-1)?.id ?? null) }
}

function alertOf(row: Row): Alert {
  return {
    id: alertId(hexOf(row, 'id')),
    key: textOf(row, 'alert_key'),
    rule: textOf(row, 'rule'),
    kind: textOf(row, 'kind'),
    subject: textOf(row, 'subject'),
    severity: wordOf<AlertSeverity>(row, 'severity'),
    summary: textOf(row, 'summary'),
    value: nullable(integerOf, row, 'measured'),
    state: wordOf<AlertState>(row, 'state'),
    startedAt: integerOf(row, 'started_at'),
    changedAt: integerOf(row, 'changed_at'),
    acknowledgement:
      row['acknowledged_by'] === null
        ? null
        : {
            by: textOf(row, 'acknowledged_by'),
            at: integerOf(row, 'acknowledged_at'),
            note: textOf(row, 'note'),
          },
    silencedUntil: nullable(integerOf, row, 'silenced_until'),
    notifiedAt: nullable(integerOf, row, 'notified_at'),
    occurrences: integerOf(row, 'occurrences'),
    revision: integerOf(row, 'revision'),
  }
}
