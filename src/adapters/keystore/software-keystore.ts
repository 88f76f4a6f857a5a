// The software key store: a folder with one file per key, each sealed with AES-256-GCM under the store's key, and `store.json`
// with the store's key sealed under a passphrase (argon2id). Nothing is cached but the store's key, so several processes may
// work on one folder, and a key that one of them destroys is gone for all.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fromBase64, toBase64 } from '../../core/bytes/base64.ts'
import { type Bytes, copyBytes, equalBytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { isKeyAlgorithmName, type KeyAlgorithmName, type SignatureAlgorithmName } from '../../crypto/algorithms.ts'
import { derivedKey } from '../../crypto/derived-key.ts'
import {
  assertMaySign,
  assertTransition,
  type GeneratedKey,
  type KeyEvidence,
  type KeyInfo,
  type KeyState,
  type KeyStore,
} from '../../crypto/key-store.ts'
import { generateKeyPair, importPkcs8, type PrivateKey, wipe } from '../../crypto/keys.ts'
import {
  keyFromPassphrase,
  PASSPHRASE_KEY_PARAMETERS,
  PASSPHRASE_SALT_OCTETS,
  type PassphraseKeyParameters,
} from '../../crypto/passphrase-key.ts'
import { systemRandom } from '../../crypto/random.ts'
import { type Signer, softwareSigner } from '../../crypto/signer.ts'
import { createSigningPool, type SigningPool } from '../../crypto/signing-pool.ts'
import {
  createFile,
  finishShredding,
  hasLeftovers,
  makePrivateFolder,
  readSmallFile,
  replaceAndShred,
  replaceFile,
} from './durable-file.ts'
import { withFolderLock } from './folder-lock.ts'
import { base64Field, readSealedFile, type SealedFile, sealFile, sealSchema, unsealFile } from './sealed-file.ts'

export interface SoftwareKeyStoreOptions {
  readonly folder: string
  readonly passphrase: Uint8Array
  /** Seconds since 1970, for the history of keys; the system's clock by default. */
  readonly now?: (() => number) | undefined
}

export interface CreateSoftwareKeyStoreOptions extends SoftwareKeyStoreOptions {
  /** The cost of the passphrase; weaker than the default only in tests. */
  readonly effort?: PassphraseKeyParameters | undefined
}

const STORE_FILE = 'store.json'
const KEY_SUFFIX = '.key'
const STORE_PURPOSE = 'touchmark software key store, store key, version 1'
const KEY_PURPOSE = 'touchmark software key store, private key, version 1'
/** So that no file outgrows what `readSmallFile` reads: changes of state kept, and characters in their evidence. */
const MAX_HISTORY = 64
const MAX_WHO = 128
const MAX_WHY = 512

const storeSchema = z.strictObject({
  format: z.literal('touchmark-keystore'),
  version: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{32}$/),
  kdf: z.strictObject({
    algorithm: z.literal('argon2id'),
    memoryKiB: z.int(),
    passes: z.int(),
    lanes: z.int(),
    salt: base64Field(PASSPHRASE_SALT_OCTETS),
  }),
  seal: sealSchema,
})
type StoreHeader = z.infer<typeof storeSchema>

const stateSchema = z.enum(['generated', 'in-use', 'suspended', 'archived', 'destroyed'])
const keySchema = z.strictObject({
  format: z.literal('touchmark-key'),
  version: z.literal(1),
  store: z.string(),
  label: z.string(),
  algorithm: z.string().refine(isKeyAlgorithmName),
  publicKey: base64Field(),
  created: z.int(),
  state: stateSchema,
  history: z
    .array(z.strictObject({ state: stateSchema, at: z.int(), who: z.string(), why: z.string() }))
    .max(MAX_HISTORY),
  seal: sealSchema,
})
type KeyHeader = z.infer<typeof keySchema>

