// Certificates: found by serial number or authority, read in words, revoked, held and released. And any PEM or DER that somebody pastes.
import { z } from 'zod'
import { equalBytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { FourEyes } from '../../domain/access/four-eyes.ts'
import { describeCertificate } from '../../domain/describe/describe-certificate.ts'
import { describePkiText, MAX_PASTED } from '../../domain/describe/describe-pki-text.ts'
import { authorityId, serialNumber } from '../../domain/ids.ts'
import type { Clock, Store } from '../../domain/ports.ts'
import { termsAt } from '../../domain/revocation/mass-revocation.ts'
import {
  type RevocationOutcome,
  releaseCertificate,
  revokeCertificate,
  revokeDevice,
} from '../../domain/revocation/revoke.ts'
import { mayShow, readDeviceFor } from './device-facts.ts'
import { type Call, type Endpoint, endpoint, hexId, nameText } from './endpoint.ts'
import { forbidden } from './gate.ts'
import { massRevocationGuard, REVOKE_BY_QUERY } from './mass-revocation-guard.ts'
import { askedTerms, revocationTerms } from './revocations.ts'
import { certificateName, certificateSchema, certificateView } from './views.ts'

export interface CertificatePorts {
  readonly store: Store
  readonly clock: Clock
  readonly fourEyes: FourEyes
}

const serialText = z.string().regex(/^[0-9a-fA-F:]{1,128}$/, 'must be a serial number in hexadecimal')

const extensionSchema = z.object({
  oid: z.string(),
  name: z.string().nullable(),
  critical: z.boolean(),
  value: z.string(),
})

export const certificateText = z
  .object({
    serialNumber: z.string(),
    subject: z.string(),
    issuer: z.string(),
    notBefore: z.string(),
    notAfter: z.string(),
    keyAlgorithm: z.string(),
    signatureAlgorithm: z.string(),
    sha256: z.string(),
    keyId: z.string(),
    extensions: z.array(extensionSchema),
    pem: z.string(),
  })
  .meta({ id: 'CertificateText' })

const pkiObject = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('certificate'),
      certificate: certificateText,
      registered: certificateSchema.nullable(),
    }),
    z.object({
      kind: z.literal('request'),
      subject: z.string(),
      keyAlgorithm: z.string(),
      keyId: z.string(),
      signature: z.enum(['valid', 'invalid', 'not_checked']),
      attributes: z.array(z.string()),
      extensions: z.array(extensionSchema),
      pem: z.string(),
    }),
    z.object({
      kind: z.literal('crl'),
      issuer: z.string(),
      number: z.string().nullable(),
      thisUpdate: z.string(),
      nextUpdate: z.string().nullable(),
      signatureAlgorithm: z.string(),
      entries: z.int(),
      revoked: z
        .array(z.object({ serialNumber: z.string(), at: z.string(), reason: z.string().nullable() }))
        .meta({ description: 'The first 1,000.' }),
      extensions: z.array(extensionSchema),
    }),
    z.object({ kind: z.literal('unreadable'), label: z.string(), why: z.string() }),
  ])
  .meta({ id: 'PkiObject' })

const revocationOutcome = z
  .object({
    changed: z.array(certificateName.extend({ status: z.enum(['good', 'held', 'revoked']) })),
    unchanged: z.int().meta({ description: 'Certificates that had this status already.' }),
  })
  .meta({ id: 'RevocationOutcome' })

const outcomeView = ({ changed, unchanged }: RevocationOutcome): z.input<typeof revocationOutcome> => ({
  changed: changed.map(({ authorityId: issuer, serialNumber: serial, status }) => ({
    issuer,
    serialNumber: serial,
    status: status.kind,
  })),
  unchanged,
})

const named = { issuer: nameText, serialNumber: serialText }

