// Alerts: what is wrong, who has it in hand, silence for a while; the rules and channels as one document; notices that no channel took.
import { z } from 'zod'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import { ALERT_SEVERITIES, type Alert } from '../../domain/alerts/alert.ts'
import { ALERT_RULES_NAME, channelNamed, defaultAlertRules, parseAlertRules } from '../../domain/alerts/alert-rules.ts'
import { AlertRulesInForce } from '../../domain/alerts/alert-rules-in-force.ts'
import {
  acknowledgeAlert,
  discardNotice,
  MAX_SILENCE_SECONDS,
  redeliverNotice,
  silenceAlert,
} from '../../domain/alerts/answer-alert.ts'
import { type Delivery, type Notifier, runbookPath, testNotice } from '../../domain/alerts/notice.ts'
import { runbookOf } from '../../domain/alerts/step-alerts.ts'
import { alertId, deliveryId, newDeliveryId } from '../../domain/ids.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import { putDocument } from '../../domain/put-document.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { documentBody, documentSchema, documentView, MAX_DOCUMENT, readDocument } from './documents.ts'
import { assertVersion, type Endpoint, endpoint, hexId, nameText, timestampText } from './endpoint.ts'

export interface AlertEndpointPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly notifier: Notifier
  readonly log: { readonly origin: string }
}

const STATES = ['firing', 'acknowledged', 'resolved'] as const

const alertSchema = z
  .object({
    id: z.string(),
    rule: z.string(),
    kind: z.string(),
    subject: z.string().meta({ description: 'What it is about; empty for the instance as a whole.' }),
    severity: z.enum(ALERT_SEVERITIES),
    summary: z.string(),
    value: z.number().nullable(),
    state: z.enum(STATES),
    startedAt: timestampText,
    changedAt: timestampText,
    acknowledgement: z.object({ by: z.string(), at: timestampText, note: z.string() }).nullable(),
    silencedUntil: timestampText.nullable(),
    notifiedAt: timestampText.nullable(),
    occurrences: z.int(),
    runbook: z.string().meta({ description: 'A page of the documentation.' }),
  })
  .meta({ id: 'Alert' })

const when = (seconds: number | null) => (seconds === null ? null : timestamp(seconds))

function alertView(alert: Alert): z.input<typeof alertSchema> {
  const { key: _key, revision: _revision, acknowledgement, ...rest } = alert
  return {
    ...rest,
    startedAt: timestamp(alert.startedAt),
    changedAt: timestamp(alert.changedAt),
    acknowledgement: acknowledgement && { ...acknowledgement, at: timestamp(acknowledgement.at) },
    silencedUntil: when(alert.silencedUntil),
    notifiedAt: when(alert.notifiedAt),
    runbook: runbookPath(runbookOf(alert)),
  }
}

const noticeSchema = z
  .object({
    id: z.string(),
    channel: z.string(),
    attempts: z.int(),
    lastError: z.string().nullable(),
    createdAt: timestampText,
    summaries: z.array(z.string()),
  })
  .meta({ id: 'UndeliveredNotice' })

const noticeView = ({
  id,
  channel,
  attempts,
  lastError,
  createdAt,
  notice,
}: Delivery): z.input<typeof noticeSchema> => ({
  id,
  channel,
  attempts,
  lastError,
  createdAt: timestamp(createdAt),
  summaries: notice.items.map(({ summary }) => summary),
})

