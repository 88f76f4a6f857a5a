// Revocation of many: whom it would meet, the job that does it, its release and undoing. Above a threshold of the settings of access, others have
// to agree first.
import { z } from 'zod'
import { readAccessSettings } from '../../domain/access/access-settings.ts'
import type { FourEyes } from '../../domain/access/four-eyes.ts'
import { becauseDetail } from '../../domain/device/device-act.ts'
import { releaseParameters, revocationParameters } from '../../domain/jobs/run-revocation-job.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import { type AskedSelection, askedSelectionSchema, selectionAt } from '../../domain/revocation/asked-certificates.ts'
import {
  startRelease,
  startRevocation,
  statusesFor,
  termsAt,
  undoSelection,
} from '../../domain/revocation/mass-revocation.ts'
import {
  countSelected,
  countWithDevices,
  previewRevocation,
  type RevocationPreview,
} from '../../domain/revocation/preview.ts'
import {
  type PublishedAuthority,
  type PublishedList,
  publicationState,
} from '../../domain/revocation/publication-state.ts'
import { checkDeviceReason } from '../../domain/revocation/revoke.ts'
import { MAX_UNDO_SECONDS, REVOCATION_REASONS, type RevocationReason } from '../../domain/revocation/terms.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { type Call, type Endpoint, endpoint, hexId, nameText, timestampText } from './endpoint.ts'
import { guarded, guardedResult } from './guarded.ts'
import { assertExpected, jobSchema, jobView } from './jobs.ts'
import { optionalTimestamp } from './views.ts'

export interface RevocationEndpointPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly fourEyes: FourEyes
}

/** What else a revocation says; the same for one and for many. */
export const revocationTerms = {
  reason: z.enum(REVOCATION_REASONS),
  suspectSince: timestampText
    .optional()
    .meta({ description: 'Since when the key is suspect (RFC 5280 §5.3.2, invalidity date); RFC 3339, UTC.' }),
  undoWithinSeconds: z
    .int()
    .min(60)
    .max(MAX_UNDO_SECONDS)
    .optional()
    .meta({ description: 'On hold for so long, and revoked then, unless it is released before.' }),
  because: z.string().min(1).max(64).optional().meta({ description: 'One word for the log: a ticket number.' }),
} as const

type TermsBody = z.output<z.ZodObject<typeof revocationTerms>>

/** The terms as the domain takes them. */
export const askedTerms = ({ reason, suspectSince, undoWithinSeconds, because }: TermsBody) => ({
  reason,
  suspectSince: suspectSince === undefined ? undefined : Math.floor(Date.parse(suspectSince) / 1000),
  undoWithinSeconds,
  because,
})

const tally = z.array(z.object({ name: z.string(), count: z.int() }))
const counts = z.record(z.string(), z.int())

const previewSchema = z
  .object({
    certificates: z.int().meta({ description: 'Counted, however many, as is the last expiry.' }),
    sampled: z.int().nullable().meta({
      description:
        'null: everything was looked at. Else how many certificates were, spread over all; the other figures follow from those.',
    }),
    devices: z.int(),
    byState: counts.meta({ description: 'Devices.' }),
    byModel: tally.meta({ description: 'Devices, the fifty most frequent models.' }),
    byOwner: tally.meta({ description: 'Devices, the fifty most frequent owners.' }),
    others: z.object({ models: z.int(), owners: z.int(), withoutOwner: z.int() }),
    byAuthority: counts.meta({ description: 'Certificates.' }),
    byKeyAlgorithm: counts.meta({ description: 'Certificates.' }),
    byProfile: counts.meta({ description: 'Certificates.' }),
    left: z
      .object({ some: z.int(), none: z.int() })
      .meta({ description: 'Devices that keep another live certificate, and those that stop working.' }),
    contact: z.object({ recent: z.int(), silent: z.int(), never: z.int() }),
    believedUntil: z.array(z.object({ withinDays: z.int().nullable(), credentials: z.int() })),
    lastExpiry: timestampText.nullable(),
    campaigns: z
      .array(z.object({ id: z.string(), name: z.string(), devices: z.int() }))
      .meta({ description: 'Campaigns under way of which some of the devices are a part.' }),
    sample: z.array(
      z.object({
        issuer: z.string(),
        serialNumber: z.string(),
        profile: z.string(),
        notAfter: timestampText,
        device: z.object({ id: z.string(), model: z.string(), serialNumber: z.string(), owner: z.string().nullable() }),
      }),
    ),
    fourEyes: z.boolean().meta({ description: 'There are so many that others have to agree.' }),
  })
  .meta({ id: 'RevocationPreview' })

