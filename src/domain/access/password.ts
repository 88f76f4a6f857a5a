// Passwords: argon2id (RFC 9106), kept as text that carries its parameters. At most two are computed at a time and a few wait: each takes
// memory and a core, and strangers must not be able to take all of them.
import { fromBase64url, toBase64url } from '../../core/bytes/base64url.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { equalSecrets } from '../../crypto/constant-time.ts'
import { keyFromPassphrase, type PassphraseKeyParameters } from '../../crypto/passphrase-key.ts'
import type { Random } from '../../crypto/random.ts'

/** Twice what OWASP asks for at least (19 MiB, 2 passes, 1 lane), in one thread: the pool has four, for everybody. */
export const PASSWORD_PARAMETERS: PassphraseKeyParameters = { memoryKiB: 38_912, passes: 2, lanes: 1 }

/** SP 800-63B-4 §3.1.1.2 asks for 8 where there is a second factor, as here; 12 cost nobody with a password manager anything. */
export const MIN_PASSWORD = 12
/** Octets: what is longer is no password, but work. */
export const MAX_PASSWORD = 256
const MIN_DIFFERENT = 6

const AT_ONCE = 2
const WAITING = 16

const SALT_OCTETS = 16
const HASH = /^argon2id\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([\w-]{22})\$([\w-]{43})$/

export class Passwords {
  readonly #random: Random
  readonly #parameters: PassphraseKeyParameters
  /** What a password is compared with where there is none: the same work, and never a match. */
  readonly #nobody: string
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(random: Random, parameters: PassphraseKeyParameters = PASSWORD_PARAMETERS) {
    this.#random = random
    this.#parameters = parameters
    this.#nobody = textOf(parameters, random.bytes(SALT_OCTETS), random.bytes(32))
  }

  /** What the store keeps. `about`: words of the account that must not be the password. Throws `password.weak`, `access.busy`. */
  async hash(password: string, about: readonly string[]): Promise<string> {
    checkPassword(password, about)
    const salt = this.#random.bytes(SALT_OCTETS)
    return textOf(this.#parameters, salt, await this.#key(password, salt, this.#parameters))
  }

  /** Whether it is the password; `null` (nobody, or no password) costs the same and is never right. Throws `access.busy`. */
  async verify(password: string, hash: string | null): Promise<boolean> {
    const [, m, t, p, salt, key] = HASH.exec(hash ?? this.#nobody) ?? []
    if (key === undefined) throw new TouchmarkError('password.hash_unreadable', 'internal', 'A stored hash is no hash.')
    const parameters = { memoryKiB: Number(m), passes: Number(t), lanes: Number(p) }
    const tooLong = toUtf8(password).length > MAX_PASSWORD
    const found = await this.#key(tooLong ? '' : password, fromBase64url(salt!), parameters)
    return equalSecrets(found, fromBase64url(key)) && hash !== null && !tooLong
  }

  async #key(password: string, salt: Uint8Array, parameters: PassphraseKeyParameters): Promise<Uint8Array> {
    await this.#enter()
    try {
      // SP 800-63B-4 §3.1.1.2: the same password however a keyboard composes its letters.
      return await keyFromPassphrase(toUtf8(password.normalize('NFC')), salt, parameters)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < AT_ONCE) {
      this.#running++
      return
    }
    if (this.#waiting.length >= WAITING) {
      throw new TouchmarkError('access.busy', 'unavailable', 'Too many sign in at once.', {
        evidence: { retryAfterSeconds: 2 },
        next: 'Try again in a moment.',
      })
    }
    await new Promise<void>(resolve => this.#waiting.push(resolve))
  }
}

/** Throws `password.weak`. No rules of composition: they make passwords worse (SP 800-63B-4 §3.1.1.2). */
export function checkPassword(password: string, about: readonly string[]): void {
  const small = password.toLowerCase()
  const known = [...about, 'touchmark', 'password', 'passwort']
    .map(word => word.toLowerCase())
    .flatMap(word => [word, ...word.split(/[@\s]/)])
    .filter(word => word.length > 2)
    .sort((a, b) => b.length - a.length)
  const rest = known.reduce((text, word) => text.replaceAll(word, ''), small)
  const why =
    [...password].length < MIN_PASSWORD
      ? `has fewer than ${MIN_PASSWORD} characters`
      : toUtf8(password).length > MAX_PASSWORD
        ? `has more than ${MAX_PASSWORD} octets`
        : !password.isWellFormed() || /\p{Cc}/u.test(password)
          ? 'has characters that no keyboard has'
          : new Set(rest).size < MIN_DIFFERENT
            ? 'is too easy to guess'
            : undefined
  if (why === undefined) return
  throw new TouchmarkError('password.weak', 'malformed', `The password ${why}.`, {
    next: 'Let a password manager make one, or use a passkey.',
  })
}

function textOf({ memoryKiB, passes, lanes }: PassphraseKeyParameters, salt: Uint8Array, key: Uint8Array): string {
  return `argon2id$m=${memoryKiB},t=${passes},p=${lanes}$${toBase64url(salt)}$${toBase64url(key)}`
}
