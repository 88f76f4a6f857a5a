// Authorities: the hierarchy as it is, and how it grows. What needs a key that is offline is done where that key is, on the command line.
import { z } from 'zod'
import { parsePem, toPem } from '../../core/asn1/pem.ts'
import { EMPTY, equalBytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { parseCertificate } from '../../core/pki/certificate.ts'
import { formatName } from '../../core/pki/name.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { KeyStore } from '../../crypto/key-store.ts'
import { readTrustBundle } from '../../crypto/trust-bundle.ts'
import type { FourEyes } from '../../domain/access/four-eyes.ts'
import { addAwaiting, addSubordinate } from '../../domain/ca/add-authority.ts'
import type { AuthorityDirectory } from '../../domain/ca/authorities.ts'
import type { Authority } from '../../domain/ca/authority.ts'
import { type AuthorityPlan, certificationRequestFor } from '../../domain/ca/create-authority.ts'
import { destroyAuthorityKey } from '../../domain/ca/destroy-authority-key.ts'
import { importAuthorityCertificate, retireAuthority } from '../../domain/ca/import-authority.ts'
import { authorityId, serialNumber } from '../../domain/ids.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import { termsAt } from '../../domain/revocation/mass-revocation.ts'
import { revokeCertificate } from '../../domain/revocation/revoke.ts'
import { REVOCATION_REASONS } from '../../domain/revocation/terms.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { TRUST_BUNDLE_PUBLICATION } from '../../domain/trust-bundle/publication-name.ts'
import { certificateText, textOf } from './certificates.ts'
import { type Endpoint, endpoint, timestampText } from './endpoint.ts'
import { guarded, guardedResult } from './guarded.ts'
import { askedTerms, revocationTerms } from './revocations.ts'
import { healthOf } from './statistics.ts'
import { keyAlgorithmName } from './views.ts'

export interface AuthorityEndpointPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly authorities: AuthorityDirectory
  readonly keyStore: KeyStore
  readonly fourEyes: FourEyes
}

const authoritySchema = z
  .object({
    id: z.string(),
    kind: z.enum(['root', 'intermediate', 'issuing']),
    state: z.enum(['awaiting_certificate', 'active', 'retired']),
    issuer: z.string().nullable().meta({ description: 'The authority of this instance that certified it.' }),
    issuerName: z.string().nullable(),
    keyUri: z.string(),
    keyIsHere: z
      .boolean()
      .meta({ description: 'Whether this server can sign with its key; that of an offline root is elsewhere.' }),
    generation: z.int(),
    crlShards: z.int(),
    createdAt: timestampText,
    subject: z.string().nullable(),
    serialNumber: z.string().nullable(),
    keyAlgorithm: z.string().nullable(),
    notBefore: timestampText.nullable(),
    notAfter: timestampText.nullable(),
    crl: z
      .object({ number: z.int(), thisUpdate: timestampText, nextUpdate: timestampText, fresh: z.boolean() })
      .nullable(),
    profiles: z.array(z.string()).meta({ description: 'Profiles that it issues under.' }),
  })
  .meta({ id: 'Authority' })

const ID = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,47}$/, 'must be small letters, digits, . and -, at most 48')
const planSchema = z.strictObject({
  id: ID,
  commonName: z.string().min(1).max(64),
  kind: z.enum(['issuing', 'intermediate']).default('issuing'),
  algorithm: keyAlgorithmName.default('P-256'),
  days: z.int().min(1).max(36_500).optional(),
  noExpiry: z.boolean().default(false),
  pathLength: z.int().min(1).max(8).optional(),
  crlShards: z.int().min(1).max(1024).optional(),
  issuer: ID.optional().meta({
    description:
      'The authority of this instance that certifies it, whose key is here; without one a request is made for somebody else.',
  }),
})
type Plan = z.output<typeof planSchema>

const madeSchema = z
  .object({
    id: z.string(),
    state: z.string(),
    request: z.string().nullable().meta({ description: 'PKCS#10 in PEM, where somebody else certifies it.' }),
  })
  .meta({ id: 'MadeAuthority' })

const importSchema = z.strictObject({
  certificates: z
    .string()
    .min(1)
    .max(256 * 1024)
    .meta({ description: 'PEM: its certificate first, then those above.' }),
  acceptOtherName: z.boolean().default(false).meta({ description: 'Take it although the issuer changed the name.' }),
})

