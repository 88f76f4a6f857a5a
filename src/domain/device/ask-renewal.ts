// "When should I renew?", as a device asks it for itself (RFC 9773 §4.2, §4.3): for the certificate that it shows, or for what it holds under
// another profile.
import type { RenewalInfoMessage } from '../../core/messages/renewal-info.ts'
import type { AuthorityDirectory } from '../ca/authorities.ts'
import type { UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import type { Credential } from '../renewal/credential.ts'
import { renewalInfo } from '../renewal/renewal-info.ts'
import type { DeviceContact } from './device-contact.ts'

export interface RenewalAnswer {
  readonly message: RenewalInfoMessage
  /** When to ask again. */
  readonly retryAfterSeconds: number
}

export interface AskRenewalPorts {
  readonly read: Pick<StoreReader, 'credential'>
  readonly authorities: Pick<AuthorityDirectory, 'profile'>
}

/** `null` where the device holds nothing under the profile that would have to be renewed. Throws `profile.not_found`. */
export async function askRenewal(
  { device, record }: DeviceContact,
  profile: string,
  now: UnixSeconds,
  { read, authorities }: AskRenewalPorts,
): Promise<RenewalAnswer | null> {
  const credential = await read.credential(device.id, profile)
  if (credential === undefined) return null
  const { renewal: policy, keyAlgorithms } = await authorities.profile(profile)
  const info = renewalInfo(credential, policy, now, keyAlgorithms)
  const { reason, order, retryAfterSeconds } = info
  const left = isPrevious(credential, record)
  const message: RenewalInfoMessage = {
    profile,
    certificate: left ? record : credential,
    // The successor has not been seen: who still goes by the one before never got it, and may ask again until that one ends.
    suggestedWindow: left ? { start: credential.notBefore, end: credential.notBefore + 1 } : info.suggestedWindow,
    reason,
    order,
  }
  return { message, retryAfterSeconds }
}

function isPrevious({ previous }: Credential, { authorityId, serialNumber }: DeviceContact['record']): boolean {
  return previous !== null && previous.authorityId === authorityId && previous.serialNumber === serialNumber
}