const previewView = (
  { lastExpiry, sample, ...preview }: RevocationPreview,
  fourEyes: boolean,
): z.input<typeof previewSchema> => ({
  ...preview,
  byState: { ...preview.byState },
  byModel: preview.byModel.map(each => ({ ...each })),
  byOwner: preview.byOwner.map(each => ({ ...each })),
  byAuthority: { ...preview.byAuthority },
  byKeyAlgorithm: { ...preview.byKeyAlgorithm },
  byProfile: { ...preview.byProfile },
  believedUntil: preview.believedUntil.map(each => ({ ...each })),
  lastExpiry: optionalTimestamp(lastExpiry),
  campaigns: preview.campaigns.map(each => ({ ...each })),
  sample: sample.map(({ authorityId, notAfter, ...each }) => ({
    issuer: authorityId,
    notAfter: timestamp(notAfter),
    ...each,
  })),
  fourEyes,
})

const list = z.object({
  number: z.int().meta({ description: 'CRL number; epoch of a status artefact.' }),
  thisUpdate: timestampText,
  nextUpdate: timestampText,
  octets: z.int(),
  sha256: z.string(),
})

const publicationSchema = z
  .object({
    issuer: z.string(),
    ocsp: z.literal('at_once').meta({ description: 'OCSP answers from the status itself.' }),
    artefact: list
      .extend({ behind: z.int() })
      .nullable()
      .meta({ description: 'The status artefact, and how many changes it does not know yet, up to 1,000.' }),
    shards: z.array(
      z.object({
        shard: z.int(),
        full: list.nullable(),
        delta: list.nullable(),
        behind: z
          .int()
          .meta({ description: 'Changes of status that neither list knows yet, up to 1,000; 0: everything is out.' }),
      }),
    ),
  })
  .meta({ id: 'RevocationPublication' })

const listView = ({ thisUpdate, nextUpdate, ...each }: PublishedList) => ({
  ...each,
  thisUpdate: timestamp(thisUpdate),
  nextUpdate: timestamp(nextUpdate),
})

const publicationView = ({ authorityId, artefact, shards }: PublishedAuthority): z.input<typeof publicationSchema> => ({
  issuer: authorityId,
  ocsp: 'at_once',
  artefact: artefact && { ...listView(artefact), behind: artefact.behind },
  shards: shards.map(({ crlShard, full, delta, behind }) => ({
    shard: crlShard,
    full: full && listView(full),
    delta: delta && listView(delta),
    behind,
  })),
})

const expected = {
  expectedCertificates: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'How many certificates the preview showed: where there are more now, nothing happens.' }),
  expectedDevices: z.int().min(0).optional().meta({
    description: 'The same of devices, where the preview looked at everything; one of the two has to be there.',
  }),
} as const

const saysHowMany = {
  check: (body: { expectedCertificates?: number | undefined; expectedDevices?: number | undefined }) =>
    body.expectedCertificates !== undefined || body.expectedDevices !== undefined,
  problem: { path: ['expectedCertificates'], message: 'has to be there, or expectedDevices: as the preview showed' },
}

const approved = z.discriminatedUnion('act', [
  z.strictObject({
    act: z.literal('revoke'),
    query: revocationParameters.shape.query,
    whole: z.boolean(),
    terms: z.strictObject({
      reason: z.enum(REVOCATION_REASONS),
      suspectSince: z.int().optional(),
      undoWithinSeconds: z.int().optional(),
      because: z.string().optional(),
    }),
    total: z.int(),
  }),
  z.strictObject({
    act: z.literal('release'),
    query: releaseParameters.shape.query,
    because: z.string().optional(),
    heldBefore: z.int().optional(),
    total: z.int(),
  }),
])

type Approved = z.input<typeof approved>