const createAct = z.union([z.object({ make: planSchema }), z.object({ take: importSchema.extend({ id: ID }) })])

const authority = { id: ID }

const revokeAct = z.object({
  id: ID,
  reason: z.enum(REVOCATION_REASONS),
  suspectSince: z.int().optional(),
  because: z.string().optional(),
})

const seconds = z.int().min(0)
const crlScheduleSchema = z
  .object({
    lifetimeSeconds: seconds.meta({ description: 'How long a CRL may be relied on.' }),
    renewBeforeSeconds: seconds.meta({ description: 'How long before its end the next one comes at the latest.' }),
    keepExpiredSeconds: seconds.meta({ description: 'How long an expired certificate stays on the list.' }),
    delta: z.object({ lifetimeSeconds: seconds, fromEntries: z.int() }).nullable(),
  })
  .meta({ id: 'CrlSchedule' })

export function authorityEndpoints(ports: AuthorityEndpointPorts): Endpoint[] {
  const { store, authorities, clock, fourEyes } = ports
  const { read } = store

  const create = guarded(fourEyes, 'authority.create', createAct, async (asked, actor) => {
    const acting = { ...ports, now: clock.now(), actor }
    if ('take' in asked) {
      const { id, certificates, acceptOtherName } = asked.take
      const [own, ...above] = certificatesOf(certificates)
      const options = { above, ...(acceptOtherName ? { acceptOtherName } : {}) }
      const record = await importAuthorityCertificate(authorityId(id), own!, options, acting)
      return { id: record.id, state: record.state, request: null }
    }
    const plan = planOf(asked.make)
    if (asked.make.issuer !== undefined) {
      const issuer = await authorities.signing(authorityId(asked.make.issuer))
      const record = await addSubordinate(plan, issuer, acting)
      return { id: record.id, state: record.state, request: null }
    }
    const request = toPem('CERTIFICATE REQUEST', await addAwaiting(plan, acting))
    return { id: plan.id, state: 'awaiting_certificate', request }
  })
  const retire = guarded(fourEyes, 'authority.retire', z.object({ id: ID }), async ({ id }, actor) => {
    await retireAuthority(authorityId(id), { ...ports, now: clock.now(), actor })
    return { id, state: 'retired', request: null }
  })

  const revoke = guarded(fourEyes, 'authority.revoke', revokeAct, async ({ id, ...terms }, actor) => {
    const { certificate, state } = await found(id)
    const { serialNumber: text } = parseCertificate(certificate ?? EMPTY)
    const serial = serialNumber(text)
    const record = (await read.certificatesBySerial(serial)).find(({ der }) => equalBytes(der, certificate!))
    const issuer = record === undefined ? {} : { authorityId: record.authorityId }
    await revokeCertificate({ serialNumber: serial, ...issuer }, termsAt(terms, clock.now()), actor, ports)
    return { id, state: state === 'active' ? 'retired' : state, request: null }
  })
  const destroyKey = guarded(fourEyes, 'key.destroy', z.object({ id: ID }), async ({ id }, actor) => {
    await destroyAuthorityKey(authorityId(id), { ...ports, now: clock.now(), actor })
    return { id, state: 'retired', request: null }
  })

  const found = async (id: string): Promise<Authority> => {
    const record = await authorities.byId(authorityId(id))
    if (record !== undefined) return record
    throw new TouchmarkError('authority.not_found', 'not_found', `There is no authority ${id}.`, {
      next: 'List the authorities: GET /api/v1/authorities.',
    })
  }
  const keysHere = async () =>
    new Set((await ports.keyStore.list()).flatMap(({ keyUri, state }) => (state === 'destroyed' ? [] : [keyUri])))
  const view = async (
    record: Authority,
    now: number,
    keys: ReadonlySet<string>,
  ): Promise<z.input<typeof authoritySchema>> => {
    const certificate = record.certificate && parseCertificate(record.certificate)
    const { crl } = await healthOf(record, now, read)
    return {
      id: record.id,
      kind: record.kind,
      state: record.state,
      issuer: record.issuer,
      issuerName: certificate && formatName(certificate.issuer),
      keyUri: record.keyUri,
      keyIsHere: keys.has(record.keyUri),
      generation: record.generation,
      crlShards: record.crlShards,
      createdAt: timestamp(record.createdAt),
      subject: certificate && formatName(certificate.subject),
      serialNumber: certificate?.serialNumber ?? null,
      keyAlgorithm: record.certificate && textOf(record.certificate).keyAlgorithm,
      notBefore: certificate && timestamp(certificate.notBefore),
      notAfter: certificate && timestamp(certificate.notAfter),
      crl,
      profiles: await issuedUnder(record),
    }
  }
  const issuedUnder = async (record: Authority): Promise<string[]> => {
    const name = record.id.replace(/-\d+$/, '')
    const documents = await read.documents('profile')
    return documents
      .filter(({ body }) => {
        const { authority: issuer } = JSON.parse(body) as { authority?: string }
        return issuer === record.id || issuer === name
      })
      .map(each => each.name)
  }

  return [
    endpoint({
      method: 'GET',
      path: '/authorities',
      id: 'listAuthorities',
      tag: 'Authorities',
      summary: 'All authorities, with the health of their CRLs',
      permission: 'authority.read',
      answer: z.object({ items: z.array(authoritySchema) }),
      async handle({ now }) {
        const [records, keys] = await Promise.all([authorities.all(), keysHere()])
        return { body: { items: await Promise.all(records.map(record => view(record, now, keys))) } }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/authorities/:id',
      id: 'showAuthority',
      tag: 'Authorities',
      summary: 'An authority, with its certificate in words and the chain above',
      permission: 'authority.read',
      params: authority,
      answer: z.object({
        authority: authoritySchema,
        certificate: certificateText.nullable(),
        chain: z.array(z.string()).meta({ description: 'PEM: its own certificate first, the root last.' }),
        crlSchedule: crlScheduleSchema
          .nullable()
          .meta({ description: 'When its CRLs come; null where its key is kept elsewhere, and they with it.' }),
      }),
      async handle({ params, now }) {
        const record = await found(params.id)
        const chain = record.certificate === null ? [] : await authorities.chain(record.id)
        const shown = await view(record, now, await keysHere())
        return {
          body: {
            authority: shown,
            crlSchedule: shown.keyIsHere ? (await authorities.settings()).crl : null,
            certificate: record.certificate && textOf(record.certificate),
            chain: chain.map(der => toPem('CERTIFICATE', der)),
          },
        }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/authorities',
      id: 'createAuthority',
      tag: 'Authorities',
      summary: 'Make an authority: under one of ours, or with a request for somebody else to certify',
      permission: 'authority.write',
      body: planSchema,
      answer: guardedResult(madeSchema),
      async handle(call) {
        const { id, kind, commonName, issuer } = call.body
        if ((await authorities.byId(authorityId(id))) !== undefined) {
          throw new TouchmarkError('authority.exists', 'conflict', `There is an authority ${id} already.`, {
            next: 'Take the next generation: the number at the end of the id.',
          })
        }
        const under = issuer === undefined ? 'certified elsewhere' : `under ${issuer}`
        return create.ask({ make: call.body }, `New authority ${id}: ${kind}, "${commonName}", ${under}`, call)
      },
    }),
    endpoint({
      method: 'GET',
      path: '/authorities/:id/request',
      id: 'showAuthorityRequest',
      tag: 'Authorities',
      summary: 'The request of an authority that waits for its certificate, again',
      permission: 'authority.write',
      params: authority,
      answer: z.object({ request: z.string() }),
      expensive: true,
      async handle({ params }) {
        const { id } = await found(params.id)
        return { body: { request: toPem('CERTIFICATE REQUEST', await certificationRequestFor(id, ports)) } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/authorities/:id/certificate',
      id: 'importAuthorityCertificate',
      tag: 'Authorities',
      summary: 'Bring in the certificate of an authority that waits; it is taken only where everything is right',
      permission: 'authority.write',
      params: authority,
      body: importSchema,
      maxBody: 512 * 1024,
      answer: guardedResult(madeSchema),
      async handle(call) {
        const { id } = await found(call.params.id)
        const [own] = certificatesOf(call.body.certificates)
        const { serialNumber } = parseCertificate(own!)
        return create.ask({ take: { id, ...call.body } }, `Certificate ${serialNumber} for authority ${id}`, call)
      },
    }),
    endpoint({
      method: 'POST',
      path: '/authorities/:id/retire',
      id: 'retireAuthority',
      tag: 'Authorities',
      summary: 'Let an authority issue no more; it still answers for what it issued. It cannot be undone',
      permission: 'authority.write',
      params: authority,
      answer: guardedResult(madeSchema),
      async handle(call) {
        const { id, state } = await found(call.params.id)
        if (state !== 'active') {
          throw new TouchmarkError('authority.state_changed', 'conflict', `The authority ${id} is not active.`, {
            evidence: { state },
          })
        }
        return retire.ask({ id }, `Authority ${id} retires`, call)
      },
    }),
    endpoint({
      method: 'POST',
      path: '/authorities/:id/revoke',
      id: 'revokeAuthority',
      tag: 'Authorities',
      summary: 'Revoke the certificate of an authority: it and those below it issue no more. It cannot be undone',
      permission: 'authority.write',
      params: authority,
      body: z.strictObject({
        reason: revocationTerms.reason.exclude(['certificateHold']),
        suspectSince: revocationTerms.suspectSince,
        because: revocationTerms.because,
      }),
      answer: guardedResult(madeSchema),
      async handle(call) {
        const { id, certificate } = await found(call.params.id)
        if (certificate === null) {
          throw new TouchmarkError('authority.state_changed', 'conflict', `The authority ${id} has no certificate yet.`)
        }
        const { reason, suspectSince, because } = askedTerms({ ...call.body, undoWithinSeconds: undefined })
        termsAt({ reason, suspectSince, because }, call.now)
        const said = {
          ...(suspectSince === undefined ? {} : { suspectSince }),
          ...(because === undefined ? {} : { because }),
        }
        return revoke.ask({ id, reason, ...said }, `The certificate of authority ${id} is revoked (${reason})`, call)
      },
    }),
    endpoint({
      method: 'POST',
      path: '/authorities/:id/destroy-key',
      id: 'destroyAuthorityKey',
      tag: 'Authorities',
      summary: 'Destroy the key of a retired authority that has nothing left to answer for. It cannot be undone',
      permission: 'key.destroy',
      params: authority,
      answer: guardedResult(madeSchema),
      async handle(call) {
        const { id } = await found(call.params.id)
        return destroyKey.ask({ id }, `The key of authority ${id} is destroyed`, call)
      },
    }),
    endpoint({
      method: 'GET',
      path: '/trust-bundle',
      id: 'showTrustBundle',
      tag: 'Authorities',
      summary: 'The roots that devices and services trust',
      permission: 'authority.read',
      answer: z.object({
        roots: z.array(certificateText),
        pem: z.string(),
        published: z
          .object({ version: z.int(), signedAt: timestampText, signerEnds: timestampText, roots: z.array(z.string()) })
          .nullable()
          .meta({ description: 'What devices are told now: a signed version, and the SHA-256 of each of its roots.' }),
      }),
      async handle() {
        const roots = await authorities.trustBundle()
        const stored = await read.publication(TRUST_BUNDLE_PUBLICATION)
        const bundle = stored && readTrustBundle(stored.bytes).bundle
        return {
          body: {
            roots: roots.map(textOf),
            pem: roots.map(der => toPem('CERTIFICATE', der)).join(''),
            published:
              stored && bundle
                ? {
                    version: bundle.version,
                    signedAt: timestamp(stored.thisUpdate),
                    signerEnds: timestamp(stored.nextUpdate),
                    roots: bundle.certificates.map(der => sha256Hex(der)),
                  }
                : null,
          },
        }
      },
    }),
  ]
}

function planOf({ id, commonName, kind, algorithm, days, noExpiry, pathLength, crlShards }: Plan): AuthorityPlan {
  return {
    id: authorityId(id),
    kind,
    commonName,
    algorithm,
    ...(noExpiry ? { validity: { noExpiry: true } } : {}),
    ...(days === undefined ? {} : { validity: { days } }),
    ...(pathLength === undefined ? {} : { pathLength }),
    ...(crlShards === undefined ? {} : { crlShards }),
  }
}

/** Throws `pem.missing`. */
function certificatesOf(text: string): Uint8Array[] {
  const ders = parsePem(text).flatMap(({ label, der }) => (label === 'CERTIFICATE' ? [der] : []))
  if (ders.length > 0) return ders
  throw new TouchmarkError('pem.missing', 'malformed', 'The text holds no PEM block "CERTIFICATE".')
}
