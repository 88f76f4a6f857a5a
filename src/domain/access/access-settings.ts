// How access is run: which acts take a second person. A document of kind `settings`, name `access`; without one, the defaults hold.
import { z } from 'zod'
import type { DocumentVersion } from '../document.ts'
import type { UnixSeconds } from '../ids.ts'
import { parseDocument } from '../parse-document.ts'
import type { StoreReader } from '../ports.ts'
import { guardedActNames } from './guarded-acts.ts'
import { roleGrantSchema } from './role-grant.ts'

export const ACCESS_SETTINGS_NAME = 'access'

const fourEyesSchema = z.strictObject({
  acts: z.array(z.enum(guardedActNames)).default([...guardedActNames]),
  quorum: z.int().min(1).max(10).default(1).describe('How many others must approve.'),
  when: z
    .enum(['possible', 'always'])
    .default('possible')
    .describe('possible: who is alone with a permission acts alone. always: then nobody acts but at the machine.'),
  expirySeconds: z
    .int()
    .min(600)
    .max(30 * 86_400)
    .default(3 * 86_400),
  revokeManyAbove: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10)
    .describe('Revocations of more certificates than this at once count as mass revocation.'),
})

/** TLS, but for a provider on this very machine. */
const issuer = z
  .url()
  .max(500)
  .refine(text => /^https:\/\/|^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|\/|$)/.test(text), 'must be an https URL')

export const oidcSchema = z.strictObject({
  name: z.string().min(1).max(64).describe('What the console calls it.'),
  issuer,
  clientId: z.string().min(1).max(200),
  scope: z.string().max(500).default('openid profile email'),
  groupsClaim: z.string().min(1).max(100).default('groups'),
  roles: z
    .record(z.string().min(1).max(256), z.array(roleGrantSchema).max(50))
    .describe('Group of the provider to the roles that it gives. Who is in none is not let in.'),
})

const accessSettingsSchema = z.strictObject({
  schema: z.literal(1).describe('Version of this format.'),
  fourEyes: fourEyesSchema.prefault({}),
  oidc: oidcSchema.nullable().default(null).describe('An OpenID provider by which operators sign in.'),
})

/** As an operator writes it. */
export type AccessSettingsConfig = z.input<typeof accessSettingsSchema>
export type AccessSettings = z.output<typeof accessSettingsSchema>
export type OidcSettings = z.output<typeof oidcSchema>

/** Throws `access.settings_invalid` with every problem. */
export function parseAccessSettings(json: unknown): AccessSettings {
  return parseDocument(accessSettingsSchema, json, 'access.settings_invalid', 'settings of access')
}

/** The document to store; throws as `parseAccessSettings` first. */
export function accessSettingsDocument(
  config: AccessSettingsConfig,
  version: number,
  createdAt: UnixSeconds,
): DocumentVersion {
  parseAccessSettings(config)
  const body = JSON.stringify(config, null, 2)
  return { kind: 'settings', name: ACCESS_SETTINGS_NAME, version, body, createdAt }
}

export async function readAccessSettings(read: Pick<StoreReader, 'document'>): Promise<AccessSettings> {
  const document = await read.document('settings', ACCESS_SETTINGS_NAME)
  return parseAccessSettings(document === undefined ? { schema: 1 } : JSON.parse(document.body))
}
