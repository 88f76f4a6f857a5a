// The question that the list of devices asks, as it stands in the address, as parameters of the API, and as a standing query for groups and jobs.
import type { Document, Operations } from '../api/schema.ts'

export type DeviceQuery = Operations['listDevices']['query']
/** Means the same on any day. */
export type StandingQuery = Operations['previewDevices']['body']['devices']

const DAY = 86_400

export const STATES = ['active', 'shipped', 'manufactured', 'suspended', 'retired', 'destroyed'] as const
export type State = (typeof STATES)[number]

/** Questions that people ask every day. */
export const VIEWS = {
  newest: { sort: '-registered' },
  ending: { expiresWithin: 30 * DAY, sort: 'expiry' },
  silent: { state: ['active'], notSeenFor: 30 * DAY },
  suspended: { state: ['suspended'] },
} as const satisfies Record<string, DeviceQuery>
export type View = keyof typeof VIEWS
export const VIEW_IDS = Object.keys(VIEWS) as View[]

export const FIELDS = ['model', 'owner', 'site', 'label', 'group', 'batch', 'firmware', 'profile', 'authority'] as const
export type Field = (typeof FIELDS)[number]

/** The question of the address as parameters of the API. */
export function queryOf(search: URLSearchParams): DeviceQuery {
  const asked = search.get('view')
  const view: DeviceQuery = asked !== null && Object.hasOwn(VIEWS, asked) ? VIEWS[asked as View] : {}
  const state = STATES.find(each => each === search.get('state'))
  const text = search.get('q')?.trim()
  const { label, ...fields } = Object.fromEntries(
    FIELDS.flatMap(name => (search.get(name) ? [[name, search.get(name)!]] : [])),
  ) as Partial<Record<Field, string>>
  // How a serial number begins is a question of its own; the API takes the model, owner and site with it.
  if (text) {
    const { model, owner, site } = fields
    return { search: text, ...(model ? { model } : {}), ...(owner ? { owner } : {}), ...(site ? { site } : {}) }
  }
  const query: DeviceQuery = {
    ...view,
    ...fields,
    ...(label ? { label: [label] } : {}),
    ...(state ? { state: [state] } : {}),
  }
  if (Object.keys(query).every(name => name === 'sort')) return { sort: '-registered' }
  // An order is had where an index has it; together with other conditions the store chooses its own.
  const { sort, ...conditions } = query
  const ordered = sort === 'expiry' && Object.keys(conditions).length === 1
  return ordered ? query : conditions
}

/** The same as a standing query; `undefined` where it is none: a beginning of serial numbers, or every device. */
export function standingOf(query: DeviceQuery, groups: readonly Document[]): StandingQuery | undefined {
  const {
    search,
    sort: _,
    group,
    state,
    label,
    expiresWithin,
    seenWithin,
    notSeenFor,
    limit,
    after,
    fields,
    ...same
  } = query
  if (search !== undefined) return undefined
  const saved = group === undefined ? {} : groups.find(({ name }) => name === group)?.document['query']
  if (saved === undefined) return undefined
  const labels = Object.fromEntries((label ?? []).map(text => splitLabel(text)))
  const own: StandingQuery = {
    ...same,
    ...(state === undefined ? {} : { states: state }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(expiresWithin === undefined ? {} : { expiresWithinSeconds: expiresWithin }),
    ...(seenWithin === undefined ? {} : { seenWithinSeconds: seenWithin }),
    ...(notSeenFor === undefined ? {} : { notSeenForSeconds: notSeenFor }),
  }
  const whole: StandingQuery = { ...(saved as StandingQuery), ...own }
  return Object.keys(whole).length === 0 ? undefined : whole
}

function splitLabel(text: string): [string, string] {
  const at = text.indexOf('=')
  return [text.slice(0, at), text.slice(at + 1)]
}

/** Narrowed to devices in one of these states; `undefined` where none of them can be meant. */
export function withStates(query: StandingQuery, states: readonly State[]): StandingQuery | undefined {
  const both = query.states === undefined ? states : states.filter(state => query.states?.includes(state))
  return both.length === 0 ? undefined : { ...query, states: both }
}
