// The questions that a device with a certificate asks the server beside EST: when to renew, here is how I am, which roots, I am wiped.
// JSON over mutual TLS; nothing of an answer is believed beyond its shape.
import type { Bytes } from '../core/bytes/bytes.ts'
import {
  encodeHealthReport,
  type HealthAnswer,
  type HealthReport,
  MAX_HEALTH_ANSWER,
  parseHealthAnswer,
} from '../core/messages/device-health.ts'
import { MAX_RENEWAL_INFO, parseRenewalInfo, type RenewalInfoMessage } from '../core/messages/renewal-info.ts'
import { MAX_SIGNED_TRUST_BUNDLE } from '../core/messages/trust-bundle.ts'
import { parseWipeAnswer } from '../core/messages/wipe-statement.ts'
import { DEADLINE_MS } from './est-client.ts'
import {
  refusal,
  requireMediaType,
  retryAfter,
  type TlsIdentity,
  type Transport,
  type TransportAnswer,
} from './transport.ts'

export interface DeviceClientOptions {
  /** `https://host:port`, without a path. */
  readonly url: string
  /** Trust anchors in PEM. */
  readonly trustAnchors: string
  readonly identity: TlsIdentity
  readonly transport: Transport
  /** See `TransportRequest`. */
  readonly notBeforeTime?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onAnswer?: (answer: TransportAnswer) => void
}

/** An answer, with when to ask again where the server says so. */
export type Timed<T> = T & { readonly retryAfterSeconds: number | undefined }

const MAX_WIPE_ANSWER = 8192

/** Every method rejects with what `Transport` rejects with, `agent.server_refused`, `agent.answer_type`, and `message.malformed`. */
export class DeviceClient {
  readonly #options: DeviceClientOptions

  constructor(options: DeviceClientOptions) {
    this.#options = options
  }

  async renewalInfo(profile: string): Promise<Timed<{ readonly renewal: RenewalInfoMessage }>> {
    const answer = await this.#json(`renewal-info?profile=${encodeURIComponent(profile)}`, MAX_RENEWAL_INFO)
    return { renewal: parseRenewalInfo(answer.body), retryAfterSeconds: retryAfter(answer) }
  }

  async health(report: HealthReport): Promise<Timed<HealthAnswer>> {
    const answer = await this.#json('health', MAX_HEALTH_ANSWER, encodeHealthReport(report))
    return { ...parseHealthAnswer(answer.body), retryAfterSeconds: retryAfter(answer) }
  }

  /** The CMS message as it came: `checkTrustBundle` judges it. */
  async trustBundle(): Promise<Bytes> {
    const answer = await this.#ask('trust-bundle', MAX_SIGNED_TRUST_BUNDLE)
    requireMediaType(answer, 'application/pkcs7-mime')
    return answer.body
  }

  /** Answers the ids of the keys that the server has recorded as destroyed. */
  async wipeStatement(message: Uint8Array): Promise<readonly string[]> {
    return parseWipeAnswer((await this.#json('wipe-statement', MAX_WIPE_ANSWER, message)).body)
  }

  async #json(path: string, maxBody: number, body?: Uint8Array): Promise<TransportAnswer> {
    const answer = await this.#ask(path, maxBody, body)
    requireMediaType(answer, 'application/json')
    return answer
  }

  /** A question with a body is a POST. */
  async #ask(path: string, maxBody: number, body?: Uint8Array): Promise<TransportAnswer> {
    const { url, transport, onAnswer, ...connection } = this.#options
    const answer = await transport.exchange({
      ...connection,
      method: body === undefined ? 'GET' : 'POST',
      url: new URL(`/api/v1/device/${path}`, url).href,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body }),
      maxBody,
      deadlineMs: DEADLINE_MS,
    })
    onAnswer?.(answer)
    if (answer.status !== 200) throw refusal(answer)
    return answer
  }
}
