// What is said of devices, against the log: properties (whose the device is, above all), transfers of ownership, and the statements that
// entries refer to. Memory grows with the properties that were ever set and the transfers that were ever proposed, at some two hundred
// octets each. Labels that a device was registered with are not logged one by one, and pass.
import { sha256Hex } from '../../crypto/digest.ts'
import type { DeviceProperty } from '../device/device-property.ts'
import type { OwnershipTransfer, TransferState } from '../device/ownership.ts'
import { propertyDetail } from '../device/property-commitment.ts'
import { type DeviceId, deviceId as deviceIdOf } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import type { AuditEntry } from './entry.ts'
import type { AuditFindingCode, Report } from './finding.ts'
import { readable, type Suspect, Suspects, UNREADABLE } from './suspects.ts'
import type { CrossCheck } from './verify.ts'

type FactsReader = Pick<StoreReader, 'allProperties' | 'allTransfers' | 'statementsOfDevice' | 'auditEntries'>

interface LoggedProperty {
  readonly index: number
  /** What commits to the value; `null`: it was taken away. */
  readonly word: string | null
  readonly personal: boolean
}

interface LoggedTransfer {
  readonly deviceId: string
  readonly made: string
  readonly from: string | null
  /** Whose signature the log has. */
  readonly signed: Set<string>
  state: TransferState
}

const TRANSFER_STATES: Readonly<Record<string, TransferState>> = {
  'ownership.proposed': 'proposed',
  'ownership.accepted': 'accepted',
  'ownership.transferred': 'effective',
  'ownership.cancelled': 'cancelled',
}

/** The detail of an entry that names a statement which has to be there. */
const STATEMENTS: Readonly<Record<string, string>> = {
  'key.ended': 'statementSha256',
  'ownership.signed': 'statementSha256',
  'device.destruction_certified': 'certificateOfDestructionSha256',
}

