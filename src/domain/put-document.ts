// Stores what an operator edited as the next version of its document, together with the entry that commits to every letter of it. One recipe for
// every kind and every door.
import { TouchmarkError } from '../core/errors.ts'
import type { AuditAction } from './audit/actions.ts'
import { documentDetail } from './audit/document-detail.ts'
import type { AuditEntry } from './audit/entry.ts'
import type { DocumentVersion } from './document.ts'
import type { Clock, Store } from './ports.ts'

export interface DocumentEdit extends Pick<DocumentVersion, 'kind' | 'name'> {
  readonly action: AuditAction
  /** What the entry names besides the document. */
  readonly subject?: Readonly<Record<string, string>>
  /** The version that the editor saw, 0 for none; the one in force where it is left out. */
  readonly basedOn?: number
  /** Throws where it is not good: nothing is stored then. */
  body(version: number): string
}

/** Answers the version that is in force now. Throws `document.version_exists` where somebody else was faster, and what `body` throws. */
export async function putDocument(
  edit: DocumentEdit,
  actor: AuditEntry['actor'],
  { store, clock }: { readonly store: Store; readonly clock: Clock },
): Promise<DocumentVersion> {
  const { kind, name, action, subject = {}, body } = edit
  const before = edit.basedOn ?? (await store.read.document(kind, name))?.version ?? 0
  const version = before + 1
  const document: DocumentVersion = { kind, name, version, body: body(version), createdAt: clock.now() }
  try {
    await store.commit({
      writes: [{ kind: 'document.insert', document }],
      audit: [
        {
          at: document.createdAt,
          actor,
          action,
          outcome: 'done',
          subject: { name, ...subject },
          detail: documentDetail(document),
        },
      ],
    })
  } catch (cause) {
    if (!(cause instanceof TouchmarkError && cause.code === 'document.version_exists')) throw cause
    throw new TouchmarkError('document.version_exists', 'conflict', 'Somebody else changed the document meanwhile.', {
      next: 'Look at the version that is in force now, and try again.',
      evidence: { name, version },
      cause,
    })
  }
  return document
}
