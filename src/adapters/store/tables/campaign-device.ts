// The devices of campaigns, and how many of each wave are in which state: counted by every write that moves one, so that progress is read
// from a few rows, however many devices there are.

import type { KeyAlgorithmName } from '../../../crypto/algorithms.ts'
import type { CampaignCount, CampaignDevice, CampaignDeviceState } from '../../../domain/campaign/campaign.ts'
import {
  authorityId,
  type CampaignId,
  campaignId,
  type DeviceId,
  deviceId,
  type UnixSeconds,
} from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import { cursorOf, type PlaceType, placesOf } from '../cursor.ts'
import { first, type Queries } from '../engine.ts'
import {
  change,
  checkHex,
  hexOf,
  integerOf,
  nullable,
  octetsOf,
  query,
  type Row,
  type StepSink,
  textOf,
  wordOf,
} from '../sql.ts'

/** Runs before `insertPlannedDevices`: counts those of the list that do not stand there yet. */
export const countPlannedDevices = change(
  'campaign_count',
  `INSERT INTO campaign_count (campaign_id, wave, state, devices)
    SELECT CAST(? AS {bytes}), CAST(? AS BIGINT), 'planned', COUNT(DISTINCT listed.item) FROM {bytesList} AS listed
    WHERE NOT EXISTS (SELECT 1 FROM campaign_device AS known WHERE known.campaign_id = ? AND known.device_id = listed.item)
    ON CONFLICT (campaign_id, wave, state) DO UPDATE SET devices = campaign_count.devices + excluded.devices`,
  'one',
  ['campaign_device'],
)
export const insertPlannedDevices = change(
  'campaign_device',
  `INSERT INTO campaign_device (campaign_id, device_id, wave, state, state_changed_at)
    SELECT CAST(? AS {bytes}), listed.item, CAST(? AS BIGINT), 'planned', CAST(? AS BIGINT) FROM {bytesList} AS listed
    WHERE 1 = 1 ON CONFLICT DO NOTHING`,
  'any',
)

export interface PlannedDevices {
  readonly id: CampaignId
  readonly wave: number
  readonly deviceIds: readonly DeviceId[]
  readonly at: UnixSeconds
}

export function putPlannedDevices({ id, wave, deviceIds, at }: PlannedDevices, out: StepSink): void {
  for (const device of deviceIds) checkHex(device)
  const list = JSON.stringify(deviceIds)
  out.begin(countPlannedDevices).hex(id).integer(wave).text(list).hex(id)
  out.begin(insertPlannedDevices).hex(id).integer(wave).integer(at).text(list)
}

export const updateCampaignDevice = change(
  'campaign_device',
  `UPDATE campaign_device SET state = ?, state_changed_at = ?, reason = ?, before_profile = COALESCE(?, before_profile),
    before_authority_id = COALESCE(?, before_authority_id), before_key_algorithm = COALESCE(?, before_key_algorithm)
    WHERE campaign_id = ? AND device_id = ? AND wave = ? AND state = ?`,
)
export const addToCampaignCount = change(
  'campaign_count',
  `INSERT INTO campaign_count (campaign_id, wave, state, devices) VALUES (?, ?, ?, ?)
    ON CONFLICT (campaign_id, wave, state) DO UPDATE SET devices = campaign_count.devices + excluded.devices`,
)

export interface CampaignDeviceMove {
  readonly id: CampaignId
  readonly deviceId: DeviceId
  readonly wave: number
  readonly from: CampaignDeviceState
  readonly to: CampaignDeviceState
  readonly at: UnixSeconds
  readonly reason: string | null
  readonly before?: CampaignDevice['before']
}

export function moveCampaignDevice(move: CampaignDeviceMove, out: StepSink): void {
  const { id, wave, from, to, before = null } = move
  out
    .begin(updateCampaignDevice)
    .text(to)
    .integer(move.at)
    .text(move.reason)
    .text(before === null ? null : before.profile)
    .text(before === null ? null : before.authorityId)
    .text(before === null ? null : before.keyAlgorithm)
    .hex(id)
    .hex(move.deviceId)
    .integer(wave)
    .text(from)
  if (from === to) return
  out.begin(addToCampaignCount).hex(id).integer(wave).text(from).integer(-1)
  out.begin(addToCampaignCount).hex(id).integer(wave).text(to).integer(1)
}

