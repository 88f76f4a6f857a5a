// Requests for certificates: those that wait for a person, and what became of the others; and one-time tokens.
import { z } from 'zod'
import { toPem } from '../../core/asn1/pem.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { AuthorityDirectory } from '../../domain/ca/authorities.ts'
import { describePkiText } from '../../domain/describe/describe-pki-text.ts'
import { type RequestDigest, tokenId } from '../../domain/ids.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import { approveEnrolment, rejectEnrolment } from '../../domain/ra/approve.ts'
import { cancelToken } from '../../domain/ra/cancel-token.ts'
import {
  createToken,
  DEFAULT_TOKEN_LIFETIME_SECONDS,
  MAX_TOKEN_LIFETIME_SECONDS,
  MIN_TOKEN_LIFETIME_SECONDS,
} from '../../domain/ra/create-token.ts'
import type { Enrolment } from '../../domain/ra/enrolment.ts'
import type { Token } from '../../domain/ra/token.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { factsOf, mayShow, readDeviceFor } from './device-facts.ts'
import { type Call, type Endpoint, endpoint, hexId, nameText, timestampText } from './endpoint.ts'
import { forbidden } from './gate.ts'
import { certificateName, deviceSchema, deviceView, optionalTimestamp } from './views.ts'

export interface EnrolmentPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly authorities: Pick<AuthorityDirectory, 'profile'>
}

const STATES = ['pending', 'approved', 'rejected', 'issued'] as const

const enrolmentSchema = z
  .object({
    digest: z.string(),
    state: z.enum(STATES),
    stateChangedAt: timestampText.nullable(),
    by: z.string().nullable().meta({ description: 'Who approved or rejected it.' }),
    reason: z.string().nullable(),
    issued: certificateName.nullable(),
    protocol: z.string(),
    profile: z.string(),
    rule: z.string(),
    deviceId: z.string().nullable(),
    serialNumberClaimed: z.string(),
    createdAt: timestampText,
  })
  .meta({ id: 'Enrolment' })

const enrolmentView = ({ state, ...enrolment }: Enrolment): z.input<typeof enrolmentSchema> => ({
  digest: enrolment.digest,
  state: state.kind,
  stateChangedAt: state.kind === 'pending' ? null : timestamp(state.at),
  by: state.kind === 'approved' || state.kind === 'rejected' ? state.by : null,
  reason: state.kind === 'rejected' ? state.reason : null,
  issued: state.kind === 'issued' ? { issuer: state.authorityId, serialNumber: state.serialNumber } : null,
  protocol: enrolment.protocol,
  profile: enrolment.profile,
  rule: enrolment.rule,
  deviceId: enrolment.deviceId,
  serialNumberClaimed: enrolment.serialNumberClaimed,
  createdAt: timestamp(enrolment.createdAt),
})

const tokenSchema = z
  .object({
    id: z.string(),
    deviceId: z.string(),
    profile: z.string(),
    state: z.enum(['open', 'used', 'cancelled', 'expired']),
    createdAt: timestampText,
    expiresAt: timestampText,
    usedAt: timestampText.nullable(),
    cancelledAt: timestampText.nullable(),
  })
  .meta({ id: 'Token' })

const tokenView = (token: Token, now: number): z.input<typeof tokenSchema> => ({
  id: token.id,
  deviceId: token.deviceId,
  profile: token.profile,
  state:
    token.usedAt !== null
      ? 'used'
      : token.cancelledAt !== null
        ? 'cancelled'
        : token.expiresAt < now
          ? 'expired'
          : 'open',
  createdAt: timestamp(token.createdAt),
  expiresAt: timestamp(token.expiresAt),
  usedAt: optionalTimestamp(token.usedAt),
  cancelledAt: optionalTimestamp(token.cancelledAt),
})

