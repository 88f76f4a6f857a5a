// What decides over everything else, against the log: authorities with their certificates and chains, the documents in force (profiles,
// rules, trust anchors, settings) letter by letter, and the CRLs and trust bundles that are given out. Few rows, read once in the end.
import { concat } from '../../core/bytes/bytes.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { parseCertificate } from '../../core/pki/certificate.ts'
import { sha256Hex, sha256Stream } from '../../crypto/digest.ts'
import type { Authority } from '../ca/authority.ts'
import type { DocumentVersion } from '../document.ts'
import type { PublicationHead, StoreReader } from '../ports.ts'
import { publicationBody } from '../publication-body.ts'
import { basesPublicationName, crlPublicationName, deltaPublicationName } from '../revocation/crl-series.ts'
import { statusPublicationName } from '../revocation/status-artefact.ts'
import { TRUST_BUNDLE_PUBLICATION, versionPublicationName } from '../trust-bundle/publication-name.ts'
import type { AuditEntry } from './entry.ts'
import type { AuditFindingCode, Report } from './finding.ts'
import { readable, type Suspect, Suspects, UNREADABLE } from './suspects.ts'
import type { CrossCheck } from './verify.ts'

type ConfigurationReader = Pick<
  StoreReader,
  'authorities' | 'documents' | 'publicationHead' | 'publicationPiece' | 'auditEntries'
>

export interface ConfigurationCheck extends CrossCheck {
  /** Over how many CRLs the log says that an authority spreads its certificates; `undefined` where it does not say. */
  crlShards(authority: string): number | undefined
}

interface LoggedAuthority {
  readonly keyId: string
  readonly kind: unknown
  readonly crlShards: unknown
  certificateSha256: string | undefined
  /** The authority of this instance that issued the certificate; `null`: somebody else did. */
  issuer: string | null
  aboveSha256: unknown
  retired: boolean
}

interface LoggedDocument {
  readonly index: number
  readonly version: unknown
  readonly bodySha256: unknown
}

interface LoggedPublication {
  /** What an entry that cannot be read would have to name. */
  readonly about: string
  readonly number: unknown
  readonly sha256: unknown
}

const DOCUMENT_KINDS: Readonly<Record<string, DocumentVersion['kind']>> = {
  'profile.changed': 'profile',
  'rule.changed': 'rules',
  'setting.changed': 'settings',
  'trust.anchor_added': 'trust-anchors',
  'trust.anchor_removed': 'trust-anchors',
  'group.changed': 'group',
  'owner.changed': 'owner',
  'alert.rules_changed': 'alerts',
  'role.changed': 'role',
}
const KINDS = [...new Set(Object.values(DOCUMENT_KINDS))]

