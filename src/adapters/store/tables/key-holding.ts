// How devices hold their keys: one row for each key of which something was said, replaced by what is said next.
import type { AttestationLevel, KeyHolding, KeyPlace, KeyProtection } from '../../../domain/device/key-holding.ts'
import { type KeyId, keyId } from '../../../domain/ids.ts'
import { first, type Queries } from '../engine.ts'
import { change, hexOf, integerOf, octetsOf, query, type StepSink, wordOf } from '../sql.ts'

export const upsertHolding = change(
  'key_holding',
  `INSERT INTO key_holding (key_id, place, protection, attestation, at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (key_id) DO UPDATE SET place = excluded.place, protection = excluded.protection,
      attestation = excluded.attestation, at = excluded.at`,
)

export function putHolding(holding: KeyHolding, out: StepSink): void {
  out
    .begin(upsertHolding)
    .hex(holding.keyId)
    .text(holding.place)
    .text(holding.protection)
    .text(holding.attestation)
    .integer(holding.at)
}

const OF_KEY = query('SELECT key_id, place, protection, attestation, at FROM key_holding WHERE key_id = ?')

export async function readHolding(queries: Queries, id: KeyId): Promise<KeyHolding | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, OF_KEY, [octets]))
  return (
    row && {
      keyId: keyId(hexOf(row, 'key_id')),
      place: wordOf<KeyPlace>(row, 'place'),
      protection: wordOf<KeyProtection>(row, 'protection'),
      attestation: wordOf<AttestationLevel>(row, 'attestation'),
      at: integerOf(row, 'at'),
    }
  )
}
