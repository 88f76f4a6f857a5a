// An operator: a person who may sign in. Name and e-mail address are personal data: they stand in the store, where they can be erased, and
// never in the log, which knows the opaque id alone.
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { Random } from '../../crypto/random.ts'
import type { UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import type { Scope } from './principal.ts'

/** A role that an operator has, and where. */
export interface RoleGrant {
  readonly role: string
  readonly scope: Scope
}

/** A second factor by RFC 6238. */
export interface Totp {
  /** Sealed: see `totp-secret.ts`. */
  readonly sealed: string
  /** The last time step that was used; none before it counts again (RFC 6238 §5.2). */
  readonly lastStep: number
}

export interface Operator {
  /** `op-` and 32 hex digits: what the log calls it. */
  readonly id: string
  /** For the screen. Empty once it is erased. */
  readonly name: string
  /** What one signs in with, in small letters; `null` where it is erased. */
  readonly email: string | null
  readonly state: 'active' | 'removed'
  readonly roles: readonly RoleGrant[]
  /** `argon2id$…`: see `password.ts`. */
  readonly passwordHash: string | null
  readonly totp: Totp | null
  /** Whom an OpenID provider says that it is. The salt (hex) goes into what the log commits to: subjects can be guessed. */
  readonly oidc: { readonly issuer: string; readonly subject: string; readonly salt: string } | null
  readonly createdAt: UnixSeconds
  /** Grows by one with each change. */
  readonly revision: number
}

export const newOperatorId = (random: Random): string => `op-${toHex(random.bytes(16))}`

/** Text that a person is called by: one line. */
const NAME = /^[^\s\p{C}](?:[^\p{C}]{0,98}[^\s\p{C}])?$/u
/** As much of RFC 5321 as people use; nobody is sent mail on its word alone. */
const EMAIL = /^[^\s@\p{C}]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?$/u

/** Throws `operator.name_invalid`. */
export function checkOperatorName(name: string): string {
  if (NAME.test(name)) return name
  throw new TouchmarkError('operator.name_invalid', 'malformed', 'A name is one line of 1 to 100 characters.')
}

/** In small letters, as it is stored and found. Throws `operator.email_invalid`. */
export function parseEmail(text: string): string {
  const email = text.toLowerCase()
  if (EMAIL.test(email)) return email
  throw new TouchmarkError('operator.email_invalid', 'malformed', 'This is not an e-mail address.')
}

/** Throws `operator.not_found`, also for one that was removed. */
export async function activeOperator(id: string, read: Pick<StoreReader, 'operator'>): Promise<Operator> {
  const operator = await read.operator(id)
  if (operator?.state === 'active') return operator
  throw new TouchmarkError('operator.not_found', 'not_found', `There is no operator ${id.slice(0, 64)}.`, {
    next: 'List operators with: touchmark operator list',
  })
}

/**
 * Whether the operator may have means of their own to sign in: not who comes by an OpenID provider, whom it could not keep out any more. Throws
 * `access.signs_in_elsewhere`.
 */
export function assertSignsInHere({ oidc }: Pick<Operator, 'oidc'>): void {
  if (oidc === null) return
  throw new TouchmarkError(
    'access.signs_in_elsewhere',
    'conflict',
    'You sign in by the OpenID provider, and only so.',
    {
      next: 'Change how you sign in there.',
    },
  )
}
