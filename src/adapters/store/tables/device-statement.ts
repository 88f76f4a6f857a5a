// Statements about devices, kept as they came. The digest is the name: the same statement again is the same row.
import type { Statement, StatementKind } from '../../../domain/device/statement.ts'
import { type DeviceId, deviceId } from '../../../domain/ids.ts'
import type { Queries } from '../engine.ts'
import { bytesOf, change, hexOf, integerOf, octetsOf, query, type Row, type StepSink, wordOf } from '../sql.ts'

export const insertStatement = change(
  'device_statement',
  'INSERT INTO device_statement (sha256, device_id, kind, bytes, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  'any',
)

export function putStatement(statement: Statement, out: StepSink): void {
  out
    .begin(insertStatement)
    .hex(statement.sha256)
    .hex(statement.deviceId)
    .text(statement.kind)
    .bytes(statement.bytes)
    .integer(statement.at)
}

const OF_DEVICE = query(
  'SELECT sha256, device_id, kind, bytes, at FROM device_statement WHERE device_id = ? ORDER BY at, sha256',
)

export async function readStatementsOfDevice(queries: Queries, id: DeviceId): Promise<Statement[]> {
  const octets = octetsOf(id)
  return octets === undefined ? [] : (await queries.all(OF_DEVICE, [octets])).map(statementOf)
}

function statementOf(row: Row): Statement {
  return {
    sha256: hexOf(row, 'sha256'),
    deviceId: deviceId(hexOf(row, 'device_id')),
    kind: wordOf<StatementKind>(row, 'kind'),
    bytes: bytesOf(row, 'bytes'),
    at: integerOf(row, 'at'),
  }
}
