// Changing roles and the settings of access: documents in versions, each in one change with its entry.
import { TouchmarkError } from '../../core/errors.ts'
import { documentDetail } from '../audit/document-detail.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { DocumentVersion } from '../document.ts'
import type { Clock, Store } from '../ports.ts'
import { ACCESS_SETTINGS_NAME, type AccessSettingsConfig, accessSettingsDocument } from './access-settings.ts'
import { type RoleConfig, roleDocument } from './roles.ts'

interface DocumentPorts {
  readonly store: Store
  readonly clock: Clock
}

/** Throws `role.invalid`, `role.built_in`, `document.version_exists` where another version than `from` is in force. */
export async function changeRole(
  { config, from, actor }: { config: RoleConfig; from: number; actor: AuditEntry['actor'] },
  { store, clock }: DocumentPorts,
): Promise<DocumentVersion> {
  const document = roleDocument(config, from + 1, clock.now())
  await assertInForce(document, from, store)
  await put(document, 'role.changed', actor, store)
  return document
}

/** Throws `access.settings_invalid`, `document.version_exists`. */
export async function changeAccessSettings(
  { config, from, actor }: { config: AccessSettingsConfig; from: number; actor: AuditEntry['actor'] },
  { store, clock }: DocumentPorts,
): Promise<DocumentVersion> {
  const document = accessSettingsDocument(config, from + 1, clock.now())
  await assertInForce(document, from, store)
  await put(document, 'setting.changed', actor, store)
  return document
}

/** The version of the settings in force; 0 where the defaults hold. */
export async function accessSettingsVersion(read: Store['read']): Promise<number> {
  return (await read.document('settings', ACCESS_SETTINGS_NAME))?.version ?? 0
}

/** A version must follow the one that was read; a gap would let a later change go under unseen. */
async function assertInForce({ kind, name }: DocumentVersion, from: number, { read }: Store): Promise<void> {
  const version = (await read.document(kind, name))?.version ?? 0
  if (version === from) return
  throw new TouchmarkError('document.version_exists', 'conflict', 'Somebody else changed the document meanwhile.', {
    evidence: { name, version },
  })
}

async function put(
  document: DocumentVersion,
  action: 'role.changed' | 'setting.changed',
  actor: AuditEntry['actor'],
  store: Store,
): Promise<void> {
  const { name, createdAt: at } = document
  await store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [{ at, actor, action, outcome: 'done', subject: { name }, detail: documentDetail(document) }],
  })
}
