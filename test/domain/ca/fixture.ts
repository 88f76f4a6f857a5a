// A small world for tests of the CA: keys in memory, a root, issuing authorities, settings, a clock that stands still.

import { TouchmarkError } from '../../../src/core/errors.ts'
import { parseCertificate } from '../../../src/core/pki/certificate.ts'
import type { KeyAlgorithmName } from '../../../src/crypto/algorithms.ts'
import { assertTransition, type KeyInfo, type KeyState, type KeyStore } from '../../../src/crypto/key-store.ts'
import { generateKeyPair, type PrivateKey } from '../../../src/crypto/keys.ts'
import { systemRandom } from '../../../src/crypto/random.ts'
import { type Signer, softwareSigner } from '../../../src/crypto/signer.ts'
import type { Authority } from '../../../src/domain/ca/authority.ts'
import { catalogueProfile } from '../../../src/domain/ca/catalogue.ts'
import { type AuthorityPlan, createRoot, createSubordinate } from '../../../src/domain/ca/create-authority.ts'
import type { IssuanceRequest } from '../../../src/domain/ca/issuance-request.ts'
import { type Profile, parseProfile } from '../../../src/domain/ca/profile.ts'
import type { ProfileConfig } from '../../../src/domain/ca/profile-config.ts'
import { parseSettings, type Settings, type SettingsConfig } from '../../../src/domain/ca/settings.ts'
import type { IssuingAuthority } from '../../../src/domain/ca/signing-authority.ts'
import { ChangeBuilder } from '../../../src/domain/change-builder.ts'
import { authorityId, deviceId } from '../../../src/domain/ids.ts'

/** 2026-06-15T12:00:00Z. */
export const NOW = Date.UTC(2026, 5, 15, 12) / 1000

export const ACTOR = { kind: 'operator', id: 'test' } as const

export const settingsConfig: SettingsConfig = {
  schema: 1,
  organization: 'Example Devices',
  publicHttpUrl: 'http://pki.example:8080',
  hardwareType: { default: '1.3.6.1.4.1.32473.1', models: { 'sensor-2': '1.3.6.1.4.1.32473.2' } },
}

export const settings: Settings = parseSettings(settingsConfig)

/** Keys cost time: one of each algorithm, made when first asked for, unless a test needs its own. */
const keys = new Map<string, Promise<PrivateKey>>()

export function keyOf(algorithm: KeyAlgorithmName, name = 'device'): Promise<PrivateKey> {
  const id = `${algorithm} ${name}`
  let key = keys.get(id)
  if (key === undefined) {
    key = generateKeyPair(algorithm)
    keys.set(id, key)
  }
  return key
}

/** A key store in memory, as far as authorities use one. */
export class MemoryKeyStore implements KeyStore {
  readonly scheme = 'memory'
  readonly keys = new Map<string, { info: KeyInfo; signer: Signer }>()
  /** Where set, `generate` takes this key, so that tests do not search primes again and again. */
  readonly #make: (algorithm: KeyAlgorithmName, label: string) => Promise<PrivateKey>

  constructor(make: (algorithm: KeyAlgorithmName, label: string) => Promise<PrivateKey> = generateKeyPair) {
    this.#make = make
  }

  async generate(algorithm: KeyAlgorithmName, label: string) {
    const keyUri = `memory:${label}`
    if (this.keys.has(keyUri)) throw new TouchmarkError('key.label_taken', 'conflict', 'The label is taken.')
    const key = await this.#make(algorithm, label)
    const signer = softwareSigner(key, keyUri)
    const { publicKey } = signer
    const info = { keyUri, label, algorithm, publicKey, state: 'generated', created: NOW, history: [] } as const
    this.keys.set(keyUri, { info, signer })
    return { keyUri, publicKey }
  }

  import(): never {
    throw new Error('not in this store')
  }

  async signer(keyUri: string): Promise<Signer> {
    const known = this.keys.get(keyUri)
    if (!known) throw new TouchmarkError('key.not_found', 'not_found', 'There is no such key.')
    return known.signer
  }

