// Where a list goes on, as callers see it: sealed and bound to the endpoint and the query that it belongs to. What stands in it may be the name of
// a thing that the caller must not see, because a page was narrowed to what they may; and the store is asked from no place that we did not name.
import { fromBase64url, toBase64url } from '../../core/bytes/base64url.ts'
import { concat } from '../../core/bytes/bytes.ts'
import { fromUtf8, toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { Random } from '../../crypto/random.ts'
import { SEAL_NONCE_OCTETS, SEAL_SALT_OCTETS, type Seal, seal, unseal } from '../../crypto/sealed-box.ts'

const PURPOSE = 'touchmark list cursor'

/** What the list is of, in few letters. */
export function listName(endpoint: string, query: Readonly<Record<string, unknown>>): string {
  const { limit: _limit, after: _after, fields: _fields, ...conditions } = query
  const text = JSON.stringify([endpoint, Object.entries(conditions).sort(([a], [b]) => (a < b ? -1 : 1))])
  return sha256Hex(toUtf8(text)).slice(0, 16)
}

export class Cursors {
  readonly #random: Random
  readonly #key: () => Uint8Array

  /** `secretFor`: as in `AccessPorts`, so that every process of an instance reads the cursors of the others. */
  constructor({ random, secretFor }: { readonly random: Random; secretFor(purpose: string): Uint8Array }) {
    this.#random = random
    this.#key = () => secretFor(PURPOSE)
  }

  seal(list: string, place: string): string {
    const [salt, nonce] = [this.#random.bytes(SEAL_SALT_OCTETS), this.#random.bytes(SEAL_NONCE_OCTETS)]
    return toBase64url(concat(salt, nonce, seal(this.#key(), toUtf8(place), sealOf(list, salt, nonce))))
  }

  /** Throws `api.cursor_invalid`. */
  open(list: string, cursor: string): string {
    try {
      const octets = fromBase64url(cursor)
      const salt = octets.subarray(0, SEAL_SALT_OCTETS)
      const nonce = octets.subarray(SEAL_SALT_OCTETS, SEAL_SALT_OCTETS + SEAL_NONCE_OCTETS)
      const box = octets.subarray(SEAL_SALT_OCTETS + SEAL_NONCE_OCTETS)
      return fromUtf8(unseal(this.#key(), box, sealOf(list, salt, nonce)))
    } catch (cause) {
      if (!(cause instanceof TouchmarkError)) throw cause
      throw new TouchmarkError('api.cursor_invalid', 'malformed', 'The cursor does not belong to this list.', {
        cause,
        next: 'Pass the next of a page as after, with the same query; or begin anew without it.',
      })
    }
  }
}

const sealOf = (list: string, salt: Uint8Array, nonce: Uint8Array): Seal => ({
  salt,
  nonce,
  purpose: PURPOSE,
  additionalData: toUtf8(list),
})
