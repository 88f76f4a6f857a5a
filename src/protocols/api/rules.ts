// Registration rules: shown, checked, changed (which takes a second person where there is one), and a what-if that says why.
import { z } from 'zod'
import { parsePem } from '../../core/asn1/pem.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { parseCertificationRequest } from '../../core/pki/csr.ts'
import type { FourEyes } from '../../domain/access/four-eyes.ts'
import type { AuthorityDirectory } from '../../domain/ca/authorities.ts'
import { authorityId, deviceId, serialNumber } from '../../domain/ids.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import { putDocument } from '../../domain/put-document.ts'
import { type EvidenceFinding, EvidenceReader } from '../../domain/ra/evidence-reader.ts'
import { defaultRules, OPERATIONS, parseRules, RULES_NAME } from '../../domain/ra/rules.ts'
import { rulesInForce, whatIf } from '../../domain/ra/what-if.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { noDevice } from './device-facts.ts'
import { documentBody, documentChange, documentSchema, documentView, MAX_DOCUMENT, readDocument } from './documents.ts'
import { assertVersion, type Endpoint, endpoint, hexId, nameText } from './endpoint.ts'
import { guarded, guardedResult } from './guarded.ts'
import { certificateName, keyAlgorithmName } from './views.ts'

export interface RulePorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly authorities: Pick<AuthorityDirectory, 'profile'>
  readonly fourEyes: FourEyes
}

const answerSchema = z
  .object({
    outcome: z.enum(['granted', 'pending', 'denied']),
    code: z.string().nullable(),
    rule: z.string().nullable(),
    because: z.string(),
    trace: z.array(
      z.object({ check: z.string(), verdict: z.enum(['passed', 'failed', 'noted']), because: z.string() }),
    ),
  })
  .meta({ id: 'WhatIfAnswer' })

const MAX_PEM = 256 * 1024

export function ruleEndpoints(ports: RulePorts): Endpoint[] {
  const { store, fourEyes, authorities } = ports
  const { read } = store
  const change = guarded(fourEyes, 'rule.change', documentChange, async ({ config, basedOn }, actor) => {
    parseRules(config)
    const body = () => JSON.stringify(config, null, 2)
    const edit = { kind: 'rules', name: RULES_NAME, action: 'rule.changed', basedOn, body } as const
    return documentView(await putDocument(edit, actor, ports))
  })
  return [
    endpoint({
      method: 'GET',
      path: '/rules',
      id: 'showRules',
      tag: 'Rules',
      summary: 'The registration rules, in the version in force or an earlier one',
      permission: 'rule.read',
      query: { version: z.int().min(1).optional() },
      answer: documentSchema,
      async handle({ query, now }) {
        const stored = await read.document('rules', RULES_NAME, query.version)
        if (stored === undefined && query.version !== undefined)
          await readDocument('rules', RULES_NAME, query.version, read)
        if (stored !== undefined) return { body: documentView(stored), version: stored.version }
        const initial = { ...defaultRules } as Record<string, unknown>
        return {
          body: { name: RULES_NAME, version: 0, changedAt: timestamp(now), document: initial },
          version: 0,
        }
      },
    }),
    endpoint({
      method: 'PUT',
      path: '/rules',
      id: 'putRules',
      tag: 'Rules',
      summary: 'Change the rules: their next version, in force at once',
      permission: 'rule.write',
      body: documentBody,
      maxBody: MAX_DOCUMENT,
      answer: guardedResult(documentSchema),
      edits: true,
      async handle(call) {
        const rules = parseRules(call.body)
        const basedOn = (await read.document('rules', RULES_NAME))?.version ?? 0
        assertVersion(call.ifMatch, basedOn)
        const summary = `Registration rules, version ${basedOn + 1}: ${rules.map(rule => rule.name).join(', ')}`
        return change.ask({ config: call.body, basedOn }, summary, call)
      },
    }),
    endpoint({
      method: 'POST',
      path: '/rules/explain',
      id: 'explainRules',
      tag: 'Rules',
      summary: 'Say how a request would be decided, and why; nothing changes',
      description:
        'The evidence is a certificate (of the registry by name, or PEM with its chain), or a device for which an operator speaks, or nothing. ' +
        'A token is not shown here: it would be a secret in a request that somebody may write down.',
      permission: 'rule.read',
      question: true,
      body: z.strictObject({
        profile: nameText,
        operation: z.enum(OPERATIONS).default('enrol'),
        certificate: z
          .union([certificateName, z.string().max(MAX_PEM)])
          .optional()
          .meta({ description: 'What is shown: its name here, or PEM, leaf first.' }),
        device: hexId('a device').optional().meta({ description: 'For which an operator speaks.' }),
        csr: z.string().max(MAX_PEM).optional().meta({ description: 'PEM; without one a new key is assumed.' }),
        keyAlgorithm: keyAlgorithmName.default('P-256'),
        serverKey: z.boolean().default(false),
        channelBinding: z.boolean().default(false),
        rules: documentBody.optional().meta({ description: 'Rules that are not in force.' }),
      }),
      maxBody: MAX_DOCUMENT,
      answer: answerSchema,
      async handle({ body, now, actor }) {
        const csr = body.csr === undefined ? undefined : parseCertificationRequest(pemOf(body.csr, CSR_LABELS)[0]!)
        const answer = await whatIf(
          {
            operation: body.operation,
            profile: await authorities.profile(body.profile),
            finding: await findingOf(body, now, actor.id),
            ...(csr === undefined ? {} : { csr }),
            keyAlgorithm: body.keyAlgorithm,
            serverKey: body.serverKey,
            channelBinding: body.channelBinding,
            rules: body.rules === undefined ? await rulesInForce(read) : parseRules(body.rules),
          },
          now,
          { read, random: ports.random, profile: name => authorities.profile(name) },
        )
        return { body: { ...answer, trace: answer.trace.map(step => ({ ...step })) } }
      },
    }),
  ]

  async function findingOf(
    {
      certificate,
      device,
    }: {
      readonly certificate?: string | { readonly issuer: string; readonly serialNumber: string } | undefined
      readonly device?: string | undefined
    },
    now: number,
    operator: string,
  ): Promise<EvidenceFinding> {
    if (typeof certificate === 'string')
      return new EvidenceReader(read).fromCertificates(pemOf(certificate, ['CERTIFICATE']), now)
    if (certificate !== undefined) {
      const record = await read.certificate(authorityId(certificate.issuer), serialNumber(certificate.serialNumber))
      if (record !== undefined) return new EvidenceReader(read).fromCertificates([record.der], now)
      throw new TouchmarkError('certificate.not_found', 'not_found', 'There is no such certificate.')
    }
    if (device === undefined) return { kind: 'none' }
    const found = await read.device(deviceId(device))
    if (found === undefined) throw noDevice(device)
    return { kind: 'evidence', evidence: { kind: 'operator', name: operator, device: found } }
  }
}

const CSR_LABELS = ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']

function pemOf(text: string, labels: readonly string[]): Uint8Array[] {
  const blocks = parsePem(text).filter(block => labels.includes(block.label))
  if (blocks.length > 0) return blocks.map(({ der }) => der)
  throw new TouchmarkError('pem.missing', 'malformed', `The text holds no PEM block "${labels.join('" or "')}".`)
}
