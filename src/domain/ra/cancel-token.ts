// Withdraws a one-time token before it is used: what was sent to the wrong place, or is not needed any more.
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { TokenId, UnixSeconds } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import type { Token } from './token.ts'

/**
 * Withdraws a token that was not used; one that was withdrawn before stays as it is. Answers it as it stands then. Throws `token.not_found`,
 * `token.used`.
 */
export async function cancelToken(
  id: TokenId,
  actor: AuditEntry['actor'],
  { store, clock }: { readonly store: Store; readonly clock: Clock },
): Promise<Token> {
  const token = await store.read.token(id)
  if (token === undefined) {
    throw new TouchmarkError('token.not_found', 'not_found', `There is no token ${id}.`, {
      next: 'List the tokens of a device with: touchmark token list --device SERIAL',
    })
  }
  if (token.cancelledAt !== null) return token
  if (token.usedAt !== null) {
    throw new TouchmarkError('token.used', 'conflict', `The token ${id} was used.`, {
      next: 'Revoke what it was used for with: touchmark revoke --device SERIAL',
      evidence: { tokenId: id },
    })
  }
  const at = clock.now()
  const change = new ChangeBuilder()
  addTokenCancellation(change, token, actor, at)
  await store.commit(change)
  return { ...token, cancelledAt: at }
}

/** The write and its entry, for what ends tokens along with other things. */
export function addTokenCancellation(
  change: ChangeBuilder,
  token: Token,
  actor: AuditEntry['actor'],
  at: UnixSeconds,
): void {
  change.write({ kind: 'token.cancel', id: token.id, at })
  change.record({
    at,
    actor,
    action: 'token.cancelled',
    outcome: 'done',
    subject: { tokenId: token.id, deviceId: token.deviceId },
  })
}