/** Makes an empty store. Throws `keystore.exists`, `keystore.passphrase_empty`, `keystore.io_failed`. */
export async function createSoftwareKeyStore(options: CreateSoftwareKeyStoreOptions): Promise<SoftwareKeyStore> {
  assertNotEmpty(options.passphrase)
  await makePrivateFolder(options.folder)
  const id = toHex(systemRandom.bytes(16))
  const storeKey = systemRandom.bytes(32)
  const text = await sealStoreKey(id, storeKey, options.passphrase, options.effort ?? PASSPHRASE_KEY_PARAMETERS)
  if (!(await createFile(join(options.folder, STORE_FILE), text))) {
    wipe(storeKey)
    throw new TouchmarkError('keystore.exists', 'conflict', 'There is a key store in this folder already.', {
      next: 'A key store is never overwritten. Choose another folder with --data.',
      evidence: { folder: options.folder },
    })
  }
  return new SoftwareKeyStore(options.folder, id, storeKey, options.now ?? systemSeconds)
}

/**
 * Opens a store. Throws `keystore.not_found`, `keystore.file_damaged`, and `keystore.passphrase_wrong` before anything in
 * the folder has been touched. The passphrase is not kept.
 */
export async function openSoftwareKeyStore(options: SoftwareKeyStoreOptions): Promise<SoftwareKeyStore> {
  const file = await readStoreFile(options.folder)
  const storeKey = await unsealStoreKey(file, options.passphrase)
  if (await hasLeftovers(options.folder)) {
    await withFolderLock(options.folder, () => finishShredding(options.folder))
  }
  return new SoftwareKeyStore(options.folder, file.header.id, storeKey, options.now ?? systemSeconds)
}

export class SoftwareKeyStore implements KeyStore {
  readonly scheme = 'software'
  readonly #folder: string
  readonly #id: string
  readonly #now: () => number
  #storeKey: Bytes | undefined
  /** Threads of the keys that signed in bulk, by key URI. */
  readonly #pools = new Map<string, SigningPool[]>()

  constructor(folder: string, id: string, storeKey: Bytes, now: () => number) {
    this.#folder = folder
    this.#id = id
    this.#storeKey = storeKey
    this.#now = now
  }

