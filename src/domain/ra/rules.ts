// Registration rules: who may have what, as an ordered list that people write. The first rule whose conditions all hold decides;
// where none holds, the answer is no. A document of kind `rules`, name `default`; what a condition means: `decide.ts`.
import { z } from 'zod'
import { type KeyAlgorithmName, keyAlgorithms } from '../../crypto/algorithms.ts'
import type { DocumentVersion } from '../document.ts'
import type { UnixSeconds } from '../ids.ts'
import { parseDocument } from '../parse-document.ts'
import { EVIDENCE_KINDS } from './evidence.ts'
import { modelPattern } from './model-pattern.ts'

export const RULES_NAME = 'default'

export const OPERATIONS = ['enrol', 'renew'] as const
export type Operation = (typeof OPERATIONS)[number]

const algorithmNames = keyAlgorithms.map(row => row.name) as [KeyAlgorithmName, ...KeyAlgorithmName[]]
const name = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be small letters, digits and . _ - (at most 64)')
const list = <Item extends z.ZodType>(item: Item) => z.array(item).min(1).max(1000)
const instant = z.iso.datetime({ offset: true }).transform((text): UnixSeconds => Math.floor(Date.parse(text) / 1000))

/** A condition that is left out always holds; a list holds where one of its members does. */
const conditionsSchema = z.strictObject({
  operation: list(z.enum(OPERATIONS)).optional(),
  evidence: list(z.enum(EVIDENCE_KINDS)).optional().describe('Which kind of evidence this rule goes by.'),
  presented: list(name)
    .optional()
    .describe('own-certificate: the profile that the presented certificate was issued under.'),
  trustAnchors: list(name).optional().describe('manufacturer-certificate: the trust anchor list that it chained to.'),
  profiles: list(name).optional().describe('The profile that is asked for.'),
  models: list(modelPattern).optional().describe('Patterns of device models.'),
  keyAlgorithms: list(z.enum(algorithmNames)).optional().describe('The algorithm of the key to be certified.'),
  keyOrigin: list(z.enum(['device', 'server']))
    .optional()
    .describe('Who made the key: the device, or this server for it.'),
  window: z
    .strictObject({ from: instant.optional(), until: instant.optional().describe('Inclusive.') })
    .optional()
    .describe('When the rule is in force.'),
})

const quotaSchema = z.strictObject({
  per: z.enum(['rule', 'batch', 'device', 'model']).describe('What has a counter of its own.'),
  limit: z.int().min(1).max(1_000_000_000),
  windowSeconds: z
    .int()
    .min(60)
    .max(366 * 86_400)
    .optional()
    .describe('The counter starts over this often; absent: never.'),
})

const ruleSchema = z.strictObject({
  name,
  description: z.string().max(500).default(''),
  when: conditionsSchema.default({}),
  outcome: z.enum(['grant', 'pending', 'deny']).describe('pending: an operator approves or rejects.'),
  quota: quotaSchema.optional(),
  graceAfterExpirySeconds: z
    .int()
    .min(0)
    .max(10 * 366 * 86_400)
    .optional()
    .describe(
      'own-certificate: how long after notAfter it still counts as evidence under this rule. Absent: at a renewal as long as the profile of the certificate says, else not at all.',
    ),
  firstSeen: z
    .enum(['register', 'require-known'])
    .default('require-known')
    .describe('Whether a device that nobody registered is registered by this request.'),
  channelBinding: z.enum(['when-sent', 'required']).default('when-sent').describe('RFC 7030 §3.5.'),
  renewalNames: z
    .enum(['identical', 'from-profile'])
    .default('identical')
    .describe(
      'renew: whether the request must repeat the names of the certificate (RFC 7030 §4.2.2) or is not looked at for them.',
    ),
})

const rulesSchema = z
  .strictObject({
    schema: z.literal(1).describe('Version of this format.'),
    rules: z.array(ruleSchema).max(1000),
  })
  .superRefine(({ rules }, context) => {
    const seen = new Set<string>()
    for (const [i, rule] of rules.entries()) {
      if (seen.has(rule.name)) context.addIssue({ code: 'custom', path: ['rules', i, 'name'], message: 'stands twice' })
      seen.add(rule.name)
      const { from, until } = rule.when.window ?? {}
      if (from !== undefined && until !== undefined && until < from) {
        context.addIssue({ code: 'custom', path: ['rules', i, 'when', 'window'], message: 'ends before it begins' })
      }
    }
  })

/** As an operator writes it. */
export type RulesConfig = z.input<typeof rulesSchema>

export type Rule = z.output<typeof ruleSchema>

/** In order: the first that matches decides. */
export type Rules = readonly Rule[]

/** Throws `rules.invalid` with every problem. */
export function parseRules(json: unknown): Rules {
  return parseDocument(rulesSchema, json, 'rules.invalid', 'rules document').rules
}

/** The document to store; throws `rules.invalid` first where it would not be readable again. */
export function rulesDocument(config: RulesConfig, version: number, createdAt: UnixSeconds): DocumentVersion {
  parseRules(config)
  return { kind: 'rules', name: RULES_NAME, version, body: JSON.stringify(config, null, 2), createdAt }
}

/** JSON Schema (draft 2020-12) of the rules document, for editors. */
export function rulesJsonSchema(): unknown {
  return z.toJSONSchema(rulesSchema, { io: 'input', unrepresentable: 'any' })
}

/**
 * The rules of a new instance: a device exchanges its birth certificate for an operational one and renews it; a token gives what it
 * names; another maker's device waits for an operator; everything else is refused.
 */
export const defaultRules: RulesConfig = {
  schema: 1,
  rules: [
    {
      name: 'birth-to-operational',
      description: 'A registered device shows the birth certificate that we gave it and gets its operational one.',
      when: { operation: ['enrol'], evidence: ['own-certificate'], presented: ['idevid'], profiles: ['ldevid'] },
      outcome: 'grant',
    },
    {
      name: 'renew-operational',
      description: 'A device renews its operational certificate while it is live.',
      when: { operation: ['renew'], evidence: ['own-certificate'], profiles: ['ldevid', 'gateway-tls-server'] },
      outcome: 'grant',
    },
    {
      name: 'token',
      description: 'A one-time token gives one certificate of the profile that it names.',
      when: { operation: ['enrol'], evidence: ['token'] },
      outcome: 'grant',
    },
    {
      name: 'other-makers',
      description: 'A device of another maker, at first sight or again, waits for an operator.',
      when: { operation: ['enrol'], evidence: ['manufacturer-certificate'], profiles: ['ldevid'] },
      outcome: 'pending',
      firstSeen: 'register',
    },
    {
      name: 'operator',
      description: 'What an operator asks for at the command line.',
      when: { operation: ['enrol'], evidence: ['operator'] },
      outcome: 'grant',
    },
  ],
}
