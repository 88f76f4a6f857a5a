// Campaigns. Lists begin with the newest.
import type { Campaign, CampaignState } from '../../../domain/campaign/campaign.ts'
import { type CampaignId, campaignId } from '../../../domain/ids.ts'
import type { Page } from '../../../domain/ports.ts'
import { first, type Queries } from '../engine.ts'
import {
  change,
  hexOf,
  insert,
  integerOf,
  nullable,
  octetsOf,
  query,
  type Row,
  type StepSink,
  storableText,
  textOf,
  wordOf,
} from '../sql.ts'

const COLUMNS = {
  query: 'text',
  target: 'text',
  pace: 'text',
  state: 'text',
  state_reason: 'text',
  devices: 'integer',
  waves: 'integer',
  wave: 'integer',
  started_at: 'integer',
  finished_at: 'integer',
  hour_since: 'integer',
  hour_asked: 'integer',
  revision: 'integer',
} as const
const NAMES = Object.keys(COLUMNS)

export const insertCampaign = insert('campaign', { id: 'bytes', name: 'text', created_at: 'integer', ...COLUMNS })
export const updateCampaign = change(
  'campaign',
  `UPDATE campaign SET ${NAMES.map(name => `${name} = ?`).join(', ')} WHERE id = ? AND revision = ?`,
)

export function putCampaign(campaign: Campaign, out: StepSink): void {
  out.begin(insertCampaign).hex(campaign.id).text(campaign.name).integer(campaign.createdAt)
  putColumns(campaign, out)
}

/** All but its id, its name and when it was made. */
export function replaceCampaign(campaign: Campaign, from: number, out: StepSink): void {
  out.begin(updateCampaign)
  putColumns(campaign, out)
  out.hex(campaign.id).integer(from)
}

/** As `COLUMNS` has them. */
function putColumns(campaign: Campaign, out: StepSink): void {
  out
    .text(JSON.stringify(campaign.query))
    .text(JSON.stringify(campaign.target))
    .text(JSON.stringify(campaign.pace))
    .text(campaign.state)
    .text(campaign.stateReason)
    .integer(campaign.devices)
    .integer(campaign.waves)
    .integer(campaign.wave)
    .integer(campaign.startedAt)
    .integer(campaign.finishedAt)
    .integer(campaign.hour === null ? null : campaign.hour.since)
    .integer(campaign.hour === null ? null : campaign.hour.asked)
    .integer(campaign.revision)
}

const SELECT = `SELECT id, name, created_at, ${NAMES.join(', ')} FROM campaign`
const BY_ID = query(`${SELECT} WHERE id = ?`)
const BY_NAME = query(`${SELECT} WHERE name = ?`)
const NEWEST = query(`${SELECT} ORDER BY id DESC LIMIT ?`)
const OLDER = query(`${SELECT} WHERE id < ? ORDER BY id DESC LIMIT ?`)
const AT_WORK = query(`${SELECT} WHERE state IN ('running', 'paused', 'cancelling', 'rolling_back') ORDER BY id`)

export async function readCampaign(queries: Queries, id: CampaignId): Promise<Campaign | undefined> {
  const octets = octetsOf(id)
  const row = octets && (await first(queries, BY_ID, [octets]))
  return row && campaignOf(row)
}

export async function readCampaignByName(queries: Queries, name: string): Promise<Campaign | undefined> {
  if (storableText(name) === undefined) return undefined
  const row = await first(queries, BY_NAME, [name])
  return row && campaignOf(row)
}

export async function readCampaigns(
  queries: Queries,
  page: { after?: string; limit: number },
): Promise<Page<Campaign>> {
  const after = page.after === undefined ? undefined : octetsOf(page.after)
  const rows = after ? await queries.all(OLDER, [after, page.limit]) : await queries.all(NEWEST, [page.limit])
  const items = rows.map(campaignOf)
  return { items, next: items.length < page.limit ? null : (items.at(-1)?.id ?? null) }
}

export async function readCampaignsAtWork(queries: Queries): Promise<Campaign[]> {
  return (await queries.all(AT_WORK, [])).map(campaignOf)
}

function campaignOf(row: Row): Campaign {
  return {
    id: campaignId(hexOf(row, 'id')),
    name: textOf(row, 'name'),
    query: JSON.parse(textOf(row, 'query')) as Campaign['query'],
    target: JSON.parse(textOf(row, 'target')) as Campaign['target'],
    pace: JSON.parse(textOf(row, 'pace')) as Campaign['pace'],
    state: wordOf<CampaignState>(row, 'state'),
    stateReason: nullable(textOf, row, 'state_reason'),
    devices: integerOf(row, 'devices'),
    waves: integerOf(row, 'waves'),
    wave: integerOf(row, 'wave'),
    createdAt: integerOf(row, 'created_at'),
    startedAt: nullable(integerOf, row, 'started_at'),
    finishedAt: nullable(integerOf, row, 'finished_at'),
    hour:
      row['hour_since'] === null ? null : { since: integerOf(row, 'hour_since'), asked: integerOf(row, 'hour_asked') },
    revision: integerOf(row, 'revision'),
  }
}
