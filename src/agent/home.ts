// The home of an agent: its state file, the folders of its identities, and the moves between them. Each move writes what is new beside what
// is there and then replaces the state; the state alone says what counts. What a power cut left over is cleared when the home is opened.
//
//   state.json            what counts: see agent-state.ts
//   roots.pem             the pinned roots, for programs beside the agent
//   current               link to the folder of the identity in use; gone while the device is suspended
//   identities/7/         certificate.pem (leaf first, without the root) and key.pem
//   bootstrap/            token, or certificate.pem and key.pem: what the device began with
//   wipe-statement.json   what a wiped device said last
import { parsePem, toPem } from '../core/asn1/pem.ts'
import { fromBase64, toBase64 } from '../core/bytes/base64.ts'
import { type Bytes, EMPTY, equalBytes } from '../core/bytes/bytes.ts'
import { fromUtf8, toUtf8 } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type Certificate, parseCertificate } from '../core/pki/certificate.ts'
import type { KeyAlgorithmName } from '../crypto/algorithms.ts'
import { sha256Hex } from '../crypto/digest.ts'
import { importPkcs8 } from '../crypto/keys.ts'
import {
  keyFromPassphrase,
  PASSPHRASE_KEY_PARAMETERS,
  PASSPHRASE_SALT_OCTETS,
  type PassphraseKeyParameters,
} from '../crypto/passphrase-key.ts'
import type { Random } from '../crypto/random.ts'
import {
  type AgentState,
  type Bootstrap,
  encodeRoots,
  encodeState,
  type HookEventName,
  type IdentityRecord,
  type PendingRequest,
  parseState,
  pinnedRoots,
  type SealRecord,
  settled,
} from './agent-state.ts'
import { makeCertificationRequest, type RequestedNames } from './certification-request.ts'
import { decodeSecret, encodeSecret, FileKeyPlace, passphraseMissing } from './file-key-place.ts'
import type { IssuedChain } from './issued-chain.ts'
import { type HeldKey, type KeyPlace, type KeyPlacePorts, openKeyPlace } from './key-place.ts'
import type { AgentStorage } from './storage.ts'
import type { TlsIdentity } from './transport.ts'
import type { PinnableBundle } from './trust-bundle.ts'

const STATE = 'state.json'
export const ROOTS = 'roots.pem'
export const CURRENT = 'current'
const WIPE_STATEMENT = 'wipe-statement.json'
const TOKEN = 'bootstrap/token'
const SEAL_CHECK = 'TOUCHMARK SEAL CHECK'
const TOKEN_LABEL = 'TOUCHMARK TOKEN'
const BOOTSTRAP_CERTIFICATE = 'bootstrap/certificate.pem'
const BOOTSTRAP_KEY = 'bootstrap/key.pem'

export const identityFolder = (generation: number) => `identities/${generation}`
const keyName = (generation: number) => `${identityFolder(generation)}/key.pem`
const certificateName = (generation: number) => `${identityFolder(generation)}/certificate.pem`

/** What the device shows to get its first certificate. PEM; the key of a certificate in PKCS#8. */
export type BootstrapEvidence =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'certificate'; readonly certificates: string; readonly key: string }

export interface HomePorts {
  readonly storage: AgentStorage
  readonly random: Random
  /** Opens sealed keys, and seals those of a new home. */
  readonly passphrase?: Uint8Array | undefined
  /** How much a guess of the passphrase costs, in a new home. */
  readonly sealParameters?: PassphraseKeyParameters | undefined
  /** Makes the place for keys; by default `openKeyPlace`. */
  readonly keyPlace?: ((uri: string, ports: KeyPlacePorts) => KeyPlace) | undefined
}

export interface NewHome {
  readonly model: string
  readonly serialNumber: string
  readonly servers: readonly string[]
  readonly profile: string
  readonly keyAlgorithm: KeyAlgorithmName
  readonly keyPlace: string
  /** Roots, DER. */
  readonly roots: readonly Uint8Array[]
  readonly bootstrap: BootstrapEvidence
}

/** An identity that has proven itself: the files are as they were written, the key is that of the certificate. */
export interface OpenIdentity {
  readonly record: IdentityRecord
  readonly key: HeldKey
  readonly leaf: Certificate
  /** Leaf first, without the root, DER. */
  readonly chain: readonly Bytes[]
  readonly tls: TlsIdentity
}

