// What is worth waking somebody for, and whom: a versioned document of kind `alerts`, edited by operators. Each kind of rule is one question
// to the facts (evaluate.ts); thresholds are its own. Channels name their secrets, and never hold them.
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import type { DocumentVersion } from '../document.ts'
import type { UnixSeconds } from '../ids.ts'
import { parseDocument } from '../parse-document.ts'
import { ALERT_SEVERITIES } from './alert.ts'

/** The one document of an instance. */
export const ALERT_RULES_NAME = 'default'

const HOUR = 3600
const DAY = 86_400

const name = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'lower-case letters, digits and . _ - (at most 64)')
const seconds = z.int().min(0).max(3_155_760_000)
const span = z.int().min(60).max(3600).describe('Seconds; counts are kept for an hour.')
const many = z.int().min(0).max(1_000_000_000)

const common = {
  name,
  severity: z.enum(ALERT_SEVERITIES),
  enabled: z.boolean().default(true),
  description: z.string().max(500).default(''),
}

const ruleSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({ kind: z.literal('credentials_overdue'), ...common, graceSeconds: seconds, moreThan: many })
    .describe('Devices whose renewal window closed more than a grace time ago and that have not renewed.'),
  z
    .strictObject({
      kind: z.literal('credentials_ending'),
      ...common,
      lastShare: z.number().gt(0).max(0.5).describe('The last part of a life, as a share of it.'),
      moreThan: many,
    })
    .describe('Certificates of a profile in the last part of their life, not renewed.'),
  z
    .strictObject({ kind: z.literal('credentials_expired'), ...common, withinSeconds: seconds, moreThan: many })
    .describe('Certificates of a profile that ended lately without being renewed.'),
  z
    .strictObject({ kind: z.literal('renewals_refused'), ...common, windowSeconds: span, moreThan: many })
    .describe('Renewals refused within a time.'),
  z
    .strictObject({
      kind: z.literal('enrolments_refused'),
      ...common,
      windowSeconds: span,
      moreThan: many,
      share: z.number().min(0).max(1).describe('Of all that were decided.'),
    })
    .describe('First enrolments refused within a time, in number and as a share.'),
  z
    .strictObject({ kind: z.literal('refusals_unusual'), ...common, windowSeconds: span, moreThan: many })
    .describe('Refusals with the same code within a time.'),
  z
    .strictObject({ kind: z.literal('clones_suspected'), ...common, windowSeconds: span, moreThan: many })
    .describe('Devices that two holders act as, within a time.'),
  z
    .strictObject({ kind: z.literal('authority_ending'), ...common, withinSeconds: seconds })
    .describe('An authority whose certificate ends.'),
  z
    .strictObject({
      kind: z.literal('crl_ending'),
      ...common,
      withinSeconds: seconds,
      offlineWithinSeconds: seconds.describe('For authorities whose key is not here.'),
    })
    .describe('A CRL that is missing, or near the end of its time.'),
  z
    .strictObject({ kind: z.literal('ocsp_signer_ending'), ...common, withinSeconds: seconds })
    .describe('An authority without an OCSP signer, or whose signer ends.'),
  z
    .strictObject({ kind: z.literal('signer_lost'), ...common })
    .describe('The key of an authority that should be online cannot be used.'),
  z
    .strictObject({
      kind: z.literal('disk_low'),
      ...common,
      belowPercent: z.int().min(1).max(90),
      belowOctets: z.int().min(0),
    })
    .describe('Little space left where the data is: below both measures.'),
  z
    .strictObject({ kind: z.literal('log_unsigned'), ...common, afterSeconds: seconds })
    .describe('Entries of the log that no checkpoint covers for so long.'),
  z
    .strictObject({ kind: z.literal('campaign_paused'), ...common })
    .describe('A campaign that stopped itself because too many devices failed.'),
  z
    .strictObject({ kind: z.literal('jobs_failing'), ...common, afterSeconds: seconds })
    .describe('A job of the server that fails for so long.'),
  z
    .strictObject({ kind: z.literal('approvals_waiting'), ...common, afterSeconds: seconds, moreThan: many })
    .describe('Requests that wait for an operator for so long.'),
  z
    .strictObject({ kind: z.literal('notices_undelivered'), ...common })
    .describe('A channel of this document to which something could not be delivered.'),
])

