// What the log says of a means to sign in: a digest, so that a row that somebody puts or changes past the log is found (`access-check.ts`).
// None of them can be guessed back: each is over random octets, a salted hash or a public key.
import { concat } from '../../core/bytes/bytes.ts'
import { fromHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { ApiToken } from './api-token.ts'
import type { Approval } from './approval.ts'
import type { Operator, RoleGrant } from './operator.ts'
import type { Passkey } from './passkey.ts'

const textDigest = (text: string): string => sha256Hex(toUtf8(text))

export const rolesDigest = (roles: readonly RoleGrant[]): string => textDigest(JSON.stringify(roles))
export const passwordDigest = ({ passwordHash }: Pick<Operator, 'passwordHash'>): string =>
  textDigest(passwordHash ?? '')
export const totpDigest = ({ totp }: Pick<Operator, 'totp'>): string => textDigest(totp?.sealed ?? '')
export const oidcDigest = ({ oidc }: Pick<Operator, 'oidc'>): string =>
  textDigest(oidc === null ? '' : JSON.stringify([oidc.issuer, oidc.subject, oidc.salt]))

export function passkeyDigest({ id, operatorId, publicKey }: Pick<Passkey, 'id' | 'operatorId' | 'publicKey'>): string {
  return sha256Hex(concat(toUtf8(`${operatorId}\n`), fromHex(id), publicKey))
}

/** What a token may do, for whom, and until when. */
export function apiTokenDigest(token: ApiToken): string {
  const { id, secretHash, operatorId, permissions, scope, expiresAt } = token
  return textDigest(JSON.stringify([id, secretHash, operatorId, permissions, scope, expiresAt]))
}

/** What was asked for, by whom, and how many must agree. */
export function approvalDigest(approval: Approval): string {
  const { id, act, parameters, requestedBy, quorum, expiresAt } = approval
  return textDigest(JSON.stringify([id, act, parameters, requestedBy, quorum, expiresAt]))
}