/** Opens homes; keeps the key that the passphrase gave, because that takes a tenth of a second and 64 MiB. */
export class HomeOpener {
  readonly #ports: HomePorts
  #masterKey: { readonly salt: string; readonly key: Bytes } | undefined

  constructor(ports: HomePorts) {
    this.#ports = ports
  }

  /**
   * The home, cleared of what a power cut left; `undefined` where nobody has enrolled. Rejects with
   * `agent.state_damaged`, `passphrase.missing`, `passphrase.wrong`, `passphrase.not_used`.
   */
  async open(): Promise<Home | undefined> {
    const state = await this.peek()
    // Without a state nobody knows what the rest is worth: it stays until somebody enrols.
    if (!state) return undefined
    const home = new Home(
      state,
      this.#ports,
      await this.#keyPlacePorts(state.seal),
      this.#ports.keyPlace ?? openKeyPlace,
    )
    await home.tidy()
    return home
  }

  /** The state as it is, without a lock. */
  async peek(): Promise<AgentState | undefined> {
    const content = await this.#ports.storage.read(STATE)
    return content && parseState(content)
  }

  /** A new home with its first request, not sent yet. What was there before goes. */
  async create(given: NewHome): Promise<Home> {
    const { passphrase, storage, sealParameters = PASSPHRASE_KEY_PARAMETERS } = this.#ports
    if (!(await this.peek()))
      await clear(
        storage,
        () => false,
        name => storage.destroy(name),
      )
    const seal = passphrase ? await this.#newSeal(passphrase, sealParameters) : null
    const keyPorts = await this.#keyPlacePorts(seal)
    const place = (this.#ports.keyPlace ?? openKeyPlace)(given.keyPlace, keyPorts)
    const state: AgentState = {
      device: { model: given.model, serialNumber: given.serialNumber },
      servers: given.servers,
      profile: given.profile,
      keyAlgorithm: given.keyAlgorithm,
      keyPlace: given.keyPlace,
      seal,
      bootstrap: await storeBootstrap(given.bootstrap, keyPorts),
      trust: { version: 0, certificates: encodeRoots(given.roots) },
      generation: 0,
      current: null,
      previous: null,
      confirmed: false,
      pending: null,
      renewal: null,
      sequence: 0,
      lastReportAt: null,
      askAt: null,
      knownTrustVersion: 0,
      suspended: false,
      wipe: null,
      lastServerTime: 0,
      lastError: null,
      retries: {},
      hooksDue: [],
    }
    const home = new Home(state, this.#ports, keyPorts, () => place)
    await home.begin('enrol', given.profile, given.keyAlgorithm, { kind: 'device', serialNumber: given.serialNumber })
    await storage.write(ROOTS, toUtf8(rootsPem(home.state)))
    return home
  }

  async #newSeal(passphrase: Uint8Array, parameters: PassphraseKeyParameters): Promise<SealRecord> {
    const { random, storage } = this.#ports
    const salt = random.bytes(PASSPHRASE_SALT_OCTETS)
    const masterKey = await keyFromPassphrase(passphrase, salt, parameters)
    const check = encodeSecret(SEAL_CHECK, SEAL_CHECK, EMPTY, { random, storage, masterKey })
    const record = { salt: toBase64(salt), check: toBase64(check), ...parameters }
    this.#masterKey = { salt: record.salt, key: masterKey }
    return record
  }

  async #keyPlacePorts(seal: SealRecord | null): Promise<KeyPlacePorts> {
    const { storage, random, passphrase } = this.#ports
    if (!seal && !passphrase) return { storage, random }
    if (!seal) {
      throw new TouchmarkError('passphrase.not_used', 'malformed', "The agent's keys in this folder are not sealed.", {
        next: 'Leave the passphrase out, or enrol anew with it in an empty folder.',
      })
    }
    if (!passphrase) throw passphraseMissing()
    if (this.#masterKey?.salt !== seal.salt) {
      const key = await keyFromPassphrase(passphrase, fromBase64(seal.salt), seal)
      try {
        decodeSecret(SEAL_CHECK, SEAL_CHECK, fromBase64(seal.check), { storage, random, masterKey: key })
      } catch (cause) {
        throw new TouchmarkError(
          'passphrase.wrong',
          'unauthenticated',
          "The passphrase does not open the agent's keys.",
          {
            cause,
          },
        )
      }
      this.#masterKey = { salt: seal.salt, key }
    }
    return { storage, random, masterKey: this.#masterKey.key }
  }
}

export class Home {
  #state: AgentState
  readonly #storage: AgentStorage
  readonly #keyPorts: KeyPlacePorts
  readonly #keys: KeyPlace

