// What people do about alerts: take one in hand, silence it for a while, and deal with notices that could not be delivered. Each is an audit
// entry; what they wrote beside it stays in the row, which can be erased.
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { type AlertId, alertId, type DeliveryId, type UnixSeconds } from '../ids.ts'
import type { Clock, Store, Write } from '../ports.ts'
import type { Alert } from './alert.ts'
import type { Delivery } from './notice.ts'

export interface AnswerPorts {
  readonly store: Store
  readonly clock: Clock
}

type Actor = AuditEntry['actor']

const MAX_NOTE = 500
/** What is silenced for longer should be a change of its rule. */
export const MAX_SILENCE_SECONDS = 30 * 86_400
const MAX_ROUNDS = 4

/**
 * Says that somebody has it in hand: nobody is told again while it lasts. Throws `alert.not_found`, `alert.resolved`, `alert.note_invalid`.
 */
export async function acknowledgeAlert(id: AlertId, note: string, actor: Actor, ports: AnswerPorts): Promise<Alert> {
  if (note.length > MAX_NOTE || !note.isWellFormed() || /\p{Cc}/u.test(note.replaceAll('\n', ' '))) {
    throw new TouchmarkError('alert.note_invalid', 'malformed', `A note has at most ${MAX_NOTE} characters of text.`)
  }
  return change(id, ports, (alert, at) => {
    assertOpen(alert)
    if (alert.state === 'acknowledged') return undefined
    const acknowledgement = { by: actor.id, at, note }
    return {
      alert: { ...alert, state: 'acknowledged', changedAt: at, acknowledgement },
      entry: { action: 'alert.acknowledged', actor },
    }
  })
}

/**
 * Nobody is told of it before `until`, a time from now on within `MAX_SILENCE_SECONDS`; `null`: it may be heard again. Throws
 * `alert.not_found`, `alert.resolved`, `alert.silence_invalid`.
 */
export async function silenceAlert(
  id: AlertId,
  until: UnixSeconds | null,
  actor: Actor,
  ports: AnswerPorts,
): Promise<Alert> {
  return change(id, ports, (alert, at) => {
    assertOpen(alert)
    if (until !== null && !(until > at && until <= at + MAX_SILENCE_SECONDS)) {
      throw new TouchmarkError('alert.silence_invalid', 'malformed', 'An alert is silenced for thirty days at most.', {
        next: 'Name a time from now on; for good, change the rule.',
      })
    }
    if (alert.silencedUntil === until) return undefined
    return { alert: { ...alert, silencedUntil: until }, entry: { action: 'alert.silenced', actor, until: until ?? 0 } }
  })
}

/** Puts a dead letter back into the queue, with all its tries. Throws `delivery.not_found`, `delivery.not_dead`. */
export async function redeliverNotice(id: DeliveryId, actor: Actor, { store, clock }: AnswerPorts): Promise<Delivery> {
  const dead = await deadLetter(id, store)
  const at = clock.now()
  const delivery: Delivery = { ...dead, state: 'waiting', attempts: 0, dueAt: at, revision: dead.revision + 1 }
  const entry = noticeEntry('alert.notice_redelivered', dead, at, actor)
  await store.commit({ writes: [{ kind: 'delivery.put', delivery, from: dead.revision }], audit: [entry] })
  return delivery
}

/** Throws as `redeliverNotice`. */
export async function discardNotice(id: DeliveryId, actor: Actor, { store, clock }: AnswerPorts): Promise<Delivery> {
  const dead = await deadLetter(id, store)
  const entry = noticeEntry('alert.notice_discarded', dead, clock.now(), actor)
  await store.commit({ writes: [{ kind: 'delivery.remove', id, from: dead.revision }], audit: [entry] })
  return dead
}

interface Answered {
  readonly alert: Alert
  readonly entry: {
    readonly action: 'alert.acknowledged' | 'alert.silenced'
    readonly actor: Actor
    readonly until?: number
  }
}

/** The rules are looked at meanwhile: who meets another change reads again. */
async function change(
  id: AlertId,
  { store, clock }: AnswerPorts,
  answer: (alert: Alert, at: UnixSeconds) => Answered | undefined,
): Promise<Alert> {
  for (let round = 1; ; round++) {
    const before = await store.read.alert(id)
    if (before === undefined) throw notFound(id)
    const at = clock.now()
    const answered = answer(before, at)
    if (answered === undefined) return before
    const alert: Alert = { ...answered.alert, revision: before.revision + 1 }
    const { action, actor, until } = answered.entry
    const write: Write = { kind: 'alert.put', alert, from: before.revision }
    const audit: AuditEntry = {
      at,
      actor,
      action,
      outcome: 'done',
      subject: { name: before.rule },
      detail: { alert: before.id, ...(until === undefined ? {} : { until }) },
    }
    try {
      await store.commit({ writes: [write], audit: [audit] })
      return alert
    } catch (thrown) {
      if (asTouchmarkError(thrown).code !== 'alert.changed' || round === MAX_ROUNDS) throw thrown
    }
  }
}

function assertOpen(alert: Alert): void {
  if (alert.state !== 'resolved') return
  throw new TouchmarkError('alert.resolved', 'conflict', 'The alert is over: it is not so any more.', {
    evidence: { alert: alert.id },
  })
}

async function deadLetter(id: DeliveryId, { read }: Store): Promise<Delivery> {
  const found = await read.delivery(id)
  if (found === undefined) {
    throw new TouchmarkError(
      'delivery.not_found',
      'not_found',
      'There is no such notice; what was delivered is gone.',
      {
        next: 'List those that could not be delivered with: touchmark alert undelivered',
      },
    )
  }
  if (found.state === 'dead') return found
  throw new TouchmarkError('delivery.not_dead', 'conflict', 'The notice is still being delivered.')
}

function noticeEntry(
  action: 'alert.notice_redelivered' | 'alert.notice_discarded',
  { id, channel }: Delivery,
  at: UnixSeconds,
  actor: Actor,
): AuditEntry {
  return { at, actor, action, outcome: 'done', subject: { name: channel }, detail: { notice: id } }
}

/** Whole id, or as many of its first digits as make it one of the open alerts. Throws `alert.not_found`, `alert.ambiguous`. */
export async function findAlert(text: string, { read }: Pick<Store, 'read'>): Promise<Alert> {
  const exact = await read.alert(alertId(text))
  if (exact) return exact
  const open = /^[0-9a-f]{4,}$/.test(text) ? await read.openAlerts(5000) : []
  const found = open.filter(({ id }) => id.startsWith(text) || id.endsWith(text))
  if (found.length === 1) return found[0]!
  if (found.length === 0) throw notFound(text)
  throw new TouchmarkError('alert.ambiguous', 'conflict', `${found.length} open alerts begin or end with ${text}.`)
}

function notFound(id: string): TouchmarkError {
  return new TouchmarkError('alert.not_found', 'not_found', 'There is no such alert.', {
    next: 'List the open ones with: touchmark alert list',
    evidence: { alert: id },
  })
}
