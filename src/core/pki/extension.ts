// Extensions (RFC 5280 §4.1.2.9) as a list of OID, criticality and DER: what we do not know survives a round trip.
// The meaning of each extension is in `extensions.ts`.
import { DerError } from '../asn1/der-error.ts'
import type { DerReader } from '../asn1/reader.ts'
import { TAG } from '../asn1/tag.ts'
import type { DerWriter } from '../asn1/writer.ts'

export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** The DER inside extnValue. */
  readonly value: Uint8Array
}

/** `Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension`; a repeated OID is refused (RFC 5280 §4.2). */
export function parseExtensions(reader: DerReader): Extension[] {
  const at = reader.offset
  const seen = new Set<string>()
  const list = reader.listOf(
    item =>
      item.sequence(fields => {
        const oidAt = fields.offset
        const oid = fields.oid()
        if (seen.has(oid)) throw new DerError('der.value_invalid', oidAt, `The extension ${oid} stands twice`)
        seen.add(oid)
        const critical = fields.optional(TAG.BOOLEAN, self => self.boolean()) ?? false
        return { oid, critical, value: fields.octetString() }
      }),
    { limit: 64 },
  )
  if (list.length === 0) throw new DerError('der.value_invalid', at, 'The list of extensions is empty')
  return list
}

export function writeExtensions(w: DerWriter, extensions: readonly Extension[]): void {
  w.sequence(() => {
    for (const extension of extensions) {
      w.sequence(() => {
        w.oid(extension.oid)
        if (extension.critical) w.boolean(true)
        w.octetString(extension.value)
      })
    }
  })
}

export function findExtension(extensions: readonly Extension[], oid: string): Extension | undefined {
  return extensions.find(extension => extension.oid === oid)
}
