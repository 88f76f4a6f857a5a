// What a verification of the audit log can find, named as precisely as the evidence allows.

export type AuditFindingCode =
  /** The bytes of an entry are not those that the log committed to. */
  | 'audit.entry_altered'
  /** One or more entries of a range were altered together with the tiles that held their hashes. */
  | 'audit.entries_altered'
  /** An entry and its hash in the tile differ, and nothing that is intact tells which of the two was altered. */
  | 'audit.entry_mismatch'
  /** An entry is gone. */
  | 'audit.entry_missing'
  /** An entry stands where the log has none. */
  | 'audit.entry_unexpected'
  /** What was logged is no audit entry of a version that is known here. */
  | 'audit.entry_malformed'
  /** A tile holds other hashes than those of the entries, which are intact. */
  | 'audit.tile_altered'
  | 'audit.tile_missing'
  /** A tile and what it covers differ, and nothing that is intact tells which of the two was altered. */
  | 'audit.tile_mismatch'
  /** The size or root on record is not that of the entries. */
  | 'audit.head_altered'
  /** The log is shorter than it once signed that it was. */
  | 'audit.log_truncated'
  /** Entries that were signed for are not those that stand there, and the tiles were made to fit them. */
  | 'audit.log_rewritten'
  /** The store is whole, and is not the one of which the log's key signed last: an older copy was put in its place. */
  | 'log.rolled_back'
  /** A stored checkpoint is malformed, of another log, or its signature does not verify. */
  | 'audit.checkpoint_invalid'
  /** A certificate row is not what the log says was issued. */
  | 'audit.certificate_altered'
  /** A certificate that the log says was issued is gone. */
  | 'audit.certificate_missing'
  /** A certificate row of which the log knows nothing. */
  | 'audit.certificate_unlogged'
  /** A certificate's status is not the one that follows from the log. */
  | 'audit.status_altered'
  /** The log has entries, and no checkpoint of it is there: nothing vouches for any of them. */
  | 'audit.checkpoint_missing'
  /** A device, a key of one, or its state is not what the log says. */
  | 'audit.device_altered'
  | 'audit.device_missing'
  | 'audit.device_unlogged'
  | 'audit.key_altered'
  | 'audit.key_missing'
  /** A one-time token is not the one that the log says was made, or not in that state. */
  | 'audit.token_altered'
  | 'audit.token_missing'
  | 'audit.token_unlogged'
  /** A request waits, is approved or is rejected in the store, and the log does not say so. */
  | 'audit.enrolment_altered'
  /** What is said of a device (whose it is, above all), or a transfer of it, is not what the log says. */
  | 'audit.property_altered'
  | 'audit.property_missing'
  | 'audit.property_unlogged'
  | 'audit.transfer_altered'
  | 'audit.transfer_missing'
  | 'audit.transfer_unlogged'
  /** A statement that an entry commits to: why a key counts as beyond use, what owners signed, what was certified. */
  | 'audit.statement_altered'
  | 'audit.statement_missing'
  /** An authority, or a document that an operator put into force, is not what the log says. */
  | 'audit.authority_altered'
  | 'audit.authority_missing'
  | 'audit.authority_unlogged'
  | 'audit.document_altered'
  | 'audit.document_missing'
  | 'audit.document_unlogged'
  /** An operator, what they sign in with, a session, an API token, or an act that waits for approval is not what the log says. */
  | 'audit.access_altered'
  | 'audit.access_missing'
  | 'audit.access_unlogged'
  /** A CRL that is given out is not the last one that was signed. */
  | 'audit.publication_altered'

export interface AuditFinding {
  readonly code: AuditFindingCode
  /** The entry it is about, where there is one. */
  readonly index?: number
  /** One sentence for operators. */
  readonly message: string
  /** Ids, positions, expected and found: never personal data. */
  readonly evidence: Readonly<Record<string, string | number>>
}

/** Takes findings as they come up. */
export type Report = (finding: AuditFinding) => void
