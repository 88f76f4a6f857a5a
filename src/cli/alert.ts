// `touchmark alert`: what is wrong, who has it in hand, the rules, and the channels by which people hear of it. Needs no passphrase.

import { TouchmarkError } from '../core/errors.ts'
import { systemRandom } from '../crypto/random.ts'
import type { Alert, AlertState } from '../domain/alerts/alert.ts'
import {
  ALERT_RULES_NAME,
  type AlertRules,
  alertRulesJsonSchema,
  channelNamed,
  defaultAlertRules,
  parseAlertRules,
} from '../domain/alerts/alert-rules.ts'
import { AlertRulesInForce } from '../domain/alerts/alert-rules-in-force.ts'
import {
  acknowledgeAlert,
  discardNotice,
  findAlert,
  redeliverNotice,
  silenceAlert,
} from '../domain/alerts/answer-alert.ts'
import { runbookPath, testNotice } from '../domain/alerts/notice.ts'
import { runbookOf } from '../domain/alerts/step-alerts.ts'
import { type DeliveryId, deliveryId, newDeliveryId } from '../domain/ids.ts'
import type { StoreReader } from '../domain/ports.ts'
import { act, type Command, type Context, command, duration, group, positiveInteger, usageError } from './command.ts'
import { putDocument, readJsonFile } from './documents.ts'
import { EXIT } from './exit-codes.ts'
import { OPERATOR } from './operator.ts'
import { facts, table, time, timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'

export function alertCommand(): Command {
  return group({
    name: 'alert',
    summary: 'Alerts: what is wrong, who has it in hand, and who is told',
    description:
      'A running server looks at the rules every fifteen seconds. What is wrong is one alert, however long it lasts; each\n' +
      'names its runbook. Channels (mail, webhook, chat) stand in the rules; their secrets in files of the folder secrets/.',
    examples: [
      ['alert list', 'What is wrong now; exit code 1 where something is'],
      ['alert ack 3f2a --note "disk ordered"', 'Somebody has it in hand: nobody is told again'],
      ['alert rules show > alerts.json', 'Take a copy, edit it, then: touchmark alert rules set alerts.json'],
      ['alert test ops-mail', 'Send a test over a channel, and say what the other side answered'],
    ],
  })
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(ackCommand())
    .addCommand(silenceCommand())
    .addCommand(rulesCommand())
    .addCommand(testCommand())
    .addCommand(undeliveredCommand())
    .addCommand(redeliverCommand())
    .addCommand(discardCommand())
}

interface ListOptions {
  readonly limit: number
  readonly after?: string
  readonly all?: boolean
}

function listCommand(): Command {
  const list = command({
    name: 'list',
    summary: 'List what is wrong now, or with --all what ever was',
    description: 'Exit code 1 where an alert fires that nobody has in hand.',
  })
    .option('-a, --all', 'resolved ones too, the newest first')
    .option('-n, --limit <number>', 'at most so many', positiveInteger, 100)
    .option('--after <cursor>', 'go on where the last list ended; with --all')
  return act<ListOptions>(list, ({ out, data, options }) =>
    withStore(data, async ({ read }) => {
      const { limit, after, all } = options
      const page = all
        ? await read.alerts({ limit: Math.min(limit, 1000), ...(after === undefined ? {} : { after }) })
        : { items: await read.openAlerts(limit), next: null }
      const now = systemClock.now()
      out.result({ alerts: page.items.map(alertView), ...(page.next ? { next: page.next } : {}) }, () =>
        page.items.length === 0
          ? 'Nothing is wrong.'
          : [
              table(
                ['ALERT', 'SEVERITY', 'STATE', 'SINCE', 'WHAT'],
                page.items.map(each => [
                  // Ids begin with the time: their ends tell them apart.
                  each.id.slice(-8),
                  each.severity,
                  stateWords(each, now),
                  time(each.startedAt),
                  each.summary,
                ]),
              ),
              ...(page.next ? [`More: --after ${page.next}`] : []),
            ].join('\n'),
      )
      return page.items.some(({ state }) => state === 'firing') ? EXIT.no : EXIT.ok
    }),
  )
}

function showCommand(): Command {
  const show = command({ name: 'show', summary: 'Show one alert with its runbook' }).argument('<alert>', ALERT_ARGUMENT)
  return act(show, ({ out, data }, text) =>
    withStore(data, async store => {
      const alert = await findAlert(text!, store)
      out.result(alertView(alert), () => alertText(alert))
    }),
  )
}

const ALERT_ARGUMENT = 'its id, or the digits that alert list shows'

function ackCommand(): Command {
  const ack = command({
    name: 'ack',
    summary: 'Say that somebody has an alert in hand: nobody is told again',
    examples: [['alert ack 3f2a90c1 --note "replacing the disk tonight"', 'The note stands beside it']],
  })
    .argument('<alert>', ALERT_ARGUMENT)
    .option('--note <text>', 'what is being done; not in the audit log', '')
  return act<{ readonly note: string }>(ack, ({ out, data, options }, text) =>
    withStore(data, async store => {
      const { id } = await findAlert(text!, store)
      const alert = await acknowledgeAlert(id, options.note, OPERATOR, { store, clock: systemClock })
      out.result(alertView(alert), () => `In hand: ${alert.summary}`)
    }),
  )
}

interface SilenceOptions {
  readonly for?: number
  readonly end?: boolean
}

function silenceCommand(): Command {
  const silence = command({
    name: 'silence',
    summary: 'Tell nobody of an alert for a while',
    examples: [
      ['alert silence 3f2a90c1 --for 8h', 'Until the maintenance is over; thirty days at most'],
      ['alert silence 3f2a90c1 --end', 'It may be heard again'],
    ],
  })
    .argument('<alert>', ALERT_ARGUMENT)
    .option('--for <duration>', 'how long', duration)
    .option('--end', 'end the silence')
  return act<SilenceOptions>(silence, ({ out, data, options }, text) => {
    if ((options.for === undefined) === (options.end !== true)) throw usageError('Name --for or --end, one of them.')
    return withStore(data, async store => {
      const { id } = await findAlert(text!, store)
      const until = options.for === undefined ? null : systemClock.now() + options.for
      const alert = await silenceAlert(id, until, OPERATOR, { store, clock: systemClock })
      out.result(alertView(alert), () =>
        until === null ? `May be heard again: ${alert.summary}` : `Silent until ${time(until)}: ${alert.summary}`,
      )
    })
  })
}

function rulesCommand(): Command {
  return group({
    name: 'rules',
    summary: 'Rules and channels: show, check, change',
    examples: [['alert rules show > alerts.json', 'Take a copy, edit it, then: touchmark alert rules set alerts.json']],
  })
    .addCommand(rulesShowCommand())
    .addCommand(rulesCheckCommand())
    .addCommand(rulesSetCommand())
    .addCommand(rulesSchemaCommand())
}

function rulesShowCommand(): Command {
  const show = command({ name: 'show', summary: 'Print the document in force' })
  return act(show, ({ out, data }) =>
    withStore(data, async ({ read }) => {
      const stored = await read.document('alerts', ALERT_RULES_NAME)
      const document: unknown = stored ? JSON.parse(stored.body) : defaultAlertRules
      out.raw(`${JSON.stringify(document, null, out.json ? undefined : 2)}\n`)
      if (!out.json) out.note(stored ? `Version ${stored.version}.` : 'These are the rules of a new instance.')
    }),
  )
}

function rulesCheckCommand(): Command {
  const check = command({ name: 'check', summary: 'Check a document without storing it' }).argument(
    '<file>',
    'JSON; - reads standard input',
  )
  return act(check, async ({ out }, file) => {
    const document = parseAlertRules(await readJsonFile(file!))
    out.result({ ok: true, ...names(document) }, () => `Good: ${sizes(document)}.`)
  })
}

function rulesSetCommand(): Command {
  const set = command({
    name: 'set',
    summary: 'Store a document as the next version',
    description: 'In force at once, also in a running server. Alerts of rules that are gone are over.',
  }).argument('<file>', 'JSON; - reads standard input')
  return act(set, async ({ out, data }, file) => {
    const json = await readJsonFile(file!)
    const parsed = parseAlertRules(json)
    await withStore(data, async store => {
      const document = { kind: 'alerts', name: ALERT_RULES_NAME, body: () => JSON.stringify(json, null, 2) } as const
      const version = await putDocument(store, document, 'alert.rules_changed', systemClock.now())
      out.result({ version, ...names(parsed) }, () => `In force as version ${version}: ${sizes(parsed)}.`)
    })
  })
}

function rulesSchemaCommand(): Command {
  const schema = command({ name: 'schema', summary: 'Print the JSON Schema of the document, for editors' })
  return act(schema, async ({ out }) =>
    out.raw(`${JSON.stringify(alertRulesJsonSchema(), null, out.json ? undefined : 2)}\n`),
  )
}

function testCommand(): Command {
  const test = command({
    name: 'test',
    summary: 'Send a test over a channel now, or over all of them',
    description:
      'Sent by this command itself, once, with the secrets of the data folder. Exit code 1: one did not take it.',
  }).argument('[channel]', 'its name in the document; all of them where it is left out')
  return act(test, ({ out, data, signal }, name) =>
    withStore(data, async ({ read }) => {
      const document = await new AlertRulesInForce(read).current()
      const all = document.channels
      const chosen = name === undefined && all.length > 0 ? all : [channelNamed(document, name ?? '')]
      const [{ createNotifier }, { channelSecrets }, { readConfiguration }] = await Promise.all([
        import('../adapters/notify/notifier.ts'),
        import('../server/channel-secrets.ts'),
        import('../server/data-folder.ts'),
      ])
      const notifier = createNotifier({ clock: systemClock, secrets: channelSecrets(data) })
      const { origin } = (await readConfiguration(data)).log
      const outcomes = await Promise.all(
        chosen.map(async (channel): Promise<TestOutcome> => {
          const now = systemClock.now()
          try {
            await notifier.send(
              channel,
              testNotice(origin, now, systemRandom),
              newDeliveryId(now, systemRandom),
              signal,
            )
            return { channel: channel.name, taken: true }
          } catch (thrown) {
            if (!(thrown instanceof TouchmarkError)) throw thrown
            const { code, message, next, evidence } = thrown
            return { channel: channel.name, taken: false, code, message, ...(next ? { next } : {}), evidence }
          }
        }),
      )
      out.result({ channels: outcomes }, () =>
        outcomes
          .map(each =>
            each.taken
              ? `${each.channel}: taken`
              : `${each.channel}: ${each.code}: ${each.message}${each.next ? `\n  ${each.next}` : ''}`,
          )
          .join('\n'),
      )
      return outcomes.every(({ taken }) => taken) ? EXIT.ok : EXIT.no
    }),
  )
}

interface TestOutcome {
  readonly channel: string
  readonly taken: boolean
  readonly code?: string
  readonly message?: string
  readonly next?: string
  readonly evidence?: TouchmarkError['evidence']
}

function undeliveredCommand(): Command {
  const undelivered = command({
    name: 'undelivered',
    summary: 'List the notices that no channel took, with the reason',
  })
  return act(undelivered, ({ out, data }) =>
    withStore(data, async ({ read }) => {
      const { items } = await read.deadDeliveries({ limit: 1000 })
      out.result(
        items.map(({ createdAt, dueAt: _, ...each }) => ({ ...each, createdAt: timestamp(createdAt) })),
        () =>
          items.length === 0
            ? 'Everything was delivered.'
            : table(
                ['NOTICE', 'CHANNEL', 'OF', 'TRIES', 'WHY', 'WHAT'],
                items.map(each => [
                  each.id,
                  each.channel,
                  time(each.createdAt),
                  String(each.attempts),
                  each.lastError ?? '',
                  each.notice.items[0]?.summary ?? '',
                ]),
              ),
      )
    }),
  )
}

function redeliverCommand(): Command {
  const redeliver = command({
    name: 'redeliver',
    summary: 'Try notices again that no channel took',
    description: 'After the channel was mended. A running server sends them.',
  }).argument('<notice>', 'from alert undelivered; "all" for every one')
  return act(redeliver, (context, id) => eachNotice(context, id!, redeliverNotice, 'To be tried again'))
}

function discardCommand(): Command {
  const discard = command({ name: 'discard', summary: 'Throw notices away that no channel took' }).argument(
    '<notice>',
    'from alert undelivered; "all" for every one',
  )
  return act(discard, (context, id) => eachNotice(context, id!, discardNotice, 'Thrown away'))
}

function eachNotice(
  { out, data }: Context<unknown>,
  id: string,
  change: typeof redeliverNotice,
  done: string,
): Promise<void> {
  return withStore(data, async store => {
    const ids = id === 'all' ? await allDead(store.read) : [deliveryId(id)]
    for (const each of ids) await change(each, OPERATOR, { store, clock: systemClock })
    out.result({ notices: ids }, () => `${done}: ${ids.length}.`)
  })
}

async function allDead(read: StoreReader): Promise<DeliveryId[]> {
  const ids: DeliveryId[] = []
  for (let after: string | null | undefined; after !== null; ) {
    const page = await read.deadDeliveries({ limit: 500, ...(after === undefined ? {} : { after }) })
    ids.push(...page.items.map(({ id }) => id))
    after = page.next
  }
  return ids
}

function names({ rules, channels }: AlertRules) {
  return { rules: rules.map(({ name }) => name), channels: channels.map(({ name }) => name) }
}

function sizes({ rules, channels }: AlertRules): string {
  return `${rules.length} rules, ${channels.length === 1 ? 'one channel' : `${channels.length} channels`}`
}

function stateWords(alert: Alert, now: number): string {
  const words: Readonly<Record<AlertState, string>> = {
    firing: 'firing',
    acknowledged: 'in hand',
    resolved: 'over',
  }
  const silent = alert.state !== 'resolved' && alert.silencedUntil !== null && alert.silencedUntil > now
  return silent ? `${words[alert.state]}, silent` : words[alert.state]
}

function alertView(alert: Alert) {
  const { acknowledgement, key: _key, revision: _revision, ...rest } = alert
  return {
    ...rest,
    startedAt: timestamp(alert.startedAt),
    changedAt: timestamp(alert.changedAt),
    silencedUntil: alert.silencedUntil === null ? null : timestamp(alert.silencedUntil),
    notifiedAt: alert.notifiedAt === null ? null : timestamp(alert.notifiedAt),
    acknowledgement: acknowledgement && { ...acknowledgement, at: timestamp(acknowledgement.at) },
    runbook: runbookPath(runbookOf(alert)),
  }
}

function alertText(alert: Alert): string {
  const { acknowledgement: hand, silencedUntil } = alert
  return facts([
    ['alert', alert.id],
    ['what', alert.summary],
    ['severity', alert.severity],
    ['state', stateWords(alert, systemClock.now())],
    ['rule', alert.rule + (alert.subject === '' ? '' : `, about ${alert.subject}`)],
    ['since', `${time(alert.startedAt)}${alert.occurrences > 1 ? `, the ${alert.occurrences}. time` : ''}`],
    ['told', alert.notifiedAt === null ? 'nobody' : time(alert.notifiedAt)],
    ...(hand ? [['in hand', `${hand.by}, ${time(hand.at)}${hand.note ? `: ${hand.note}` : ''}`] as const] : []),
    ...(silencedUntil === null ? [] : [['silent until', time(silencedUntil)] as const]),
    ['runbook', runbookPath(runbookOf(alert))],
  ])
}