const secret = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'name of a file in the folder secrets/ of the data folder')
const address = z
  .string()
  .max(254)
  .regex(/^[^\s@<>,;"]+@[^\s@<>,;"]+$/, 'an e-mail address')
const webAddress = z.url({ protocol: /^https?$/ }).max(2000)

const channel = { name, atLeast: z.enum(ALERT_SEVERITIES).default('warning') }

const channelSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('smtp'),
    ...channel,
    host: z.string().regex(/^[A-Za-z0-9.:_-]{1,253}$/, 'a host name or an IP address'),
    port: z.int().min(1).max(65_535),
    security: z.enum(['tls', 'starttls', 'none']).describe('tls: from the first octet; starttls: or nothing is sent.'),
    user: z.string().min(1).max(256).optional(),
    passwordSecret: secret.optional(),
    from: address,
    to: z.array(address).min(1).max(50),
  }),
  z.strictObject({
    kind: z.literal('webhook'),
    ...channel,
    url: webAddress,
    secret: secret.describe('With which each request is signed (HMAC-SHA256).'),
  }),
  z.strictObject({
    kind: z.literal('chat'),
    ...channel,
    style: z.enum(['slack', 'mattermost', 'teams']),
    urlSecret: secret.describe('Holds the address: whoever knows it can write.'),
  }),
])

const alertRulesSchema = z
  .strictObject({
    schema: z.literal(1).describe('Version of this format.'),
    rules: z.array(ruleSchema).max(200),
    channels: z.array(channelSchema).max(50).default([]),
    repeatSeconds: z
      .int()
      .min(300)
      .max(30 * DAY)
      .default(4 * HOUR)
      .describe('Who was told and did nothing is told again.'),
    reopenSeconds: z.int().min(0).max(DAY).default(900).describe('What comes back within this time is the same alert.'),
  })
  .superRefine((document, context) => {
    for (const list of ['rules', 'channels'] as const) {
      const seen = new Set<string>()
      for (const [i, each] of document[list].entries()) {
        if (seen.has(each.name)) context.addIssue({ code: 'custom', path: [list, i, 'name'], message: 'stands twice' })
        seen.add(each.name)
      }
    }
    for (const [i, each] of document.channels.entries()) {
      if (each.kind !== 'smtp') continue
      if ((each.user === undefined) !== (each.passwordSecret === undefined)) {
        context.addIssue({ code: 'custom', path: ['channels', i], message: 'user and passwordSecret belong together' })
      }
      if (each.user !== undefined && each.security === 'none') {
        context.addIssue({ code: 'custom', path: ['channels', i], message: 'a password is not sent in the clear' })
      }
    }
  })

/** As an operator writes it. */
export type AlertRulesConfig = z.input<typeof alertRulesSchema>

export type AlertRules = z.output<typeof alertRulesSchema>
export type AlertRule = z.output<typeof ruleSchema>
export type AlertRuleKind = AlertRule['kind']
export type AlertChannel = z.output<typeof channelSchema>

/** Throws `alert_rules.invalid` with every problem. */
export function parseAlertRules(json: unknown): AlertRules {
  return parseDocument(alertRulesSchema, json, 'alert_rules.invalid', 'alerts document')
}

/** The document to store; throws `alert_rules.invalid` first where it would not be readable again. */
export function alertRulesDocument(config: AlertRulesConfig, version: number, createdAt: UnixSeconds): DocumentVersion {
  parseAlertRules(config)
  return { kind: 'alerts', name: ALERT_RULES_NAME, version, body: JSON.stringify(config, null, 2), createdAt }
}

/** The channel of that name. Throws `alert.channel_not_found`. */
export function channelNamed({ channels }: Pick<AlertRules, 'channels'>, name: string): AlertChannel {
  const found = channels.find(each => each.name === name)
  if (found) return found
  throw new TouchmarkError('alert.channel_not_found', 'not_found', 'There is no such channel.', {
    next: 'Channels stand in the document of the alert rules (docs/operate/alerts.md).',
    evidence: { channels: channels.map(each => each.name).join(' ') },
  })
}

