// The jobs that publish status artefacts. What was revoked goes out with a loop of its own within the second; building over a whole universe
// happens beside it, one at a time.
import { asTouchmarkError, TouchmarkError } from '../core/errors.ts'
import { type AuthorityId, authorityId } from '../domain/ids.ts'
import {
  DEFAULT_STATUS_SCHEDULE,
  isStatusDue,
  publishStatus,
  rebuildStatus,
  type StatusIssuer,
  type StatusPorts,
} from '../domain/revocation/status-artefact.ts'
import { statusIssuer } from '../domain/revocation/status-signers.ts'
import type { Job } from './jobs.ts'
import type { Instance } from './open-instance.ts'
import { statusBuilder } from './status-builder.ts'

/** What one request may take before another process tries it. */
const LEASE_SECONDS = 30

export class StatusJobs implements AsyncDisposable {
  readonly #instance: Pick<Instance, 'store' | 'clock' | 'authorities' | 'keyStore' | 'issuer'>
  readonly #ports: StatusPorts
  readonly #wanted = new Set<AuthorityId>()
  #atWork: Promise<void> | undefined
  #failure: unknown

  constructor(instance: Pick<Instance, 'store' | 'clock' | 'authorities' | 'keyStore' | 'issuer'>) {
    this.#instance = instance
    const { store, clock } = instance
    this.#ports = { store, clock, schedule: DEFAULT_STATUS_SCHEDULE }
  }

  /** `onConfiguration`: when something about authorities or documents changed. */
  jobs(onConfiguration: NonNullable<Job['onChange']>): Job[] {
    return [
      {
        name: 'requested status',
        onChange: { atMostEverySeconds: 0.5 },
        everySeconds: 5,
        run: () => this.#publishRequested(),
      },
      { name: 'due status', onChange: onConfiguration, everySeconds: 60, run: signal => this.#publishDue(signal) },
      { name: 'status builds', everySeconds: 1, run: async () => this.#startBuild() },
    ]
  }

  /** Waits for the build that is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#wanted.clear()
    await this.#atWork
  }

  async #publishRequested(): Promise<void> {
    const { store, clock } = this.#ports
    let failure: unknown
    for (const work of await store.lease('status', clock.now(), LEASE_SECONDS, 64)) {
      try {
        await this.#publish(authorityId(work.key))
        await store.commit({ writes: [{ kind: 'work.done', work }], audit: [] })
      } catch (thrown) {
        failure ??= thrown
      }
    }
    if (failure !== undefined) throw asTouchmarkError(failure)
  }

  async #publishDue(signal: AbortSignal): Promise<void> {
    for (const { id } of await this.#instance.authorities.all()) {
      if (signal.aborted) return
      if (await isStatusDue(id, this.#ports)) await this.#publish(id)
    }
  }

  /** At once where something is in place; else it is built first. */
  async #publish(id: AuthorityId): Promise<void> {
    const issuer = await statusIssuer(id, this.#instance)
    if (issuer === undefined) return
    try {
      const published = await publishStatus(issuer, this.#ports)
      if (published.kind === 'absent' || published.rebuild) this.#want(id)
    } catch (thrown) {
      // Another process put out a newer epoch: it knows what this one would have said, or will be asked to.
      if (!isOutdated(thrown)) throw thrown
      await publishStatus(issuer, this.#ports)
    }
  }

  #want(id: AuthorityId): void {
    this.#wanted.add(id)
    this.#startBuild()
  }

  #startBuild(): void {
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      throw failure
    }
    const [id] = this.#wanted
    if (this.#atWork !== undefined || id === undefined) return
    this.#wanted.delete(id)
    this.#atWork = this.#build(id)
      .catch((thrown: unknown) => {
        if (!isOutdated(thrown)) this.#failure = thrown
        this.#wanted.add(id)
      })
      .finally(() => {
        this.#atWork = undefined
      })
  }

  async #build(id: AuthorityId): Promise<void> {
    const issuer: StatusIssuer | undefined = await statusIssuer(id, this.#instance)
    const built = issuer && (await rebuildStatus(issuer, statusBuilder, this.#ports))
    // So much changed meanwhile that it has to be built again.
    if (built?.kind === 'published' && built.rebuild) this.#wanted.add(id)
  }
}

function isOutdated(thrown: unknown): boolean {
  return thrown instanceof TouchmarkError && thrown.code === 'publication.outdated'
}
