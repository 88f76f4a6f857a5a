// The OCSP responder (RFC 6960, RFC 5019, RFC 9654): any octets in, an answer out. What was signed before and still holds is given again; the
// rest is signed from the registry by the delegated responder of the authority that the request names. One message is signed by one responder,
// so a message about certificates of several authorities is refused as `unauthorized`.
import { fromBase64, toBase64 } from '../../core/bytes/base64.ts'
import type { ChangeSet, Clock, StoreReader } from '../ports.ts'
import { LiveOcsp, type LiveOcspPorts, type OcspAnswer, refusal } from './live-ocsp.ts'
import { indexResponders, type OcspQuestion, type ResponderIndex, readOcspQuestion } from './ocsp-question.ts'
import type { LostResponder, OcspResponder } from './ocsp-responders.ts'
import { MAX_PLAIN_REQUEST, type PresignedAnswer, PresignedAnswers } from './presigned-answers.ts'

export interface OcspServicePorts extends Pick<LiveOcspPorts, 'soon' | 'onFailure'> {
  readonly read: StoreReader
  readonly clock: Clock
  /** Milliseconds of a clock that never goes back. */
  elapsed(): number
  readonly responders: {
    /** Those that can sign now, one for each online authority; the same list while nothing changed. */
    current(): Promise<readonly OcspResponder[]>
    /** Those that should and cannot. */
    readonly lost: readonly LostResponder[]
  }
  /** Octets that answers signed before may take. */
  readonly presignedOctets?: number
}

/** Answers signed anew in one round. */
const RENEWALS = 512

export class OcspService {
  readonly #ports: OcspServicePorts
  readonly #live: LiveOcsp
  readonly presigned: PresignedAnswers
  #index: ResponderIndex = indexResponders([])
  #indexed: { readonly current: readonly OcspResponder[]; readonly lost: readonly LostResponder[] } | undefined

  constructor(ports: OcspServicePorts) {
    const { presignedOctets } = ports
    this.#ports = ports
    this.#live = new LiveOcsp({ ...ports, onFailure: (question, thrown) => this.#failed(question, thrown) })
    this.presigned = new PresignedAnswers({
      read: ports.read,
      clock: ports.clock,
      elapsed: () => ports.elapsed(),
      soon: work => ports.soon(work),
      ...(presignedOctets === undefined ? {} : { maxOctets: presignedOctets }),
    })
  }

  /** Questions that wait for their signature. */
  get waiting(): number {
    return this.#live.waiting
  }

  /** Answers at once where the answer to this request (its octets in base64) is signed already. */
  ready(request: string): PresignedAnswer | undefined {
    return this.presigned.find(request)
  }

  /**
   * Answers any octets: what cannot be parsed gets `malformedRequest`, whom we do not answer for gets `unauthorized`, and who cannot be answered
   * just now `tryLater` (RFC 6960 §2.3). Rejects only for faults of our own.
   */
  async answer(der: Uint8Array): Promise<OcspAnswer> {
    const request = der.length <= MAX_PLAIN_REQUEST ? toBase64(der) : undefined
    return (request && this.presigned.find(request)) || this.#sign(der, request)
  }

  async #sign(der: Uint8Array, request: string | undefined): Promise<OcspAnswer> {
    const question = readOcspQuestion(der, await this.#responderIndex())
    if (typeof question === 'string') return refusal(question)
    if (request === undefined || !question.plain) return this.#live.answer(question)
    const { responder, certificates } = question
    const { serialNumber } = certificates[0]!
    const draft = this.presigned.begin(request, { authorityId: responder.authorityId, serialNumber }, responder)
    let answer: OcspAnswer | undefined
    try {
      answer = await this.#live.answer(question)
      return answer
    } finally {
      this.presigned.end(draft, answer)
    }
  }

  /** A change that this process committed: to be called before its maker hears of it. */
  committed(change: ChangeSet): void {
    this.presigned.committed(change)
  }

  /** Looks what other processes changed; to be called every half second, and again only when it has ended. */
  follow(): Promise<void> {
    return this.presigned.follow()
  }

  /** Signs anew what is asked for and will end soon; returns how many. */
  async renew(): Promise<number> {
    await this.#responderIndex()
    const due = this.presigned.due(RENEWALS)
    const answers = await Promise.all(due.map(request => this.#sign(fromBase64(request), request)))
    return answers.filter(({ outcome }) => outcome === 'successful').length
  }

  /** A signer that erred once is not believed in what it signed before. */
  #failed(question: OcspQuestion, thrown: unknown): void {
    this.#ports.onFailure?.(question, thrown)
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'signer.signature_wrong')) return
    this.presigned.keepOnly(this.#indexed?.current.filter(each => each !== question.responder) ?? [])
  }

  async #responderIndex(): Promise<ResponderIndex> {
    const { responders } = this.#ports
    const current = await responders.current()
    const { lost } = responders
    if (this.#indexed?.current === current && this.#indexed.lost === lost) return this.#index
    if (this.#indexed?.current !== current) this.presigned.keepOnly(current)
    this.#indexed = { current, lost }
    this.#index = indexResponders([...current, ...lost])
    return this.#index
  }
}
