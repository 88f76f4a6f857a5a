// What an audit entry says of a document that an operator changed: its version, and a digest that commits to every letter of it.
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { DocumentVersion } from '../document.ts'

/** The `detail` of `profile.changed`, `rule.changed`, `setting.changed`, `trust.anchor_added` and `trust.anchor_removed`. */
export function documentDetail({ version, body }: Pick<DocumentVersion, 'version' | 'body'>) {
  return { version, bodySha256: sha256Hex(toUtf8(body)) } as const
}
