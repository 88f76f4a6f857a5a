// The authorities, profiles and settings of this instance as they are in force now, loaded once and again whenever the store has changed.
// A signer is opened when somebody first needs it, and only after it proved to hold the key that the certificate names.
import { type Bytes, copyBytes, equalBytes } from '../../core/bytes/bytes.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import type { KeyStore } from '../../crypto/key-store.ts'
import type { DocumentVersion } from '../document.ts'
import type { AuthorityId, UnixSeconds } from '../ids.ts'
import type { Store } from '../ports.ts'
import type { Authority } from './authority.ts'
import { type Profile, parseProfile } from './profile.ts'
import { parseSettings, SETTINGS_NAME, type Settings } from './settings.ts'
import { assertActive, type IssuingAuthority } from './signing-authority.ts'

export interface AuthorityPorts {
  readonly store: Pick<Store, 'read'>
  readonly keyStore: Pick<KeyStore, 'signer'>
}

/** Authorities that one chain may have: a hierarchy of any honest depth, and an end for a loop in the records. */
const MAX_CHAIN = 16

/** What was read at one change marker. */
interface Snapshot {
  readonly marker: number
  readonly authorities: ReadonlyMap<AuthorityId, LoadedAuthority>
  readonly profiles: ReadonlyMap<string, DocumentVersion>
  readonly settings: DocumentVersion | undefined
}

interface LoadedAuthority {
  readonly record: Authority
  /** `null` while it is awaited. */
  readonly certificate: Certificate | null
  /** Leaf side first, without the authority's own certificate. */
  readonly chain: readonly Certificate[]
  /** Opened on first use; taken over by the next snapshot as long as record and chain are the same. */
  issuing: Promise<IssuingAuthority> | undefined
}

export class AuthorityDirectory {
  readonly #ports: AuthorityPorts
  #current: Snapshot | undefined
  #loading: { readonly marker: number; readonly snapshot: Promise<Snapshot> } | undefined
  readonly #profiles = new Map<string, { readonly body: string; readonly profile: Profile }>()
  #settings: { readonly body: string; readonly settings: Settings } | undefined

  constructor(ports: AuthorityPorts) {
    this.#ports = ports
  }

