// Properties of a device as rows of a form, and what has to be changed to get from what is stored to what the form says.
import type { DeviceDetail } from '../api/schema.ts'

export const PROPERTY_KINDS = ['owner', 'site', 'label', 'attribute'] as const
export type PropertyKind = (typeof PROPERTY_KINDS)[number]

export interface PropertyRow {
  readonly kind: PropertyKind
  /** Of labels and attributes. */
  readonly name: string
  readonly value: string
  readonly personal: boolean
}

/** `label:colour` to kind and name. */
export function rowOf({ name, value, personal }: DeviceDetail['properties'][number]): PropertyRow {
  const [kind = '', ...rest] = name.split(':')
  return { kind: PROPERTY_KINDS.find(each => each === kind) ?? 'attribute', name: rest.join(':'), value, personal }
}

export const nameOf = ({ kind, name }: PropertyRow) =>
  kind === 'owner' || kind === 'site' ? kind : `${kind}:${name.trim()}`

/** What has to be changed to get from one to the other. */
export function propertyChanges(before: DeviceDetail['properties'], after: readonly PropertyRow[]) {
  const wanted = new Map(after.map(row => [nameOf(row), row]))
  const gone = before
    .filter(({ name }) => !wanted.has(name))
    .map(({ name, personal }) => ({ name, value: null, personal }))
  const put = [...wanted].flatMap(([name, { value, personal }]) => {
    const known = before.find(each => each.name === name)
    if (known?.value === value.trim() && known.personal === personal) return []
    return [{ name, value: value.trim(), personal }]
  })
  return [...gone, ...put]
}

/** Owners and labels are named in certificates, agreements and the log, where nothing can be erased. */
export const mayBePersonal = (kind: PropertyKind) => kind === 'attribute' || kind === 'site'
