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
import type { Job } from './jobs.ts'
import type { Instance } from './open-instance.ts'

type CrlInstance = Pick<Instance, 'store' | 'clock' | 'authorities'>

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
  #atWork: Promise<void> | undefined
  #failure: unknown

  constructor(instance: CrlInstance) {
    this.#instance = instance
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
      { name: 'full CRLs', everySeconds: 1, run: () => this.#startFull() },
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
    ]
  }

  /** Waits for the list that is being made. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#atWork
  }

  async #startFull(): Promise<void> {
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      throw failure
    }
    if (this.#atWork !== undefined) return
    const { store, clock } = this.#instance
    const waiting = (await store.read.workWaiting()).find(({ topic }) => topic === 'crl_full')
    if (waiting === undefined || waiting.dueSince > clock.now()) return
    const ports = await this.#ports()
    this.#atWork = publishRequestedFullCrls(ports)
      .then(() => undefined)
      .catch((thrown: unknown) => {
        this.#failure = thrown
      })
      .finally(() => {
        this.#atWork = undefined
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
