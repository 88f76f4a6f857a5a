// Documents that operators edit, in versions: saved groups, owners, trust anchors, settings. Reading gives the version as its entity tag, and an
// edit names the version that it builds on; profiles and rules, which take a second person, are in profiles.ts and rules.ts.
import { z } from 'zod'
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { Permission } from '../../domain/access/permissions.ts'
import type { AuditAction } from '../../domain/audit/actions.ts'
import { parseSettings, SETTINGS_NAME } from '../../domain/ca/settings.ts'
import { parseGroup } from '../../domain/device/device-group.ts'
import { parseOwner } from '../../domain/device/owner.ts'
import type { DocumentVersion } from '../../domain/document.ts'
import type { Clock, Store, StoreReader } from '../../domain/ports.ts'
import { putDocument } from '../../domain/put-document.ts'
import { parseTrustAnchors } from '../../domain/ra/trust-anchors.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { assertVersion, type Endpoint, endpoint, nameText, type Tag, timestampText } from './endpoint.ts'
import { InvalidRequest } from './read-request.ts'

export interface DocumentPorts {
  readonly store: Store
  readonly clock: Clock
}

export const documentSchema = z
  .object({
    name: z.string(),
    version: z.int(),
    changedAt: timestampText,
    document: z.record(z.string(), z.unknown()).meta({ description: 'As it is stored.' }),
  })
  .meta({ id: 'Document' })

export const documentView = ({ name, version, createdAt, body }: DocumentVersion): z.input<typeof documentSchema> => ({
  name,
  version,
  changedAt: timestamp(createdAt),
  document: JSON.parse(body) as Record<string, unknown>,
})

/** What an editor sends: any object; the document's own parser says what is wrong with it. */
export const documentBody = z.record(z.string().max(256), z.unknown())
/** A change that waits for an approval. */
export const documentChange = z.object({ config: documentBody, basedOn: z.int().min(0) })
export const MAX_DOCUMENT = 1024 * 1024

/** The version that is asked for. Throws `document.not_found`. */
export async function readDocument(
  kind: DocumentVersion['kind'],
  name: string,
  version: number | undefined,
  read: Pick<StoreReader, 'document'>,
): Promise<DocumentVersion> {
  const document = await read.document(kind, name, version)
  if (document !== undefined) return document
  const which = version === undefined ? '' : ` in version ${version}`
  throw new TouchmarkError('document.not_found', 'not_found', `There is no ${kind} document ${name}${which}.`)
}

/** The document and the path name the same thing. Throws `api.request_invalid`. */
export function assertNamed(document: Readonly<Record<string, unknown>>, name: string): void {
  if (document['name'] === undefined || document['name'] === name) return
  throw new InvalidRequest([{ in: 'body', path: 'name', message: `must be ${name}, as the path says` }])
}

interface Kind {
  readonly kind: DocumentVersion['kind']
  readonly path: string
  /** `Group`: for the ids of endpoints. */
  readonly noun: string
  readonly nouns: string
  readonly tag: Tag
  readonly read: Permission
  readonly write: Permission
  readonly action: AuditAction
  /** Throws where it is not good; answers what the entry names besides the document. */
  check(document: unknown): Readonly<Record<string, string>>
}

const KINDS: readonly Kind[] = [
  {
    kind: 'group',
    path: '/groups',
    noun: 'Group',
    nouns: 'saved groups of devices',
    tag: 'Groups',
    read: 'device.read',
    write: 'device.write',
    action: 'group.changed',
    check(document) {
      const { query } = parseGroup(document)
      if (Object.keys(query).length > 0) return {}
      throw new InvalidRequest([{ in: 'body', path: 'query', message: 'must have at least one condition' }])
    },
  },
  {
    kind: 'owner',
    path: '/owners',
    noun: 'Owner',
    nouns: 'owners, with the certificates under which they sign',
    tag: 'Owners',
    read: 'owner.read',
    write: 'owner.write',
    action: 'owner.changed',
    check(document) {
      parseOwner(document)
      return {}
    },
  },
  {
    kind: 'trust-anchors',
    path: '/trust-anchors',
    noun: 'TrustAnchors',
    nouns: 'other makers whose birth certificates are accepted',
    tag: 'Authorities',
    read: 'authority.read',
    write: 'trust.write',
    action: 'trust.anchor_added',
    check(document) {
      const [first] = parseTrustAnchors(document).certificates
      if (first !== undefined) return { certificateSha256: toHex(sha256(first.raw)) }
      throw new InvalidRequest([
        { in: 'body', path: 'certificates', message: 'must not be empty; to accept nobody, DELETE the maker' },
      ])
    },
  },
]

