// The jobs that publish CRLs. What was revoked goes out with the loop; a full CRL that is large is made beside it, so that neither other lists
// nor other jobs wait for it.
import { TouchmarkError } from '../core/errors.ts'
import { crlUrl } from '../domain/ca/distribution-urls.ts'
import { type AuthorityId, authorityId } from '../domain/ids.ts'
import type { CrlIssuer } from '../domain/revocation/crl-parts.ts'
import {
  type CrlWorkPorts,
  publishDueCrls,
  publishRequestedCrls,
  publishRequestedFullCrls,
} from '../domain/revocation/crl-work.ts'
import { BackgroundTask } from './background-task.ts'
import { CrlOutlets } from './crl-outlets.ts'
import type { Job } from './jobs.ts'
import type { Instance } from './open-instance.ts'

type CrlInstance = Pick<Instance, 'store' | 'clock' | 'authorities' | 'configuration'>

/** A CDN that takes nothing is no reason to send devices away: readiness leaves this job out. */
export const CRL_OUTLETS_JOB = 'CRL outlets'

/** The authority with its key, or `undefined` where the key is not here: the offline root signs its CRLs where it is kept. */
export async function onlineIssuer(
  { authorities }: Pick<CrlInstance, 'authorities'>,
  id: AuthorityId,
): Promise<CrlIssuer | undefined> {
  const record = await authorities.byId(id)
  if (!record || record.state === 'awaiting_certificate') return undefined
  try {
    return await authorities.signing(id)
  } catch (thrown) {
    if (thrown instanceof TouchmarkError && thrown.code === 'authority.key_unavailable') return undefined
    throw thrown
  }
}

export class CrlJobs implements AsyncDisposable {
  readonly #instance: CrlInstance
  readonly #outlets: CrlOutlets
  readonly #full = new BackgroundTask()
  readonly #carrying = new BackgroundTask()
  readonly #stop = new AbortController()

  constructor(instance: CrlInstance) {
    this.#instance = instance
    this.#outlets = new CrlOutlets(instance.configuration.crlOutlets, instance.store.read)
  }

  /** `onConfiguration`: when something about authorities or documents changed. */
  jobs(onConfiguration: NonNullable<Job['onChange']>): Job[] {
    const { store, clock, authorities } = this.#instance
    return [
      {
        name: 'requested CRLs',
        onChange: { atMostEverySeconds: 0.5 },
        everySeconds: 30,
        run: async () => void (await publishRequestedCrls(await this.#ports())),
      },
      { name: 'full CRLs', everySeconds: 1, run: () => this.#lookForFull() },
      {
        name: 'due CRLs',
        onChange: onConfiguration,
        everySeconds: 60,
        run: async signal => {
          const { shardUrl, schedule } = await this.#ports()
          for (const { id } of await authorities.all()) {
            if (signal.aborted) return
            const issuer = await onlineIssuer(this.#instance, id)
            if (issuer) await publishDueCrls(issuer, shard => shardUrl(id, shard), schedule, { store, clock })
          }
        },
      },
      ...(this.#outlets.areNone ? [] : [this.#outletJob()]),
    ]
  }

  /** Waits for the list that is being made. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all([this.#full[Symbol.asyncDispose](), this.#carrying[Symbol.asyncDispose]()])
  }

  #outletJob(): Job {
    return {
      name: CRL_OUTLETS_JOB,
      onChange: { atMostEverySeconds: 0.5 },
      everySeconds: 5,
      run: async () => this.#carrying.look(() => this.#outlets.carryOut(this.#stop.signal)),
    }
  }

  async #lookForFull(): Promise<void> {
    const { store, clock } = this.#instance
    const waiting = (await store.read.workWaiting()).find(({ topic }) => topic === 'crl_full')
    const isDue = waiting !== undefined && waiting.dueSince <= clock.now()
    this.#full.look(async () => {
      if (isDue) await publishRequestedFullCrls(await this.#ports())
    })
  }

  async #ports(): Promise<CrlWorkPorts> {
    const { store, clock, authorities } = this.#instance
    const settings = await authorities.settings()
    return {
      store,
      clock,
      issuerOf: id => onlineIssuer(this.#instance, authorityId(id)),
      shardUrl: (authority, shard) => crlUrl(settings, authority, shard),
      schedule: settings.crl,
    }
  }
}
