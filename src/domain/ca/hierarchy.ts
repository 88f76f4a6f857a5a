// The first hierarchy of an instance, in one change: a root whose key lives in an offline key store and is used here and then put away, and
// under it one issuing authority each for birth certificates, for operational ones and for the platform's own services.
import { TouchmarkError } from '../../core/errors.ts'
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { KeyStore } from '../../crypto/key-store.ts'
import { documentDetail } from '../audit/document-detail.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { DocumentVersion } from '../document.ts'
import { authorityId, type UnixSeconds } from '../ids.ts'
import type { Clock, Random, Store } from '../ports.ts'
import { defaultRules, rulesDocument } from '../ra/rules.ts'
import { OFFLINE_CRL_SCHEDULE } from '../revocation/crl-schedule.ts'
import { publishCrl } from '../revocation/publish-crl.ts'
import type { Authority } from './authority.ts'
import { profileCatalogue } from './catalogue.ts'
import { type AuthorityPlan, createRoot, createSubordinate } from './create-authority.ts'
import { crlUrl } from './distribution-urls.ts'
import { putIntoService } from './import-authority.ts'
import { parseProfile } from './profile.ts'
import type { ProfileConfig } from './profile-config.ts'
import { parseSettings, type SettingsConfig, settingsDocument, uuidOid } from './settings.ts'
import type { IssuingAuthority } from './signing-authority.ts'

export interface InitialHierarchyOptions {
  readonly organization: string
  /** Where CRLs, OCSP and CA certificates will be had: `http://…`, fixed into every certificate. */
  readonly publicHttpUrl: string
  /** The root signs rarely: P-384 unless said otherwise. */
  readonly rootAlgorithm?: KeyAlgorithmName
  /** The issuing authorities sign all day: P-256 unless said otherwise. */
  readonly issuingAlgorithm?: KeyAlgorithmName
  /** hwType of HardwareModuleName; absent: an OID of this instance's own under 2.25 (ITU-T X.667). */
  readonly hardwareType?: SettingsConfig['hardwareType']
  readonly cryptoPolicy?: SettingsConfig['cryptoPolicy']
  /** Absent: no well-defined end, because birth certificates have none. */
  readonly rootValidity?: ProfileConfig['validity']
  readonly nameConstraints?: ProfileConfig['nameConstraints']
  readonly certificatePolicies?: ProfileConfig['certificatePolicies']
  /** CRLs of `idevid-1` and `ldevid-1` are spread over this many; 1 unless said otherwise. */
  readonly crlShards?: number
}

export interface InitialHierarchyPorts {
  readonly store: Store
  /** Keys of the issuing authorities: what a server opens. */
  readonly keyStore: KeyStore
  /** The key of the root: a store of its own, that no server opens. */
  readonly offlineKeyStore: KeyStore
  readonly clock: Clock
  readonly random: Random
  readonly actor: AuditEntry['actor']
}

export interface InitialHierarchy {
  readonly root: Authority
  readonly idevid: Authority
  readonly ldevid: Authority
  readonly services: Authority
}

export const ROOT_ID = authorityId('root-1')

/**
 * Makes keys, certificates, settings, profiles and rules of a new instance, and the root's first CRL. Interrupted and run again, it goes on with
 * the keys that it made. Throws `hierarchy.exists`, `settings.invalid`, and what the key stores and the store throw.
 */
export async function createInitialHierarchy(
  options: InitialHierarchyOptions,
  ports: InitialHierarchyPorts,
): Promise<InitialHierarchy> {
  const { store, keyStore, offlineKeyStore, random, actor } = ports
  const now = ports.clock.now()
  const existing = await store.read.authorities()
  if (existing.length > 0) {
    throw new TouchmarkError('hierarchy.exists', 'conflict', 'This instance has authorities already.', {
      next: 'Add others with touchmark authority create, or begin in an empty data folder.',
      evidence: { authorities: existing.length },
    })
  }
  const config: SettingsConfig = {
    schema: 1,
    organization: options.organization,
    publicHttpUrl: options.publicHttpUrl,
    hardwareType: options.hardwareType ?? { default: uuidOid(random.bytes(16)) },
    ...(options.cryptoPolicy && { cryptoPolicy: options.cryptoPolicy }),
  }
  const settings = parseSettings(config)
  const change = new ChangeBuilder()
  const install = (document: DocumentVersion, action: InstallAction): void => {
    const { name } = document
    change.write({ kind: 'document.insert', document })
    change.record({ at: now, actor, action, outcome: 'done', subject: { name }, detail: documentDetail(document) })
  }
  install(settingsDocument(config, 1, now), 'setting.changed')
  for (const document of catalogueDocuments(now)) install(document, 'profile.changed')
  install(rulesDocument(defaultRules, 1, now), 'rule.changed')

  const online = { settings, random, keyStore, now, actor }
  const root = await createRoot(rootPlan(options), { ...online, keyStore: offlineKeyStore }, change)
  const issuing: IssuingAuthority[] = []
  for (const plan of issuingPlans(options)) issuing.push(await createSubordinate(plan, root, online, change))
  await store.commit(change)

  await publishCrl(root, 0, crlUrl(settings, root.record.id, 0), OFFLINE_CRL_SCHEDULE, ports)
  await putIntoService(root.record.keyUri, offlineKeyStore, actor, 'First hierarchy.')
  for (const { record } of issuing) await putIntoService(record.keyUri, keyStore, actor, 'First hierarchy.')
  const [idevid, ldevid, services] = issuing.map(({ record }) => record) as [Authority, Authority, Authority]
  return { root: root.record, idevid, ldevid, services }
}

function rootPlan(options: InitialHierarchyOptions): AuthorityPlan {
  return {
    id: ROOT_ID,
    kind: 'root',
    commonName: 'Root CA 1',
    algorithm: options.rootAlgorithm ?? 'P-384',
    ...(options.rootValidity && { validity: options.rootValidity }),
  }
}

function issuingPlans(options: InitialHierarchyOptions): AuthorityPlan[] {
  const { nameConstraints, certificatePolicies, crlShards } = options
  const common = {
    kind: 'issuing',
    algorithm: options.issuingAlgorithm ?? 'P-256',
    ...(nameConstraints && { nameConstraints }),
    ...(certificatePolicies && { certificatePolicies }),
  } as const
  const sharded = crlShards === undefined ? {} : { crlShards }
  return [
    // Birth certificates have no well-defined end (IEEE 802.1AR); the CA that vouches for them must not have one before.
    {
      ...common,
      ...sharded,
      id: authorityId('idevid-1'),
      commonName: 'IDevID CA 1',
      validity: { noExpiry: true, backdateSeconds: 3600 },
    },
    { ...common, ...sharded, id: authorityId('ldevid-1'), commonName: 'LDevID CA 1' },
    { ...common, id: authorityId('services-1'), commonName: 'Services CA 1' },
  ]
}

/** The catalogue as stored documents, in their first version. Throws nothing: the test suite parses every one. */
export function catalogueDocuments(createdAt: UnixSeconds): DocumentVersion[] {
  return profileCatalogue.map(config => {
    const { name, version } = parseProfile(config)
    return { kind: 'profile', name, version, body: JSON.stringify(config, null, 2), createdAt }
  })
}

type InstallAction = 'setting.changed' | 'profile.changed' | 'rule.changed'
