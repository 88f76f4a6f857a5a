// The settings document (kind `settings`, name `instance`): what every certificate of this instance shares, and nothing about the process.
import { z } from 'zod'
import { encodeOid } from '../../core/asn1/oid.ts'
import { CRYPTO_POLICIES, type CryptoPolicy } from '../../crypto/crypto-policy.ts'
import type { DocumentVersion } from '../document.ts'
import type { UnixSeconds } from '../ids.ts'
import { parseDocument } from '../parse-document.ts'

export const SETTINGS_NAME = 'instance'

/** A dotted OBJECT IDENTIFIER that DER can say. */
export const oidSchema = z.string().refine(isOid, 'must be a dotted OBJECT IDENTIFIER')

const policyNames = CRYPTO_POLICIES.map(policy => policy.name) as [string, ...string[]]

const settingsSchema = z.strictObject({
  schema: z.literal(1).describe('Version of this format.'),
  organization: z
    .string()
    .min(1)
    .max(64)
    .describe('The maker: organizationName of subjects and issuers (at most 64 characters, RFC 5280 A.1).'),
  publicHttpUrl: z
    .string()
    .refine(isPlainHttpUrl, 'must be an http:// address without query, fragment, user and final slash')
    .describe(
      'Where CRLs, OCSP and CA certificates are had. Plain HTTP, so that checking status needs no status check (RFC 5280 §8).',
    ),
  hardwareType: z
    .strictObject({
      default: oidSchema,
      models: z.record(z.string().min(1).max(128), oidSchema).default({}),
    })
    .describe(
      'hwType of HardwareModuleName (RFC 4108 §5): the OID of the hardware type, by model where models have their own.',
    ),
  cryptoPolicy: z
    .strictObject({
      name: z.enum(policyNames).default('unlimited'),
      enforcement: z
        .enum(['report', 'refuse'])
        .default('report')
        .describe('What happens to a certificate that outlives its algorithm.'),
    })
    .default({ name: 'unlimited', enforcement: 'report' }),
  ownershipTransfers: z
    .enum(['both', 'rule'])
    .default('both')
    .describe(
      'Who has to agree where a device changes hands: both owners, each with a signature; or nobody, by this rule, where an operator asks for it.',
    ),
})

/** As an operator writes it. */
export type SettingsConfig = z.input<typeof settingsSchema>

/** As the engine trusts it. */
export interface Settings {
  readonly organization: string
  /** Without a final slash. */
  readonly publicHttpUrl: string
  readonly cryptoPolicy: CryptoPolicy
  /** `refuse`: nothing is issued that outlives its algorithm's last date. `report`: it is issued, and the report names it. */
  readonly cryptoPolicyEnforcement: 'report' | 'refuse'
  /** `both`: every transfer is signed by both owners. `rule`: an operator may have one done without. */
  readonly ownershipTransfers: 'both' | 'rule'
  /** hwType for a device of this model. */
  hardwareType(model: string | null): string
}

/** Throws `settings.invalid` with every problem. */
export function parseSettings(json: unknown): Settings {
  const config = parseDocument(settingsSchema, json, 'settings.invalid', 'settings document')
  const models = new Map(Object.entries(config.hardwareType.models))
  return {
    organization: config.organization,
    publicHttpUrl: config.publicHttpUrl,
    cryptoPolicy: CRYPTO_POLICIES.find(policy => policy.name === config.cryptoPolicy.name)!,
    cryptoPolicyEnforcement: config.cryptoPolicy.enforcement,
    ownershipTransfers: config.ownershipTransfers,
    hardwareType: model => (model === null ? undefined : models.get(model)) ?? config.hardwareType.default,
  }
}

/** The document to store; throws `settings.invalid` first where it would not be readable again. */
export function settingsDocument(config: SettingsConfig, version: number, createdAt: UnixSeconds): DocumentVersion {
  parseSettings(config)
  return { kind: 'settings', name: SETTINGS_NAME, version, body: JSON.stringify(config, null, 2), createdAt }
}

/** JSON Schema (draft 2020-12) of the settings document, for editors. */
export function settingsJsonSchema(): unknown {
  return z.toJSONSchema(settingsSchema, { io: 'input', unrepresentable: 'any' })
}

/** An OID of one's own without asking anybody: 2.25 and a UUID as one arc (ITU-T X.667 §7.2). `octets` are 16 random ones. */
export function uuidOid(octets: Uint8Array): string {
  const uuid = octets.slice(0, 16)
  uuid[6] = (uuid[6]! & 0x0f) | 0x40
  uuid[8] = (uuid[8]! & 0x3f) | 0x80
  let arc = 0n
  for (const octet of uuid) arc = (arc << 8n) | BigInt(octet)
  return `2.25.${arc}`
}

function isOid(text: string): boolean {
  try {
    encodeOid(text)
    return true
  } catch {
    return false
  }
}

function isPlainHttpUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.protocol !== 'http:' || url.username || url.password || url.search || url.hash) return false
  return !text.endsWith('/') && (url.pathname === '/' ? url.origin : url.origin + url.pathname) === text
}