  async list() {
    return [...this.keys.values()].map(({ info }) => info)
  }

  async changeState(keyUri: string, state: KeyState) {
    const known = this.keys.get(keyUri)!
    assertTransition(known.info.state, state, keyUri)
    this.keys.set(keyUri, { ...known, info: { ...known.info, state } })
  }

  async destroy(keyUri: string) {
    this.keys.delete(keyUri)
  }

  async [Symbol.asyncDispose]() {}
}

export function createPorts(keyStore: KeyStore = new MemoryKeyStore(), at = NOW) {
  return { settings, random: systemRandom, keyStore, now: at, actor: ACTOR }
}

export function plan(id: string, more: Partial<AuthorityPlan> = {}): AuthorityPlan {
  return { id: authorityId(id), kind: 'issuing', commonName: `CA ${id}`, algorithm: 'P-256', ...more }
}

/** Root and issuing authority of one algorithm each, made once. */
const worlds = new Map<string, Promise<{ root: IssuingAuthority; issuing: IssuingAuthority }>>()

export function authorities(rootAlgorithm: KeyAlgorithmName = 'P-256', issuingAlgorithm = rootAlgorithm) {
  const id = `${rootAlgorithm} ${issuingAlgorithm}`
  let world = worlds.get(id)
  if (world === undefined) {
    world = makeWorld(rootAlgorithm, issuingAlgorithm)
    worlds.set(id, world)
  }
  return world
}

async function makeWorld(rootAlgorithm: KeyAlgorithmName, issuingAlgorithm: KeyAlgorithmName) {
  const keyStore = new MemoryKeyStore((algorithm, label) => keyOf(algorithm, label))
  const made = new Date((NOW - 86_400) * 1000)
  const ports = createPorts(keyStore, made.getTime() / 1000)
  const change = new ChangeBuilder()
  const root = await createRoot(plan('root-1', { kind: 'root', algorithm: rootAlgorithm }), ports, change)
  const issuing = await createSubordinate(plan('issuing-1', { algorithm: issuingAlgorithm }), root, ports, change)
  return { root, issuing }
}

/** A profile of the catalogue with changes. */
export function profile(name: string, changes: Partial<ProfileConfig> = {}): Profile {
  return parseProfile({ ...catalogueProfile(name)!, ...changes })
}

export const device = {
  id: deviceId('0000000000000000000000000000002a'),
  model: 'sensor-1',
  serialNumber: 'SN-0042',
  labels: {
    dnsNames: 'gw.example.net, gw2.example.net',
    ipAddresses: '192.0.2.7 2001:db8::7',
    matterVendorId: 'FFF1',
    matterProductId: '8000',
  },
}

/** A request that every profile of the catalogue can serve. */
export async function request(
  of: Profile,
  algorithm: KeyAlgorithmName = 'P-256',
  more: Partial<IssuanceRequest> = {},
): Promise<IssuanceRequest> {
  const { publicKey } = await keyOf(algorithm)
  return {
    profile: of,
    device: of.holder === 'device' ? device : null,
    subjectFields: {
      commonName: 'unit under test',
      dnsNames: 'localhost,ca.example.net',
      ipAddresses: '127.0.0.1',
      email: 'operations@example.net',
    },
    spki: publicKey,
    replaces: null,
    now: NOW,
    ...more,
  }
}

/** An authority over a certificate that was made by other means. */
export function authorityOf(der: Uint8Array, signer: Signer, record: Partial<Authority> = {}): IssuingAuthority {
  return {
    record: {
      id: authorityId('test-1'),
      kind: 'issuing',
      state: 'active',
      certificate: der,
      issuer: null,
      chainAbove: [],
      keyUri: signer.keyUri,
      generation: 1,
      crlShards: 1,
      createdAt: NOW,
      ...record,
    },
    certificate: parseCertificate(der),
    signer,
    chain: [],
  }
}
