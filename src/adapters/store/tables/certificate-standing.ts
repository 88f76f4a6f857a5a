// What OCSP asks of a certificate: its status and its end, of many at once and without their octets.
import type { AuthorityId, SerialNumber } from '../../../domain/ids.ts'
import { serialNumber } from '../../../domain/ids.ts'
import type { CertificateStanding } from '../../../domain/ports.ts'
import type { Queries } from '../engine.ts'
import { hexOf, integerOf, octetsOf, query, storableText } from '../sql.ts'
import { statusOf } from './certificate.ts'

const STANDINGS = query(
  `SELECT serial_number, status, status_at, status_reason, invalidity_date, hold_ends_at, not_after FROM certificate
    WHERE serial_number IN {bytesList} AND authority_id = ?`,
)

export async function readCertificateStandings(
  queries: Queries,
  authority: AuthorityId,
  serials: readonly SerialNumber[],
): Promise<ReadonlyMap<SerialNumber, CertificateStanding>> {
  const asked = serials.filter(serial => octetsOf(serial) !== undefined)
  if (asked.length === 0 || storableText(authority) === undefined) return new Map()
  const rows = await queries.all(STANDINGS, [JSON.stringify(asked), authority])
  return new Map(
    rows.map(row => [
      serialNumber(hexOf(row, 'serial_number')),
      { status: statusOf(row), notAfter: integerOf(row, 'not_after') },
    ]),
  )
}
