// Devices and their keys against the log: whoever was registered is there, is who its certificates say, every key belongs to the device that
// it was recorded for, and nobody was quietly taken off suspension, or a key off the list of compromised ones. Memory grows with the
// devices and keys that are barred, and with nothing else.
import type { Certificate } from '../../core/pki/certificate.ts'
import { attributeValue } from '../../core/pki/name.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { Device, DeviceState } from '../device/device.ts'
import type { DeviceKey, KeyState } from '../device/device-key.ts'
import { deviceId as deviceIdOf, type KeyId } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import type { AuditEntry } from './entry.ts'
import type { Report } from './finding.ts'
import { SubjectFields } from './subject-fields.ts'
import { readable, type Suspect, Suspects, UNREADABLE } from './suspects.ts'
import type { CrossCheck } from './verify.ts'

type DeviceReader = Pick<StoreReader, 'device' | 'devices' | 'key' | 'document' | 'auditEntries'>

export interface DeviceCheck extends CrossCheck {
  /** A certificate whose row the log confirmed: what its subject says of the device has to be what the registry says. */
  certificate(
    record: Pick<CertificateRecord, 'deviceId' | 'profile' | 'profileVersion'>,
    certificate: Certificate,
  ): Promise<void>
}

/** States in which a device or key may be certified. Between them the log has the order, and nothing depends on which it is. */
const FREE: ReadonlySet<string> = new Set<DeviceState | KeyState>([
  'manufactured',
  'shipped',
  'active',
  'generated',
  'established',
  'in_use',
])

/** States from which no device or key is certified again. */
const FINAL: ReadonlySet<string> = new Set<DeviceState | KeyState>(['retired', 'destroyed', 'archived', 'compromised'])

const PAGE = 500

export function deviceCheck(read: DeviceReader, report: Report): DeviceCheck {
  const suspects = new Suspects(report)
  const fields = new SubjectFields(read)
  const devices = new BarredStates('device', suspects)
  const keys = new BarredStates('key', suspects)
  let registered = 0
  let unreadable = false
  /** A certificate and its entry ask for the same device, one after the other. */
  let last: { readonly id: string; readonly row: Promise<Device | undefined | typeof UNREADABLE> } | undefined

  function readDevice(id: string): Promise<Device | undefined | typeof UNREADABLE> {
    if (last?.id !== id) last = { id, row: readable(read.device(deviceIdOf(id))) }
    return last.row
  }

  async function device(id: string, index: number): Promise<void> {
    const row = await readDevice(id)
    if (row !== UNREADABLE && row !== undefined) return devices.found(id, row.state)
    devices.lost(id)
    if (row === undefined) accuse('device', id, 'missing', `, which entry ${index} speaks of, is gone`, index)
    else accuse('device', id, 'altered', 'holds what no device has', index)
  }

  /** The key that an entry recorded: there, of this device, and as it was recorded. */
  async function key(id: string, owner: string, recorded: Partial<Record<keyof DeviceKey, unknown>>, index: number) {
    const row = await readable(read.key(id as KeyId))
    if (row === UNREADABLE || row === undefined) {
      keys.lost(id)
      if (row === undefined) accuse('key', id, 'missing', `, which entry ${index} speaks of, is gone`, index)
      else accuse('key', id, 'altered', 'holds what no key has', index)
    } else {
      keys.found(id, row.state)
      const expected = { deviceId: owner, ...recorded }
      const wrong = Object.entries(expected).filter(
        ([field, value]) => value !== undefined && row[field as keyof DeviceKey] !== value,
      )
      if (wrong.length > 0) {
        const names = wrong.map(([field]) => field).join(', ')
        accuse('key', id, 'altered', `is not as entry ${index} recorded it: ${names} differ`, index)
      }
    }
  }

  function accuse(what: 'device' | 'key', id: string, how: 'altered' | 'missing', why: string, index: number): void {
    suspects.add(suspect(what, id, how, why, 'word', index))
  }

  return {
    async entry(index, { action, outcome, subject, detail = {} }: AuditEntry<string>) {
      if (outcome !== 'done') return
      const { deviceId, keyId } = subject
      const { algorithm, origin, keyOrigin } = detail
      switch (action) {
        case 'device.registered':
          registered++
          await device(deviceId!, index)
          return
        case 'device.state_changed':
          devices.logged(deviceId!, String(detail['to']))
          return
        case 'key.registered':
          await key(keyId!, deviceId!, { algorithm, origin }, index)
          return
        case 'key.state_changed':
          keys.logged(keyId!, String(detail['to']))
          return
        case 'certificate.issued':
          if (deviceId === undefined || keyId === undefined) return
          if (detail['deviceRegistered'] === true) {
            registered++
            await device(deviceId, index)
          }
          await key(keyId, deviceId, detail['keyRegistered'] === true ? { origin: keyOrigin } : {}, index)
          return
        default:
      }
    },
    unreadable() {
      unreadable = true
      suspects.unreadable()
    },
    later() {},
    async certificate({ deviceId, profile, profileVersion }, { subject }) {
      const named = deviceId === null ? [] : await fields.of(profile, profileVersion)
      if (deviceId === null || named.length === 0) return
      const row = await readDevice(deviceId)
      if (row === undefined || row === UNREADABLE) return
      const wrong = named.filter(({ type, field }) => (attributeValue(subject, type) ?? row[field]) !== row[field])
      if (wrong.length === 0) return
      const names = wrong.map(({ field }) => field).join(' and ')
      suspects.add(
        suspect('device', deviceId, 'altered', `is not the one that its certificate names: ${names}`, 'word'),
      )
    },
    async end(size) {
      devices.settle()
      keys.settle()
      await suspects.settle(read, size)
      if (!unreadable) await countDevices(size)
    },
  }

  /** Whoever the log registered is there, so that a row more is one that it knows nothing of. */
  async function countDevices(size: number): Promise<void> {
    let rows = 0
    for (let after: string | undefined; ; ) {
      const page = await readable(read.devices({ limit: PAGE, ...(after === undefined ? {} : { after }) }))
      if (page === UNREADABLE) return
      rows += page.items.length
      if (page.next === null) break
      after = page.next
    }
    for await (const { bytes } of read.auditEntries(size)) registered += registers(bytes)
    if (rows <= registered) return
    report({
      code: 'audit.device_unlogged',
      message: `The registry has ${rows} devices, the log registered ${registered}.`,
      evidence: { rows, registered },
    })
  }
}

