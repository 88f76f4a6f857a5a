// Factory files that come in over the API, in folders of the data folder: `uploads/SHA256` and, for each job, `batches/JOB/` with what it leaves.
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { openUnitSource } from '../adapters/factory/read-units.ts'
import { openResultFolder } from '../adapters/factory/result-folder.ts'
import { TouchmarkError } from '../core/errors.ts'
import {
  type BatchDesk,
  type BatchPlan,
  RESULT_FILES,
  type RejectedUnit,
  type ResultFile,
  type Trial,
  type Upload,
} from '../domain/factory/batch-desk.ts'
import { signManifest } from '../domain/factory/batch-manifest.ts'
import { type BatchCounts, runBatch, tryBatch } from '../domain/factory/run-batch.ts'
import type { UnitInput } from '../domain/factory/unit.ts'
import { LEASE_SECONDS, movedJob, type StoredJob } from '../domain/jobs/job.ts'
import { endOf } from '../domain/jobs/start-job.ts'
import type { Instance } from './open-instance.ts'

/** An upload that nobody ran for so long goes: it can be sent again. */
const KEEP_UPLOADS_MS = 14 * 86_400_000
/** Octets of all uploads together: whoever may send files does not fill the disk that the registry writes to. */
const MAX_UPLOADS = 8 * 1024 ** 3
/** Rejects of a trial that are named. */
const MAX_REJECTS = 1000
const PROGRESS_EVERY_MS = 1000

export class FolderBatchDesk implements BatchDesk {
  readonly #instance: Instance
  readonly #signCheckpoint: () => Promise<void>
  readonly #uploads: string
  readonly #results: string

  constructor(instance: Instance, signCheckpoint: () => Promise<void>) {
    this.#instance = instance
    this.#signCheckpoint = signCheckpoint
    this.#uploads = join(instance.folder.path, 'uploads')
    this.#results = join(instance.folder.path, 'batches')
  }

