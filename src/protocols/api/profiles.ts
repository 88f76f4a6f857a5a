// Certificate profiles: shown, checked, tried on a sample, changed (which takes a second person where there is one).
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import { parseTbsCertificate } from '../../core/pki/certificate.ts'
import { encodeSigned } from '../../core/pki/signed.ts'
import { generateKeyPair } from '../../crypto/keys.ts'
import type { FourEyes } from '../../domain/access/four-eyes.ts'
import type { CertificateIssuer } from '../../domain/ca/issuer.ts'
import { type Profile, parseProfile } from '../../domain/ca/profile.ts'
import { authorityId, newDeviceId } from '../../domain/ids.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import { putDocument } from '../../domain/put-document.ts'
import { certificateText, textOf } from './certificates.ts'
import {
  assertNamed,
  documentBody,
  documentChange,
  documentSchema,
  documentView,
  MAX_DOCUMENT,
  readDocument,
} from './documents.ts'
import { assertVersion, type Endpoint, endpoint, nameText } from './endpoint.ts'
import { guarded, guardedResult } from './guarded.ts'
import { keyAlgorithmName } from './views.ts'

export interface ProfilePorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly issuer: Pick<CertificateIssuer, 'prepare'>
  readonly fourEyes: FourEyes
}

const finding = z.object({ path: z.string(), message: z.string() })

const sampleSchema = z
  .object({
    ok: z.boolean(),
    certificate: certificateText
      .nullable()
      .meta({ description: 'As it would be signed; the signature is left empty, nobody has signed it.' }),
    findings: z.array(finding).meta({ description: 'What is wrong: with the profile, or by the lint.' }),
  })
  .meta({ id: 'ProfileSample' })

export function profileEndpoints(ports: ProfilePorts): Endpoint[] {
  const { store, fourEyes } = ports
  const { read } = store
  const change = guarded(fourEyes, 'profile.change', documentChange, async ({ config, basedOn }, actor) => {
    const { config: complete } = parseProfile(config)
    const body = (version: number) => JSON.stringify({ ...complete, version }, null, 2)
    const edit = { kind: 'profile', name: complete.name, action: 'profile.changed', basedOn, body } as const
    return documentView(await putDocument(edit, actor, ports))
  })
  return [
    endpoint({
      method: 'GET',
      path: '/profiles',
      id: 'listProfiles',
      tag: 'Profiles',
      summary: 'All certificate profiles',
      permission: 'profile.read',
      answer: z.object({ items: z.array(documentSchema) }),
      async handle() {
        return { body: { items: (await read.documents('profile')).map(documentView) } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/profiles/:name',
      id: 'showProfile',
      tag: 'Profiles',
      summary: 'A profile, in the version in force or an earlier one',
      permission: 'profile.read',
      params: { name: nameText },
      query: { version: z.int().min(1).optional() },
      answer: documentSchema,
      async handle({ params, query }) {
        const document = await readDocument('profile', params.name, query.version, read)
        return { body: documentView(document), version: document.version }
      },
    }),
    endpoint({
      method: 'PUT',
      path: '/profiles/:name',
      id: 'putProfile',
      tag: 'Profiles',
      summary: 'Make or change a profile: its next version, in force at once',
      permission: 'profile.write',
      params: { name: nameText },
      body: documentBody,
      maxBody: MAX_DOCUMENT,
      answer: guardedResult(documentSchema),
      edits: true,
      async handle(call) {
        const { name } = call.params
        assertNamed(call.body, name)
        const config = { ...call.body, name }
        parseProfile(config)
        const basedOn = (await read.document('profile', name))?.version ?? 0
        assertVersion(call.ifMatch, basedOn)
        return change.ask({ config, basedOn }, `Profile ${name}, version ${basedOn + 1}`, call)
      },
    }),
    endpoint({
      method: 'POST',
      path: '/profiles/sample',
      id: 'sampleProfile',
      tag: 'Profiles',
      summary: 'Try a profile, in force or a draft: a sample certificate in words, and what the lint says',
      description: 'The certificate is prepared as a real one would be, for a key that nobody has, and never signed.',
      permission: 'profile.read',
      question: true,
      body: z.strictObject({
        name: nameText.optional().meta({ description: 'A profile in force; or else:' }),
        draft: documentBody.optional().meta({ description: 'A profile that is not stored.' }),
        model: nameText.default('sample-model'),
        serialNumber: nameText.default('SAMPLE-0001'),
        labels: z.record(z.string().min(1).max(64), nameText).default({}),
        fields: z.record(z.string().min(1).max(64), nameText).default({ commonName: 'Sample' }),
        keyAlgorithm: keyAlgorithmName.optional().meta({ description: 'The first that the profile allows.' }),
        authority: nameText.optional().meta({ description: 'Where the profile leaves it open.' }),
      }),
      maxBody: MAX_DOCUMENT,
      answer: sampleSchema,
      async handle({ body, now }) {
        let profile: Profile
        try {
          profile = parseProfile(
            body.draft ?? JSON.parse((await readDocument('profile', body.name ?? '', undefined, read)).body),
          )
        } catch (thrown) {
          return { body: refusedSample(thrown) }
        }
        try {
          const { publicKey } = await generateKeyPair(body.keyAlgorithm ?? profile.keyAlgorithms[0] ?? 'P-256')
          const prepared = await ports.issuer.prepare({
            profile,
            device:
              profile.holder === 'device'
                ? {
                    id: newDeviceId(now, ports.random),
                    model: body.model,
                    serialNumber: body.serialNumber,
                    labels: body.labels,
                  }
                : null,
            subjectFields: body.fields,
            spki: publicKey,
            replaces: null,
            now,
            ...(body.authority === undefined ? {} : { authority: authorityId(body.authority) }),
          })
          return { body: { ok: true, certificate: textOf(unsigned(prepared.tbs()!)), findings: [] } }
        } catch (thrown) {
          return { body: refusedSample(thrown) }
        }
      },
    }),
  ]
}

/** The TBSCertificate as a certificate with an empty signature: to be read, never to be believed. */
function unsigned(tbs: Uint8Array): Uint8Array {
  const { signatureAlgorithm } = parseTbsCertificate(tbs)
  return encodeSigned(tbs, signatureAlgorithm.raw, new Uint8Array(64))
}

function refusedSample(thrown: unknown): z.input<typeof sampleSchema> {
  if (!(thrown instanceof TouchmarkError) || thrown.kind === 'internal') throw thrown
  const { evidence, code, message } = thrown
  const named = Object.entries(evidence).map(([path, text]) => ({ path, message: String(text) }))
  const findings = code.endsWith('.invalid') && named.length > 0 ? named : [{ path: code, message }, ...named]
  return { ok: false, certificate: null, findings }
}
