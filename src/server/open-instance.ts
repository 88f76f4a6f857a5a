// An instance with its keys open: what a command or a server needs to issue. Opened from a data folder and a passphrase; the offline
// root is not part of it.
import { openSoftwareKeyStore, type SoftwareKeyStore } from '../adapters/keystore/software-keystore.ts'
import { checkRandomSource, drawnAhead, type Random, systemRandom } from '../crypto/random.ts'
import { AuthorityDirectory } from '../domain/ca/authorities.ts'
import { CertificateIssuer } from '../domain/ca/issuer.ts'
import type { Clock, Store } from '../domain/ports.ts'
import { createRegistration, type Registration } from '../domain/ra/registration.ts'
import type { Rules } from '../domain/ra/rules.ts'
import type { Configuration } from './configuration.ts'
import { type DataFolder, readConfiguration } from './data-folder.ts'
import { checkNotRolledBack, type LastSigned, lastSignedIn } from './last-signed.ts'
import { logVerifiers } from './log-key.ts'
import { Observation, observedKeyStore, observedStore } from './observation.ts'
import { readOidcClientSecret } from './oidc-client-secret.ts'
import { openStore } from './open-store.ts'
import { findPassphrase, type Passphrase, type PassphraseSources } from './passphrase.ts'

export interface Instance extends AsyncDisposable {
  readonly folder: DataFolder
  readonly configuration: Configuration
  /** Where the passphrase came from. */
  readonly passphraseSource: Passphrase['source']
  readonly store: Store
  readonly keyStore: SoftwareKeyStore
  readonly authorities: AuthorityDirectory
  readonly issuer: CertificateIssuer
  readonly registration: Registration
  /** What the log signed last, beside the keys. */
  readonly lastSigned: LastSigned
  /** By which it proves itself to an OpenID provider, where there is one that asks. */
  readonly oidcClientSecret: string | undefined
  readonly clock: Clock
  readonly random: Random
  /** What happens here, for those who count it. */
  readonly observation: Observation
  /** The registration rules in force. */
  rules(): Promise<Rules>
}

const systemClock: Clock = { now: () => Math.floor(Date.now() / 1000) }

/** Octets of randomness for serial numbers that are drawn at once. */
const SERIAL_NUMBERS_AHEAD = 1200

/**
 * Opens configuration, key store and store, in this order: a wrong passphrase touches nothing. Throws `random.unhealthy`, and what
 * `readConfiguration`, `findPassphrase`, `openSoftwareKeyStore`, `openStore` and `checkNotRolledBack` throw: nothing is issued over a store
 * that was put back to an older copy.
 */
export async function openInstance(
  folder: DataFolder,
  sources: PassphraseSources,
  clock: Clock = systemClock,
): Promise<Instance> {
  // Whatever opens the keys will draw serial numbers, nonces and keys.
  checkRandomSource(systemRandom)
  const configuration = await readConfiguration(folder)
  const passphrase = await findPassphrase(folder, sources)
  await using stack = new AsyncDisposableStack()
  const keyStore = stack.use(
    await openSoftwareKeyStore({ folder: folder.keys, passphrase: passphrase.bytes, now: () => clock.now() }),
  )
  const observation = new Observation()
  const opened = stack.use(
    await openStore(folder, configuration, {
      onGroup: (changes, seconds) => observation.groupWritten(changes, seconds),
    }),
  )
  const store = observedStore(opened, observation)
  const { origin, verifierKeys } = configuration.log
  const lastSigned = lastSignedIn(folder.keys, { origin, verifiers: logVerifiers(verifierKeys) })
  await checkNotRolledBack(lastSigned, store.read)
  const authorities = new AuthorityDirectory({ store, keyStore: observedKeyStore(keyStore, observation) })
  const issuer = new CertificateIssuer({ authorities, random: drawnAhead(systemRandom, SERIAL_NUMBERS_AHEAD) })
  const registration = stack.use(
    createRegistration({ store, authorities, issuer, clock, random: systemRandom, observer: observation }),
  )
  const open = stack.move()
  return {
    folder,
    configuration,
    passphraseSource: passphrase.source,
    store,
    keyStore,
    authorities,
    issuer,
    registration,
    lastSigned,
    oidcClientSecret: await readOidcClientSecret(folder),
    clock,
    random: systemRandom,
    observation,
    rules: () => registration.rules(),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}