const COLUMNS = `campaign_id, device_id, wave, state, state_changed_at, reason, before_profile, before_authority_id,
  before_key_algorithm`
const COUNTS = query(
  'SELECT wave, state, devices FROM campaign_count WHERE campaign_id = ? AND devices <> 0 ORDER BY wave, state',
)
const BY_ID = query(`SELECT ${COLUMNS} FROM campaign_device WHERE campaign_id = ? AND device_id = ?`)
const UNDER_WAY = query(
  `SELECT COUNT(*) AS devices FROM {bytesList} AS asked
    CROSS JOIN campaign_device WHERE campaign_id = ? AND device_id = asked.item AND state IN ('planned', 'asked', 'going_back')`,
)
const IN_STATE = query(
  `SELECT ${COLUMNS} FROM campaign_device
    WHERE campaign_id = ? AND state = ? AND (wave, state_changed_at, device_id) > (?, ?, ?)
    ORDER BY wave, state_changed_at, device_id LIMIT ?`,
)
const IN_STATE_OF_WAVE = query(
  `SELECT ${COLUMNS} FROM campaign_device
    WHERE campaign_id = ? AND state = ? AND wave = ? AND (state_changed_at, device_id) > (?, ?)
    ORDER BY state_changed_at, device_id LIMIT ?`,
)

export async function countCampaignDevicesUnderWay(
  queries: Queries,
  id: CampaignId,
  devices: readonly DeviceId[],
): Promise<number> {
  const campaign = octetsOf(id)
  const asked = devices.filter(device => octetsOf(device) !== undefined)
  if (campaign === undefined || asked.length === 0) return 0
  const row = await first(queries, UNDER_WAY, [JSON.stringify(asked), campaign])
  return row === undefined ? 0 : integerOf(row, 'devices')
}

export async function readCampaignCounts(queries: Queries, id: CampaignId): Promise<CampaignCount[]> {
  const octets = octetsOf(id)
  if (octets === undefined) return []
  return (await queries.all(COUNTS, [octets])).map(row => ({
    wave: integerOf(row, 'wave'),
    state: wordOf<CampaignDeviceState>(row, 'state'),
    devices: integerOf(row, 'devices'),
  }))
}

export async function readCampaignDevice(
  queries: Queries,
  id: CampaignId,
  device: DeviceId,
): Promise<CampaignDevice | undefined> {
  const campaign = octetsOf(id)
  const octets = octetsOf(device)
  const row = campaign && octets && (await first(queries, BY_ID, [campaign, octets]))
  return row && campaignDeviceOf(row)
}

const PLACES: readonly PlaceType[] = ['integer', 'integer', 'id']

export async function readCampaignDevices(
  queries: Queries,
  id: CampaignId,
  { state, wave }: { state: CampaignDeviceState; wave?: number },
  { after, limit }: { after?: string; limit: number },
): Promise<Page<CampaignDevice>> {
  const campaign = octetsOf(id)
  if (campaign === undefined) return { items: [], next: null }
  const list = `campaign.${state}`
  const places = placesOf(list, PLACES, after)
  const rows =
    wave === undefined
      ? await queries.all(IN_STATE, [campaign, state, ...places, limit])
      : await queries.all(IN_STATE_OF_WAVE, [campaign, state, wave, ...places.slice(1), limit])
  const last = rows.at(-1)
  return {
    items: rows.map(campaignDeviceOf),
    next:
      last === undefined || rows.length < limit
        ? null
        : cursorOf(list, [last['wave']!, last['state_changed_at']!, last['device_id']!]),
  }
}

function campaignDeviceOf(row: Row): CampaignDevice {
  const profile = nullable(textOf, row, 'before_profile')
  return {
    campaignId: campaignId(hexOf(row, 'campaign_id')),
    deviceId: deviceId(hexOf(row, 'device_id')),
    wave: integerOf(row, 'wave'),
    state: wordOf<CampaignDeviceState>(row, 'state'),
    stateChangedAt: integerOf(row, 'state_changed_at'),
    reason: nullable(textOf, row, 'reason'),
    before:
      profile === null
        ? null
        : {
            profile,
            authorityId: authorityId(textOf(row, 'before_authority_id')),
            keyAlgorithm: wordOf<KeyAlgorithmName>(row, 'before_key_algorithm'),
          },
  }
}
