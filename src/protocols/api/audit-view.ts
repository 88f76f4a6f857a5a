// Entries of the audit log as the API shows them, each with its exact text, which is what was hashed.
import { z } from 'zod'
import { auditActionRow } from '../../domain/audit/actions.ts'
import type { AuditEntry } from '../../domain/audit/entry.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { timestampText } from './endpoint.ts'

export const auditEntrySchema = z
  .object({
    index: z.int().meta({ description: 'Position in the log, counted from 0.' }),
    at: timestampText,
    actor: z.object({ kind: z.enum(['device', 'operator', 'system', 'stranger']), id: z.string() }),
    action: z.string(),
    meaning: z.string().meta({ description: 'The action in one sentence.' }),
    outcome: z.enum(['done', 'refused']),
    code: z.string().nullable(),
    subject: z.record(z.string(), z.string()),
    detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    text: z.string().meta({ description: 'The entry as it was logged: its leaf hash is SHA-256 over 0x00 and this.' }),
  })
  .meta({ id: 'AuditEntry' })

export const auditEntryView = (
  index: number,
  entry: AuditEntry<string>,
  text: string,
): z.input<typeof auditEntrySchema> => ({
  index,
  at: timestamp(entry.at),
  actor: { ...entry.actor },
  action: entry.action,
  meaning: auditActionRow(entry.action)?.meaning ?? '',
  outcome: entry.outcome,
  code: entry.code ?? null,
  subject: { ...entry.subject },
  detail: { ...entry.detail },
  text,
})