/** JSON Schema (draft 2020-12) of the document, for editors. */
export function alertRulesJsonSchema(): unknown {
  return z.toJSONSchema(alertRulesSchema, { io: 'input', unrepresentable: 'any' })
}

/** The runbook of each kind, below `docs/operate/`. */
export const RUNBOOKS: Readonly<Record<AlertRuleKind, string>> = {
  credentials_overdue: 'devices-that-do-not-renew.md',
  credentials_ending: 'devices-that-do-not-renew.md',
  credentials_expired: 'devices-that-do-not-renew.md',
  renewals_refused: 'refusals.md',
  enrolments_refused: 'refusals.md',
  refusals_unusual: 'refusals.md',
  clones_suspected: 'clone-suspected.md',
  authority_ending: 'authority-ending.md',
  crl_ending: 'crl-ending.md',
  ocsp_signer_ending: 'ocsp-signer-ending.md',
  signer_lost: 'signer-lost.md',
  disk_low: 'disk-low.md',
  log_unsigned: 'log-unsigned.md',
  campaign_paused: 'campaign-paused.md',
  jobs_failing: 'jobs-failing.md',
  approvals_waiting: 'approvals-waiting.md',
  notices_undelivered: 'notices-undelivered.md',
}

/** The rules of a new instance. Without channels: alerts stand in the console and at the command line, and are sent to nobody. */
export const defaultAlertRules: AlertRulesConfig = {
  schema: 1,
  rules: [
    { name: 'renewals-overdue', kind: 'credentials_overdue', severity: 'warning', graceSeconds: DAY, moreThan: 0 },
    { name: 'certificates-ending', kind: 'credentials_ending', severity: 'critical', lastShare: 0.1, moreThan: 0 },
    {
      name: 'certificates-expired',
      kind: 'credentials_expired',
      severity: 'critical',
      withinSeconds: 7 * DAY,
      moreThan: 0,
    },
    { name: 'renewals-refused', kind: 'renewals_refused', severity: 'warning', windowSeconds: 900, moreThan: 10 },
    {
      name: 'enrolments-refused',
      kind: 'enrolments_refused',
      severity: 'warning',
      windowSeconds: 900,
      moreThan: 20,
      share: 0.2,
    },
    { name: 'refusals-unusual', kind: 'refusals_unusual', severity: 'notice', windowSeconds: 900, moreThan: 500 },
    { name: 'clones-suspected', kind: 'clones_suspected', severity: 'critical', windowSeconds: 3600, moreThan: 0 },
    { name: 'authority-ending', kind: 'authority_ending', severity: 'warning', withinSeconds: 365 * DAY },
    { name: 'authority-ending-soon', kind: 'authority_ending', severity: 'critical', withinSeconds: 90 * DAY },
    {
      name: 'crl-ending',
      kind: 'crl_ending',
      severity: 'critical',
      withinSeconds: 2 * DAY,
      offlineWithinSeconds: 30 * DAY,
    },
    { name: 'ocsp-signer-ending', kind: 'ocsp_signer_ending', severity: 'critical', withinSeconds: DAY },
    { name: 'signer-lost', kind: 'signer_lost', severity: 'critical' },
    { name: 'disk-low', kind: 'disk_low', severity: 'warning', belowPercent: 10, belowOctets: 20_000_000_000 },
    { name: 'disk-nearly-full', kind: 'disk_low', severity: 'critical', belowPercent: 3, belowOctets: 2_000_000_000 },
    { name: 'log-unsigned', kind: 'log_unsigned', severity: 'critical', afterSeconds: 900 },
    { name: 'campaign-paused', kind: 'campaign_paused', severity: 'warning' },
    { name: 'jobs-failing', kind: 'jobs_failing', severity: 'warning', afterSeconds: 300 },
    { name: 'approvals-waiting', kind: 'approvals_waiting', severity: 'notice', afterSeconds: DAY, moreThan: 0 },
    { name: 'notices-undelivered', kind: 'notices_undelivered', severity: 'warning' },
  ],
  channels: [],
}