export function documentEndpoints(ports: DocumentPorts): Endpoint[] {
  const { read } = ports.store
  return [...KINDS.flatMap(kind => endpointsOf(kind, ports)), ...settingsEndpoints(ports), forgetMaker(ports, read)]
}

function endpointsOf(of: Kind, ports: DocumentPorts): Endpoint[] {
  const { kind, path, noun, nouns, tag } = of
  const { read } = ports.store
  return [
    endpoint({
      method: 'GET',
      path: path as `/${string}`,
      id: `list${noun}${noun.endsWith('s') ? '' : 's'}`,
      tag,
      summary: `All ${nouns}`,
      permission: of.read,
      answer: z.object({ items: z.array(documentSchema) }),
      async handle() {
        return { body: { items: (await read.documents(kind)).map(documentView) } }
      },
    }),
    endpoint({
      method: 'GET',
      path: `${path}/:name` as `/${string}`,
      id: `show${noun}`,
      tag,
      summary: `One of the ${nouns}, in the version in force or an earlier one`,
      permission: of.read,
      params: { name: nameText },
      query: { version: z.int().min(1).optional() },
      answer: documentSchema,
      async handle({ params, query }) {
        const document = await readDocument(kind, params.name, query.version, read)
        return { body: documentView(document), version: document.version }
      },
    }),
    endpoint({
      method: 'PUT',
      path: `${path}/:name` as `/${string}`,
      id: `put${noun}`,
      tag,
      summary: `Make or change one of the ${nouns}: its next version`,
      permission: of.write,
      params: { name: nameText },
      body: documentBody,
      maxBody: MAX_DOCUMENT,
      answer: documentSchema,
      edits: true,
      async handle({ params: { name }, body, ifMatch, actor }) {
        assertNamed(body, name)
        const document = { ...body, name }
        const subject = of.check(document)
        const current = (await read.document(kind, name))?.version ?? 0
        assertVersion(ifMatch, current)
        const edit = {
          kind,
          name,
          action: of.action,
          subject,
          basedOn: current,
          body: () => JSON.stringify(document, null, 2),
        }
        const stored = await putDocument(edit, actor, ports)
        return { body: documentView(stored), version: stored.version, status: current === 0 ? 201 : 200 }
      },
    }),
  ]
}

function settingsEndpoints(ports: DocumentPorts): Endpoint[] {
  const { read } = ports.store
  return [
    endpoint({
      method: 'GET',
      path: '/settings',
      id: 'showSettings',
      tag: 'Settings',
      summary: 'What every certificate of this instance shares',
      permission: 'settings.read',
      query: { version: z.int().min(1).optional() },
      answer: documentSchema,
      async handle({ query }) {
        const document = await readDocument('settings', SETTINGS_NAME, query.version, read)
        return { body: documentView(document), version: document.version }
      },
    }),
    endpoint({
      method: 'PUT',
      path: '/settings',
      id: 'putSettings',
      tag: 'Settings',
      summary: 'Change the settings: their next version',
      permission: 'settings.write',
      body: documentBody,
      maxBody: MAX_DOCUMENT,
      answer: documentSchema,
      edits: true,
      async handle({ body, ifMatch, actor }) {
        parseSettings(body)
        const current = (await read.document('settings', SETTINGS_NAME))?.version ?? 0
        assertVersion(ifMatch, current)
        const edit = {
          kind: 'settings',
          name: SETTINGS_NAME,
          action: 'setting.changed',
          basedOn: current,
          body: () => JSON.stringify(body, null, 2),
        } as const
        const stored = await putDocument(edit, actor, ports)
        return { body: documentView(stored), version: stored.version }
      },
    }),
  ]
}

function forgetMaker(ports: DocumentPorts, read: StoreReader): Endpoint {
  return endpoint({
    method: 'DELETE',
    path: '/trust-anchors/:name',
    id: 'forgetTrustAnchors',
    tag: 'Authorities',
    summary: 'Accept the birth certificates of a maker no more; devices keep what they have',
    permission: 'trust.write',
    params: { name: nameText },
    answer: documentSchema,
    async handle({ params: { name }, actor }) {
      const current = await readDocument('trust-anchors', name, undefined, read)
      const config = JSON.parse(current.body) as Record<string, unknown>
      const [first] = parseTrustAnchors(config).certificates
      if (first === undefined) return { body: documentView(current) }
      const edit = {
        kind: 'trust-anchors',
        name,
        action: 'trust.anchor_removed',
        subject: { certificateSha256: toHex(sha256(first.raw)) },
        basedOn: current.version,
        body: () => JSON.stringify({ ...config, certificates: [] }, null, 2),
      } as const
      return { body: documentView(await putDocument(edit, actor, ports)) }
    },
  })
}