export function revocationEndpoints(ports: RevocationEndpointPorts): Endpoint[] {
  const { store, clock, fourEyes } = ports
  const { read } = store

  const start = async (asked: z.output<typeof approved>, actor: Parameters<typeof startRevocation>[1]) => {
    const { query, total } = asked
    return jobView(
      asked.act === 'revoke'
        ? await startRevocation({ selection: { query, whole: asked.whole }, terms: asked.terms, total }, actor, ports)
        : await startRelease({ query, because: asked.because, heldBefore: asked.heldBefore, total }, actor, ports),
    )
  }
  const many = guarded(fourEyes, 'certificate.revoke_many', approved, async (asked, actor) => {
    // While others made up their minds the fleet went on: what grew by more than a hundredth is not what they agreed to.
    const found = await countSelected(asked.query, read)
    assertExpected(found, asked.total + Math.max(10, Math.ceil(asked.total / 100)), 'certificates')
    return start(asked, actor)
  })

  /** At once below the threshold; above it when others have agreed. */
  async function ask(
    asked: Approved,
    summary: string,
    call: Pick<Call<unknown, unknown, unknown>, 'caller' | 'actor'>,
  ) {
    const { revokeManyAbove } = (await readAccessSettings(read)).fourEyes
    if (asked.total > revokeManyAbove) return many.ask(asked, summary, call)
    return {
      body: { outcome: 'done' as const, result: await start(approved.parse(asked), call.actor), approval: null },
    }
  }

  const previewOf = async (asked: AskedSelection, reason: RevocationReason, now: number) => {
    const { query } = await selectionAt(asked, statusesFor(reason), now, read)
    return previewRevocation(query, now, read)
  }

  return [
    endpoint({
      method: 'POST',
      path: '/revocations/preview',
      id: 'previewRevocation',
      tag: 'Revocations',
      summary:
        'What a revocation by query would meet: how many of whom, what stops working, and until when they are believed offline',
      permission: 'certificate.read',
      question: true,
      body: askedSelectionSchema.extend({ reason: z.enum(REVOCATION_REASONS).default('unspecified') }),
      answer: previewSchema,
      async handle({ body: { reason, ...asked }, now, caller }) {
        const preview = await previewOf(asked, reason, now)
        const { revokeManyAbove } = (await readAccessSettings(read)).fourEyes
        const waits =
          preview.certificates > revokeManyAbove && (await fourEyes.waits('certificate.revoke_many', caller!))
        return { body: previewView(preview, waits) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/revocations',
      id: 'revokeMany',
      tag: 'Revocations',
      summary: 'Revoke or hold what a query finds, as a job',
      description:
        'Certificates that meet conditions, or everything that is live of devices. With keyCompromise whatever else is live over the same keys ends too.',
      permission: 'certificate.revoke_many',
      body: askedSelectionSchema
        .extend({ ...revocationTerms, ...expected })
        .refine(saysHowMany.check, saysHowMany.problem),
      answer: guardedResult(jobSchema),
      async handle(call) {
        const { expectedCertificates, expectedDevices, reason, suspectSince, undoWithinSeconds, because, ...asked } =
          call.body
        const terms = askedTerms({ reason, suspectSince, undoWithinSeconds, because })
        checkDeviceReason(reason)
        termsAt(terms, call.now)
        const { query, whole } = await selectionAt(asked, statusesFor(reason), call.now, read)
        let total: number
        if (expectedDevices === undefined) total = await countSelected(query, read)
        else {
          const found = await countWithDevices(query, read)
          assertExpected(found.devices, expectedDevices, 'devices')
          total = found.certificates
        }
        if (expectedCertificates !== undefined) assertExpected(total, expectedCertificates, 'certificates')
        const parameters = { act: 'revoke' as const, query: { ...query }, whole, terms, total }
        return ask(parameters, `Revoke ${total} certificates (${reason}): ${JSON.stringify(asked)}`, call)
      },
    }),
    endpoint({
      method: 'GET',
      path: '/revocations/publication',
      id: 'revocationPublication',
      tag: 'Revocations',
      summary:
        'Where revocations are out: lists and artefacts of each authority, and how many changes they do not know yet',
      permission: 'certificate.read',
      query: { authority: nameText.optional() },
      answer: publicationSchema,
      paged: true,
      async handle({ query, page }) {
        const all = (await read.authorities()).filter(
          ({ id, state }) =>
            state !== 'awaiting_certificate' && (query.authority === undefined || id === query.authority),
        )
        // In order of name: the cursor is the last one shown.
        const rest = all
          .filter(({ id }) => page.after === undefined || id > page.after)
          .sort((a, b) => (a.id < b.id ? -1 : 1))
        const shown = rest.slice(0, page.limit)
        const items = []
        for (const authority of shown) items.push(publicationView(await publicationState(authority, read)))
        return { body: { items, next: rest.length > shown.length ? (shown.at(-1)?.id ?? null) : null } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/revocations/release',
      id: 'releaseMany',
      tag: 'Revocations',
      summary: 'Release what a query finds on hold, as a job',
      permission: 'certificate.revoke_many',
      body: askedSelectionSchema.extend({
        because: revocationTerms.because,
        expectedCertificates: z.int().min(0),
      }),
      answer: guardedResult(jobSchema),
      async handle(call) {
        const { expectedCertificates, because, ...asked } = call.body
        becauseDetail(because === undefined ? {} : { because })
        const { query } = await selectionAt(asked, ['held'], call.now, read)
        const total = await countSelected(query, read)
        assertExpected(total, expectedCertificates, 'certificates')
        const parameters = { act: 'release' as const, query: { ...query }, because, total }
        return ask(parameters, `Release ${total} certificates: ${JSON.stringify(asked)}`, call)
      },
    }),
    endpoint({
      method: 'POST',
      path: '/revocations/:job/undo',
      id: 'undoRevocation',
      tag: 'Revocations',
      summary: 'Release what a revocation with a time to undo it put on hold, as a job',
      permission: 'certificate.revoke_many',
      params: { job: hexId('a job') },
      body: z.strictObject({ because: revocationTerms.because }),
      answer: guardedResult(jobSchema),
      async handle(call) {
        const { because } = call.body
        becauseDetail(because === undefined ? {} : { because })
        const { query, heldBefore } = await undoSelection(call.params.job, clock.now(), ports)
        const total = await countSelected(query, read)
        const parameters = { act: 'release' as const, query: { ...query }, because, heldBefore, total }
        return ask(parameters, `Undo the revocation of ${total} certificates by job ${call.params.job}`, call)
      },
    }),
  ]
}
