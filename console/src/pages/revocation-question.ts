// Which certificates are to be revoked: the fields of the form, and the selection of the API that they mean. Every field may be left empty.
import type { Operations } from '../api/schema.ts'

export type Selection = Pick<NonNullable<Operations['previewRevocation']['body']>, 'certificates' | 'devices'>

/** Conditions on a certificate itself, and on the device that holds it. Times as an `<input type="datetime-local">` has them. */
export const CERTIFICATE_FIELDS = ['authority', 'profile', 'keyAlgorithm', 'batch'] as const
export const TIME_FIELDS = ['issuedFrom', 'issuedBefore', 'expiresFrom', 'expiresBefore'] as const
export const DEVICE_FIELDS = ['model', 'owner', 'site', 'firmware', 'state'] as const

export type CertificateField = (typeof CERTIFICATE_FIELDS)[number]
export type TimeField = (typeof TIME_FIELDS)[number]
export type DeviceField = (typeof DEVICE_FIELDS)[number]
export type Question = Readonly<Partial<Record<CertificateField | TimeField | DeviceField, string>>>

/** The question that the address asks: other pages link here with a batch or a model. */
export function questionOf(search: URLSearchParams): Question {
  const fields = [...CERTIFICATE_FIELDS, ...DEVICE_FIELDS]
  return Object.fromEntries(fields.flatMap(name => (search.get(name) ? [[name, search.get(name)!]] : [])))
}

/** A local time of a form as RFC 3339 in UTC; `undefined` where it is none. */
export function utcOf(local: string): string | undefined {
  const at = Date.parse(local)
  return Number.isNaN(at) ? undefined : `${new Date(at).toISOString().slice(0, 19)}Z`
}

/** What is asked for; `undefined` where no condition is given: everything there is cannot be meant. */
export function selectionOf(question: Question): Selection | undefined {
  const given = (names: readonly (keyof Question)[]) =>
    Object.fromEntries(names.flatMap(name => (question[name]?.trim() ? [[name, question[name].trim()]] : [])))
  const times = Object.fromEntries(
    TIME_FIELDS.flatMap(name => {
      const at = utcOf(question[name] ?? '')
      return at === undefined ? [] : [[name, at]]
    }),
  )
  const certificates = { ...given(CERTIFICATE_FIELDS), ...times } as NonNullable<Selection['certificates']>
  const { state, ...fields } = given(DEVICE_FIELDS)
  const devices = { ...fields, ...(state === undefined ? {} : { states: [state] }) } as NonNullable<
    Selection['devices']
  >
  const selection = {
    ...(Object.keys(certificates).length === 0 ? {} : { certificates }),
    ...(Object.keys(devices).length === 0 ? {} : { devices }),
  }
  return Object.keys(selection).length === 0 ? undefined : selection
}
