// Acts that wait for a second person, and what became of them. The revision makes sure that one process carries an act out.
import type { Approval, ApprovalState } from '../../../domain/access/approval.ts'
import type { UnixSeconds } from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import { cursorOf, placesOf } from '../cursor.ts'
import { first, type Queries } from '../engine.ts'
import {
  change,
  insert,
  integerOf,
  nullable,
  query,
  type Row,
  type StepSink,
  storableText,
  textOf,
  wordOf,
} from '../sql.ts'

export const insertApproval = insert('approval', {
  id: 'text',
  act: 'text',
  parameters: 'text',
  summary: 'text',
  requested_by: 'text',
  requested_at: 'integer',
  expires_at: 'integer',
  quorum: 'integer',
  approvals: 'text',
  state: 'text',
  state_changed_at: 'integer',
  outcome: 'text',
  revision: 'integer',
})
/** What was asked for stays as it was; values: how it stands, the id, the revision that is expected. */
export const updateApproval = change(
  'approval',
  'UPDATE approval SET approvals = ?, state = ?, state_changed_at = ?, outcome = ?, revision = ? WHERE id = ? AND revision = ?',
)

export function putApproval(approval: Approval, from: number | null, out: StepSink): void {
  const { id, approvals, state, stateChangedAt, outcome, revision } = approval
  if (from === null) {
    out.begin(insertApproval).text(id).text(approval.act).text(approval.parameters).text(approval.summary)
    out.text(approval.requestedBy).integer(approval.requestedAt).integer(approval.expiresAt).integer(approval.quorum)
  } else out.begin(updateApproval)
  out.text(JSON.stringify(approvals)).text(state).integer(stateChangedAt).text(outcome).integer(revision)
  if (from !== null) out.text(id).integer(from)
}

const SELECT = `SELECT id, act, parameters, summary, requested_by, requested_at, expires_at, quorum, approvals, state, state_changed_at,
  outcome, revision FROM approval`
const BY_ID = query(`${SELECT} WHERE id = ?`)
const LIST = query(`${SELECT} WHERE (requested_at, id) < (?, ?) ORDER BY requested_at DESC, id DESC LIMIT ?`)
const IN_STATE = query(
  `${SELECT} WHERE state = ? AND (requested_at, id) < (?, ?) ORDER BY requested_at DESC, id DESC LIMIT ?`,
)
const OVERDUE = query(`${SELECT} WHERE state = 'waiting' AND expires_at <= ? ORDER BY expires_at, id LIMIT ?`)

/** After every row of the list. */
const END = [Number.MAX_SAFE_INTEGER, '']

export async function readApproval(queries: Queries, id: string): Promise<Approval | undefined> {
  if (storableText(id) === undefined) return undefined
  const row = await first(queries, BY_ID, [id])
  return row && approvalOf(row)
}

export async function readApprovals(
  queries: Queries,
  { after, limit, state }: { after?: string; limit: number; state?: ApprovalState },
): Promise<Page<Approval>> {
  const values = [...placesOf('approvals', ['integer', 'text'], after, END), limit + 1]
  const rows = await (state === undefined ? queries.all(LIST, values) : queries.all(IN_STATE, [state, ...values]))
  const items = rows.slice(0, limit).map(approvalOf)
  const last = items.at(-1)
  return { items, next: last && rows.length > limit ? cursorOf('approvals', [last.requestedAt, last.id]) : null }
}

export async function readApprovalsOverdue(queries: Queries, now: UnixSeconds, limit: number): Promise<Approval[]> {
  return (await queries.all(OVERDUE, [now, limit])).map(approvalOf)
}

function approvalOf(row: Row): Approval {
  return {
    id: textOf(row, 'id'),
    act: textOf(row, 'act'),
    parameters: textOf(row, 'parameters'),
    summary: textOf(row, 'summary'),
    requestedBy: textOf(row, 'requested_by'),
    requestedAt: integerOf(row, 'requested_at'),
    expiresAt: integerOf(row, 'expires_at'),
    quorum: integerOf(row, 'quorum'),
    approvals: JSON.parse(textOf(row, 'approvals')) as Approval['approvals'],
    state: wordOf<ApprovalState>(row, 'state'),
    stateChangedAt: integerOf(row, 'state_changed_at'),
    outcome: nullable(textOf, row, 'outcome'),
    revision: integerOf(row, 'revision'),
  }
}