  async upload(content: AsyncIterable<Uint8Array>): Promise<Upload> {
    await mkdir(this.#uploads, { recursive: true, mode: 0o700 })
    let room = MAX_UPLOADS - (await this.#dropOld())
    const part = join(this.#uploads, `${randomBytes(16).toString('hex')}.part`)
    try {
      const hash = createHash('sha256')
      const file = await open(part, 'wx', 0o600)
      try {
        for await (const chunk of content) {
          room -= chunk.length
          if (room < 0) throw full()
          hash.update(chunk)
          await file.writeFile(chunk)
        }
        await file.sync()
      } finally {
        await file.close()
      }
      // Read once, so that what is no factory file is refused now.
      await openUnitSource(part, 'generic')
      const id = hash.digest('hex')
      await rename(part, this.#path(id))
      return await this.find(id)
    } catch (thrown) {
      await rm(part, { force: true })
      if (thrown instanceof TouchmarkError && thrown.code === 'factory.input_unknown') {
        throw new TouchmarkError('factory.input_unknown', 'malformed', 'It is none of CSV, NDJSON, PEM and .tar.', {
          next: 'See docs/guides/factory-batch.md for the forms that are read.',
        })
      }
      throw thrown
    }
  }

  async find(id: string): Promise<Upload> {
    const path = this.#path(id)
    const info = await stat(path).catch(() => undefined)
    if (info === undefined) {
      throw new TouchmarkError('batch.upload_not_found', 'not_found', 'There is no such upload.', {
        next: 'Send the file first: POST /api/v1/batches/uploads. Uploads are kept for two weeks.',
      })
    }
    const { expected } = await openUnitSource(path, 'generic')
    return { id, octets: info.size, expectedUnits: expected ?? null, at: Math.floor(info.mtimeMs / 1000) }
  }

  async tryOut({ upload, profile: name, model }: BatchPlan, limit: number, operator: string): Promise<Trial> {
    await this.find(upload)
    const profile = await this.#instance.authorities.profile(name)
    const source = await openUnitSource(this.#path(upload), model)
    const rejects: RejectedUnit[] = []
    let units = 0
    let more = false
    async function* some(): AsyncGenerator<UnitInput> {
      for await (const unit of source.units()) {
        if (units === limit) {
          more = true
          return
        }
        units++
        yield unit
      }
    }
    const counts = await tryBatch(
      { units: some(), profile, rules: await this.#instance.rules(), operator },
      {
        ...this.#instance,
        sink: {
          async write(results) {
            for (const result of results) {
              if (result.outcome !== 'rejected' || rejects.length === MAX_REJECTS) continue
              const { line, model: of, serialNumber, code, message } = result
              rejects.push({ line, model: of, serialNumber, code, message })
            }
          },
        },
      },
    )
    return { ...counts, units, more, rejects }
  }

  /** Runs the batch of a job to its end. Throws what stops it; run again, it goes on. */
  async run(job: StoredJob, signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#instance
    const plan = JSON.parse(job.parameters) as BatchPlan
    await this.find(plan.upload)
    const profile = await this.#instance.authorities.profile(plan.profile)
    const source = await openUnitSource(this.#path(plan.upload), plan.model)
    await mkdir(this.#results, { recursive: true, mode: 0o700 })
    await using folder = await openResultFolder(join(this.#results, job.id), { certificateFiles: false })
    const inputDigest = createHash('sha256').update(`${source.digest}\n${profile.name}\n${plan.model}`).digest('hex')
    const stop = new AbortController()
    const progress = new Progress(job, this.#instance, stop)
    async function* units(): AsyncGenerator<UnitInput> {
      for await (const unit of source.units()) {
        if (signal.aborted || stop.signal.aborted) {
          throw new TouchmarkError('server.stopping', 'unavailable', 'The batch is stopped.')
        }
        yield unit
      }
    }
    const operator = job.requestedBy
    try {
      const outcome = await runBatch(
        { inputDigest, units: units(), profile, rules: await this.#instance.rules(), operator },
        { ...this.#instance, sink: folder, progress: counts => progress.tell(counts) },
      )
      const resultsSha256 = await folder.finish()
      await this.#signCheckpoint()
      const checkpoint = (await store.read.latestCheckpoint())?.note
      const said = { outcome, profile, inputSha256: source.digest, resultsSha256, checkpoint }
      const manifest = await signManifest(said, this.#instance)
      await folder.file('manifest.json', manifest.text)
      await folder.file('manifest.json.p7s', manifest.signature)
      await progress.stop()
      const current = await store.read.job(job.id)
      if (current?.state !== 'running') return
      const now = clock.now()
      const ended = movedJob(current, {
        ...countsOf(outcome),
        state: 'finished',
        finishedAt: now,
        outcome: outcome.batch,
      })
      await store.commit(endOf(ended, current.revision, { kind: 'operator', id: operator }, now))
    } finally {
      await progress.stop()
    }
  }

  result(job: string, file: ResultFile): AsyncIterable<Uint8Array> | undefined {
    if (!/^[0-9a-f]{32}$/.test(job) || !RESULT_FILES.includes(file)) return undefined
    const path = join(this.#results, job, file)
    return existsSync(path) ? (createReadStream(path) as AsyncIterable<Uint8Array>) : undefined
  }

  #path(id: string): string {
    // It becomes a file's name.
    return join(this.#uploads, /^[0-9a-f]{64}$/.test(id) ? id : 'none')
  }

  /** Drops what nobody ran; answers the octets that are left. */
  async #dropOld(): Promise<number> {
    const before = Date.now() - KEEP_UPLOADS_MS
    let left = 0
    for (const name of await readdir(this.#uploads)) {
      const path = join(this.#uploads, name)
      const info = await stat(path).catch(() => undefined)
      if (info && info.mtimeMs < before) await rm(path, { force: true })
      else left += info?.size ?? 0
    }
    return left
  }
}

function full(): TouchmarkError {
  return new TouchmarkError('batch.uploads_full', 'conflict', 'The uploads of the last two weeks fill their room.', {
    next: 'Remove files that were run from the folder uploads of the data folder; each is named by its digest.',
    evidence: { octets: MAX_UPLOADS },
  })
}

const countsOf = ({ issued, existing, rejected }: BatchCounts) => ({
  done: issued + existing + rejected,
  changed: issued,
  failed: rejected,
})

/** Writes down how far a batch is, once a second, and notices that it was called off. */
class Progress {
  #job: StoredJob
  readonly #instance: Pick<Instance, 'store' | 'clock'>
  readonly #cancelled: AbortController
  #counts: BatchCounts = { issued: 0, existing: 0, rejected: 0 }
  readonly #timer: NodeJS.Timeout
  #writing: Promise<void> = Promise.resolve()

  constructor(job: StoredJob, instance: Pick<Instance, 'store' | 'clock'>, cancelled: AbortController) {
    this.#job = job
    this.#instance = instance
    this.#cancelled = cancelled
    this.#timer = setInterval(() => {
      this.#writing = this.#writing.then(() => this.#write())
    }, PROGRESS_EVERY_MS).unref()
  }

  tell(counts: BatchCounts): void {
    this.#counts = counts
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writing
  }

  async #write(): Promise<void> {
    const { store, clock } = this.#instance
    const next = movedJob(this.#job, { ...countsOf(this.#counts), leaseUntil: clock.now() + LEASE_SECONDS })
    try {
      await store.commit({ writes: [{ kind: 'job.put', job: next, from: this.#job.revision }], audit: [] })
      this.#job = next
    } catch (thrown) {
      // Called off, or taken by another process; what the store refuses for a moment is written the next time.
      if (thrown instanceof TouchmarkError && thrown.code === 'job.changed') this.#cancelled.abort()
    }
  }
}