/** Which devices or keys may not be certified: by the log, and by the rows. */
class BarredStates {
  readonly #what: 'device' | 'key'
  readonly #suspects: Suspects
  readonly #logged = new Map<string, string>()
  readonly #found = new Map<string, string>()
  readonly #lost = new Set<string>()

  constructor(what: 'device' | 'key', suspects: Suspects) {
    this.#what = what
    this.#suspects = suspects
  }

  logged(id: string, state: string): void {
    if (FREE.has(state)) this.#logged.delete(id)
    // Nothing comes back from there: what log and row agree on needs no more room. Renewals leave an archived key each.
    else if (FINAL.has(state) && this.#found.get(id) === state) {
      this.#logged.delete(id)
      this.#found.delete(id)
    } else this.#logged.set(id, state)
  }

  found(id: string, state: string): void {
    if (!FREE.has(state)) this.#found.set(id, state)
  }

  /** The row is not there, or says nothing: reported as such. */
  lost(id: string): void {
    this.#lost.add(id)
  }

  settle(): void {
    for (const [id, state] of this.#logged) {
      if (this.#lost.has(id)) continue
      const found = this.#found.get(id)
      if (found !== state) this.#accuse(id, `is ${found ?? 'free'} in the store and ${state} by the log`)
    }
    for (const [id, state] of this.#found) {
      if (!this.#logged.has(id)) this.#accuse(id, `is ${state} in the store and free by the log`)
    }
  }

  #accuse(id: string, why: string): void {
    this.#suspects.add(suspect(this.#what, id, 'altered', why, 'silence'))
  }
}

function suspect(
  what: 'device' | 'key',
  id: string,
  how: 'altered' | 'missing',
  why: string,
  against: Suspect['against'],
  index?: number,
): Suspect {
  const where = index === undefined ? {} : { index }
  const name = what === 'device' ? 'Device' : 'Key'
  return {
    about: id,
    finding: {
      code: `audit.${what}_${how}`,
      ...where,
      message: `${name} ${id}${why.startsWith(',') ? '' : ' '}${why}.`,
      evidence: { [`${what}Id`]: id, ...where },
    },
    against,
  }
}

function registers(bytes: Uint8Array): number {
  const text = new TextDecoder().decode(bytes)
  return text.startsWith('{"action":"device.registered"') || text.includes('"deviceRegistered":true') ? 1 : 0
}
