// Factory batches: a file is sent, tried before anything is signed, run as a job, and its results and signed manifest are fetched.
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import type { Batch } from '../../domain/batch.ts'
import type { AuthorityDirectory } from '../../domain/ca/authorities.ts'
import { type BatchDesk, RESULT_FILES } from '../../domain/factory/batch-desk.ts'
import { batchId } from '../../domain/ids.ts'
import { readJob, startJob } from '../../domain/jobs/start-job.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { type Endpoint, endpoint, hexId, nameText, timestampText } from './endpoint.ts'
import { jobSchema, jobView } from './jobs.ts'
import { optionalTimestamp } from './views.ts'

export interface BatchPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly authorities: Pick<AuthorityDirectory, 'profile'>
  readonly desk: BatchDesk
}

/** Octets of one file: some 800,000 units with a CSR each. */
const MAX_UPLOAD = 1024 * 1024 * 1024
/** Units that one trial looks at: what fits into one request. */
const MAX_TRIAL = 20_000

const batchSchema = z
  .object({
    id: z.string(),
    profile: z.string(),
    state: z.enum(['running', 'finished']),
    done: z.int(),
    issued: z.int(),
    existing: z.int(),
    rejected: z.int(),
    createdAt: timestampText,
    finishedAt: timestampText.nullable(),
  })
  .meta({ id: 'Batch' })

const batchView = ({ id, profile, state, done, issued, existing, rejected, ...at }: Batch) => ({
  id,
  profile,
  state,
  done,
  issued,
  existing,
  rejected,
  createdAt: timestamp(at.createdAt),
  finishedAt: optionalTimestamp(at.finishedAt),
})

const uploadId = z.string().regex(/^[0-9a-f]{64}$/, 'must be the id of an upload, 64 hexadecimal digits')
const uploadSchema = z
  .object({ id: z.string(), octets: z.int(), expectedUnits: z.int().nullable(), at: timestampText })
  .meta({ id: 'Upload' })

const plan = { upload: uploadId, profile: nameText, model: nameText.default('generic') }

export function batchEndpoints(ports: BatchPorts): Endpoint[] {
  const { store, desk, authorities } = ports
  const { read } = store
  return [
    endpoint({
      method: 'GET',
      path: '/batches',
      id: 'listBatches',
      tag: 'Batches',
      summary: 'Factory batches, newest first, wherever they were run',
      permission: 'batch.read',
      answer: batchSchema,
      paged: true,
      async handle({ page }) {
        const { items, next } = await read.batches(page)
        return { body: { items: items.map(batchView), next } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/batches/:id',
      id: 'showBatch',
      tag: 'Batches',
      summary: 'What a batch came to; its devices: GET /devices?batch=ID',
      permission: 'batch.read',
      params: { id: hexId('a batch') },
      answer: batchSchema,
      async handle({ params }) {
        const batch = await read.batch(batchId(params.id))
        if (batch === undefined) throw new TouchmarkError('batch.not_found', 'not_found', 'There is no such batch.')
        return { body: batchView(batch) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/batches/uploads',
      id: 'uploadBatch',
      tag: 'Batches',
      summary: 'Send a factory file: CSV, NDJSON, PEM or .tar',
      permission: 'batch.run',
      upload: 'application/octet-stream',
      maxBody: MAX_UPLOAD,
      answer: uploadSchema,
      async handle({ request }) {
        const upload = await desk.upload(request.upload!)
        return { body: { ...upload, at: timestamp(upload.at) }, status: 201 }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/batches/trials',
      id: 'tryBatch',
      tag: 'Batches',
      summary: 'Decide the units of a file and sign nothing: what would be issued, and what is wrong with the others',
      permission: 'batch.run',
      question: true,
      body: z.strictObject({ ...plan, limit: z.int().min(1).max(MAX_TRIAL).default(10_000) }),
      answer: z
        .object({
          units: z.int().meta({ description: 'Looked at.' }),
          more: z.boolean().meta({ description: 'Whether the file has more.' }),
          issued: z.int().meta({ description: 'That would get a certificate.' }),
          existing: z.int(),
          rejected: z.int(),
          rejects: z
            .array(
              z.object({
                line: z.int(),
                model: z.string(),
                serialNumber: z.string(),
                code: z.string(),
                message: z.string(),
              }),
            )
            .meta({ description: 'The first thousand.' }),
        })
        .meta({ id: 'BatchTrial' }),
      async handle({ body: { limit, ...asked }, actor }) {
        const trial = await desk.tryOut(asked, limit, actor.id)
        return { body: { ...trial, rejects: trial.rejects.map(each => ({ ...each })) } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/batches',
      id: 'runBatch',
      tag: 'Batches',
      summary: 'Give every unit of a file its certificate, as a job; the same file again doubles nothing',
      permission: 'batch.run',
      body: z.strictObject(plan),
      answer: jobSchema,
      async handle({ body, actor }) {
        const { expectedUnits } = await desk.find(body.upload)
        await authorities.profile(body.profile)
        const job = await startJob({ act: 'batch.run', parameters: body, total: expectedUnits }, actor, ports)
        return { body: jobView(job), status: 202 }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/jobs/:id/files/:file',
      id: 'downloadBatchFile',
      tag: 'Batches',
      summary: 'A file of the results of a batch: certificates, rejects, the manifest and its signature',
      permission: 'batch.read',
      params: { id: hexId('a job'), file: z.enum(RESULT_FILES) },
      produces: 'application/octet-stream',
      async handle({ params: { id, file } }) {
        const job = await readJob(id, store)
        const octets = job.act === 'batch.run' ? desk.result(id, file) : undefined
        if (octets === undefined) {
          throw new TouchmarkError('batch.file_not_found', 'not_found', 'The job has no such file, or not yet.')
        }
        return { octets, contentType: TYPES[file], fileName: file }
      },
    }),
  ]
}

const TYPES = {
  'results.csv': 'text/csv; charset=utf-8',
  'rejects.csv': 'text/csv; charset=utf-8',
  'manifest.json': 'application/json',
  'manifest.json.p7s': 'application/pkcs7-signature',
} as const