const request = { digest: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits') }

export function enrolmentEndpoints(ports: EnrolmentPorts): Endpoint[] {
  const { store } = ports
  const { read } = store

  const enrolmentFor = async (digest: string, call: Pick<Call<unknown, unknown, unknown>, 'may' | 'scopes'>) => {
    const enrolment = await read.enrolment(digest as RequestDigest)
    if (enrolment !== undefined && (await mayShow(enrolment.deviceId, call, read))) return enrolment
    throw new TouchmarkError('enrolment.not_found', 'not_found', 'No request has this digest.', {
      next: 'List the requests that wait: GET /api/v1/enrolments.',
    })
  }

  return [
    endpoint({
      method: 'GET',
      path: '/enrolments',
      id: 'listEnrolments',
      tag: 'Enrolments',
      summary: 'Requests for certificates in one state, who waited longest first',
      permission: 'enrolment.read',
      scoped: true,
      query: { state: z.enum(STATES).default('pending') },
      answer: enrolmentSchema,
      paged: true,
      async handle(call) {
        const page = await read.enrolments(call.query.state, call.page)
        const seen = await Promise.all(page.items.map(each => mayShow(each.deviceId, call, read)))
        return { body: { items: page.items.filter((_, i) => seen[i]).map(enrolmentView), next: page.next } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/enrolments/:digest',
      id: 'showEnrolment',
      tag: 'Enrolments',
      summary: 'A request with what its CSR says',
      permission: 'enrolment.read',
      scoped: true,
      params: request,
      answer: z.object({
        enrolment: enrolmentSchema,
        device: deviceSchema.nullable(),
        request: z
          .object({
            subject: z.string(),
            keyAlgorithm: z.string(),
            keyId: z.string(),
            signature: z.string(),
            extensions: z.array(
              z.object({ oid: z.string(), name: z.string().nullable(), critical: z.boolean(), value: z.string() }),
            ),
            pem: z.string(),
          })
          .nullable(),
      }),
      async handle(call) {
        const enrolment = await enrolmentFor(call.params.digest, call)
        const [described] = describePkiText(toPem('CERTIFICATE REQUEST', enrolment.csr))
        const found = enrolment.deviceId === null ? undefined : await read.device(enrolment.deviceId)
        return {
          body: {
            enrolment: enrolmentView(enrolment),
            device: found ? deviceView(found) : null,
            request:
              described?.kind === 'request'
                ? {
                    subject: described.subject,
                    keyAlgorithm: described.keyAlgorithm,
                    keyId: described.keyId,
                    signature: described.signature,
                    extensions: described.extensions.map(each => ({ ...each })),
                    pem: described.pem,
                  }
                : null,
          },
        }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/enrolments/:digest/approve',
      id: 'approveEnrolment',
      tag: 'Enrolments',
      summary: 'Approve a waiting request: the device gets its certificate when it asks again',
      permission: 'enrolment.decide',
      scoped: true,
      params: request,
      answer: enrolmentSchema,
      async handle(call) {
        const { digest } = await enrolmentFor(call.params.digest, call)
        return { body: enrolmentView(await approveEnrolment(digest, call.actor.id, ports)) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/enrolments/:digest/reject',
      id: 'rejectEnrolment',
      tag: 'Enrolments',
      summary: 'Reject a waiting request',
      permission: 'enrolment.decide',
      scoped: true,
      params: request,
      body: z.strictObject({
        reason: z.string().min(1).max(500).meta({ description: 'For other operators; kept out of the log.' }),
      }),
      answer: enrolmentSchema,
      async handle(call) {
        const { digest } = await enrolmentFor(call.params.digest, call)
        return { body: enrolmentView(await rejectEnrolment(digest, call.actor.id, call.body.reason, ports)) }
      },
    }),

    endpoint({
      method: 'GET',
      path: '/tokens',
      id: 'listTokens',
      tag: 'Tokens',
      summary: 'One-time tokens, newest first; or those of a device that are open',
      permission: 'token.read',
      scoped: true,
      query: { device: hexId('a device').optional() },
      answer: tokenSchema,
      paged: true,
      async handle(call) {
        const { device } = call.query
        if (device !== undefined) {
          const { id } = await readDeviceFor(device, call, 'token.read', read)
          const items = (await read.openTokensOfDevice(id)).map(each => tokenView(each, call.now))
          return { body: { items, next: null } }
        }
        const page = await read.tokens(call.page)
        const seen = await Promise.all(page.items.map(each => mayShow(each.deviceId, call, read)))
        const items = page.items.filter((_, i) => seen[i]).map(each => tokenView(each, call.now))
        return { body: { items, next: page.next } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/tokens',
      id: 'createToken',
      tag: 'Tokens',
      summary: 'Make a one-time token for a device, which is registered where it is unknown',
      description: 'The secret is in this answer and nowhere else: the store has its hash.',
      permission: 'token.write',
      scoped: true,
      body: z.strictObject({
        model: nameText,
        serialNumber: nameText,
        profile: nameText,
        lifetimeSeconds: z
          .int()
          .min(MIN_TOKEN_LIFETIME_SECONDS)
          .max(MAX_TOKEN_LIFETIME_SECONDS)
          .default(DEFAULT_TOKEN_LIFETIME_SECONDS),
      }),
      answer: z.object({
        secret: z.string(),
        token: tokenSchema,
        device: deviceSchema,
        registered: z.boolean().meta({ description: 'Whether the device was unknown before.' }),
      }),
      async handle(call) {
        const { model, serialNumber } = call.body
        const known = await read.deviceBySerial(model, serialNumber)
        const facts = known ? await factsOf(known, read) : { model }
        if (!call.may(facts)) throw forbidden('token.write', true)
        const made = await createToken({ ...call.body, actor: call.actor }, ports)
        return {
          body: {
            secret: made.secret,
            token: tokenView(made.token, call.now),
            device: deviceView(made.device),
            registered: made.registered,
          },
          status: 201,
        }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/tokens/:id/cancel',
      id: 'cancelToken',
      tag: 'Tokens',
      summary: 'Withdraw a token before it is used',
      permission: 'token.write',
      scoped: true,
      params: { id: hexId('a token') },
      answer: tokenSchema,
      async handle(call) {
        const id = tokenId(call.params.id)
        const token = await read.token(id)
        if (token === undefined || !(await mayShow(token.deviceId, call, read))) {
          throw new TouchmarkError('token.not_found', 'not_found', `There is no token ${id}.`, {
            next: 'List them: GET /api/v1/tokens.',
          })
        }
        return { body: tokenView(await cancelToken(id, call.actor, ports), call.now) }
      },
    }),
  ]
}
