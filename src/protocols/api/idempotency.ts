// A write that comes again under the same Idempotency-Key gets the answer that the first one got. What is kept is sealed under the key, which
// the caller has and the store has not: an answer may hold a secret that is shown once.
import { concat } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { fromUtf8, toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256, sha256Hex } from '../../crypto/digest.ts'
import { SEAL_NONCE_OCTETS, SEAL_SALT_OCTETS, type Seal, seal, unseal } from '../../crypto/sealed-box.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import type { HttpReply, HttpRequest } from '../http.ts'

/** How long an answer is kept. */
export const KEPT_SECONDS = 86_400
/** What is begun and not answered after this time never will be: the process died. Longer than any handler may take. */
const UNDER_WAY_SECONDS = 60
/** The key protects the answer, so that it has to be as hard to guess as a UUID. */
const KEY = /^[\x21-\x7e]{22,128}$/
const PURPOSE = 'touchmark kept answer'
/** Answers that are larger are not kept; none of ours to a write is. */
const MAX_KEPT = 256 * 1024

export interface IdempotencyPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
}

export class IdempotentAnswers {
  readonly #ports: IdempotencyPorts

  constructor(ports: IdempotencyPorts) {
    this.#ports = ports
  }

  /**
   * Answers what `act` answers, or what it answered before. Throws `api.idempotency_key_invalid`, `api.idempotency_key_reused` (another request
   * came under this key), `api.idempotency_under_way`, `api.idempotency_unknown` (the process died in the middle), and what `act` throws:
   * a refusal is not kept, because nothing happened.
   */
  async once(
    request: HttpRequest,
    endpoint: string,
    caller: string,
    act: () => Promise<HttpReply>,
  ): Promise<HttpReply> {
    const key = request.headers['idempotency-key']
    if (key === undefined) return act()
    if (!KEY.test(key)) {
      throw new TouchmarkError('api.idempotency_key_invalid', 'malformed', 'An Idempotency-Key is a random text.', {
        next: 'Send a UUID: 22 to 128 visible characters without spaces.',
      })
    }
    const { store, clock } = this.#ports
    const id = sha256Hex(toUtf8(`${PURPOSE} id\n${caller}\n${key}`))
    const secret = sha256(toUtf8(`${PURPOSE} key\n${caller}\n${key}`))
    const requestDigest = digestOf(request, endpoint)
    const now = clock.now()
    const known = await store.read.keptAnswer(id)
    if (known !== undefined && known.expiresAt >= now) return repeated(known, requestDigest, secret, now)
    const expire = { kind: 'answer.expire', before: now } as const
    const answer = { id, requestDigest, sealed: null, begunAt: now, expiresAt: now + KEPT_SECONDS }
    try {
      await store.commit({ writes: [expire, { kind: 'answer.begin', answer }], audit: [] })
    } catch (thrown) {
      if (!(thrown instanceof TouchmarkError && thrown.code === 'answer.begun')) throw thrown
      throw underWay()
    }
    let reply: HttpReply
    try {
      reply = await act()
    } catch (thrown) {
      await store.commit({ writes: [{ kind: 'answer.drop', id }], audit: [] })
      throw thrown
    }
    if (reply.stream === undefined && reply.body.length <= MAX_KEPT) {
      await store.commit({
        writes: [{ kind: 'answer.finish', id, sealed: this.#seal(reply, secret, id) }],
        audit: [],
      })
    }
    return reply
  }

  #seal({ status, headers, body }: HttpReply, secret: Uint8Array, id: string): Uint8Array {
    const { random } = this.#ports
    const salt = random.bytes(SEAL_SALT_OCTETS)
    const nonce = random.bytes(SEAL_NONCE_OCTETS)
    const text = typeof body === 'string' ? body : fromUtf8(body)
    const box = seal(secret, toUtf8(JSON.stringify({ status, headers, body: text })), sealOf(id, salt, nonce))
    return concat(salt, nonce, box)
  }
}

function repeated(
  known: {
    readonly id: string
    readonly requestDigest: string
    readonly sealed: Uint8Array | null
    readonly begunAt: number
  },
  requestDigest: string,
  secret: Uint8Array,
  now: number,
): HttpReply {
  const { id, sealed, begunAt } = known
  if (known.requestDigest !== requestDigest) {
    throw new TouchmarkError(
      'api.idempotency_key_reused',
      'conflict',
      'Another request was sent under this Idempotency-Key.',
      { next: 'Make a new key for each act, and send it again only with the same request.' },
    )
  }
  if (sealed === null) {
    if (now - begunAt < UNDER_WAY_SECONDS) throw underWay()
    throw new TouchmarkError(
      'api.idempotency_unknown',
      'conflict',
      'The request was begun, and nobody knows whether it came to its end.',
      { next: 'Look whether it happened, in the audit log or at the thing itself; then act under a new key.' },
    )
  }
  const salt = sealed.subarray(0, SEAL_SALT_OCTETS)
  const nonce = sealed.subarray(SEAL_SALT_OCTETS, SEAL_SALT_OCTETS + SEAL_NONCE_OCTETS)
  const box = sealed.subarray(SEAL_SALT_OCTETS + SEAL_NONCE_OCTETS)
  const reply = JSON.parse(fromUtf8(unseal(secret, box, sealOf(id, salt, nonce)))) as HttpReply
  return { ...reply, headers: { ...reply.headers, 'idempotency-replayed': 'true' } }
}

function sealOf(id: string, salt: Uint8Array, nonce: Uint8Array): Seal {
  return { salt, nonce, purpose: PURPOSE, additionalData: toUtf8(id) }
}

function digestOf({ path, query, body, headers }: HttpRequest, endpoint: string): string {
  const parts = [endpoint, path, query.toString(), headers['if-match'] ?? '', toHex(sha256(body))]
  return sha256Hex(toUtf8(JSON.stringify(parts)))
}

function underWay(): TouchmarkError {
  return new TouchmarkError('api.idempotency_under_way', 'conflict', 'The same request is still under way.', {
    next: 'Wait a moment and send it again.',
  })
}
