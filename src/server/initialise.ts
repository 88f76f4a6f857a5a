// Making a data folder: store, key stores, hierarchy, log key, configuration. Everything is made in a folder of its own and moved into
// place at the end, the configuration last, so that an interrupted `init` leaves nothing that looks like an instance.
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSoftwareKeyStore } from '../adapters/keystore/software-keystore.ts'
import { toHex } from '../core/bytes/hex.ts'
import { TouchmarkError } from '../core/errors.ts'
import type { PassphraseKeyParameters } from '../crypto/passphrase-key.ts'
import { checkRandomSource, systemRandom } from '../crypto/random.ts'
import type { AuditEntry } from '../domain/audit/entry.ts'
import { createInitialHierarchy, type InitialHierarchy, type InitialHierarchyOptions } from '../domain/ca/hierarchy.ts'
import type { Clock } from '../domain/ports.ts'
import { type Configuration, newConfiguration } from './configuration.ts'
import { type DataFolder, dataFolder, isInitialised } from './data-folder.ts'
import { lastSignedIn } from './last-signed.ts'
import { LOG_KEY_LABEL, logSigner, logVerifierKey, logVerifiers, signDueCheckpoint } from './log-key.ts'
import { createStore } from './open-store.ts'
import { newPassphrase, type Passphrase, passphraseBytes } from './passphrase.ts'

export interface InitialiseOptions extends InitialHierarchyOptions {
  /** `undefined`: a random one is made and written into the data folder. */
  readonly passphrase: Passphrase | undefined
  /** What one guess of the passphrase costs; absent: as much as production needs. */
  readonly effort?: PassphraseKeyParameters
  readonly publicUrl?: string
  readonly store?: string
  readonly clock: Clock
  readonly actor: AuditEntry['actor']
}

export interface Initialised {
  readonly configuration: Configuration
  readonly hierarchy: InitialHierarchy
  /** Where the passphrase was written, if it was made here. */
  readonly passphraseFile: string | undefined
}

/** Parts in the order in which they are moved into place: with the last one the folder is an instance. */
const PARTS = ['passphrase', 'keys', 'offline-root', 'touchmark.db', 'touchmark.json'] as const

/**
 * Makes an instance in a folder that is none yet; other files in it stay. Throws `data.exists`, `data.unfinished`, `data.unwritable`,
 * `random.unhealthy`, `configuration.invalid`, and what the hierarchy, the key store and the store throw.
 */
export async function initialise(folder: DataFolder, options: InitialiseOptions): Promise<Initialised> {
  checkVacant(folder)
  checkRandomSource(systemRandom)
  const staging = await makeStaging(folder)
  try {
    const made = await build(dataFolder(staging), options)
    for (const part of PARTS) {
      if (existsSync(join(staging, part))) await rename(join(staging, part), join(folder.path, part))
    }
    await syncFolder(folder.path)
    return { ...made, passphraseFile: made.passphraseFile && folder.passphraseFile }
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

async function build(staged: DataFolder, options: InitialiseOptions): Promise<Initialised> {
  const { clock, actor, passphrase: given, effort } = options
  const made = given ? undefined : newPassphrase()
  const passphrase = given?.bytes ?? passphraseBytes(made!)
  if (made) await writeFile(staged.passphraseFile, `${made}\n`, { mode: 0o600, flush: true })
  const log = { origin: `${slug(options.organization)}-${toHex(systemRandom.bytes(4))}/log`, verifierKeys: ['pending'] }
  const draft = newConfiguration({
    log,
    ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
    ...(options.store === undefined ? {} : { store: options.store }),
  })
  const common = { passphrase, effort, now: () => clock.now() }
  await using keyStore = await createSoftwareKeyStore({ folder: staged.keys, ...common })
  await using offlineKeyStore = await createSoftwareKeyStore({ folder: staged.offlineRoot, ...common })
  await using store = await createStore(staged, draft)
  const { keyUri, publicKey } = await keyStore.generate('Ed25519', LOG_KEY_LABEL)
  const hierarchy = await createInitialHierarchy(options, {
    store,
    keyStore,
    offlineKeyStore,
    clock,
    random: systemRandom,
    actor,
  })
  const signer = logSigner(log.origin, await keyStore.signer(keyUri))
  const verifierKeys = [logVerifierKey(log.origin, publicKey)]
  const verifiers = logVerifiers(verifierKeys)
  const lastSigned = lastSignedIn(staged.keys, { origin: log.origin, verifiers })
  await signDueCheckpoint({ store, clock, origin: log.origin, signer, verifiers, lastSigned, first: true })
  await keyStore.changeState(keyUri, 'in-use', { who: actor.id, why: 'First hierarchy.' })
  const configuration = newConfiguration({
    ...draft,
    log: { ...log, verifierKeys },
  })
  // What nobody chose is not written down: a later program may know better.
  const { admission: _admission, metrics: _metrics, ...written } = configuration
  await writeFile(staged.configurationFile, `${JSON.stringify(written, null, 2)}\n`, { mode: 0o600, flush: true })
  return { configuration, hierarchy, passphraseFile: made && staged.passphraseFile }
}

function checkVacant(folder: DataFolder): void {
  if (isInitialised(folder)) {
    throw new TouchmarkError('data.exists', 'conflict', `${folder.path} holds a Touchmark instance already.`, {
      next: 'Choose another folder with --data. An instance is never overwritten.',
    })
  }
  const left = PARTS.filter(part => existsSync(join(folder.path, part)))
  if (left.length > 0) {
    throw new TouchmarkError(
      'data.unfinished',
      'conflict',
      `${folder.path} holds ${left.join(', ')} and no touchmark.json.`,
      {
        next: 'If an init was interrupted here, remove these; if not, restore touchmark.json from a backup.',
      },
    )
  }
}

async function makeStaging(folder: DataFolder): Promise<string> {
  try {
    const existed = existsSync(folder.path)
    await mkdir(folder.path, { recursive: true, mode: 0o700 })
    // A folder of ours is for its owner alone; one that was there keeps the rights that somebody gave it.
    if (!existed) await chmod(folder.path, 0o700)
    for (const name of await readdir(folder.path)) {
      if (name.startsWith(STAGING)) await rm(join(folder.path, name), { recursive: true, force: true })
    }
    return await mkdtemp(join(folder.path, STAGING))
  } catch (cause) {
    throw new TouchmarkError('data.unwritable', 'unavailable', `${folder.path} cannot be written.`, {
      cause,
      next: 'Check the path, its access rights and the space on its disk.',
      evidence: { reason: (cause as NodeJS.ErrnoException).code ?? 'unknown' },
    })
  }
}

const STAGING = '.init-'

/** A rename is durable when its folder is (fsync(2)). */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function slug(organization: string): string {
  const words = organization
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
  return words.replaceAll(/^-+|-+$/g, '').slice(0, 40) || 'touchmark'
}