export function deviceFactsCheck(read: FactsReader, report: Report): CrossCheck {
  const suspects = new Suspects(report)
  /** By device, then by name. */
  const properties = new Map<string, Map<string, LoggedProperty>>()
  const transfers = new Map<string, LoggedTransfer>()

  return {
    async entry(index, entry) {
      const { action, outcome, subject, detail = {} } = entry
      if (outcome !== 'done') return
      const { deviceId = '', name = '' } = subject
      if (action === 'device.property_changed') {
        const word = detail['commitment'] ?? detail['valueSha256'] ?? null
        const of = properties.get(deviceId) ?? new Map<string, LoggedProperty>()
        of.set(name, { index, word: word === null ? null : String(word), personal: 'commitment' in detail })
        properties.set(deviceId, of)
      } else if (action === 'device.erased') {
        for (const [which, { personal }] of properties.get(deviceId) ?? []) {
          if (personal) properties.get(deviceId)?.delete(which)
        }
      } else if (Object.hasOwn(TRANSFER_STATES, action)) {
        noteTransfer(entry, TRANSFER_STATES[action]!, index)
      } else if (action === 'ownership.signed') {
        transfers.get(String(detail['transferId']))?.signed.add(String(detail['party']))
      }
      const named = Object.hasOwn(STATEMENTS, action) ? detail[STATEMENTS[action]!] : undefined
      if (named !== undefined) await checkStatement(deviceIdOf(deviceId), String(named), index)
    },
    unreadable: () => suspects.unreadable(),
    later() {},
    async end(size) {
      if ((await readable(checkProperties())) === UNREADABLE) {
        accuse('property', 'altered', 'table', 'The table of properties holds what no property has.')
      }
      if ((await readable(checkTransfers())) === UNREADABLE) {
        accuse('transfer', 'altered', 'table', 'The table of transfers holds what no transfer has.')
      }
      await suspects.settle(read, size)
    },
  }

  function noteTransfer({ subject, detail = {} }: AuditEntry<string>, state: TransferState, index: number): void {
    const id = String(detail['transferId'])
    const before = transfers.get(id)
    if (before !== undefined) {
      const why = whyNotYet(before, state, detail['by'])
      // Carried out in good faith, over a row that somebody else had written.
      if (why !== undefined) {
        const message = `Transfer ${id} became ${state} in entry ${index}, ${why}.`
        accuse('transfer', 'altered', before.deviceId, message, 'silence', index)
      }
      before.state = state
      return
    }
    const { deviceId = '', name: to } = subject
    const { from = null, effectiveAt, newKey } = detail
    const made = [deviceId, from, to, effectiveAt, newKey].join(' ')
    transfers.set(id, { deviceId, made, from: from === null ? null : String(from), signed: new Set(), state })
  }

  function accuse(
    what: 'property' | 'transfer' | 'statement',
    how: 'altered' | 'missing' | 'unlogged',
    about: string,
    message: string,
    against: Suspect['against'] = 'word',
    index?: number,
  ): void {
    const code = `audit.${what}_${how}` as AuditFindingCode
    const where = index === undefined ? {} : { index }
    suspects.add({ about, finding: { code, ...where, message, evidence: { about, ...where } }, against })
  }

  async function checkStatement(device: DeviceId, sha256: string, index: number): Promise<void> {
    const statements = await readable(read.statementsOfDevice(device))
    const found = statements === UNREADABLE ? undefined : statements.find(statement => statement.sha256 === sha256)
    const why = `The statement that entry ${index} refers to`
    if (found === undefined) accuse('statement', 'missing', device, `${why} is gone.`, 'word', index)
    else if (sha256Hex(found.bytes) !== sha256) {
      accuse('statement', 'altered', device, `${why} is not the one that was kept.`, 'word', index)
    }
  }

  async function checkProperties(): Promise<void> {
    for await (const row of read.allProperties()) {
      const logged = properties.get(row.deviceId)?.get(row.name)
      properties.get(row.deviceId)?.delete(row.name)
      const name = `${row.name} of device ${row.deviceId}`
      if (logged === undefined) {
        if (row.name.startsWith('label:')) continue
        accuse('property', 'unlogged', row.deviceId, `Property ${name} was set past the log.`, 'silence')
      } else if (wordOf(row) !== logged.word) {
        accuse(
          'property',
          'altered',
          row.deviceId,
          `Property ${name} is not what entry ${logged.index} set.`,
          'silence',
        )
      }
    }
    for (const [device, of] of properties) {
      for (const [name, { index, word }] of of) {
        if (word === null) continue
        accuse('property', 'missing', device, `Property ${name} of device ${device}, set by entry ${index}, is gone.`)
      }
    }
  }

  async function checkTransfers(): Promise<void> {
    for await (const row of read.allTransfers()) {
      const logged = transfers.get(row.id)
      transfers.delete(row.id)
      const name = `Transfer ${row.id} of device ${row.deviceId}`
      if (logged === undefined)
        accuse('transfer', 'unlogged', row.deviceId, `${name} was made past the log.`, 'silence')
      else if (madeOf(row) !== logged.made) {
        accuse('transfer', 'altered', row.deviceId, `${name} is not the one that was proposed.`)
      } else if (row.state !== logged.state) {
        accuse('transfer', 'altered', row.deviceId, `${name} is ${row.state}, by the log ${logged.state}.`, 'silence')
      }
    }
    for (const [id, { deviceId }] of transfers) {
      accuse('transfer', 'missing', deviceId, `Transfer ${id} of device ${deviceId} is gone.`)
    }
  }
}

/** What the log lacks for the transfer to become that. */
function whyNotYet({ state, from, signed }: LoggedTransfer, to: TransferState, by: unknown): string | undefined {
  if (to === 'effective') return state === 'accepted' ? undefined : 'and nobody had accepted it'
  if (to !== 'accepted' || by === 'rule') return undefined
  const missing = (from === null ? ['to'] : ['from', 'to']).filter(party => !signed.has(party))
  return missing.length === 0 ? undefined : `without the signature of: ${missing.join(', ')}`
}

function wordOf(row: DeviceProperty): string | null {
  const detail = propertyDetail(row)
  if ('commitment' in detail) return detail.commitment
  return 'valueSha256' in detail ? detail.valueSha256 : null
}

function madeOf({ deviceId, from, to, effectiveAt, newKey }: OwnershipTransfer): string {
  return [deviceId, from, to, effectiveAt, newKey].join(' ')
}
