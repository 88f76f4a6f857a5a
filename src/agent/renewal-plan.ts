// When this device renews: a random moment of the window that the server suggests (RFC 9773 §4.2), or of the last third of the certificate's
// life where no server says anything.
import type { RenewalInfoMessage } from '../core/messages/renewal-info.ts'
import { isKeyAlgorithmName } from '../crypto/algorithms.ts'
import type { Random } from '../crypto/random.ts'
import type { IdentityRecord, RenewalPlan, RenewalWish } from './agent-state.ts'
import { fraction } from './back-off.ts'

/**
 * The plan that follows from what the server says. A window that is as it was keeps the moment that was drawn. An order is obeyed as soon as its
 * window is open: whoever ordered it paces the asking, and devices hear of it at moments that are spread already.
 */
export function planFrom(
  info: RenewalInfoMessage,
  { serialNumber, notBefore, notAfter }: IdentityRecord,
  before: RenewalPlan | null,
  random: Random,
): RenewalPlan {
  const { reason, order } = info
  const { start: windowStart, end: windowEnd } = info.suggestedWindow
  const same =
    before?.serialNumber === serialNumber && before.windowStart === windowStart && before.windowEnd === windowEnd
  const suggested = order ? windowStart : same ? before.renewAt : draw(windowStart, windowEnd, random)
  const renewAt = Math.min(suggested, notAfter - Math.floor((notAfter - notBefore) * LAST_SHARE))
  return { serialNumber, windowStart, windowEnd, renewAt, reason, order: order && wishOf(order) }
}

/** A server that errs may name a time behind the end of the certificate: the last twentieth of the life is never waited for. */
const LAST_SHARE = 1 / 20

/** An algorithm that this agent does not have is left out: the server refuses what does not do, and says why. */
function wishOf({ newKey, keyAlgorithm, profile }: NonNullable<RenewalInfoMessage['order']>): RenewalWish {
  const known = keyAlgorithm !== null && isKeyAlgorithmName(keyAlgorithm) ? keyAlgorithm : null
  return { newKey, keyAlgorithm: known, profile }
}

/** The plan of a device that was told nothing: between two thirds and nine tenths of the life. */
export function planAlone(identity: IdentityRecord, random: Random): RenewalPlan {
  const life = identity.notAfter - identity.notBefore
  const windowStart = identity.notBefore + Math.floor((life * 2) / 3)
  const windowEnd = identity.notBefore + Math.floor(life * 0.9)
  const renewAt = draw(windowStart, windowEnd, random)
  return { serialNumber: identity.serialNumber, windowStart, windowEnd, renewAt, reason: 'scheduled', order: null }
}

/** Whether little of the life is left: a tenth. Then it is tried more often. */
export function isUrgent(identity: IdentityRecord, now: number): boolean {
  return now >= identity.notAfter - (identity.notAfter - identity.notBefore) / 10
}

function draw(start: number, end: number, random: Random): number {
  return start + Math.floor(fraction(random) * (end - start + 1))
}