  /** Every authority, in order of id. */
  async all(): Promise<Authority[]> {
    return [...(await this.#snapshot()).authorities.values()].map(({ record }) => record)
  }

  async byId(id: AuthorityId): Promise<Authority | undefined> {
    return (await this.#snapshot()).authorities.get(id)?.record
  }

  /** The authority's certificate. Throws `authority.not_found`, `authority.awaiting_certificate`. */
  async certificate(id: AuthorityId): Promise<Certificate> {
    return certificateOf(find(await this.#snapshot(), id))
  }

  /**
   * The authority that issues for the profile, ready to sign: by id, or by name its newest active generation. `authority` decides where
   * the profile leaves it open, and is refused where it does not. Throws `authority.not_found`, `authority.not_named`,
   * `authority.not_active`, `authority.awaiting_certificate`, `authority.key_unavailable`, `authority.key_mismatch`.
   */
  async issuing(profile: Profile, authority?: AuthorityId): Promise<IssuingAuthority> {
    const snapshot = await this.#snapshot()
    const loaded = choose(snapshot, profile, authority)
    if (loaded.record.state === 'retired') assertActive(loaded.record)
    return this.#open(loaded)
  }

  /** Which authority issues for the profile, wherever its key is. Throws `authority.not_found`, `authority.not_named`, `authority.not_active`. */
  async issuerOf(profile: Profile): Promise<AuthorityId> {
    const { record } = choose(await this.#snapshot(), profile, undefined)
    if (record.state === 'retired') assertActive(record)
    return record.id
  }

  /** An authority that can sign, retired ones too: for CRLs and OCSP. Throws as `issuing`. */
  async signing(id: AuthorityId): Promise<IssuingAuthority> {
    return this.#open(find(await this.#snapshot(), id))
  }

  /** The certificates that belong to an answer: the authority's own first, ending with the root. Throws as `certificate`. */
  async chain(id: AuthorityId): Promise<Bytes[]> {
    const loaded = find(await this.#snapshot(), id)
    return [certificateOf(loaded), ...loaded.chain].map(({ raw }) => copyBytes(raw))
  }

  /** The roots that relying parties trust, each once: ours, and those above authorities that were certified elsewhere. */
  async trustBundle(): Promise<Bytes[]> {
    const roots: Bytes[] = []
    for (const { certificate, chain, record } of (await this.#snapshot()).authorities.values()) {
      const top = chain.at(-1) ?? (record.kind === 'root' ? certificate : null)
      if (top && !roots.some(root => equalBytes(root, top.raw))) roots.push(copyBytes(top.raw))
    }
    return roots
  }

  /** The profile's version in force. Throws `profile.not_found`, `profile.invalid` (a newer program wrote it). */
  async profile(name: string): Promise<Profile> {
    const { profiles } = await this.#snapshot()
    return this.#parsedProfile(name, profiles.get(name))
  }

  /** Every profile in force, in order of name. */
  async profiles(): Promise<Profile[]> {
    const { profiles } = await this.#snapshot()
    return [...profiles].map(([name, document]) => this.#parsedProfile(name, document))
  }

  /** Throws `settings.missing`, `settings.invalid`. */
  async settings(): Promise<Settings> {
    const { settings } = await this.#snapshot()
    if (settings === undefined) {
      throw new TouchmarkError('settings.missing', 'unavailable', 'The instance has no settings yet.', {
        next: 'Run touchmark init.',
      })
    }
    if (this.#settings?.body !== settings.body) {
      this.#settings = { body: settings.body, settings: parseSettings(JSON.parse(settings.body)) }
    }
    return this.#settings.settings
  }

  /** As `StoreReader.coveredUntil`: asked each time, it moves without a change of the authority. */
  coveredUntil(id: AuthorityId): Promise<UnixSeconds> {
    return this.#ports.store.read.coveredUntil(id)
  }

  #parsedProfile(name: string, document: DocumentVersion | undefined): Profile {
    if (document === undefined) {
      throw new TouchmarkError('profile.not_found', 'not_found', `There is no profile ${name}.`, {
        next: 'List the profiles with: touchmark profile list',
        evidence: { profile: name },
      })
    }
    const known = this.#profiles.get(name)
    if (known?.body === document.body) return known.profile
    const profile = parseProfile(JSON.parse(document.body))
    this.#profiles.set(name, { body: document.body, profile })
    return profile
  }

  async #open(loaded: LoadedAuthority): Promise<IssuingAuthority> {
    const certificate = certificateOf(loaded)
    loaded.issuing ??= openSigner(loaded.record, certificate, loaded.chain, this.#ports.keyStore)
    try {
      return await loaded.issuing
    } catch (error) {
      // A key store that is unreachable now may be there at the next request.
      loaded.issuing = undefined
      throw error
    }
  }

  /** What is in force at or after the moment of the call. Callers that come together share one reading. */
  async #snapshot(): Promise<Snapshot> {
    const marker = await this.#ports.store.read.configurationMarker()
    if (this.#current?.marker === marker) return this.#current
    if (this.#loading === undefined || this.#loading.marker < marker) {
      const snapshot = this.#load(marker)
      this.#loading = { marker, snapshot }
      const done = () => {
        if (this.#loading?.snapshot === snapshot) this.#loading = undefined
      }
      snapshot.then(done, done)
    }
    return this.#loading.snapshot
  }

  async #load(marker: number): Promise<Snapshot> {
    const { read } = this.#ports.store
    const [records, profiles, settings] = await Promise.all([
      read.authorities(),
      read.documents('profile'),
      read.document('settings', SETTINGS_NAME),
    ])
    const snapshot: Snapshot = {
      marker,
      authorities: load(records, this.#current),
      profiles: new Map(profiles.map(document => [document.name, document])),
      settings,
    }
    if (this.#current === undefined || this.#current.marker <= marker) this.#current = snapshot
    return snapshot
  }
}

/** The name of an authority without its generation: `idevid` of `idevid-2`. */
export function authorityName(id: AuthorityId): string {
  return id.replace(/-[0-9]+$/, '')
}

function load(records: readonly Authority[], before: Snapshot | undefined): Map<AuthorityId, LoadedAuthority> {
  const parsed = new Map<AuthorityId, Certificate | null>()
  for (const record of records) {
    const known = before?.authorities.get(record.id)?.certificate
    const same = known && record.certificate && equalBytes(known.raw, record.certificate)
    parsed.set(record.id, same ? known : record.certificate && parseCertificate(copyBytes(record.certificate)))
  }
  const byId = new Map(records.map(record => [record.id, record]))
  const loaded = new Map<AuthorityId, LoadedAuthority>()
  for (const record of records) {
    const known = before?.authorities.get(record.id)
    const chain = chainOf(record, byId, parsed)
    loaded.set(
      record.id,
      known && sameRecord(known.record, record) && sameChain(known.chain, chain)
        ? known
        : { record, certificate: parsed.get(record.id) ?? null, chain, issuing: undefined },
    )
  }
  return loaded
}

/** Certificates above an authority, leaf side first. Throws `authority.chain_broken` for records that refer in a circle or to nothing. */
function chainOf(
  record: Authority,
  byId: ReadonlyMap<AuthorityId, Authority>,
  parsed: ReadonlyMap<AuthorityId, Certificate | null>,
): Certificate[] {
  const chain: Certificate[] = []
  let current = record
  while (current.issuer !== null && current.issuer !== current.id) {
    const issuer = byId.get(current.issuer)
    const certificate = parsed.get(current.issuer)
    if (!issuer || !certificate || chain.length >= MAX_CHAIN) {
      throw new TouchmarkError(
        'authority.chain_broken',
        'internal',
        `The chain of ${record.id} does not reach a root.`,
        {
          evidence: { authorityId: record.id, at: current.issuer },
        },
      )
    }
    chain.push(certificate)
    current = issuer
  }
  return current.issuer === null
    ? [...chain, ...current.chainAbove.map(der => parseCertificate(copyBytes(der)))]
    : chain
}

function choose(snapshot: Snapshot, profile: Profile, authority: AuthorityId | undefined): LoadedAuthority {
  if (profile.authority === '*') {
    if (authority === undefined) {
      throw new TouchmarkError(
        'authority.not_named',
        'malformed',
        `The profile ${profile.name} leaves the authority open; name one.`,
        {
          next: 'Let the profile name an authority, or create one from it with: touchmark authority create',
          evidence: { profile: profile.name },
        },
      )
    }
    return find(snapshot, authority)
  }
  const exact = snapshot.authorities.get(profile.authority as AuthorityId)
  const candidates = exact
    ? [exact]
    : [...snapshot.authorities.values()].filter(({ record }) => authorityName(record.id) === profile.authority)
  const newestFirst = candidates.sort((a, b) => b.record.generation - a.record.generation)
  const chosen = newestFirst.find(({ record }) => record.state === 'active') ?? newestFirst[0]
  if (chosen === undefined) {
    throw new TouchmarkError(
      'authority.not_found',
      'not_found',
      `The profile ${profile.name} names the authority ${profile.authority}, which does not exist.`,
      {
        next: `Create it with touchmark authority create, or let the profile name another.`,
        evidence: { profile: profile.name, authority: profile.authority },
      },
    )
  }
  if (authority !== undefined && chosen.record.id !== authority) {
    throw new TouchmarkError(
      'authority.not_of_profile',
      'forbidden',
      `The profile ${profile.name} is not issued by ${authority}.`,
      {
        next: 'Name the authority of the profile, or none: touchmark profile show NAME',
        evidence: { profile: profile.name, authorityId: authority },
      },
    )
  }
  return chosen
}

function find(snapshot: Snapshot, id: AuthorityId): LoadedAuthority {
  const loaded = snapshot.authorities.get(id)
  if (loaded) return loaded
  throw new TouchmarkError('authority.not_found', 'not_found', `There is no authority ${id}.`, {
    next: 'List the authorities with: touchmark authority list',
    evidence: { authorityId: id },
  })
}

function certificateOf({ record, certificate }: LoadedAuthority): Certificate {
  if (certificate) return certificate
  throw new TouchmarkError(
    'authority.awaiting_certificate',
    'unavailable',
    `The authority ${record.id} waits for its certificate.`,
    {
      next: `Have its request signed and bring the certificate in: touchmark authority import ${record.id}`,
      evidence: { authorityId: record.id },
    },
  )
}

async function openSigner(
  record: Authority,
  certificate: Certificate,
  chain: readonly Certificate[],
  keyStore: AuthorityPorts['keyStore'],
): Promise<IssuingAuthority> {
  let signer: IssuingAuthority['signer']
  try {
    signer = await keyStore.signer(record.keyUri)
  } catch (thrown) {
    const cause = asTouchmarkError(thrown)
    if (cause.code !== 'key.not_found') throw cause
    throw new TouchmarkError(
      'authority.key_unavailable',
      'unavailable',
      `The key of ${record.id} is not in this key store.`,
      {
        cause,
        next: 'The key of an offline root is used where it is kept, never by a server.',
        evidence: { authorityId: record.id, keyUri: record.keyUri },
      },
    )
  }
  if (!equalBytes(signer.publicKey, certificate.subjectPublicKeyInfo.raw)) {
    throw new TouchmarkError(
      'authority.key_mismatch',
      'internal',
      `The key of ${record.id} is not the one in its certificate.`,
      {
        next: 'Do not issue with this authority before it is known how that came about.',
        evidence: { authorityId: record.id, keyUri: record.keyUri },
      },
    )
  }
  return { record, certificate, signer, chain }
}

function sameRecord(a: Authority, b: Authority): boolean {
  return (
    a.state === b.state &&
    a.kind === b.kind &&
    a.issuer === b.issuer &&
    a.keyUri === b.keyUri &&
    a.generation === b.generation &&
    a.crlShards === b.crlShards &&
    (a.certificate === null || b.certificate === null
      ? a.certificate === b.certificate
      : equalBytes(a.certificate, b.certificate))
  )
}

function sameChain(a: readonly Certificate[], b: readonly Certificate[]): boolean {
  return a.length === b.length && a.every((certificate, i) => equalBytes(certificate.raw, b[i]!.raw))
}