export function certificateEndpoints(ports: CertificatePorts): Endpoint[] {
  const { read } = ports.store
  const assertNoMassRevocation = massRevocationGuard(ports.fourEyes, read)

  /** The record, where the caller may do this to it. Throws `certificate.not_found`, `access.forbidden`. */
  const recordFor = async (
    { issuer, serialNumber: text }: { readonly issuer: string; readonly serialNumber: string },
    call: Pick<Call<unknown, unknown, unknown>, 'may' | 'scopes'>,
  ) => {
    const record = await read.certificate(authorityId(issuer), serialNumber(text))
    if (record === undefined || !(await mayShow(record.deviceId, call, read))) throw notFound(text)
    return record
  }

  /** An authority ends by an act of its own, to which others agree. Throws `approval.needed`. */
  const assertNoAuthority = async (der: Uint8Array, { caller }: Pick<Call<unknown, unknown, unknown>, 'caller'>) => {
    const ended = (await read.authorities()).find(({ certificate }) => certificate && equalBytes(certificate, der))
    if (ended === undefined || !(await ports.fourEyes.waits('authority.revoke', caller!))) return
    throw new TouchmarkError(
      'approval.needed',
      'conflict',
      'It is the certificate of an authority: others have to agree.',
      {
        next: `Ask for it: POST /api/v1/authorities/${ended.id}/revoke`,
        evidence: { authorityId: ended.id },
      },
    )
  }

  return [
    endpoint({
      method: 'GET',
      path: '/certificates',
      id: 'listCertificates',
      tag: 'Certificates',
      summary: 'Certificates with a serial number, or all that an authority issued, in order of issue',
      permission: 'certificate.read',
      scoped: true,
      query: { serialNumber: serialText.optional(), authority: nameText.optional() },
      answer: certificateSchema,
      paged: true,
      sparse: true,
      async handle(call) {
        const { serialNumber: text, authority } = call.query
        if (text === undefined && authority === undefined) {
          throw new TouchmarkError('api.condition_missing', 'malformed', 'Name a serial number or an authority.', {
            next: 'Those of a device stand with it: GET /api/v1/devices/ID.',
          })
        }
        const page =
          text === undefined
            ? await read.certificatesOfAuthority(authorityId(authority!), call.page)
            : {
                items: (await read.certificatesBySerial(serialNumber(text))).filter(
                  each => authority === undefined || each.authorityId === authority,
                ),
                next: null,
              }
        const seen = await Promise.all(page.items.map(each => mayShow(each.deviceId, call, read)))
        const items = page.items.filter((_, i) => seen[i]).map(each => certificateView(each, call.now))
        return { body: { items, next: page.next } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/certificates/:issuer/:serialNumber',
      id: 'showCertificate',
      tag: 'Certificates',
      summary: 'A certificate in words, with its status',
      permission: 'certificate.read',
      scoped: true,
      params: named,
      answer: z.object({ registered: certificateSchema, certificate: certificateText }),
      async handle(call) {
        const record = await recordFor(call.params, call)
        return {
          body: { registered: certificateView(record, call.now), certificate: textOf(record.der) },
        }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/certificates/decode',
      id: 'decode',
      tag: 'Certificates',
      summary: 'Say what a PEM or DER text holds: certificates, requests, CRLs',
      permission: 'signed-in',
      question: true,
      body: z.strictObject({
        text: z.string().min(1).max(MAX_PASTED).meta({ description: 'PEM, or base64 or hexadecimal of DER.' }),
      }),
      maxBody: 2 * MAX_PASTED,
      answer: z.object({ objects: z.array(pkiObject) }),
      async handle(call) {
        const objects = await Promise.all(
          describePkiText(call.body.text).map(async object => {
            if (object.kind !== 'certificate') return object
            const { der, certificate } = object
            const known = call.may({}, 'certificate.read')
              ? await registeredOf(certificate.serialNumber, der)
              : undefined
            const registered = known === undefined ? null : certificateView(known, call.now)
            return {
              kind: object.kind,
              certificate: { ...certificate, extensions: [...certificate.extensions] },
              registered,
            }
          }),
        )
        return { body: { objects } }

        async function registeredOf(text: string, der: Uint8Array) {
          const found = await read.certificatesBySerial(serialNumber(text))
          return found.find(
            record => record.der.length === der.length && record.der.every((octet, i) => octet === der[i]),
          )
        }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/certificates/:issuer/:serialNumber/revoke',
      id: 'revokeCertificate',
      tag: 'Revocations',
      summary: 'Revoke a certificate for good, or put it on hold (certificateHold)',
      permission: 'certificate.revoke',
      scoped: true,
      params: named,
      body: z.strictObject(revocationTerms),
      answer: revocationOutcome,
      async handle(call) {
        const { authorityId: issuer, serialNumber: serial, deviceId, keyId, der } = await recordFor(call.params, call)
        // A certificate of the platform itself is an authority's, or a server's: whoever ends one ends what hangs on it.
        if (deviceId === null && !call.may({}, 'authority.write')) throw forbidden('authority.write')
        if (deviceId === null) await assertNoAuthority(der, call)
        // Everything that is live over the same key ends with it.
        else if (call.body.reason === 'keyCompromise') {
          await assertNoMassRevocation({ deviceIds: [deviceId], keyId }, call, REVOKE_BY_QUERY)
        }
        const selector = { authorityId: issuer, serialNumber: serial }
        const terms = termsAt(askedTerms(call.body), call.now)
        return { body: outcomeView(await revokeCertificate(selector, terms, call.actor, ports)) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/certificates/:issuer/:serialNumber/release',
      id: 'releaseCertificate',
      tag: 'Revocations',
      summary: 'End a hold',
      permission: 'certificate.revoke',
      scoped: true,
      params: named,
      answer: revocationOutcome,
      async handle(call) {
        const { authorityId: issuer, serialNumber: serial, deviceId } = await recordFor(call.params, call)
        if (deviceId === null && !call.may({}, 'authority.write')) throw forbidden('authority.write')
        const selector = { authorityId: issuer, serialNumber: serial }
        return { body: outcomeView(await releaseCertificate(selector, call.actor, ports)) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/devices/:id/revoke',
      id: 'revokeDevice',
      tag: 'Revocations',
      summary: 'Revoke or hold everything that is live of a device',
      permission: 'certificate.revoke',
      scoped: true,
      params: { id: hexId('a device') },
      body: z.strictObject(revocationTerms),
      answer: revocationOutcome,
      async handle(call) {
        const { id } = await readDeviceFor(call.params.id, call, 'certificate.revoke', read)
        await assertNoMassRevocation({ deviceIds: [id] }, call, REVOKE_BY_QUERY)
        const terms = termsAt(askedTerms(call.body), call.now)
        return { body: outcomeView(await revokeDevice(id, terms, call.actor, ports)) }
      },
    }),
  ]
}

/** A mutable copy, as the schema has it. */
export function textOf(der: Uint8Array): z.input<typeof certificateText> {
  const described = describeCertificate(der)
  return { ...described, extensions: described.extensions.map(each => ({ ...each })) }
}

function notFound(text: string): TouchmarkError {
  return new TouchmarkError('certificate.not_found', 'not_found', `No certificate has the serial number ${text}.`, {
    next: 'Look it up with its device: GET /api/v1/devices/ID.',
  })
}