  constructor(
    state: AgentState,
    ports: HomePorts,
    keyPorts: KeyPlacePorts,
    keyPlace: (uri: string, ports: KeyPlacePorts) => KeyPlace,
  ) {
    this.#state = state
    this.#storage = ports.storage
    this.#keyPorts = keyPorts
    this.#keys = keyPlace(state.keyPlace, keyPorts)
  }

  get state(): AgentState {
    return this.#state
  }

  get keyPlace(): KeyPlace {
    return this.#keys
  }

  /** The one move: the state is replaced as a whole. */
  async update(change: Partial<AgentState>): Promise<void> {
    const next = { ...this.#state, ...change }
    await this.#storage.write(STATE, encodeState(next))
    this.#state = next
  }

  /** A key and a request for it, stored before anything is sent, so that a repeat is the same request. An older one goes. */
  async begin(
    kind: PendingRequest['kind'],
    profile: string,
    keyAlgorithm: KeyAlgorithmName,
    names: RequestedNames,
  ): Promise<PendingRequest> {
    const generation = this.#state.generation + 1
    const { key, sha256 } = await this.#keys.make(keyName(generation), keyAlgorithm)
    const csr = toBase64(await makeCertificationRequest(key.signer, names))
    const pending = { kind, generation, profile, keyAlgorithm, keySha256: sha256, csr }
    await this.update({ generation, pending })
    await this.tidy()
    return pending
  }

  /** Gives a request up; its key goes. */
  async abandon(): Promise<void> {
    await this.update({ pending: null })
    await this.tidy()
  }

  /** Puts a checked certificate in use; the identity before it stays until the server has seen this one. */
  async adopt(pending: PendingRequest, issued: IssuedChain, event: HookEventName): Promise<void> {
    const pem = chainPem(issued.chain)
    await this.#storage.write(certificateName(pending.generation), toUtf8(pem))
    const { leaf } = issued
    const current: IdentityRecord = {
      generation: pending.generation,
      profile: pending.profile,
      serialNumber: leaf.serialNumber,
      notBefore: leaf.notBefore,
      notAfter: leaf.notAfter,
      keyId: sha256Hex(leaf.subjectPublicKeyInfo.raw),
      keyAlgorithm: pending.keyAlgorithm,
      keySha256: pending.keySha256,
      certificateSha256: sha256Hex(toUtf8(pem)),
    }
    const { current: before, bootstrap, hooksDue } = this.#state
    await this.update({
      ...settled(this.#state, 'renew'),
      current,
      previous: before,
      confirmed: false,
      pending: null,
      renewal: null,
      askAt: null,
      profile: pending.profile,
      keyAlgorithm: pending.keyAlgorithm,
      bootstrap: bootstrap?.kind === 'token' ? null : bootstrap,
      hooksDue: withEvent(hooksDue, event),
    })
    await this.tidy()
  }

  /** The server has seen the current identity: the one before goes. */
  async confirm(change: Partial<AgentState> = {}): Promise<void> {
    await this.update({ ...change, confirmed: true, previous: null })
    await this.tidy()
  }

  /** The current identity does not hold (an altered file): the one before takes its place. */
  async fallBack(change: Partial<AgentState>): Promise<void> {
    await this.update({ ...change, current: this.#state.previous, previous: null, confirmed: true, renewal: null })
    await this.tidy()
  }

  /** Pins other roots. */
  async trust(bundle: PinnableBundle): Promise<void> {
    const trust = { version: bundle.version, certificates: encodeRoots(bundle.roots) }
    const hooksDue = withEvent(this.#state.hooksDue, 'trust-updated')
    await this.update({ ...settled(this.#state, 'trust'), trust, hooksDue })
    await this.tidy()
  }

  async setSuspended(suspended: boolean): Promise<void> {
    const event = suspended ? 'suspended' : 'resumed'
    await this.update({ suspended, hooksDue: withEvent(this.#state.hooksDue, event) })
    await this.tidy()
  }

  /** Every key goes, for good. The state keeps who the device was and what it said. */
  async destroyKeys(): Promise<void> {
    const { wipe } = this.#state
    if (!wipe) throw new Error('Keys are destroyed under an order only.')
    if (wipe.statement !== null) await this.#storage.write(WIPE_STATEMENT, fromBase64(wipe.statement))
    await this.update({ current: null, previous: null, pending: null, bootstrap: null, renewal: null })
    await this.tidy()
    await this.update({ wipe: { ...wipe, done: true }, hooksDue: withEvent(this.#state.hooksDue, 'wiped') })
  }

  /** Opens and proves an identity. Rejects with `agent.key_missing`, `agent.key_altered`, `agent.certificate_altered`. */
  async identity(record: IdentityRecord): Promise<OpenIdentity> {
    const key = await this.#openKey(keyName(record.generation), record.keySha256)
    const chain = await readChain(this.#storage, record)
    const leaf = parseCertificate(chain[0]!)
    if (!equalBytes(leaf.subjectPublicKeyInfo.raw, key.signer.publicKey)) throw certificateAltered(record)
    return { record, key, leaf, chain, tls: { certificates: chainPem(chain), key: key.tlsKey() } }
  }

  pendingKey(pending: PendingRequest): Promise<HeldKey> {
    return this.#openKey(keyName(pending.generation), pending.keySha256)
  }

  /** The certificate that the device came with, or `undefined`. */
  async bootstrapIdentity(): Promise<{ readonly key: HeldKey; readonly tls: TlsIdentity } | undefined> {
    const { bootstrap } = this.#state
    if (bootstrap?.kind !== 'certificate') return undefined
    // The key stays a file wherever the others are: it was one when it came.
    const key = await new FileKeyPlace(this.#keyPorts).open(BOOTSTRAP_KEY, bootstrap.keySha256)
    const certificates = fromUtf8((await this.#storage.read(BOOTSTRAP_CERTIFICATE)) ?? new Uint8Array())
    return { key, tls: { certificates, key: key.tlsKey() } }
  }

  /** The one-time token that has not been used up, or `undefined`. */
  async bootstrapToken(): Promise<string | undefined> {
    if (this.#state.bootstrap?.kind !== 'token') return undefined
    const content = await this.#storage.read(TOKEN)
    return content && fromUtf8(decodeSecret(TOKEN, TOKEN_LABEL, content, this.#keyPorts))
  }

  /** Other evidence than before, for a request that is still to be answered. */
  async replaceBootstrap(evidence: BootstrapEvidence, change: Partial<AgentState>): Promise<void> {
    await this.update({ ...change, bootstrap: await storeBootstrap(evidence, this.#keyPorts) })
    await this.tidy()
  }

  /** Every key that the home still has, those that do not open left out. */
  async allKeys(): Promise<HeldKey[]> {
    const { current, previous, pending } = this.#state
    const records = [current, previous, pending].flatMap(record => (record ? [record] : []))
    const attempts = records.map(({ generation, keySha256 }) => this.#openKey(keyName(generation), keySha256))
    const results = await Promise.allSettled([...attempts, this.bootstrapIdentity().then(found => found?.key)])
    return results.flatMap(result => (result.status === 'fulfilled' && result.value ? [result.value] : []))
  }

  /** Brings what lies beside the state in line with it. Safe at any time, and repeated until it is done. */
  async tidy(): Promise<void> {
    const { current, previous, pending, bootstrap, suspended, wipe } = this.#state
    const folders = [current, previous, pending].flatMap(record =>
      record ? [`${identityFolder(record.generation)}/`] : [],
    )
    const link = current && !suspended && !wipe ? identityFolder(current.generation) : undefined
    if ((await this.#storage.readLink(CURRENT)) !== link) await this.#storage.link(CURRENT, link)
    const roots = toUtf8(rootsPem(this.#state))
    const published = await this.#storage.read(ROOTS)
    if (!published || !equalBytes(published, roots)) await this.#storage.write(ROOTS, roots)
    await clear(
      this.#storage,
      name =>
        name.startsWith('bootstrap/')
          ? bootstrap !== null && belongsTo(bootstrap, name)
          : folders.some(folder => name.startsWith(folder)),
      name => this.#destroy(name),
    )
  }

  /** A key goes where it lives, not only what is stored of it here. */
  #destroy(name: string): Promise<void> {
    return isKey(name) ? this.#keys.destroy(name) : this.#storage.destroy(name)
  }

  #openKey(name: string, digest: string): Promise<HeldKey> {
    return this.#keys.open(name, digest)
  }
}

function belongsTo(bootstrap: Bootstrap, name: string): boolean {
  return bootstrap.kind === 'token' ? name === TOKEN : name !== TOKEN
}

const isKey = (name: string) => name.startsWith('identities/') && name.endsWith('/key.pem')

/** Destroys what is not wanted of the identities and of what the device began with. */
async function clear(
  storage: AgentStorage,
  wanted: (name: string) => boolean,
  destroy: (name: string) => Promise<void>,
): Promise<void> {
  for (const name of await storage.list()) {
    const ours = name.startsWith('identities/') || name.startsWith('bootstrap/')
    if (ours && !wanted(name)) await destroy(name)
  }
}

async function storeBootstrap(evidence: BootstrapEvidence, ports: KeyPlacePorts): Promise<Bootstrap> {
  if (evidence.kind === 'token') {
    await ports.storage.write(TOKEN, encodeSecret(TOKEN, TOKEN_LABEL, toUtf8(evidence.token), ports))
    return { kind: 'token' }
  }
  const key = importPkcs8(pemOf(evidence.key, 'PRIVATE KEY'))
  const leaf = parseCertificate(pemOf(evidence.certificates, 'CERTIFICATE'))
  if (!equalBytes(leaf.subjectPublicKeyInfo.raw, key.publicKey)) {
    throw new TouchmarkError(
      'agent.bootstrap_mismatch',
      'malformed',
      'The bootstrap key is not that of the bootstrap certificate.',
    )
  }
  const chain = parsePem(evidence.certificates).filter(({ label }) => label === 'CERTIFICATE')
  await ports.storage.write(BOOTSTRAP_CERTIFICATE, toUtf8(chainPem(chain.map(({ der }) => der))))
  const stored = await new FileKeyPlace(ports).put(BOOTSTRAP_KEY, key)
  return { kind: 'certificate', keySha256: stored.sha256, keyId: stored.key.keyId, keyAlgorithm: key.algorithm }
}

function pemOf(text: string, label: string): Bytes {
  const block = parsePem(text).find(candidate => candidate.label === label)
  if (block) return block.der
  throw new TouchmarkError('agent.bootstrap_unreadable', 'malformed', `The bootstrap file holds no ${label}.`, {
    next: 'Keys are PKCS#8 in PEM without a passphrase: openssl pkey -in old.key -out new.key',
  })
}

/** The certificates of an identity as they were written. Rejects with `agent.certificate_altered`. */
export async function readChain(storage: AgentStorage, record: IdentityRecord): Promise<Bytes[]> {
  const content = await storage.read(certificateName(record.generation))
  if (!content || sha256Hex(content) !== record.certificateSha256) throw certificateAltered(record)
  return parsePem(fromUtf8(content)).map(({ der }) => der)
}

/** Whether the key file is as it was written, without opening it. */
export async function isKeyAsWritten(storage: AgentStorage, record: IdentityRecord): Promise<boolean> {
  const content = await storage.read(keyName(record.generation))
  return content !== undefined && sha256Hex(content) === record.keySha256
}

function certificateAltered(record: IdentityRecord): TouchmarkError {
  return new TouchmarkError(
    'agent.certificate_altered',
    'internal',
    'A certificate file is not what the agent wrote.',
    {
      evidence: { serialNumber: record.serialNumber },
    },
  )
}

export function withEvent(events: readonly HookEventName[], event: HookEventName): HookEventName[] {
  return [...events.filter(known => known !== event), event]
}

/** The pinned roots in PEM. */
export function rootsPem(state: AgentState): string {
  return chainPem(pinnedRoots(state))
}

function chainPem(chain: readonly Uint8Array[]): string {
  return chain.map(der => toPem('CERTIFICATE', der)).join('')
}
