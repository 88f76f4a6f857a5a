// Who may act for a device, as far as ownership goes: pure, so that every door asks the same question. A transfer counts from its date on,
// whether or not the job that writes it down has run.
import type { UnixSeconds } from '../ids.ts'
import type { OwnershipTransfer } from './ownership.ts'

export interface OwnershipFacts {
  /** The property `owner`; `null`: nobody owns the device. */
  readonly owner: string | null
  readonly transfers: readonly Pick<OwnershipTransfer, 'state' | 'from' | 'to' | 'effectiveAt'>[]
}

/** Whose the device is at `now`. */
export function ownerAt({ owner, transfers }: OwnershipFacts, now: UnixSeconds): string | null {
  const due = transfers.find(
    ({ state, from, effectiveAt }) => state === 'accepted' && from === owner && effectiveAt <= now,
  )
  return due === undefined ? owner : due.to
}

/** Only the owner acts: neither who had the device before, nor who gets it later. */
export function mayActFor(owner: string, device: OwnershipFacts, now: UnixSeconds): boolean {
  return ownerAt(device, now) === owner
}

/** The owner sees the device, and whoever it is promised to: both sides agreed, and the new one has to prepare. */
export function maySee(owner: string, device: OwnershipFacts, now: UnixSeconds): boolean {
  return mayActFor(owner, device, now) || device.transfers.some(({ state, to }) => state === 'accepted' && to === owner)
}
