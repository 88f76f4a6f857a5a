// The end of holds: each whose time has come becomes the revocation that was announced with it, unless somebody released it before.
import type { CertificateRecord, StatusRecord } from '../ca/certificate-record.ts'
import { ChangeBuilder } from '../change-builder.ts'
import { hasMoved } from '../rounds.ts'
import { addRevocation, liveOver, type RevocationPorts } from './revoke.ts'

/** Holds of one transaction. */
const TOGETHER = 500
/** What one call ends at most: others have work to do too, and it comes again in seconds. */
const MAX_ROUNDS = 40

/** Ends what is due. For a job, in as many processes as there are. */
export async function endDueHolds(ports: RevocationPorts, signal: AbortSignal): Promise<void> {
  const { store, clock } = ports
  for (let round = 0; round < MAX_ROUNDS && !signal.aborted; round++) {
    const due = await store.read.holdsEnded(clock.now(), TOGETHER)
    const reasons = new Set(due.map(reasonOf))
    for (const reason of reasons)
      await endTogether(
        due.filter(record => reasonOf(record) === reason),
        ports,
      )
    if (due.length < TOGETHER) return
  }
}

/** In one transaction; where somebody released or revoked one of them meanwhile, each on its own. */
async function endTogether(records: readonly CertificateRecord[], ports: RevocationPorts): Promise<void> {
  const { store, clock } = ports
  const now = clock.now()
  const reason = records[0] && reasonOf(records[0])
  if (reason === undefined) return
  const to = { kind: 'revoked', at: now, reason, invalidityDate: null } as const
  const keys = new Set(reason === 'keyCompromise' ? records.map(({ keyId }) => keyId) : [])
  const ended = new Set(records.map(({ serialNumber }) => serialNumber))
  const devices = [...new Set(records.flatMap(({ deviceId }) => deviceId ?? []))]
  const others = keys.size === 0 ? [] : await liveOver(keys, devices, now, store.read)
  const all: StatusRecord[] = [...records, ...others.filter(({ serialNumber }) => !ended.has(serialNumber))]
  const change = new ChangeBuilder()
  await addRevocation(change, all, to, [...keys], { actor: UNDO_OVER, now, because: 'undo_time_over' }, store.read)
  try {
    await store.commit(change)
  } catch (thrown) {
    if (!hasMoved(thrown)) throw thrown
    // Of one alone, what moved is read anew when the job comes next.
    if (records.length > 1) for (const record of records) await endTogether([record], ports)
  }
}

function reasonOf({ status }: CertificateRecord) {
  return status.kind === 'held' ? status.ends?.reason : undefined
}

const UNDO_OVER = { kind: 'system', id: 'undo' } as const
