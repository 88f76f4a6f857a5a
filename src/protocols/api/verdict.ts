// The verdict over HTTP: is this certificate good right now, and why. A gateway asks it in the TLS handshake, so that nothing here is signed, written
// or waited for but a few rows of the registry.
import { z } from 'zod'
import { fromBase64 } from '../../core/bytes/base64.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import { type BasicOcspResponse, parseOcspResponse } from '../../core/pki/ocsp.ts'
import { DEVICE_STATES } from '../../domain/device/device.ts'
import { readQuestion } from '../../domain/verdict/read-case.ts'
import { type RegistryReader, VerdictRegistry } from '../../domain/verdict/registry.ts'
import { artefactStatus } from '../../domain/verdict/status-evidence.ts'
import { reachVerdict, type VerdictQuestion } from '../../domain/verdict/verdict.ts'
import { verdictView } from '../../domain/verdict/verdict-view.ts'
import { type Endpoint, endpoint, timestampText } from './endpoint.ts'
import { GATEWAY_LIMIT } from './rate-limit.ts'

const MAX_PEM = 512 * 1024
const MAX_BODY = 4 * 1024 * 1024
const pem = z.string().min(1).max(MAX_PEM)
const pems = z.array(pem).max(64)

const verdictBody = z.strictObject({
  certificate: pem.meta({
    description: 'PEM. What stands behind the first certificate is taken as sent along with it.',
  }),
  intermediates: pems.optional(),
  trust: z
    .union([
      z.literal('own'),
      z.strictObject({ maker: z.string().min(1).max(64) }),
      z.strictObject({ anchors: pems.min(1) }),
    ])
    .default('own')
    .meta({ description: 'Our hierarchy; the trust anchor list of a maker; or these certificates.' }),
  at: z.iso.datetime({ offset: true }).optional().meta({ description: 'Now, where it is absent.' }),
  purpose: z.enum(['client', 'server', 'code', 'ocsp']).optional(),
  name: z.strictObject({ kind: z.enum(['dns', 'ip', 'email']), value: z.string().min(1).max(1024) }).optional(),
  crls: z
    .array(z.string().max(MAX_BODY))
    .max(64)
    .optional()
    .meta({ description: 'PEM. With any, every status has to be known.' }),
  ocspResponses: z.array(z.string().max(MAX_PEM)).max(16).optional().meta({ description: 'DER in base64.' }),
  statusArtefacts: z.array(z.string().max(MAX_BODY)).max(16).optional().meta({ description: 'In base64.' }),
  maxDepth: z.int().min(0).max(255).optional(),
  initialPolicies: z.array(z.string().max(256)).max(256).optional(),
  explicitPolicy: z.boolean().optional(),
  inhibitMapping: z.boolean().optional(),
  inhibitAnyPolicy: z.boolean().optional(),
})

const finding = z.object({
  code: z.string(),
  message: z.string(),
  evidence: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
})

const verdictSchema = z
  .object({
    good: z.boolean(),
    code: z.string().meta({ description: '`good`, or the stable code of the most telling reason.' }),
    at: timestampText,
    reasons: z.array(finding),
    warnings: z.array(finding),
    steps: z.array(
      z.object({
        step: z.enum(['path', 'status', 'name', 'device', 'key', 'conformity', 'algorithms', 'validity']),
        outcome: z.enum(['good', 'bad', 'warning', 'unknown', 'not_asked']),
        text: z.string(),
      }),
    ),
    path: z.array(
      z.object({
        role: z.enum(['leaf', 'intermediate', 'anchor']),
        subject: z.string(),
        issuer: z.string(),
        serialNumber: z.string(),
        notBefore: timestampText,
        notAfter: timestampText,
        sha256: z.string(),
        keyAlgorithm: z.string(),
        status: z.enum(['good', 'revoked', 'unknown', 'not_asked']),
      }),
    ),
    policies: z.array(z.string()),
    daysLeft: z.int(),
    registered: z
      .object({
        authority: z.string(),
        profile: z.string(),
        device: z
          .object({ id: z.string(), model: z.string(), serialNumber: z.string(), state: z.enum(DEVICE_STATES) })
          .nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'Verdict' })

export function verdictEndpoint({ read }: { readonly read: RegistryReader }): Endpoint {
  const registry = new VerdictRegistry(read)
  return endpoint({
    method: 'POST',
    path: '/verdict',
    id: 'reachVerdict',
    tag: 'Certificates',
    summary: 'Say whether a certificate is good right now, and why',
    description:
      'Looks at the path, the status (from the registry, and from CRLs and OCSP responses that are sent along), the name, the device, the key, ' +
      'and what RFC 5280 demands. A certificate that is not good is an answer like any other: 200.',
    permission: 'certificate.read',
    question: true,
    expensive: false,
    rate: GATEWAY_LIMIT,
    body: verdictBody,
    maxBody: MAX_BODY,
    answer: verdictSchema,
    async handle({ body, now }) {
      const { trust, ocspResponses = [], statusArtefacts = [], ...fields } = body
      const anchors = typeof trust === 'object' && 'anchors' in trust ? trust.anchors : []
      const { anchors: given, ...question } = readQuestion({ ...fields, anchors }, now)
      const asked: VerdictQuestion = {
        ...question,
        trust: given.length > 0 ? { anchors: given } : (trust as Exclude<typeof trust, { anchors: unknown }>),
        ocsp: ocspResponses.map(readOcspResponse),
        sources: statusArtefacts.map(text => artefactStatus(fromBase64(text))),
      }
      return { body: verdictView(await reachVerdict(asked, registry)) }
    },
  })
}

function readOcspResponse(text: string): BasicOcspResponse {
  try {
    const { basic, responseStatus } = parseOcspResponse(fromBase64(text))
    if (basic) return basic
    throw new TouchmarkError('case.ocsp_unreadable', 'malformed', `The OCSP response is an error: ${responseStatus}.`)
  } catch (thrown) {
    const cause = asTouchmarkError(thrown)
    if (cause.code === 'case.ocsp_unreadable') throw cause
    throw new TouchmarkError('case.ocsp_unreadable', 'malformed', 'An OCSP response cannot be read.', { cause })
  }
}
