// An audit entry and its bytes: JSON in the canonical form of RFC 8785, so that the same entry has one encoding and any JSON reader
// reads it. The bytes are the leaf of the Merkle log; docs/formats/audit-entry.md describes them octet by octet.
import type { Bytes } from '../../core/bytes/bytes.ts'
import { fromUtf8, toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { MAX_ENTRY_LENGTH } from '../../core/merkle/tile.ts'
import type { UnixSeconds } from '../ids.ts'
import { AUDIT_ACTIONS, type AuditAction, type AuditActionRow, auditActionRow } from './actions.ts'

export type ActorKind = 'device' | 'operator' | 'system' | 'stranger'

export interface AuditEntry<Action extends string = AuditAction> {
  readonly at: UnixSeconds
  /** `id` is opaque and never personal data: letters, digits and `._:-`, at most 128. */
  readonly actor: { readonly kind: ActorKind; readonly id: string }
  readonly action: Action
  readonly outcome: 'done' | 'refused'
  /** Why it was refused: the code of the error or of the decision. */
  readonly code?: string | undefined
  /** What it is about, by opaque ids: see the catalogue for what each action must name. */
  readonly subject: Readonly<Record<string, string>>
  /** What else an auditor needs. Never personal data, never a secret. */
  readonly detail?: Readonly<Record<string, string | number | boolean>> | undefined
}

/** Version of the encoding, as its field `v`. */
export const AUDIT_ENTRY_VERSION = 1
/** Fields of `subject` and of `detail`. */
export const MAX_FIELDS = 32
/** UTF-16 code units of one text: an entry has room for 64 of them at three octets each, which is what `auditText` gives. */
export const MAX_TEXT_LENGTH = 300

/**
 * The bytes that the log stores and hashes. Errors: `audit.entry_invalid` (a field out of its bounds, an unknown action, a subject
 * that lacks what the action must name), `audit.entry_too_large`.
 */
export function encodeAuditEntry(entry: AuditEntry): Bytes {
  const bytes = toUtf8(checkedText(entry))
  if (bytes.length > MAX_ENTRY_LENGTH) throw tooLarge(entry)
  return bytes
}

/**
 * As `encodeAuditEntry` for each, into one buffer: the results are views of it, and whoever keeps one keeps all. A batch writes
 * tens of thousands of entries a second, and making a buffer for each would cost more than filling it.
 */
export function encodeAuditEntries(entries: readonly AuditEntry[]): Uint8Array[] {
  const texts = entries.map(checkedText)
  let room = 0
  for (const text of texts) room += text.length
  const buffer = new Uint8Array(room)
  let at = 0
  return texts.map((text, i) => {
    // The buffer has an octet for each UTF-16 code unit; a text that needs more gets a buffer of its own.
    const { read, written } = ENCODER.encodeInto(text, buffer.subarray(at, at + text.length))
    const bytes = read === text.length ? buffer.subarray(at, at + written) : toUtf8(text)
    if (bytes.length > MAX_ENTRY_LENGTH) throw tooLarge(entries[i]!)
    at += text.length
    return bytes
  })
}

/**
 * Reads what `encodeAuditEntry` of this version wrote, and nothing else: one spelling, no unknown field. An action that this
 * version does not know is read as it is. Errors: `audit.entry_malformed`.
 */
export function parseAuditEntry(bytes: Uint8Array): AuditEntry<string> {
  if (bytes.length > MAX_ENTRY_LENGTH) throw malformed()
  try {
    const text = fromUtf8(bytes)
    const value: unknown = JSON.parse(text)
    if (!isRecord(value) || value['v'] !== AUDIT_ENTRY_VERSION) throw malformed()
    // The canonical text below is built from checked fields only, so whatever is of another type, unknown, repeated or spelled
    // otherwise makes a difference here.
    const { v: _version, ...entry } = value
    if (canonicalText(entry as unknown as AuditEntry<string>) !== text) throw malformed()
    return entry as unknown as AuditEntry<string>
  } catch (cause) {
    throw malformed(cause)
  }
}

/**
 * Text from outside, fit for `detail`: cut to `MAX_TEXT_LENGTH` with a mark where something was cut, well formed, without control
 * characters. What a stranger sends must not be able to keep its refusal out of the log.
 */
export function auditText(text: string): string {
  const cut = text.length <= MAX_TEXT_LENGTH ? text : `${text.slice(0, MAX_TEXT_LENGTH - 1)}…`
  return cut.toWellFormed().replaceAll(/\p{Cc}/gu, '\ufffd')
}

/**
 * What `encodeAuditEntry` encodes, as text, for a caller with a buffer of its own: the text of an entry that is fit to be written,
 * because the catalogue knows its action and it names what the action must name. Errors: as `encodeAuditEntry`.
 */
export function auditEntryText(entry: AuditEntry): string {
  const text = checkedText(entry)
  // In UTF-8 a code unit takes three octets at most.
  if (text.length * 3 > MAX_ENTRY_LENGTH && toUtf8(text).length > MAX_ENTRY_LENGTH) throw tooLarge(entry)
  return text
}

function checkedText(entry: AuditEntry): string {
  const row = auditActionRow(entry.action)
  if (row === undefined) throw invalid(`The catalogue has no action ${entry.action}.`)
  if (entry.outcome === 'done') {
    for (const field of row.subject) {
      if (entry.subject[field] === undefined) throw invalid(`An entry ${entry.action} names its ${field}.`)
    }
    for (const field of row.detail ?? []) {
      if (entry.detail?.[field] === undefined) throw invalid(`An entry ${entry.action} tells ${field}.`)
    }
  } else if (entry.code === undefined) {
    throw invalid('A refusal carries its code.')
  }
  return canonicalText(entry)
}

/**
 * RFC 8785: members in order of their names, and no spaces. JSON.stringify does the rest as §3.2.2 asks (escapes, numbers), but for
 * lone surrogates, which are refused here. Every field is checked on the way. Written piece by piece: a batch writes one a unit.
 */
function canonicalText(entry: AuditEntry<string>): string {
  const { at, actor, action, outcome, code, subject, detail } = entry
  if (!Number.isSafeInteger(at) || at < 0) throw invalid('The time is not in whole seconds since 1970.')
  if (typeof action !== 'string' || !CODE.test(action)) throw invalid('The action is not a dotted name.')
  if (!isRecord(actor) || !KINDS.has(actor.kind)) throw invalid('The actor is of no known kind.')
  if (typeof actor.id !== 'string' || !OPAQUE.test(actor.id)) throw invalid('The actor is not an opaque id.')
  if (outcome !== 'done' && outcome !== 'refused') throw invalid('The outcome is neither done nor refused.')
  if (code !== undefined && (typeof code !== 'string' || !CODE.test(code)))
    throw invalid('The code is not a dotted name.')
  const why = code === undefined ? '' : `"code":"${code}",`
  const more = detail === undefined ? '' : `"detail":${detailText(detail)},`
  return (
    `{"action":"${action}","actor":{"id":"${actor.id}","kind":"${actor.kind}"},"at":${at},${why}${more}` +
    `"outcome":"${outcome}","subject":${fieldsText(subject, isText)},"v":${AUDIT_ENTRY_VERSION}}`
  )
}

const ENCODER = new TextEncoder()
const CODE = /^[a-z][a-z0-9_]{0,63}(?:\.[a-z0-9_]{1,64}){1,3}$/
const OPAQUE = /^[A-Za-z0-9._:-]{1,128}$/
/** Such names sort alike by code point, UTF-16 code unit and octet; beginning with a letter, they keep their order in an object. */
const FIELD = /^[a-z][A-Za-z0-9]{0,47}$/
/** The names that nearly every entry consists of: looking them up is cheaper than matching them. */
const USUAL: ReadonlySet<string> = new Set(
  Object.values<AuditActionRow>(AUDIT_ACTIONS).flatMap(row => [...row.subject, ...(row.detail ?? [])]),
)
const KINDS: ReadonlySet<string> = new Set<ActorKind>(['device', 'operator', 'system', 'stranger'])

/** The detail that was spelled last: the entries of a batch share one object, frozen so that its text stays true. */
let spelled: { readonly detail: object; readonly text: string } | undefined

function detailText(detail: unknown): string {
  if (spelled !== undefined && spelled.detail === detail) return spelled.text
  const text = fieldsText(detail, isDetail)
  if (isRecord(detail) && Object.isFrozen(detail)) spelled = { detail, text }
  return text
}

function fieldsText(fields: unknown, isValue: (value: unknown) => boolean): string {
  if (!isRecord(fields)) throw invalid('Subject and detail are objects.')
  const names = Object.keys(fields)
  if (names.length > MAX_FIELDS) throw invalid(`Subject and detail have at most ${MAX_FIELDS} fields.`)
  sort(names)
  let text = '{'
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    const value = fields[name]
    if (!USUAL.has(name) && !FIELD.test(name)) throw invalid('A field name is not a short word in letters and digits.')
    text += i === 0 ? `"${name}":` : `,"${name}":`
    if (typeof value === 'string' && value.length <= MAX_TEXT_LENGTH && PLAIN.test(value)) text += `"${value}"`
    else if (isValue(value)) text += JSON.stringify(value)
    else throw invalid(`The field ${name} is no short text, finite number or truth value.`)
  }
  return `${text}}`
}

/** Text that stands in JSON as it is. */
const PLAIN = /^[ !#-[\]-~]*$/

/** In place, for a few names that are nearly in order: that is what entries have. */
function sort(names: string[]): void {
  for (let i = 1; i < names.length; i++) {
    const name = names[i]!
    let at = i
    for (; at > 0 && names[at - 1]! > name; at--) names[at] = names[at - 1]!
    names[at] = name
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= MAX_TEXT_LENGTH && value.isWellFormed()
}

function isDetail(value: unknown): boolean {
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value)) || isText(value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(message: string): TouchmarkError {
  return new TouchmarkError('audit.entry_invalid', 'internal', message)
}

function tooLarge(entry: AuditEntry): TouchmarkError {
  return new TouchmarkError(
    'audit.entry_too_large',
    'internal',
    `An audit entry has at most ${MAX_ENTRY_LENGTH} octets.`,
    {
      evidence: { action: entry.action },
    },
  )
}

function malformed(cause?: unknown): TouchmarkError {
  return new TouchmarkError('audit.entry_malformed', 'malformed', 'The bytes are not an audit entry of this version.', {
    cause,
  })
}
