// What happens in this process, for those who count it: metrics, alerts. Requests and changes tell it; observers come and go, and change nothing.

import { asTouchmarkError } from '../core/errors.ts'
import type { SignatureAlgorithmName } from '../crypto/algorithms.ts'
import type { KeyStore } from '../crypto/key-store.ts'
import type { Signer } from '../crypto/signer.ts'
import type { ChangeSet, Store } from '../domain/ports.ts'
import type { EnrolmentEnd, EnrolmentObserver } from '../domain/ra/enrolment-observer.ts'
import type { RefusalRecord } from '../domain/ra/refusal-log.ts'

export interface EnrolmentEvent {
  readonly protocol: string
  readonly operation: string
  readonly profile: string
  readonly end: EnrolmentEnd
  readonly code: string | null
  readonly seconds: number
}

export interface SigningEvent {
  readonly keyAlgorithm: string
  readonly signatures: number
  readonly seconds: number
  /** `null`: all signed. */
  readonly failure: string | null
}

/** A call to the store, for one change set or for many that stand alone. */
export interface ChangeEvent {
  readonly changes: readonly ChangeSet[]
  /** How long the caller waited. */
  readonly seconds: number
  /** The first code where something was refused; `null`: all is durable. */
  readonly failure: string | null
}

/** Each is told after the fact and must be quick: what it does is done while somebody waits. */
export interface Observer {
  enrolled?(event: EnrolmentEvent): void
  refused?(record: RefusalRecord): void
  /** The change is durable. */
  committed?(change: ChangeSet): void
  /** How long the caller of `commit` waited; `failure` is the code where it was refused. */
  commitTook?(seconds: number, failure: string | null): void
  /** Once for each call to the store, whatever became of it. */
  changed?(event: ChangeEvent): void
  /** Change sets that shared one transaction. */
  groupWritten?(changes: number, seconds: number): void
  signed?(event: SigningEvent): void
}

export class Observation implements EnrolmentObserver {
  readonly #observers = new Set<Observer>()

  /** Observes until it is disposed. */
  subscribe(observer: Observer): Disposable {
    this.#observers.add(observer)
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) }
  }

  get watched(): boolean {
    return this.#observers.size > 0
  }

  begins({ protocol, operation, profile }: Parameters<EnrolmentObserver['begins']>[0]) {
    const begun = performance.now()
    return (end: EnrolmentEnd, code: string | null) => {
      const seconds = (performance.now() - begun) / 1000
      for (const each of this.#observers) each.enrolled?.({ protocol, operation, profile, end, code, seconds })
    }
  }

  refused(record: RefusalRecord): void {
    for (const each of this.#observers) each.refused?.(record)
  }

  committed(change: ChangeSet): void {
    for (const each of this.#observers) each.committed?.(change)
  }

  commitTook(seconds: number, failure: string | null): void {
    for (const each of this.#observers) each.commitTook?.(seconds, failure)
  }

  changed(event: ChangeEvent): void {
    for (const each of this.#observers) each.changed?.(event)
  }

  groupWritten(changes: number, seconds: number): void {
    for (const each of this.#observers) each.groupWritten?.(changes, seconds)
  }

  signed(event: SigningEvent): void {
    for (const each of this.#observers) each.signed?.(event)
  }
}

/** The store, whose changes are told. */
export function observedStore(store: Store, observation: Observation): Store {
  return {
    read: store.read,
    async commit(change) {
      if (!observation.watched) return store.commit(change)
      const begun = performance.now()
      try {
        const committed = await store.commit(change)
        const seconds = (performance.now() - begun) / 1000
        observation.commitTook(seconds, null)
        observation.changed({ changes: [change], seconds, failure: null })
        observation.committed(change)
        return committed
      } catch (thrown) {
        const seconds = (performance.now() - begun) / 1000
        const failure = asTouchmarkError(thrown).code
        observation.commitTook(seconds, failure)
        observation.changed({ changes: [change], seconds, failure })
        throw thrown
      }
    },
    async commitEach(changes) {
      if (!observation.watched) return store.commitEach(changes)
      const begun = performance.now()
      const outcomes = await store.commitEach(changes)
      const seconds = (performance.now() - begun) / 1000
      const refused = outcomes.find(outcome => outcome instanceof Error)
      observation.changed({ changes, seconds, failure: refused ? asTouchmarkError(refused).code : null })
      for (const [i, outcome] of outcomes.entries()) {
        const failed = outcome instanceof Error
        observation.commitTook(seconds, failed ? asTouchmarkError(outcome).code : null)
        if (!failed) observation.committed(changes[i]!)
      }
      return outcomes
    },
    lease: (topic, now, leaseSeconds, limit) => store.lease(topic, now, leaseSeconds, limit),
    saveCheckpoint: checkpoint => store.saveCheckpoint(checkpoint),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** The key store, whose signatures are told. Disposing it leaves the one behind it open. */
export function observedKeyStore(keyStore: KeyStore, observation: Observation): KeyStore {
  return {
    scheme: keyStore.scheme,
    generate: (algorithm, label) => keyStore.generate(algorithm, label),
    import: (pkcs8, label) => keyStore.import(pkcs8, label),
    signer: async (keyUri: string, algorithm?: SignatureAlgorithmName) =>
      observedSigner(await keyStore.signer(keyUri, algorithm), observation),
    list: () => keyStore.list(),
    changeState: (keyUri, state, evidence) => keyStore.changeState(keyUri, state, evidence),
    destroy: (keyUri, evidence) => keyStore.destroy(keyUri, evidence),
    [Symbol.asyncDispose]: async () => undefined,
  }
}

function observedSigner(signer: Signer, observation: Observation): Signer {
  const { keyUri, keyAlgorithm, algorithm, publicKey, selfChecked } = signer
  const watch = async <T>(signatures: number, work: () => Promise<T>): Promise<T> => {
    if (!observation.watched) return work()
    const begun = performance.now()
    const tell = (failure: string | null) =>
      observation.signed({ keyAlgorithm, signatures, seconds: (performance.now() - begun) / 1000, failure })
    try {
      const result = await work()
      tell(null)
      return result
    } catch (thrown) {
      tell(asTouchmarkError(thrown).code)
      throw thrown
    }
  }
  const many = signer.signMany?.bind(signer)
  const expect = signer.expectMany?.bind(signer)
  return {
    keyUri,
    keyAlgorithm,
    algorithm,
    publicKey,
    selfChecked,
    sign: (tbs, signal) => watch(1, () => signer.sign(tbs, signal)),
    ...(many === undefined ? {} : { signMany: (tbs: readonly Uint8Array[]) => watch(tbs.length, () => many(tbs)) }),
    ...(expect === undefined ? {} : { expectMany: expect }),
  }
}
