// Which certificates somebody asks for, as JSON has it: conditions on certificates with times as people write them, and on the devices that hold
// them; and what that means now, against the log and the clock.
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import { type KeyAlgorithmName, keyAlgorithms } from '../../crypto/algorithms.ts'
import type { CertificateStatus } from '../ca/certificate-record.ts'
import { queryAt, type StandingQuery, standingQuerySchema } from '../device/device-group.ts'
import { authorityId, batchId, deviceId, type UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import { type CertificateQuery, logPositionAt } from './certificate-query.ts'

const text = z.string().min(1).max(256)
const time = z.iso.datetime().meta({ description: 'RFC 3339, UTC' })

export const askedCertificatesSchema = z.strictObject({
  authority: text.optional().meta({ description: 'Issued by this authority.' }),
  profile: text.optional(),
  keyAlgorithm: z.enum(keyAlgorithms.map(({ name }) => name) as [KeyAlgorithmName, ...KeyAlgorithmName[]]).optional(),
  batch: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'must be the id of a batch, 32 hexadecimal digits')
    .optional()
    .meta({ description: 'Of devices that this batch made.' }),
  issuedFrom: time.optional().meta({ description: 'Issued then or later.' }),
  issuedBefore: time.optional(),
  expiresFrom: time.optional().meta({ description: 'Valid to this time or longer.' }),
  expiresBefore: time.optional(),
})

/** Which certificates: conditions on them, and on devices, or the devices themselves. */
export const askedSelectionSchema = z.strictObject({
  certificates: askedCertificatesSchema.optional().meta({
    description: 'Which certificates: every condition must hold. Without, everything that is live of the devices.',
  }),
  devices: standingQuerySchema.optional().meta({ description: 'Which devices: every condition must hold.' }),
  ids: z
    .array(z.string().regex(/^[0-9a-f]{32}$/, 'must be the id of a device'))
    .min(1)
    .max(1_000)
    .optional()
    .meta({ description: 'The devices themselves, in place of a query.' }),
})

export type AskedCertificates = z.output<typeof askedCertificatesSchema>
export type AskedSelection = z.output<typeof askedSelectionSchema>

export interface Selection {
  readonly query: CertificateQuery
  /** No condition is on certificates: the devices are ended as a whole, with their keys. */
  readonly whole: boolean
}

/**
 * What is asked for, at `now`: certificates that are not over and have one of the statuses. Throws `revocation.query_empty` where nothing is
 * said, `revocation.query_invalid` where two conditions exclude each other.
 */
export async function selectionAt(
  { certificates = {}, devices, ids }: AskedSelection,
  statuses: readonly CertificateStatus['kind'][],
  now: UnixSeconds,
  read: Pick<StoreReader, 'auditHead' | 'auditEntry'>,
): Promise<Selection> {
  const { batch, issuedFrom, issuedBefore, expiresFrom, expiresBefore, authority, ...own } = certificates
  const said = Object.values(certificates).some(value => value !== undefined)
  const meant = devicesOf(devices, batch)
  if (!said && ids === undefined && (meant === undefined || Object.keys(meant).length === 0)) {
    throw new TouchmarkError(
      'revocation.query_empty',
      'malformed',
      'The query has no condition: it would mean everything.',
      {
        next: 'Say which: an authority, a batch, a model, a time of issue.',
      },
    )
  }
  if (ids !== undefined && meant !== undefined) {
    throw new TouchmarkError(
      'revocation.query_invalid',
      'malformed',
      'Devices are named, or a query finds them; not both.',
    )
  }
  const position = async (at: string | undefined) =>
    at === undefined ? undefined : await logPositionAt(seconds(at), read)
  const conditions = {
    statuses,
    ...own,
    authority: authority === undefined ? undefined : authorityId(authority),
    issuedFrom: await position(issuedFrom),
    issuedBefore: await position(issuedBefore),
    expiresFrom: Math.max(now, expiresFrom === undefined ? now : seconds(expiresFrom)),
    expiresBefore: expiresBefore === undefined ? undefined : seconds(expiresBefore),
    devices: meant === undefined ? undefined : queryAt(meant, now),
    deviceIds: ids?.map(deviceId),
  }
  const query = Object.fromEntries(Object.entries(conditions).filter(([, value]) => value !== undefined))
  const onCertificates = Object.entries(certificates).some(([name, value]) => name !== 'batch' && value !== undefined)
  return { query: query as unknown as CertificateQuery, whole: !onCertificates }
}

function devicesOf(devices: StandingQuery | undefined, batch: string | undefined): StandingQuery | undefined {
  if (batch === undefined) return devices
  if (devices?.batch !== undefined && devices.batch !== batch) {
    throw new TouchmarkError('revocation.query_invalid', 'malformed', 'Two batches are named: no device is of both.')
  }
  return { ...devices, batch: batchId(batch) }
}

const seconds = (text: string): UnixSeconds => Math.floor(Date.parse(text) / 1000)
