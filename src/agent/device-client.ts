// The questions that a device with a certificate asks the server beside EST: when to renew, here is how I am, which roots, I am wiped.
// JSON over mutual TLS; nothing of an answer is believed beyond its shape.

import type { Bytes } from '../core/bytes/bytes.ts'
import { fromUtf8, toUtf8 } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type RenewalWish, readWish, type WipeStatement } from './agent-state.ts'
import { DEADLINE_MS } from './est-client.ts'
import { FieldError, type JsonObject, readJson } from './json-fields.ts'
import {
  refusal,
  requireMediaType,
  retryAfter,
  type TlsIdentity,
  type Transport,
  type TransportAnswer,
} from './transport.ts'

export interface RenewalInfo {
  /** Whole seconds (RFC 9773 §4.2). */
  readonly windowStart: number
  readonly windowEnd: number
  readonly reason: string
  readonly order: RenewalWish | null
}

export interface HealthReport {
  readonly sequence: number
  /** Whole seconds by the device's own clock, wrong or not. */
  readonly time: number
  readonly agentVersion: string
  readonly firmware?: string | undefined
  readonly configuration?: string | undefined
  readonly daysLeft?: number | undefined
  readonly lastError?: { readonly code: string; readonly at: number } | undefined
  readonly keys: readonly { readonly keyId: string; readonly place: string; readonly protection: string }[]
}

export interface HealthAnswer {
  readonly time: number
  readonly state: string
  readonly order: 'suspend' | 'wipe' | null
  readonly renewal: RenewalInfo | null
  readonly trustBundleVersion: number | null
}

export interface DeviceClientOptions {
  readonly url: string
  readonly trustAnchors: string
  readonly identity: TlsIdentity
  readonly transport: Transport
  readonly notBeforeTime?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onAnswer?: (answer: TransportAnswer) => void
}

const MAX_JSON = 64 * 1024
/** A root is 2 kB, with ML-DSA-87 8 kB; 64 of them in base64 and in CMS. */
const MAX_BUNDLE = 1024 * 1024
const ORDERS = ['suspend', 'wipe'] as const

/** Every method rejects with what `Transport` rejects with, `agent.server_refused`, `agent.answer_type`, and `agent.answer_malformed`. */
export class DeviceClient {
  readonly #options: DeviceClientOptions

  constructor(options: DeviceClientOptions) {
    this.#options = options
  }

  async renewalInfo(
    profile: string,
  ): Promise<{ readonly info: RenewalInfo; readonly retryAfterSeconds: number | undefined }> {
    const answer = await this.#ask('GET', `renewal-info?profile=${encodeURIComponent(profile)}`)
    return { info: readAnswer(answer, readRenewalInfo), retryAfterSeconds: retryAfter(answer) }
  }

  async health(report: HealthReport): Promise<HealthAnswer & { readonly retryAfterSeconds: number | undefined }> {
    const { time, lastError, ...rest } = report
    const document = {
      ...rest,
      time: rfc3339(time),
      ...(lastError ? { lastError: { code: lastError.code, at: rfc3339(lastError.at) } } : {}),
    }
    const answer = await this.#ask('POST', 'health', document)
    return { ...readAnswer(answer, readHealth), retryAfterSeconds: retryAfter(answer) }
  }

  /** The CMS message as it came: `checkTrustBundle` judges it. */
  async trustBundle(): Promise<Bytes> {
    const answer = await this.#ask('GET', 'trust-bundle', undefined, MAX_BUNDLE)
    requireMediaType(answer, 'application/pkcs7-mime')
    return answer.body
  }

  /** Answers the ids of the keys that the server has recorded as destroyed. */
  async wipeStatement(statement: WipeStatement): Promise<readonly string[]> {
    const document = { statement: statement.octets, signatures: statement.signatures }
    return readAnswer(await this.#ask('POST', 'wipe-statement', document), object => object.texts('accepted', 64, 128))
  }

  async #ask(method: 'GET' | 'POST', path: string, document?: unknown, maxBody = MAX_JSON): Promise<TransportAnswer> {
    const { url, transport, onAnswer, ...rest } = this.#options
    const answer = await transport.exchange({
      ...rest,
      method,
      url: new URL(`/api/v1/device/${path}`, url).href,
      headers: {
        accept: 'application/json, application/problem+json',
        ...(document === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(document === undefined ? {} : { body: toUtf8(JSON.stringify(document)) }),
      maxBody,
      deadlineMs: DEADLINE_MS,
    })
    onAnswer?.(answer)
    if (answer.status !== 200) throw refusal(answer)
    return answer
  }
}

function readAnswer<T>(answer: TransportAnswer, read: (object: JsonObject) => T): T {
  requireMediaType(answer, 'application/json')
  let text: string
  try {
    text = fromUtf8(answer.body)
  } catch {
    throw malformed('it is no UTF-8')
  }
  return readJson(text, read, malformed)
}

function malformed(reason: string): TouchmarkError {
  return new TouchmarkError('agent.answer_malformed', 'malformed', 'The answer of the server cannot be read.', {
    evidence: { reason },
  })
}

function readRenewalInfo(object: JsonObject): RenewalInfo {
  const window = object.object('suggestedWindow')
  const [windowStart, windowEnd] = [window.time('start'), window.time('end')]
  if (windowEnd < windowStart) throw new FieldError('suggestedWindow ends before it starts')
  const order = object.optionalObject('order')
  return {
    windowStart,
    windowEnd,
    reason: object.text('reason', 64),
    order: order && readWish(order),
  }
}

function readHealth(object: JsonObject): HealthAnswer {
  const renewal = object.optionalObject('renewal')
  return {
    time: object.time('time'),
    state: object.object('device').text('state', 32),
    order: object.optionalText('order') === null ? null : object.word('order', ORDERS),
    renewal: renewal && readRenewalInfo(renewal),
    trustBundleVersion: object.optionalObject('trustBundle')?.count('version') ?? null,
  }
}

function rfc3339(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
