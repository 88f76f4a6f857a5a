// A retired device is destroyed: what is left of its keys counts as beyond use, with the word of whoever saw it as evidence, and the facts of
// its certificate of destruction are written down in the same transaction. Nothing comes after it.
import type { Bytes } from '../../core/bytes/bytes.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { DeviceId, UnixSeconds } from '../ids.ts'
import type { Store } from '../ports.ts'
import { addErasure } from './change-properties.ts'
import { encodeDestructionFacts } from './destruction-facts.ts'
import type { Device } from './device.ts'
import {
  actOnDevice,
  addDeviceMove,
  type DeviceActBy,
  type DeviceActOutcome,
  type DeviceActPorts,
  moveNotAllowed,
} from './device-act.ts'
import type { DeviceKey } from './device-key.ts'
import { addKeyEnds } from './end-keys.ts'
import type { Statement } from './statement.ts'

export interface Destruction extends DeviceActBy {
  /** What a witness wrote, as it came: a record of the shredder, a scan, a text. Where there is none, the operator's word is written down. */
  readonly witness?: Uint8Array
  /** Whether personal properties are erased as well. */
  readonly erase: boolean
}

export interface DestructionOutcome extends DeviceActOutcome {
  readonly erased: number
}

export const MAX_WITNESS = 65_536
export const WITNESS_TYPE = 'touchmark-destruction-witness-v1'

/**
 * Destroys the device; one that is destroyed already stays as it is, but for what is to be erased. Throws `device.not_found`,
 * `device.move_not_allowed` where it was not retired, `device.witness_invalid`, `device.because_invalid`, `device.contended`.
 */
export async function destroyDevice(
  id: DeviceId,
  destruction: Destruction,
  ports: DeviceActPorts & { readonly organization: string },
): Promise<DestructionOutcome> {
  const { read } = ports.store
  const { actor, witness, erase } = destruction
  if (witness && (witness.length === 0 || witness.length > MAX_WITNESS)) {
    throw new TouchmarkError('device.witness_invalid', 'malformed', 'The word of the witness is empty or too large.', {
      next: `It may have ${MAX_WITNESS} octets. Keep what is larger elsewhere, and let the witness name its digest.`,
    })
  }
  let erased = 0
  const outcome = await actOnDevice(
    id,
    async ({ device, certificates, keys }, change, now) => {
      const personal = erase ? addErasure(change, id, await read.propertiesOfDevice(id), actor, now).length : 0
      erased += personal
      if (device.state === 'destroyed') return { device }
      if (device.state !== 'retired') throw moveNotAllowed(device, 'destroyed')
      const ending = keys.filter(({ state }) => state !== 'destroyed')
      const words = witness ?? (ending.length > 0 ? operatorsWord(device, ending, destruction, now) : undefined)
      const statement = words ? statementOf(id, 'destruction_witness', words, now) : null
      if (statement) addKeyEnds(change, ending, statement, actor, now)
      const moved = addDeviceMove(change, device, 'destroyed', destruction, now)

      const bytes = encodeDestructionFacts({
        organization: ports.organization,
        device,
        actor,
        certificates,
        keys,
        ending,
        witness: statement,
        statements: await read.statementsOfDevice(id),
        erased: personal,
        now,
      })
      const facts = statementOf(id, 'destruction_facts', bytes, now)
      change.write({ kind: 'statement.put', statement: facts })
      const position = change.record({
        at: now,
        actor,
        action: 'device.destruction_certified',
        outcome: 'done',
        subject: { deviceId: id },
        detail: { certificateOfDestructionSha256: facts.sha256 },
      })
      return {
        device: moved,
        keys: ending.map(({ id: keyId, state }) => ({ id: keyId, from: state, to: 'destroyed' as const })),
        committed: first => noteDestruction(id, facts, first + position, ports.store),
      }
    },
    ports,
  )
  return { ...outcome, erased }
}

/** Where the log speaks of the certificate of destruction: found by the device, and found again by logging it anew where it is lost. */
export async function noteDestruction(id: DeviceId, facts: Statement, index: number, store: Store): Promise<void> {
  const { at, sha256 } = facts
  const publication = {
    name: destructionPublicationName(id),
    contentType: 'text/plain',
    bytes: toUtf8(sha256),
    number: index,
    thisUpdate: at,
    nextUpdate: at,
  }
  await store.commit({ writes: [{ kind: 'publication.put', publication }], audit: [] })
}

/** The number of this publication is the index of the entry `device.destruction_certified`. */
export function destructionPublicationName(id: DeviceId): string {
  return `destruction/${id}`
}

function statementOf(deviceId: DeviceId, kind: Statement['kind'], bytes: Uint8Array, at: UnixSeconds): Statement {
  return { sha256: sha256Hex(bytes), deviceId, kind, bytes, at }
}

function operatorsWord(
  { model, serialNumber }: Device,
  keys: readonly DeviceKey[],
  { actor, because }: Destruction,
  now: UnixSeconds,
): Bytes {
  const word = {
    type: WITNESS_TYPE,
    model,
    serialNumber,
    keys: keys.map(key => key.id),
    declaredBy: actor,
    ...(because === undefined ? {} : { because }),
    at: new Date(now * 1000).toISOString().replace('.000Z', 'Z'),
  }
  return toUtf8(`${JSON.stringify(word)}\n`)
}
