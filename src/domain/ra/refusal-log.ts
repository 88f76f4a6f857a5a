// Every refusal is evidence, and a flood of refusals must not fill the disk. The first refusal with a code from an address (or of a
// device) within a minute is an audit entry at once; those that follow within the minute are counted, and the count becomes one entry
// when the minute is over. At most MAX_WINDOWS pairs are told apart in a minute; what comes beyond is counted by code alone.
// The bound: 2,000 entries a minute in the worst case, some 600 kB.
import type { AuditEntry } from '../audit/entry.ts'
import { auditText } from '../audit/entry.ts'
import type { DeviceId, UnixSeconds } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import type { EnrolmentObserver } from './enrolment-observer.ts'

export interface RefusalRecord {
  readonly code: string
  /** What was refused; a certificate, where nothing is said. */
  readonly action?: 'enrolment.refused' | 'access.refused' | 'operator.refused'
  readonly protocol: string
  readonly operation: string
  /** Known only where the requester proved to be this device. */
  readonly deviceId: DeviceId | null
  /** Who asked, where it was somebody known and no device. */
  readonly actor?: AuditEntry['actor']
  /** Tells strangers apart; never written. */
  readonly address: string
  /** What an auditor needs; cut and cleaned here. Never a secret, never personal data. */
  readonly detail: Readonly<Record<string, string>>
}

const WINDOW_SECONDS = 60
const MAX_WINDOWS = 1000
/** Codes are a closed list in the code, some hundreds; this guards against a code that a stranger could shape. */
const MAX_CODES = 500

interface Window {
  readonly record: RefusalRecord
  repeated: number
}

export class RefusalLog {
  readonly #store: Store
  readonly #clock: Clock
  readonly #observer: Pick<EnrolmentObserver, 'refused'> | undefined
  #window = 0
  #seen = new Map<string, Window>()
  #overflow = new Map<string, Window>()

  constructor(ports: {
    readonly store: Store
    readonly clock: Clock
    readonly observer?: Pick<EnrolmentObserver, 'refused'> | undefined
  }) {
    this.#store = ports.store
    this.#clock = ports.clock
    this.#observer = ports.observer
  }

  /** Resolves when the refusal is in the log, or counted for the entry that ends the minute. */
  async record(record: RefusalRecord): Promise<void> {
    this.#observer?.refused(record)
    const now = this.#clock.now()
    const audit = this.#turn(now)
    const key = `${record.code} ${record.actor?.id ?? record.deviceId ?? addressGroup(record.address)}`
    const window = this.#seen.get(key)
    if (window) window.repeated++
    else if (this.#seen.size < MAX_WINDOWS) {
      this.#seen.set(key, { record, repeated: 0 })
      audit.push(entry(record, now, {}))
    } else this.#count(record)
    await this.#write(audit)
  }

  /** Writes the counts of minutes that are over. For a timer: without one they wait for the next refusal. */
  async flush(): Promise<void> {
    await this.#write(this.#turn(this.#clock.now()))
  }

  /** Writes all counts, the current minute's too. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#write(this.#close(this.#clock.now()))
  }

  #count(record: RefusalRecord): void {
    const window = this.#overflow.get(record.code)
    if (window) window.repeated++
    else if (this.#overflow.size < MAX_CODES) this.#overflow.set(record.code, { record, repeated: 1 })
  }

  #turn(now: UnixSeconds): AuditEntry[] {
    const window = Math.floor(now / WINDOW_SECONDS)
    if (window === this.#window) return []
    const entries = this.#close(now)
    this.#window = window
    return entries
  }

  #close(now: UnixSeconds): AuditEntry[] {
    const since = this.#window * WINDOW_SECONDS
    const entries: AuditEntry[] = []
    for (const { record, repeated } of this.#seen.values()) {
      if (repeated > 0) entries.push(entry({ ...record, detail: {} }, now, { repeated, since }))
    }
    for (const { record, repeated } of this.#overflow.values()) {
      entries.push(
        entry({ ...withoutActor(record), deviceId: null, detail: {} }, now, { repeated, since, fromMany: true }),
      )
    }
    this.#seen = new Map()
    this.#overflow = new Map()
    return entries
  }

  async #write(audit: readonly AuditEntry[]): Promise<void> {
    if (audit.length > 0) await this.#store.commit({ writes: [], audit })
  }
}

function entry(record: RefusalRecord, at: UnixSeconds, counts: Readonly<Record<string, number | boolean>>): AuditEntry {
  const { code, protocol, operation, deviceId } = record
  const detail = Object.fromEntries(Object.entries(record.detail).map(([name, text]) => [name, auditText(text)]))
  return {
    at,
    actor: record.actor ?? (deviceId === null ? STRANGER : { kind: 'device', id: deviceId }),
    action: record.action ?? 'enrolment.refused',
    outcome: 'refused',
    code,
    subject: deviceId === null ? {} : { deviceId },
    detail: { ...detail, protocol, operation, ...counts },
  }
}

const STRANGER = { kind: 'stranger', id: 'unknown' } as const

function withoutActor({ actor: _, ...record }: RefusalRecord): RefusalRecord {
  return record
}

/** Whoever has one IPv6 address has 2^64 of them: they count as one. */
export function addressGroup(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address
  const [head = '', tail] = address.split('::')
  const left = head.split(':').filter(group => group !== '')
  const right = tail === undefined ? [] : tail.split(':').filter(group => group !== '')
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}