export function alertEndpoints(ports: AlertEndpointPorts): Endpoint[] {
  const { store, clock, random, notifier, log } = ports
  const { read } = store
  const rules = new AlertRulesInForce(read)
  const id = { id: hexId('an alert') }
  const notice = { id: hexId('a notice') }
  return [
    endpoint({
      method: 'GET',
      path: '/alerts',
      id: 'listAlerts',
      tag: 'Alerts',
      summary: 'Alerts, the newest first',
      permission: 'alert.read',
      query: { state: z.enum(STATES).optional() },
      answer: alertSchema,
      paged: true,
      sparse: true,
      async handle({ query: { state }, page }) {
        const { items, next } = await read.alerts({ ...page, ...(state === undefined ? {} : { state }) })
        return { body: { items: items.map(alertView), next } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/alerts/:id',
      id: 'showAlert',
      tag: 'Alerts',
      summary: 'One alert with its runbook',
      permission: 'alert.read',
      params: id,
      answer: alertSchema,
      async handle({ params }) {
        const alert = await read.alert(alertId(params.id))
        if (alert !== undefined) return { body: alertView(alert) }
        throw new TouchmarkError('alert.not_found', 'not_found', 'There is no such alert.')
      },
    }),
    endpoint({
      method: 'POST',
      path: '/alerts/:id/acknowledge',
      id: 'acknowledgeAlert',
      tag: 'Alerts',
      summary: 'Say that somebody has it in hand: nobody is told again',
      permission: 'alert.write',
      params: id,
      body: z.strictObject({
        note: z.string().max(500).default('').meta({ description: 'For others; not in the audit log.' }),
      }),
      answer: alertSchema,
      async handle({ params, body, actor }) {
        return { body: alertView(await acknowledgeAlert(alertId(params.id), body.note, actor, { store, clock })) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/alerts/:id/silence',
      id: 'silenceAlert',
      tag: 'Alerts',
      summary: 'Tell nobody of it for a while, or end the silence',
      permission: 'alert.write',
      params: id,
      body: z.strictObject({
        seconds: z
          .int()
          .min(60)
          .max(MAX_SILENCE_SECONDS)
          .nullable()
          .meta({ description: 'From now on; null ends the silence.' }),
      }),
      answer: alertSchema,
      async handle({ params, body: { seconds }, actor, now }) {
        const until = seconds === null ? null : now + seconds
        return { body: alertView(await silenceAlert(alertId(params.id), until, actor, { store, clock })) }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/alert-rules',
      id: 'showAlertRules',
      tag: 'Alerts',
      summary: 'Rules and channels, in the version in force or an earlier one',
      permission: 'alert.read',
      query: { version: z.int().min(1).optional() },
      answer: documentSchema,
      async handle({ query: { version }, now }) {
        const stored = await read.document('alerts', ALERT_RULES_NAME, version)
        if (stored !== undefined) return { body: documentView(stored), version: stored.version }
        if (version !== undefined) await readDocument('alerts', ALERT_RULES_NAME, version, read)
        const document = { ...defaultAlertRules } as Record<string, unknown>
        return { body: { name: ALERT_RULES_NAME, version: 0, changedAt: timestamp(now), document }, version: 0 }
      },
    }),
    endpoint({
      method: 'PUT',
      path: '/alert-rules',
      id: 'putAlertRules',
      tag: 'Alerts',
      summary: 'Change rules and channels: the next version of the document, in force at once',
      permission: 'alert.write',
      body: documentBody,
      maxBody: MAX_DOCUMENT,
      answer: documentSchema,
      edits: true,
      async handle({ body, ifMatch, actor }) {
        parseAlertRules(body)
        const basedOn = (await read.document('alerts', ALERT_RULES_NAME))?.version ?? 0
        assertVersion(ifMatch, basedOn)
        const text = () => JSON.stringify(body, null, 2)
        const edit = {
          kind: 'alerts',
          name: ALERT_RULES_NAME,
          action: 'alert.rules_changed',
          basedOn,
          body: text,
        } as const
        const document = await putDocument(edit, actor, ports)
        return { body: documentView(document), version: document.version }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/alert-channels/:name/test',
      id: 'testAlertChannel',
      tag: 'Alerts',
      summary: 'Send a test over a channel now, and say whether the other side took it',
      permission: 'alert.write',
      params: { name: nameText },
      answer: z.object({
        taken: z.boolean(),
        code: z.string().nullable().meta({ description: 'Why not.' }),
        message: z.string().nullable(),
      }),
      async handle({ params: { name }, request, now }) {
        const channel = channelNamed(await rules.current(), name)
        const delivery = newDeliveryId(now, random)
        try {
          await notifier.send(channel, testNotice(log.origin, now, random), delivery, request.signal)
          return { body: { taken: true, code: null, message: null } }
        } catch (thrown) {
          const { code, kind, message } = asTouchmarkError(thrown)
          if (kind === 'internal') throw thrown
          return { body: { taken: false, code, message } }
        }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/undelivered-notices',
      id: 'listUndeliveredNotices',
      tag: 'Alerts',
      summary: 'Notices that no channel took, oldest first',
      permission: 'alert.read',
      answer: noticeSchema,
      paged: true,
      async handle({ page }) {
        const { items, next } = await read.deadDeliveries(page)
        return { body: { items: items.map(noticeView), next } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/undelivered-notices/:id/redeliver',
      id: 'redeliverNotice',
      tag: 'Alerts',
      summary: 'Try a notice again that no channel took',
      permission: 'alert.write',
      params: notice,
      answer: noticeSchema,
      async handle({ params, actor }) {
        return { body: noticeView(await redeliverNotice(deliveryId(params.id), actor, { store, clock })) }
      },
    }),
    endpoint({
      method: 'DELETE',
      path: '/undelivered-notices/:id',
      id: 'discardNotice',
      tag: 'Alerts',
      summary: 'Throw a notice away that no channel took',
      permission: 'alert.write',
      params: notice,
      async handle({ params, actor }) {
        await discardNotice(deliveryId(params.id), actor, { store, clock })
        return { status: 204 }
      },
    }),
  ]
}
