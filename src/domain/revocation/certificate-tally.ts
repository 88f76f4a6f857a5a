// How many certificates a query means: counted where they are stored, exactly, with a share of them to look at more closely. Of few that is every
// one; of many, as many as can be looked at while somebody waits, spread over the whole log.
import type { UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import { type CertificateQuery, meetsConditions, type SelectedCertificate } from './certificate-query.ts'

export interface TallyOptions {
  readonly after?: string | undefined
  /** Of `SHARE_OF_ALL`: how much of what is counted is named too. */
  readonly share: number
  /** Whether devices are counted, which takes a further look for each certificate. */
  readonly countDevices: boolean
}

/** Of a stretch. */
export interface CertificateTally {
  readonly certificates: number
  /** Whose first certificate of those that are meant is in this stretch; 0 where devices are not counted. */
  readonly devices: number
  readonly lastExpiry: UnixSeconds | null
  /** The share: positions in the log. */
  readonly sampled: readonly number[]
  readonly next: string | null
}

export const SHARE_OF_ALL = 2 ** 31
/** That part of it which the golden ratio divides off, odd: what follows each other in the log is spread evenly. */
export const SHARE_MULTIPLIER = 1_327_217_885

/** Whether the certificate at this position of the log belongs to the share. A smaller one holds nothing that a larger one does not hold. */
export function isInShare(auditIndex: number, share: number): boolean {
  return (Math.imul(auditIndex % SHARE_OF_ALL, SHARE_MULTIPLIER) & (SHARE_OF_ALL - 1)) < share
}

export interface Meant {
  readonly certificates: number
  /** 0 where they were not asked for. */
  readonly devices: number
  readonly lastExpiry: UnixSeconds | null
  /** Positions in the log, in order: of every certificate, or of the share that fits. */
  readonly sampled: readonly number[]
}

export type TallyReader = Pick<StoreReader, 'tallyCertificates' | 'certificatesOfDevices'>

/** Devices of a named query whose certificates are read at once. */
const DEVICES = 500

/** Counts all that the query means. `atMost`: how many of them are named. `progress` is told the number so far. */
export async function tallyMeant(
  query: CertificateQuery,
  { atMost, countDevices = false }: { readonly atMost: number; readonly countDevices?: boolean },
  read: TallyReader,
  progress?: (certificates: number) => void,
): Promise<Meant> {
  let certificates = 0
  let devices = 0
  let lastExpiry: UnixSeconds | null = null
  let share = atMost === 0 ? 0 : SHARE_OF_ALL
  let sampled: number[] = []
  for await (const tally of tallies(query, () => ({ share, countDevices }), read)) {
    certificates += tally.certificates
    devices += tally.devices
    if (tally.lastExpiry !== null) lastExpiry = Math.max(lastExpiry ?? tally.lastExpiry, tally.lastExpiry)
    for (const auditIndex of tally.sampled) sampled.push(auditIndex)
    while (sampled.length > atMost) {
      share = Math.floor(share / 2)
      sampled = sampled.filter(auditIndex => isInShare(auditIndex, share))
    }
    progress?.(certificates)
  }
  return { certificates, devices, lastExpiry, sampled: sampled.sort((a, b) => a - b) }
}

async function* tallies(
  { deviceIds, ...query }: CertificateQuery,
  options: () => Pick<TallyOptions, 'share' | 'countDevices'>,
  read: TallyReader,
): AsyncGenerator<CertificateTally, void, undefined> {
  if (deviceIds !== undefined) {
    const ids = [...new Set(deviceIds)]
    for (let from = 0; from < ids.length; from += DEVICES) {
      const records = await read.certificatesOfDevices(ids.slice(from, from + DEVICES))
      yield tallyOfRecords(
        records.filter(each => meetsConditions(query, each)),
        options().share,
      )
    }
    return
  }
  for (let after: string | undefined; ; ) {
    const tally = await read.tallyCertificates(query, { after, ...options() })
    yield tally
    if (tally.next === null) return
    after = tally.next
  }
}

function tallyOfRecords(records: readonly SelectedCertificate[], share: number): CertificateTally {
  return {
    certificates: records.length,
    devices: new Set(records.map(({ deviceId }) => deviceId)).size,
    lastExpiry: records.length === 0 ? null : Math.max(...records.map(({ notAfter }) => notAfter)),
    sampled: records.map(({ auditIndex }) => auditIndex).filter(auditIndex => isInShare(auditIndex, share)),
    next: null,
  }
}
