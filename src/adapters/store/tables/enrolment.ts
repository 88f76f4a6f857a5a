// Enrolment requests and what became of them. Lists are in the order of arrival: who waited longest stands first.
import {
  type AuthorityId,
  authorityId,
  type DeviceId,
  deviceId,
  type RequestDigest,
  requestDigest,
  serialNumber,
} from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import type { Enrolment, EnrolmentState } from '../../../domain/ra/enrolment.ts'
import { first, type Queries } from '../engine.ts'
import {
  bytesOf,
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
} from '../sql.ts'

export const insertEnrolment = insert('enrolment', {
  digest: 'bytes',
  protocol: 'text',
  profile: 'text',
  device_id: 'bytes',
  serial_number_claimed: 'text',
  rule: 'text',
  csr: 'bytes',
  created_at: 'integer',
  state: 'text',
  state_at: 'integer',
  state_by: 'text',
  state_reason: 'text',
  issued_authority_id: 'text',
  issued_serial_number: 'bytes',
})

export function putEnrolment(enrolment: Enrolment, out: StepSink): void {
  out
    .begin(insertEnrolment)
    .hex(enrolment.digest)
    .text(enrolment.protocol)
    .text(enrolment.profile)
    .hex(enrolment.deviceId)
    .text(enrolment.serialNumberClaimed)
    .text(enrolment.rule)
    .bytes(enrolment.csr)
    .integer(enrolment.createdAt)
  putState(enrolment.state, out)
}

export const updateEnrolmentState = change(
  'enrolment',
  `UPDATE enrolment SET state = ?, state_at = ?, state_by = ?, state_reason = ?, issued_authority_id = ?,
    issued_serial_number = ?, device_id = ? WHERE digest = ? AND state = ?`,
)

export function moveEnrolment(
  digest: RequestDigest,
  from: EnrolmentState['kind'],
  to: EnrolmentState,
  device: DeviceId | null,
  out: StepSink,
): void {
  out.begin(updateEnrolmentState)
  putState(to, out)
  out.hex(device).hex(digest).text(from)
}

/** state, state_at, state_by, state_reason, issued_authority_id, issued_serial_number */
function putState(state: EnrolmentState, out: StepSink): void {
  out.text(state.kind)
  switch (state.kind) {
    case 'pending':
      out.integer(null).text(null).text(null).text(null).hex(null)
      return
    case 'approved':
      out.integer(state.at).text(state.by).text(null).text(null).hex(null)
      return
    case 'rejected':
      out.integer(state.at).text(state.by).text(state.reason).text(null).hex(null)
      return
    case 'issued':
      out.integer(state.at).text(null).text(null).text(state.authorityId).hex(state.serialNumber)
      return
    default:
      state satisfies never
  }
}

const COLUMNS = `digest, protocol, profile, device_id, serial_number_claimed, rule, csr, created_at,
  state, state_at, state_by, state_reason, issued_authority_id, issued_serial_number`
const BY_DIGEST = query(`SELECT ${COLUMNS} FROM enrolment WHERE digest = ?`)
const IN_STATE = query(
  `SELECT ${COLUMNS} FROM enrolment WHERE state = ? AND (created_at, digest) > (?, ?)
    ORDER BY created_at, digest LIMIT ?`,
)
const OPEN_OF_DEVICE = query(
  `SELECT ${COLUMNS} FROM enrolment WHERE device_id = ? AND state IN ('pending', 'approved')
    ORDER BY created_at, digest LIMIT 1000`,
)

export async function readEnrolment(queries: Queries, digest: RequestDigest): Promise<Enrolment | undefined> {
  const octets = octetsOf(digest)
  const row = octets && (await first(queries, BY_DIGEST, [octets]))
  return row && enrolmentOf(row)
}

export async function readEnrolments(
  queries: Queries,
  state: EnrolmentState['kind'],
  page: { after?: string; limit: number },
): Promise<Page<Enrolment>> {
  // The cursor is `<time>.<digest>`, in the order of the index.
  const [, time, digest] = /^(\d{1,15})\.([0-9a-f]{64})$/.exec(page.after ?? '') ?? []
  const after = (digest !== undefined && octetsOf(digest)) || new Uint8Array(0)
  const rows = await queries.all(IN_STATE, [state, Number(time ?? -1), after, page.limit])
  const items = rows.map(enrolmentOf)
  const last = items.at(-1)
  return { items, next: last === undefined || items.length < page.limit ? null : `${last.createdAt}.${last.digest}` }
}

export async function readOpenEnrolmentsOfDevice(queries: Queries, id: DeviceId): Promise<Enrolment[]> {
  const octets = octetsOf(id)
  return octets === undefined ? [] : (await queries.all(OPEN_OF_DEVICE, [octets])).map(enrolmentOf)
}

function enrolmentOf(row: Row): Enrolment {
  return {
    digest: requestDigest(bytesOf(row, 'digest')),
    protocol: textOf(row, 'protocol'),
    profile: textOf(row, 'profile'),
    deviceId: nullable((r, c) => deviceId(hexOf(r, c)), row, 'device_id'),
    serialNumberClaimed: textOf(row, 'serial_number_claimed'),
    rule: textOf(row, 'rule'),
    csr: bytesOf(row, 'csr'),
    state: stateOf(row),
    createdAt: integerOf(row, 'created_at'),
  }
}

function stateOf(row: Row): EnrolmentState {
  const kind = textOf(row, 'state')
  if (kind === 'pending') return { kind }
  const at = integerOf(row, 'state_at')
  if (kind === 'approved') return { kind, by: textOf(row, 'state_by'), at }
  if (kind === 'rejected') return { kind, by: textOf(row, 'state_by'), at, reason: textOf(row, 'state_reason') }
  const authority: AuthorityId = authorityId(textOf(row, 'issued_authority_id'))
  return { kind: 'issued', authorityId: authority, serialNumber: serialNumber(hexOf(row, 'issued_serial_number')), at }
}
