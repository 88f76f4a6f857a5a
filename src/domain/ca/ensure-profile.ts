// A profile that the platform needs for itself: an instance that was made before there was such a thing gets it from the catalogue.
import { documentDetail } from '../audit/document-detail.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { DocumentVersion } from '../document.ts'
import type { Clock, Store } from '../ports.ts'
import { catalogueProfile } from './catalogue.ts'

/** Installs the profile of the catalogue where the instance has none of this name. */
export async function ensureProfile(
  name: string,
  actor: AuditEntry['actor'],
  { store, clock }: { readonly store: Store; readonly clock: Clock },
): Promise<void> {
  if (await store.read.document('profile', name)) return
  const at = clock.now()
  const body = JSON.stringify(catalogueProfile(name), null, 2)
  const document: DocumentVersion = { kind: 'profile', name, version: 1, body, createdAt: at }
  await store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [
      { at, actor, action: 'profile.changed', outcome: 'done', subject: { name }, detail: documentDetail(document) },
    ],
  })
}