export function configurationCheck(read: ConfigurationReader, report: Report): ConfigurationCheck {
  const suspects = new Suspects(report)
  const authorities = new Map<string, LoggedAuthority>()
  /** By key: the certificate that one of ours issued over the key of an authority is that authority's. */
  const byKey = new Map<string, LoggedAuthority>()
  const keyUris = new Map<string, string>()
  const documents = new Map<string, LoggedDocument>()
  const publications = new Map<string, LoggedPublication>()

  return {
    crlShards(authority) {
      const shards = authorities.get(authority)?.crlShards
      return typeof shards === 'number' ? shards : undefined
    },
    entry(index, entry) {
      if (entry.outcome !== 'done') return
      const kind = Object.hasOwn(DOCUMENT_KINDS, entry.action) ? DOCUMENT_KINDS[entry.action] : undefined
      if (kind === undefined) return noteAuthority(entry)
      const { version, bodySha256 } = entry.detail ?? {}
      documents.set(`${kind}/${entry.subject['name']}`, { index, version, bodySha256 })
    },
    unreadable: () => suspects.unreadable(),
    later() {},
    async end(size) {
      await checkAuthorities()
      for (const kind of KINDS) await checkDocuments(kind)
      for (const [name, logged] of publications) await checkPublication(name, logged)
      await suspects.settle(read, size)
    },
  }

  function noteAuthority({ action, subject, detail = {} }: AuditEntry<string>): void {
    const { authorityId = '', keyId = '', certificateSha256, keyUri = '' } = subject
    switch (action) {
      case 'keystore.key_generated':
        keyUris.set(keyId, keyUri)
        return
      case 'authority.created': {
        const { kind, crlShards } = detail
        const unsigned = { certificateSha256: undefined, issuer: null, aboveSha256: undefined, retired: false }
        const authority: LoggedAuthority = { keyId, kind, crlShards, ...unsigned }
        authorities.set(authorityId, authority)
        byKey.set(keyId, authority)
        return
      }
      case 'certificate.issued': {
        const authority = byKey.get(keyId)
        if (authority === undefined || authority.certificateSha256 !== undefined) return
        authority.certificateSha256 = certificateSha256
        authority.issuer = authorityId
        return
      }
      case 'authority.certificate_imported': {
        const authority = authorities.get(authorityId)
        if (authority === undefined) return
        if (authority.certificateSha256 !== certificateSha256) authority.issuer = null
        authority.certificateSha256 = certificateSha256
        authority.aboveSha256 = detail['aboveSha256']
        return
      }
      case 'authority.retired': {
        const authority = authorities.get(authorityId)
        if (authority) authority.retired = true
        return
      }
      case 'crl.published': {
        const { shard, number, base, crlSha256, basesSha256 } = detail
        const nameOf = base === undefined ? crlPublicationName : deltaPublicationName
        const name = nameOf(authorityId, Number(shard))
        publications.set(name, { about: authorityId, number, sha256: crlSha256 })
        if (basesSha256 === undefined) return
        publications.set(basesPublicationName(name), { about: authorityId, number, sha256: basesSha256 })
        return
      }
      case 'status.published': {
        const { number, statusSha256 } = detail
        publications.set(statusPublicationName(authorityId), { about: authorityId, number, sha256: statusSha256 })
        return
      }
      case 'trust.bundle_published': {
        const { version, number, bundleSha256 } = detail
        const logged = { about: authorityId, number, sha256: bundleSha256 }
        publications.set(TRUST_BUNDLE_PUBLICATION, logged)
        publications.set(versionPublicationName(Number(version)), logged)
        return
      }
      default:
    }
  }

  function accuse(
    what: 'authority' | 'document' | 'publication',
    how: 'altered' | 'missing' | 'unlogged',
    name: string,
    why: string,
    { about = name, against = 'word' }: Partial<Pick<Suspect, 'about' | 'against'>> = {},
  ): void {
    const code = `audit.${what}_${how}` as AuditFindingCode
    suspects.add({ about, finding: { code, message: `The ${what} ${name} ${why}.`, evidence: { name } }, against })
  }

  async function checkAuthorities(): Promise<void> {
    const missing = new Set(authorities.keys())
    const rows = await readable(read.authorities())
    if (rows === UNREADABLE) return accuse('authority', 'altered', 'table', 'holds what no authority has')
    for (const row of rows) {
      missing.delete(row.id)
      const logged = authorities.get(row.id)
      if (logged === undefined) {
        accuse('authority', 'unlogged', row.id, 'was made past the log', { against: 'silence' })
        continue
      }
      const wrong = authorityDifferences(row, logged, keyUris.get(logged.keyId))
      if (wrong.length > 0) {
        accuse('authority', 'altered', row.id, `is not as it was logged: ${wrong.join(', ')}`, { against: 'silence' })
      }
    }
    for (const id of missing) accuse('authority', 'missing', id, 'is gone')
  }

  async function checkDocuments(kind: DocumentVersion['kind']): Promise<void> {
    const missing = new Set([...documents.keys()].filter(name => name.startsWith(`${kind}/`)))
    for (const row of await read.documents(kind)) {
      const name = `${kind}/${row.name}`
      missing.delete(name)
      const logged = documents.get(name)
      const silence = { about: row.name, against: 'silence' } as const
      if (logged === undefined) accuse('document', 'unlogged', name, 'was put into force past the log', silence)
      else if (row.version !== logged.version) {
        const why = `is in force as version ${row.version}; by entry ${logged.index} it is ${logged.version}`
        accuse('document', 'altered', name, why, silence)
      } else if (logged.bodySha256 !== undefined && sha256Hex(toUtf8(row.body)) !== logged.bodySha256) {
        const why = `is not the text that entry ${logged.index} put into force`
        accuse('document', 'altered', name, why, { about: row.name })
      }
    }
    for (const name of missing) accuse('document', 'missing', name, 'is gone', { about: name.slice(kind.length + 1) })
  }

  async function checkPublication(name: string, { about: subject, number, sha256 }: LoggedPublication): Promise<void> {
    const row = await read.publicationHead(name)
    const about = { about: subject }
    if (row === undefined) accuse('publication', 'altered', name, 'is gone', about)
    else if (row.number !== number) {
      const why = `has number ${row.number}; the last one that was signed has ${number}`
      accuse('publication', 'altered', name, why, { ...about, against: 'silence' })
    } else if (sha256 !== undefined && (await bodySha256(row, read)) !== sha256) {
      accuse('publication', 'altered', name, 'is not the one that was signed', about)
    }
  }
}

/** Of the octets that are stored, whatever the row says of them. */
async function bodySha256(head: PublicationHead, read: ConfigurationReader): Promise<string | undefined> {
  const hash = sha256Stream()
  try {
    for await (const part of publicationBody(head, read)) hash.update(part)
  } catch (thrown) {
    if (thrown instanceof TouchmarkError && thrown.code === 'publication.replaced') return undefined
    throw thrown
  }
  return hash.hex()
}

function authorityDifferences(row: Authority, logged: LoggedAuthority, keyUri: string | undefined): string[] {
  const { certificate, chainAbove } = row
  const awaited = logged.certificateSha256 === undefined || (certificate === null && !logged.retired)
  const facts: readonly (readonly [string, unknown, unknown])[] = [
    ['its state', row.state, logged.retired ? 'retired' : certificate === null ? 'awaiting_certificate' : 'active'],
    ['its kind', row.kind, logged.kind ?? row.kind],
    ['its CRL shards', row.crlShards, logged.crlShards ?? row.crlShards],
    ['its key', row.keyUri, keyUri ?? row.keyUri],
    ['its generation', row.generation, Number(row.id.slice(row.id.lastIndexOf('-') + 1))],
    ['its certificate', certificate && sha256Hex(certificate), awaited ? null : logged.certificateSha256],
    ['the key in its certificate', certificate && keyIdOf(certificate), certificate && logged.keyId],
    ['its issuer', row.issuer, certificate === null ? null : logged.issuer],
    [
      'the certificates above it',
      chainAbove.length === 0 ? undefined : sha256Hex(concat(...chainAbove)),
      logged.aboveSha256,
    ],
  ]
  return facts.filter(([, found, expected]) => found !== expected).map(([what]) => what)
}

function keyIdOf(der: Uint8Array): string | undefined {
  try {
    return sha256Hex(parseCertificate(der).subjectPublicKeyInfo.raw)
  } catch {
    return undefined
  }
}
