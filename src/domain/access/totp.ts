// The second factor: TOTP (RFC 6238) with SHA-1, six digits and steps of thirty seconds, which is what authenticator apps understand.
// The secret is stored sealed under a key of the key store, so that a copy of the database makes no codes.
import { toBase32 } from '../../core/bytes/base32.ts'
import { fromBase64url, toBase64url } from '../../core/bytes/base64url.ts'
import { type Bytes, concat } from '../../core/bytes/bytes.ts'
import { fromUtf8, toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { equalSecrets } from '../../crypto/constant-time.ts'
import { hotp } from '../../crypto/hotp.ts'
import type { Random } from '../../crypto/random.ts'
import { SEAL_NONCE_OCTETS, SEAL_SALT_OCTETS, seal, unseal } from '../../crypto/sealed-box.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Totp } from './operator.ts'

/** RFC 6238 §4.1. */
const STEP_SECONDS = 30
/** Steps before and after the present one that count, for clocks that differ and people who type (§5.2). */
const DRIFT = 1
/** RFC 4226 §4 R6: 160 bits. */
const SECRET_OCTETS = 20
/** How long a secret that was shown may wait for its first code. */
export const ENROLMENT_SECONDS = 600

const SECRET_PURPOSE = 'touchmark totp secret'

/** The secret of an operator who sets up codes: shown once, and carried by the browser as `ticket` until the first code proves it. */
export interface TotpOffer {
  /** For an app: `otpauth://totp/…`. */
  readonly uri: string
  /** For people: Base32. */
  readonly secret: string
  readonly ticket: string
}

export function offerTotp(
  { operatorId, account, issuer }: { operatorId: string; account: string; issuer: string },
  now: UnixSeconds,
  sealingKey: Uint8Array,
  random: Random,
): TotpOffer {
  const octets = random.bytes(SECRET_OCTETS)
  const secret = toBase32(octets)
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`
  const uri = `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}`
  const expires = toUtf8(String(now + ENROLMENT_SECONDS).padStart(12, '0'))
  const ticket = sealed(concat(expires, octets), `${operatorId} offer`, sealingKey, random)
  return { uri, secret, ticket }
}

/** What the store keeps once the first code is right. Throws `totp.offer_invalid`, `totp.code_wrong`. */
export function acceptTotp(
  { operatorId, ticket, code }: { operatorId: string; ticket: string; code: string },
  now: UnixSeconds,
  sealingKey: Uint8Array,
  random: Random,
): Totp {
  const opened = opensOffer(ticket, operatorId, sealingKey)
  if (opened === undefined || Number(fromUtf8(opened.slice(0, 12))) < now) {
    throw new TouchmarkError(
      'totp.offer_invalid',
      'malformed',
      'The secret was shown too long ago, or to somebody else.',
      {
        next: 'Begin again.',
      },
    )
  }
  const secret = opened.slice(12)
  const step = matchingStep(secret, code, now, -1)
  if (step === undefined) {
    throw new TouchmarkError('totp.code_wrong', 'malformed', 'The code is not the one that the secret gives now.', {
      next: 'See whether the clock of the telephone is right, and type the next code.',
    })
  }
  return { sealed: sealed(secret, operatorId, sealingKey, random), lastStep: step }
}

/** The factor as it is to be stored after this code, or `undefined` where the code is wrong or was used. */
export function spendTotp(
  totp: Totp,
  operatorId: string,
  code: string,
  now: UnixSeconds,
  sealingKey: Uint8Array,
): Totp | undefined {
  const step = matchingStep(unsealed(totp.sealed, operatorId, sealingKey), code, now, totp.lastStep)
  return step === undefined ? undefined : { ...totp, lastStep: step }
}

/** The step whose code this is; every candidate is computed and compared, so that the time tells nothing. */
function matchingStep(secret: Uint8Array, code: string, now: UnixSeconds, after: number): number | undefined {
  const present = Math.floor(now / STEP_SECONDS)
  const given = toUtf8(code)
  let found: number | undefined
  for (let step = Math.max(0, present - DRIFT); step <= present + DRIFT; step++) {
    const right = equalSecrets(given, toUtf8(hotp(secret, step, 6)))
    if (right && step > after) found = step
  }
  return found
}

function opensOffer(ticket: string, operatorId: string, key: Uint8Array): Bytes | undefined {
  try {
    return unsealed(ticket, `${operatorId} offer`, key)
  } catch (cause) {
    if (cause instanceof TouchmarkError) return undefined
    throw cause
  }
}

function sealed(secret: Uint8Array, owner: string, key: Uint8Array, random: Random): string {
  const salt = random.bytes(SEAL_SALT_OCTETS)
  const nonce = random.bytes(SEAL_NONCE_OCTETS)
  const box = seal(key, secret, { salt, nonce, purpose: SECRET_PURPOSE, additionalData: toUtf8(owner) })
  return toBase64url(concat(salt, nonce, box))
}

function unsealed(text: string, owner: string, key: Uint8Array): Bytes {
  const octets = fromBase64url(text)
  const salt = octets.slice(0, SEAL_SALT_OCTETS)
  const nonce = octets.slice(SEAL_SALT_OCTETS, SEAL_SALT_OCTETS + SEAL_NONCE_OCTETS)
  const box = octets.slice(SEAL_SALT_OCTETS + SEAL_NONCE_OCTETS)
  return unseal(key, box, { salt, nonce, purpose: SECRET_PURPOSE, additionalData: toUtf8(owner) })
}