  async generate(algorithm: KeyAlgorithmName, label: string): Promise<GeneratedKey> {
    // Before the key is made: an RSA prime search for a label that is taken would be a waste.
    if ((await readSmallFile(this.#pathOf(label))) !== undefined) throw labelTaken(label)
    return this.#add(await generateKeyPair(algorithm), label)
  }

  async import(pkcs8: Uint8Array, label: string): Promise<GeneratedKey> {
    return this.#add(importPkcs8(pkcs8), label)
  }

  async signer(keyUri: string, algorithm?: SignatureAlgorithmName): Promise<Signer> {
    const key = await this.privateKey(keyUri)
    let pool: SigningPool | undefined
    return softwareSigner(key, keyUri, algorithm, () => {
      if (pool !== undefined) return pool
      // A store that was closed starts no more threads.
      this.#key()
      pool = createSigningPool(key, { algorithm })
      this.#pools.set(keyUri, [...(this.#pools.get(keyUri) ?? []), pool])
      return pool
    })
  }

  /**
   * The open private key itself, for what needs more than signatures in this process: TLS, decryption. Proven to belong to
   * the public key on record. Throws as `signer`.
   */
  async privateKey(keyUri: string): Promise<PrivateKey> {
    const { header, secret } = await this.#read(labelOf(keyUri))
    try {
      assertMaySign(header.state, keyUri)
      const key = importPkcs8(secret)
      if (key.algorithm !== header.algorithm || !equalBytes(key.publicKey, fromBase64(header.publicKey))) {
        throw new TouchmarkError('key.handle_mismatch', 'internal', 'The private key is not that of the public key.', {
          evidence: { keyUri },
        })
      }
      return key
    } finally {
      wipe(secret)
    }
  }

  async list(): Promise<KeyInfo[]> {
    const names = (await readdir(this.#folder)).filter(name => name.endsWith(KEY_SUFFIX)).sort()
    const keys: KeyInfo[] = []
    for (const name of names) {
      const { header, secret } = await this.#read(name.slice(0, -KEY_SUFFIX.length))
      wipe(secret)
      keys.push({
        keyUri: uriOf(header.label),
        label: header.label,
        algorithm: header.algorithm,
        publicKey: fromBase64(header.publicKey),
        state: header.state,
        created: header.created,
        history: header.history,
      })
    }
    return keys
  }

  async changeState(
    keyUri: string,
    state: Exclude<KeyState, 'generated' | 'destroyed'>,
    evidence: KeyEvidence,
  ): Promise<void> {
    const label = labelOf(keyUri)
    await withFolderLock(this.#folder, async () => {
      const { header, secret } = await this.#read(label)
      try {
        assertTransition(header.state, state, keyUri)
        const next = this.#inState(header, state, evidence)
        await replaceFile(this.#pathOf(label), sealFile(this.#key(), KEY_PURPOSE, next, secret))
      } finally {
        wipe(secret)
      }
    })
  }

  /** The file becomes a tombstone; the sealed private key is overwritten (see `replaceAndShred` for what that can promise). */
  async destroy(keyUri: string, evidence: KeyEvidence): Promise<void> {
    const label = labelOf(keyUri)
    await withFolderLock(this.#folder, async () => {
      const { header, secret } = await this.#read(label)
      wipe(secret)
      if (header.state === 'destroyed') return
      const tombstone = this.#inState(header, 'destroyed', evidence)
      await replaceAndShred(this.#pathOf(label), sealFile(this.#key(), KEY_PURPOSE, tombstone, new Uint8Array(0)))
    })
    await this.#endThreads(keyUri)
  }

  /** Threads that hold a copy of the key. */
  async #endThreads(keyUri: string): Promise<void> {
    const pools = this.#pools.get(keyUri) ?? []
    this.#pools.delete(keyUri)
    await Promise.all(pools.map(pool => pool[Symbol.asyncDispose]()))
  }

  /** 32 octets for a purpose of the platform's own, which only holders of this store can compute; the same for ever. */
  secretFor(purpose: string): Bytes {
    return derivedKey(this.#key(), `touchmark ${purpose}`)
  }

  /** Seals the store's key under another passphrase: one file is replaced, at once or not at all. The keys stay as they are. */
  async changePassphrase(
    passphrase: Uint8Array,
    effort: PassphraseKeyParameters = PASSPHRASE_KEY_PARAMETERS,
  ): Promise<void> {
    assertNotEmpty(passphrase)
    const text = await sealStoreKey(this.#id, this.#key(), passphrase, effort)
    await withFolderLock(this.#folder, () => replaceAndShred(join(this.#folder, STORE_FILE), text))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#storeKey) wipe(this.#storeKey)
    this.#storeKey = undefined
    await Promise.all(Array.from(this.#pools.keys(), keyUri => this.#endThreads(keyUri)))
  }

  async #add(key: PrivateKey, label: string): Promise<GeneratedKey> {
    const secret = key.toPkcs8()
    try {
      const header = {
        format: 'touchmark-key',
        version: 1,
        store: this.#id,
        label,
        algorithm: key.algorithm,
        publicKey: toBase64(key.publicKey),
        created: this.#now(),
        state: 'generated',
        history: [],
      }
      const path = this.#pathOf(label)
      if (!(await createFile(path, sealFile(this.#key(), KEY_PURPOSE, header, secret)))) throw labelTaken(label)
    } finally {
      wipe(secret)
    }
    return { keyUri: uriOf(label), publicKey: copyBytes(key.publicKey) }
  }

  /** Reads one file and opens its box: every header that is believed has been vouched for. */
  async #read(label: string): Promise<{ readonly header: KeyHeader; readonly secret: Bytes }> {
    const key = this.#key()
    const path = this.#pathOf(label)
    const text = await readSmallFile(path)
    if (text === undefined) throw notFound(uriOf(label))
    const file = readSealedFile(keySchema, text, path)
    let secret: Bytes
    try {
      secret = unsealFile(key, KEY_PURPOSE, file)
    } catch (cause) {
      throw forged(path, cause)
    }
    // A whole file under another name, or from another store, is no less forged.
    if (file.header.label !== label || file.header.store !== this.#id) {
      wipe(secret)
      throw forged(path)
    }
    return { header: file.header, secret }
  }

  #inState(header: KeyHeader, state: KeyState, { who, why }: KeyEvidence): Omit<KeyHeader, 'seal'> {
    if (who.length > MAX_WHO || why.length > MAX_WHY) {
      throw new TouchmarkError(
        'key.evidence_too_long',
        'malformed',
        'The reason for the change of state is too long.',
        {
          next: `Use up to ${MAX_WHO} characters for who and ${MAX_WHY} for why.`,
        },
      )
    }
    const { seal: _, ...kept } = header
    // A history that is full loses its oldest entries, not the newest one.
    const history = [...header.history, { state, at: this.#now(), who, why }].slice(-MAX_HISTORY)
    return { ...kept, state, history }
  }

  #pathOf(label: string): string {
    // Lower case only: on some file systems `A` and `a` are one file. No separators, so nothing leaves the folder.
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(label)) {
      throw new TouchmarkError(
        'key.label_invalid',
        'malformed',
        'The label of a key is a-z, 0-9, dot, dash, underscore.',
        {
          next: 'Use up to 64 of these characters, the first of them a letter or a digit.',
        },
      )
    }
    return join(this.#folder, label + KEY_SUFFIX)
  }

  #key(): Bytes {
    if (this.#storeKey === undefined) {
      throw new TouchmarkError('keystore.closed', 'internal', 'The key store has been closed.')
    }
    return this.#storeKey
  }
}

async function readStoreFile(folder: string): Promise<SealedFile<StoreHeader>> {
  const path = join(folder, STORE_FILE)
  const text = await readSmallFile(path)
  if (text === undefined) {
    throw new TouchmarkError('keystore.not_found', 'not_found', 'There is no key store in this folder.', {
      next: 'Restore the folder from a backup, or make an instance with: touchmark init',
      evidence: { folder },
    })
  }
  return readSealedFile(storeSchema, text, path)
}

async function sealStoreKey(
  id: string,
  storeKey: Uint8Array,
  passphrase: Uint8Array,
  effort: PassphraseKeyParameters,
): Promise<string> {
  const salt = systemRandom.bytes(PASSPHRASE_SALT_OCTETS)
  const passphraseKey = await keyFromPassphrase(passphrase, salt, effort)
  try {
    const { memoryKiB, passes, lanes } = effort
    const kdf = { algorithm: 'argon2id', memoryKiB, passes, lanes, salt: toBase64(salt) }
    const header = { format: 'touchmark-keystore', version: 1, id, kdf }
    return sealFile(passphraseKey, STORE_PURPOSE, header, storeKey)
  } finally {
    wipe(passphraseKey)
  }
}

async function unsealStoreKey(file: SealedFile<StoreHeader>, passphrase: Uint8Array): Promise<Bytes> {
  const { kdf } = file.header
  const passphraseKey = await keyFromPassphrase(passphrase, fromBase64(kdf.salt), kdf)
  try {
    return unsealFile(passphraseKey, STORE_PURPOSE, file)
  } catch (cause) {
    throw new TouchmarkError(
      'keystore.passphrase_wrong',
      'unauthenticated',
      'The passphrase does not open the key store.',
      {
        cause,
        next: 'Give the passphrase that the store was made with; nothing has been changed.',
      },
    )
  } finally {
    wipe(passphraseKey)
  }
}

/** How long is long enough is the operator's to judge (`init` says what it thinks); nothing at all is a mistake. */
function assertNotEmpty(passphrase: Uint8Array): void {
  if (passphrase.length === 0) {
    throw new TouchmarkError('keystore.passphrase_empty', 'malformed', 'The passphrase is empty.', {
      next: 'Use a generated one of 20 characters or more.',
    })
  }
}

function uriOf(label: string): string {
  return `software:${label}`
}

function labelOf(keyUri: string): string {
  if (!keyUri.startsWith('software:')) throw notFound(keyUri)
  return keyUri.slice('software:'.length)
}

function systemSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

function notFound(keyUri: string): TouchmarkError {
  return new TouchmarkError('key.not_found', 'not_found', 'The key store holds no such key.', {
    next: 'Restore the folder keys from a backup. The key of an offline root is in the folder that it was moved to.',
    evidence: { keyUri },
  })
}

function labelTaken(label: string): TouchmarkError {
  return new TouchmarkError('key.label_taken', 'conflict', 'There is, or was, a key of this label.', {
    next: 'Take the next generation: the number at the end of the name.',
    evidence: { label },
  })
}

function forged(path: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError(
    'keystore.file_forged',
    'forbidden',
    'A file of the key store was not written by this store.',
    {
      cause,
      next: 'Find out who could write to the folder; restore the file from a backup of the key store.',
      evidence: { path },
    },
  )
}
