// Makes a one-time token for a device. The secret exists in the answer only.
import { toBase64 } from '../../core/bytes/base64.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { Profile } from '../ca/profile.ts'
import { type Device, mayEnrol } from '../device/device.ts'
import { checkDeviceName } from '../device/device-name.ts'
import { newDeviceId, newTokenId, type UnixSeconds } from '../ids.ts'
import type { ChangeSet, Clock, Random, Store } from '../ports.ts'
import { standingDevice } from './standing-facts.ts'
import { hashTokenSecret, type Token } from './token.ts'

const SECRET_OCTETS = 32

export const DEFAULT_TOKEN_LIFETIME_SECONDS = 7 * 86_400
export const MIN_TOKEN_LIFETIME_SECONDS = 60
/** A year: a token that outlives its purpose is a password that nobody watches. */
export const MAX_TOKEN_LIFETIME_SECONDS = 366 * 86_400

export interface TokenPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  /** Throws `profile.not_found`. */
  readonly authorities: { profile(name: string): Promise<Pick<Profile, 'name' | 'holder'>> }
}

export interface TokenRequest {
  readonly model: string
  readonly serialNumber: string
  readonly profile: string
  readonly lifetimeSeconds?: number
  /** Who asks. */
  readonly actor: AuditEntry['actor']
}

/**
 * Makes a token for a device, which is registered where it is unknown. `secret` is 256 bits as base64url; it exists in the return
 * value only. Throws `device.serial_number_invalid`, `device.model_invalid`, `profile.not_found`, `profile.not_for_devices`,
 * `token.lifetime_invalid`, `device.may_not_enrol`.
 */
export async function createToken(
  request: TokenRequest,
  ports: TokenPorts,
): Promise<{ readonly secret: string; readonly token: Token; readonly device: Device; readonly registered: boolean }> {
  checkDeviceName(request.model, request.serialNumber)
  const lifetime = request.lifetimeSeconds ?? DEFAULT_TOKEN_LIFETIME_SECONDS
  if (
    !Number.isSafeInteger(lifetime) ||
    lifetime < MIN_TOKEN_LIFETIME_SECONDS ||
    lifetime > MAX_TOKEN_LIFETIME_SECONDS
  ) {
    throw new TouchmarkError('token.lifetime_invalid', 'malformed', 'A token lives between a minute and a year.', {
      next: 'Name a time between them: --lifetime 15m, 12h, 7d.',
    })
  }
  const profile = await ports.authorities.profile(request.profile)
  if (profile.holder !== 'device') {
    throw new TouchmarkError(
      'profile.not_for_devices',
      'forbidden',
      `The profile ${profile.name} is not for devices.`,
      {
        next: 'Name one whose holder is a device: touchmark profile list',
      },
    )
  }
  const now = ports.clock.now()
  const secret = base64url(ports.random.bytes(SECRET_OCTETS))
  for (let attempt = 1; ; attempt++) {
    const known = await ports.store.read.deviceBySerial(request.model, request.serialNumber)
    if (known && !mayEnrol(known.state)) {
      throw new TouchmarkError('device.may_not_enrol', 'conflict', `The device is ${known.state}.`, {
        next: 'Only a device that is manufactured, shipped or active gets a certificate.',
      })
    }
    const device = known ?? newDevice(request, now, ports)
    const token: Token = {
      id: newTokenId(now, ports.random),
      secretHash: hashTokenSecret(secret),
      deviceId: device.id,
      profile: profile.name,
      createdAt: now,
      expiresAt: now + lifetime,
      usedAt: null,
      cancelledAt: null,
    }
    try {
      await ports.store.commit(creation(token, known, device, request.actor))
      return { secret, token, device, registered: known === undefined }
    } catch (cause) {
      // Somebody registered the device in the meantime, or moved it: it is looked at again.
      const met = cause instanceof TouchmarkError && /^device\.(exists|state_changed)$/.test(cause.code)
      if (!met || attempt > 1) throw cause
    }
  }
}

function newDevice(request: TokenRequest, now: UnixSeconds, ports: TokenPorts): Device {
  return {
    id: newDeviceId(now, ports.random),
    model: request.model,
    serialNumber: request.serialNumber,
    state: 'manufactured',
    batch: null,
    createdAt: now,
    stateChangedAt: now,
    labels: {},
  }
}

function creation(token: Token, known: Device | undefined, device: Device, actor: AuditEntry['actor']): ChangeSet {
  const at = token.createdAt
  const registered: AuditEntry = {
    at,
    actor,
    action: 'device.registered',
    outcome: 'done',
    subject: { deviceId: token.deviceId },
    detail: { by: 'token' },
  }
  const created: AuditEntry = {
    at,
    actor,
    action: 'token.created',
    outcome: 'done',
    subject: { tokenId: token.id, deviceId: token.deviceId },
    // A digest of 256 random bits tells nobody the secret, and ties the row to the entry.
    detail: { profile: token.profile, expiresAt: token.expiresAt, secretSha256: token.secretHash },
  }
  return {
    // A device that is retired in this moment gets no token any more.
    writes: [known ? standingDevice(known) : { kind: 'device.insert', device }, { kind: 'token.insert', token }],
    audit: known ? [created] : [registered, created],
  }
}

/** RFC 4648 §5 without padding: safe in URLs, in HTTP Basic and on command lines. */
function base64url(octets: Uint8Array): string {
  return toBase64(octets).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}
