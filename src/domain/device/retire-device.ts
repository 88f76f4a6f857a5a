// The end of a device's work. In one transaction everything that speaks for it ends: the certificates of every slot and of every authority
// of ours are revoked (cessationOfOperation), its keys archived, its tokens withdrawn, its waiting requests rejected, a transfer called off.
import type { AuditEntry } from '../audit/entry.ts'
import type { CertificateStatus } from '../ca/certificate-record.ts'
import type { ChangeBuilder } from '../change-builder.ts'
import type { DeviceId, UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import { addTokenCancellation } from '../ra/cancel-token.ts'
import type { Enrolment } from '../ra/enrolment.ts'
import { endCredentialWrites } from '../renewal/credential-changes.ts'
import { orderEnded } from '../renewal/order-renewal.ts'
import { addStatusChanges } from '../revocation/status-changes.ts'
import {
  actOnDevice,
  addDeviceMove,
  becauseDetail,
  type DeviceActBy,
  type DeviceActOutcome,
  type DeviceActPorts,
  moveNotAllowed,
  namesOf,
} from './device-act.ts'
import { mayKeyMove } from './device-key.ts'
import { addKeyMove } from './key-changes.ts'
import { addTransferMove } from './ownership-changes.ts'

/**
 * Retires the device; of one that is retired already, what still speaks for it. Final. Throws `device.not_found`,
 * `device.move_not_allowed`, `device.because_invalid`, `device.contended`.
 */
export function retireDevice(id: DeviceId, by: DeviceActBy, ports: DeviceActPorts): Promise<DeviceActOutcome> {
  const { read } = ports.store
  return actOnDevice(
    id,
    async ({ device, certificates, keys }, change, now) => {
      if (device.state === 'destroyed') throw moveNotAllowed(device, 'retired')
      const { actor } = by
      const moved = device.state === 'retired' ? device : addDeviceMove(change, device, 'retired', by, now)
      if (device.state === 'suspended') change.write({ kind: 'suspension.remove', deviceId: id })

      const live = certificates.filter(({ status, notAfter }) => status.kind !== 'revoked' && notAfter >= now)
      const revoked: CertificateStatus = {
        kind: 'revoked',
        at: now,
        reason: 'cessationOfOperation',
        invalidityDate: null,
      }
      addStatusChanges(change, live, { to: revoked, actor, now, detail: becauseDetail(by) })
      const ended = keys.filter(({ state }) => mayKeyMove(state, 'archived'))
      for (const key of ended) addKeyMove(change, key, 'archived', actor, now)
      for (const credential of await read.credentialsOfDevice(id)) {
        change.write(...endCredentialWrites(credential))
        if (credential.order) change.record(orderEnded(credential, 'ended_with_certificate', actor, now))
      }
      const [tokens, requests, transfers] = await readOpen(id, read)
      for (const token of tokens) addTokenCancellation(change, token, actor, now)
      for (const request of requests) rejectRequest(change, request, actor, now)
      for (const transfer of transfers)
        addTransferMove(change, transfer, 'cancelled', actor, now, { because: 'device.retired' })
      return {
        device: moved,
        certificates: namesOf(live),
        keys: ended.map(({ id: keyId, state }) => ({ id: keyId, from: state, to: 'archived' })),
        tokens: tokens.length,
        requests: requests.length,
        transfers: transfers.length,
      }
    },
    ports,
  )
}

/** What would let the device in again, or give it to somebody else. */
async function readOpen(id: DeviceId, read: StoreReader) {
  const [tokens, requests, transfers] = await Promise.all([
    read.openTokensOfDevice(id),
    read.openEnrolmentsOfDevice(id),
    read.transfersOfDevice(id),
  ])
  return [tokens, requests, transfers.filter(({ state }) => state === 'proposed' || state === 'accepted')] as const
}

function rejectRequest(change: ChangeBuilder, request: Enrolment, actor: AuditEntry['actor'], at: UnixSeconds): void {
  const { digest, deviceId, profile, rule } = request
  const to = { kind: 'rejected', by: actor.id, at, reason: 'The device was retired.' } as const
  change.write({ kind: 'enrolment.state', digest, from: request.state.kind, to, deviceId })
  change.record({
    at,
    actor,
    action: 'enrolment.rejected',
    outcome: 'done',
    subject: { requestDigest: digest, ...(deviceId === null ? {} : { deviceId }) },
    detail: { profile, rule },
  })
}
