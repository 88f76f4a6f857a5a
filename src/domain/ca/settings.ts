// The settings document (kind `settings`, name `instance`): what every certificate of this instance shares, and nothing about the process.
import { z } from 'zod'
import { encodeOid } from '../../core/asn1/oid.ts'
import { CRYPTO_POLICIES, type CryptoPolicy } from '../../crypto/crypto-policy.ts'
import type { DocumentVersion } from '../document.ts'
import type { UnixSeconds } from '../ids.ts'
import { parseDocument } from '../parse-document.ts'
import type { CrlSchedule } from '../revocation/crl-schedule.ts'

export const SETTINGS_NAME = 'instance'

/** A dotted OBJECT IDENTIFIER that DER can say. */
export const oidSchema = z.string().refine(isOid, 'must be a dotted OBJECT IDENTIFIER')

const policyNames = CRYPTO_POLICIES.map(policy => policy.name) as [string, ...string[]]

const hours = (least: number) => z.int().min(least).max(87_600)

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
  crl: z
    .strictObject({
      lifetimeHours: hours(1).describe('How long a CRL may be relied on: its nextUpdate.'),
      renewBeforeHours: hours(0).describe('How long before its end the next one comes at the latest: the overlap.'),
      keepExpiredHours: hours(1).describe(
        'How long an expired certificate stays on the list: longer than from one scheduled list to the next (RFC 5280 §3.3).',
      ),
      delta: z
        .strictObject({
          lifetimeHours: hours(1).describe('How long a delta CRL may be relied on.'),
          fromEntries: z.int().min(0).max(10_000_000).describe('Lists with fewer entries go without a delta CRL.'),
        })
        .nullable()
        .describe('What changed since earlier CRLs, for those who hold one (RFC 5280 §5.2.4); null: none are made.'),
    })
    .refine(crl => crl.renewBeforeHours < crl.lifetimeHours, 'renewBeforeHours must be less than lifetimeHours')
    .refine(
      crl => crl.keepExpiredHours > crl.lifetimeHours - crl.renewBeforeHours,
      'keepExpiredHours must be more than lies between two scheduled lists: lifetimeHours less renewBeforeHours',
    )
    .default({
      lifetimeHours: 168,
      renewBeforeHours: 96,
      keepExpiredHours: 192,
      delta: { lifetimeHours: 24, fromEntries: 1000 },
    }),
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
  /** When lists are published, how long they may be relied on, and what stays on them. */
  readonly crl: CrlSchedule
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
    crl: crlSchedule(config.crl),
    ownershipTransfers: config.ownershipTransfers,
    hardwareType: model => (model === null ? undefined : models.get(model)) ?? config.hardwareType.default,
  }
}

function crlSchedule({
  lifetimeHours,
  renewBeforeHours,
  keepExpiredHours,
  delta,
}: z.output<typeof settingsSchema>['crl']): CrlSchedule {
  return {
    lifetimeSeconds: lifetimeHours * 3600,
    renewBeforeSeconds: renewBeforeHours * 3600,
    keepExpiredSeconds: keepExpiredHours * 3600,
    delta: delta && { lifetimeSeconds: delta.lifetimeHours * 3600, fromEntries: delta.fromEntries },
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
