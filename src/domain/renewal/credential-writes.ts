// How a credential's row and its two places in the renewal plan are written: always together, so that the plan is the sum of the rows.
import type { Write } from '../ports.ts'
import type { Credential, PlanMeasure } from './credential.ts'
import { expiryBucket, windowBucket } from './window.ts'

/** Everything of a row but its revision, which grows by itself. */
export type CredentialFields = Omit<Credential, 'revision'>

/** Inserts the row, or puts it in the place of `before`: that of the same device and profile. */
export function putCredential(before: Credential | null, fields: CredentialFields): Write[] {
  const after = { ...fields, revision: (before?.revision ?? 0) + 1 }
  return [{ kind: 'credential.put', credential: after, from: before?.revision ?? null }, ...planMoves(before, after)]
}

/** Takes the row away, and out of the plan: its certificate ended, and nothing is to be renewed. */
export function removeCredential(credential: Credential): Write[] {
  const { deviceId, profile, revision } = credential
  return [{ kind: 'credential.remove', deviceId, profile, from: revision }, ...planMoves(credential, null)]
}

const BUCKETS: Readonly<Record<PlanMeasure, (credential: Credential) => number>> = {
  window: windowBucket,
  expiry: expiryBucket,
}

function planMoves(before: Credential | null, after: Credential | null): Write[] {
  const profile = (after ?? before)!.profile
  return (['window', 'expiry'] as const).flatMap(measure => {
    const from = before && BUCKETS[measure](before)
    const to = after && BUCKETS[measure](after)
    if (from === to) return []
    const move = (bucket: number | null, amount: number): Write[] =>
      bucket === null ? [] : [{ kind: 'plan.add', profile, measure, bucket, amount }]
    return [...move(from, -1), ...move(to, 1)]
  })
}

/** The same writes with what they add to one bucket of the plan added up: a thousand credentials share a few buckets. */
export function planTogether(writes: readonly Write[]): Write[] {
  const others: Write[] = []
  const sums = new Map<string, Extract<Write, { kind: 'plan.add' }>>()
  for (const write of writes) {
    if (write.kind !== 'plan.add') others.push(write)
    else {
      const key = `${write.measure} ${write.bucket} ${write.profile}`
      sums.set(key, { ...write, amount: write.amount + (sums.get(key)?.amount ?? 0) })
    }
  }
  return [...others, ...[...sums.values()].filter(({ amount }) => amount !== 0)]
}
