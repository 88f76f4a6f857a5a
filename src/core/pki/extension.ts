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

/** Extensions in one list that a stranger may send. */
const MAX_EXTENSIONS = 64

/** `Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension`; a repeated OID is refused (RFC 5280 §4.2). */
export function parseExtensions(reader: DerReader): Extension[] {
  const at = reader.offset
  const list = reader.listOf(parseExtension, { limit: MAX_EXTENSIONS })
  for (let i = 1; i < list.length; i++) {
    for (let j = 0; j < i; j++) {
      if (list[i]!.oid === list[j]!.oid)
        throw new DerError('der.value_invalid', at, `The extension ${list[i]!.oid} stands twice`)
    }
  }
  if (list.length === 0) throw new DerError('der.value_invalid', at, 'The list of extensions is empty')
  return list
}

function parseExtension(reader: DerReader): Extension {
  const fields = reader.enter(TAG.SEQUENCE)
  const oid = fields.oid()
  // DEFAULT FALSE: some CAs write it out all the same; lint reports it, reading does not care.
  const critical = fields.peekTag() === TAG.BOOLEAN && fields.boolean()
  const value = fields.octetString()
  fields.finish()
  return { oid, critical, value }
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
