// What operators do with a device: its states, what is said of it, its owners, its renewal. Each is the recipe that the command line runs.
import { z } from 'zod'
import { fromBase64 } from '../../core/bytes/base64.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { FourEyes } from '../../domain/access/four-eyes.ts'
import type { AuthorityDirectory } from '../../domain/ca/authorities.ts'
import { changeProperties, erasePersonal } from '../../domain/device/change-properties.ts'
import { completeTransfer } from '../../domain/device/complete-transfers.ts'
import { destroyDevice, MAX_WITNESS } from '../../domain/device/destroy-device.ts'
import type { DeviceActBy, DeviceActOutcome, DeviceActPorts } from '../../domain/device/device-act.ts'
import { parsePropertyName } from '../../domain/device/device-property-name.ts'
import type { OwnershipTransfer } from '../../domain/device/ownership.ts'
import { ownershipStatement } from '../../domain/device/ownership-statement.ts'
import { acceptTransfer, cancelTransfer, proposeTransfer, readTransfer } from '../../domain/device/propose-transfer.ts'
import { retireDevice } from '../../domain/device/retire-device.ts'
import { shipDevice } from '../../domain/device/ship-device.ts'
import { resumeDevice, suspendDevice } from '../../domain/device/suspend-device.ts'
import { authorityId, type DeviceId, deviceId, transferId } from '../../domain/ids.ts'
import type { Clock, Random, Store } from '../../domain/ports.ts'
import { explainWindow } from '../../domain/renewal/explain-window.ts'
import { DEFAULT_ORDER_SECONDS, orderRenewal, withdrawOrder } from '../../domain/renewal/order-renewal.ts'
import { renewalInfo } from '../../domain/renewal/renewal-info.ts'
import { timestamp } from '../../domain/timestamp.ts'
import { factsOf, readDeviceFor } from './device-facts.ts'
import { durationSeconds, type Endpoint, endpoint, hexId, nameText, timestampText } from './endpoint.ts'
import { forbidden } from './gate.ts'
import { massRevocationGuard, REVOKE_FIRST } from './mass-revocation-guard.ts'
import { InvalidRequest } from './read-request.ts'
import {
  certificateName,
  credentialSchema,
  credentialView,
  deviceSchema,
  deviceState,
  deviceView,
  keyAlgorithmName,
  propertySchema,
  propertyView,
  transferSchema,
  transferView,
} from './views.ts'

export interface DeviceActionPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly authorities: Pick<AuthorityDirectory, 'settings' | 'profile'>
  readonly fourEyes: FourEyes
}

const because = z
  .string()
  .min(1)
  .max(64)
  .optional()
  .meta({ description: 'Why, in one word: a ticket number or a code. It stands in the log.' })

const outcomeSchema = z
  .object({
    device: deviceSchema,
    from: deviceState,
    certificates: z
      .array(certificateName.extend({ profile: z.string() }))
      .meta({ description: 'Whose status changed now.' }),
    keys: z.array(z.object({ id: z.string(), from: z.string(), to: z.string() })),
    tokens: z.int().meta({ description: 'One-time tokens that were withdrawn.' }),
    requests: z.int().meta({ description: 'Waiting requests that were rejected.' }),
    transfers: z.int().meta({ description: 'Transfers that were called off.' }),
    erased: z.int().meta({ description: 'Personal properties that were erased.' }),
  })
  .meta({ id: 'DeviceActOutcome' })

const outcomeView = (outcome: DeviceActOutcome & { readonly erased?: number }): z.input<typeof outcomeSchema> => ({
  device: deviceView(outcome.device),
  from: outcome.from,
  certificates: outcome.certificates.map(({ authorityId: issuer, serialNumber, profile }) => ({
    issuer,
    serialNumber,
    profile,
  })),
  keys: outcome.keys.map(key => ({ ...key })),
  tokens: outcome.tokens,
  requests: outcome.requests,
  transfers: outcome.transfers,
  erased: outcome.erased ?? 0,
})

const device = { id: hexId('a device') }
const transfer = { id: hexId('a transfer') }

type StateAct = (id: DeviceId, by: DeviceActBy, ports: DeviceActPorts) => Promise<DeviceActOutcome>

export function deviceActionEndpoints(ports: DeviceActionPorts): Endpoint[] {
  const { store } = ports
  const { read } = store
  const assertNoMassRevocation = massRevocationGuard(ports.fourEyes, read)

  const stateEndpoint = (
    name: 'ship' | 'suspend' | 'resume' | 'retire',
    permission: 'device.write' | 'device.end',
    summary: string,
    act: StateAct,
  ) =>
    endpoint({
      method: 'POST',
      path: `/devices/:id/${name}`,
      id: `${name}Device`,
      tag: 'Devices',
      summary,
      permission,
      scoped: true,
      params: device,
      body: z.strictObject({ because }).default({}),
      answer: outcomeSchema,
      async handle(call) {
        const { id } = await readDeviceFor(call.params.id, call, permission, read)
        if (name === 'retire') await assertNoMassRevocation({ deviceIds: [id] }, call, REVOKE_FIRST)
        const why = call.body.because === undefined ? {} : { because: call.body.because }
        return { body: outcomeView(await act(id, { actor: call.actor, ...why }, ports)) }
      },
    })

  /** What is due takes effect now. */
  const completed = async (made: OwnershipTransfer, now: number): Promise<OwnershipTransfer> => {
    if (made.state !== 'accepted' || made.effectiveAt > now) return made
    await completeTransfer(made.id, ports)
    return (await read.transfer(made.id)) ?? made
  }

  return [
    stateEndpoint('ship', 'device.write', 'A device leaves the factory', shipDevice),
    stateEndpoint(
      'suspend',
      'device.write',
      'Take a device out of service: its certificates go on hold, and it gets none',
      suspendDevice,
    ),
    stateEndpoint('resume', 'device.write', 'End a suspension: exactly what it held is good again', resumeDevice),
    stateEndpoint(
      'retire',
      'device.end',
      'End the work of a device for good: everything it holds is revoked',
      retireDevice,
    ),
    endpoint({
      method: 'POST',
      path: '/devices/:id/destroy',
      id: 'destroyDevice',
      tag: 'Devices',
      summary: 'Write down that a retired device was destroyed',
      permission: 'device.end',
      scoped: true,
      params: device,
      body: z
        .strictObject({
          because,
          witness: z
            .string()
            .min(1)
            .max(MAX_WITNESS)
            .optional()
            .meta({ description: 'What a witness wrote; it is kept, and the log commits to it.' }),
          erase: z.boolean().default(false).meta({ description: 'Whether what is personal is erased as well.' }),
        })
        .default({ erase: false }),
      maxBody: 4 * MAX_WITNESS,
      answer: outcomeSchema,
      async handle(call) {
        const { id } = await readDeviceFor(call.params.id, call, 'device.end', read)
        const { witness, erase } = call.body
        const { organization } = await ports.authorities.settings()
        const destruction = {
          actor: call.actor,
          erase,
          ...(call.body.because === undefined ? {} : { because: call.body.because }),
          ...(witness === undefined ? {} : { witness: toUtf8(witness) }),
        }
        return { body: outcomeView(await destroyDevice(id, destruction, { ...ports, organization })) }
      },
    }),
    endpoint({
      method: 'PATCH',
      path: '/devices/:id/properties',
      id: 'changeDeviceProperties',
      tag: 'Devices',
      summary: 'Say something of a device: owner, site, labels, free attributes',
      permission: 'device.write',
      scoped: true,
      params: device,
      body: z.strictObject({
        changes: z
          .array(
            z.strictObject({
              name: z.string().max(80).meta({ description: 'owner, site, label:NAME or attribute:NAME.' }),
              value: z.string().max(256).nullable().meta({ description: 'null takes it away.' }),
              personal: z.boolean().default(false).meta({ description: 'Whether it could tell of a person.' }),
            }),
          )
          .min(1)
          .max(64),
      }),
      answer: z.object({ properties: z.array(propertySchema) }),
      async handle(call) {
        const found = await readDeviceFor(call.params.id, call, 'device.write', read)
        const changes = call.body.changes.map(({ name, ...rest }) => ({ name: parsePropertyName(name), ...rest }))
        if (!call.may({}, 'device.write')) {
          // Who may act within a scope puts nothing out of it.
          const facts: Record<string, unknown> = { ...(await factsOf(found, read)) }
          for (const { name, value } of changes) if (name === 'owner' || name === 'site') facts[name] = value
          if (!call.may(facts, 'device.write')) throw forbidden('device.write', true)
        }
        const properties = await changeProperties(found.id, changes, call.actor, ports)
        return { body: { properties: properties.map(propertyView) } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/devices/:id/erase',
      id: 'erasePersonalProperties',
      tag: 'Devices',
      summary: 'Erase what could tell of a person about a device, for good',
      permission: 'device.write',
      scoped: true,
      params: device,
      answer: z.object({ erased: z.array(z.string()) }),
      async handle(call) {
        const { id } = await readDeviceFor(call.params.id, call, 'device.write', read)
        return { body: { erased: await erasePersonal(id, call.actor, ports) } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/devices/:id/transfers',
      id: 'proposeTransfer',
      tag: 'Owners',
      summary: 'Propose that a device gets another owner',
      permission: 'device.write',
      scoped: true,
      params: device,
      body: z.strictObject({
        to: nameText,
        effectiveAt: timestampText.optional(),
        newKey: z.boolean().default(false),
        byRule: z.boolean().default(false).meta({ description: 'Unsigned, where the settings allow it.' }),
      }),
      answer: transferSchema,
      async handle(call) {
        const { id } = await readDeviceFor(call.params.id, call, 'device.write', read)
        const { to, effectiveAt, newKey, byRule } = call.body
        const at = effectiveAt === undefined ? call.now : Math.floor(Date.parse(effectiveAt) / 1000)
        if (!Number.isSafeInteger(at) || at < 0)
          throw new InvalidRequest([{ in: 'body', path: 'effectiveAt', message: 'must be after 1970' }])
        const settings = await ports.authorities.settings()
        const proposal = { deviceId: id, to, effectiveAt: at, newKey, byRule }
        const made = await proposeTransfer(proposal, call.actor, { ...ports, settings })
        return { body: transferView(await completed(made, call.now)), status: 201 }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/transfers/:id/statement',
      id: 'showTransferStatement',
      tag: 'Owners',
      summary: 'What both owners sign: exactly these octets, detached, as CMS',
      permission: 'device.read',
      scoped: true,
      params: transfer,
      produces: 'application/json',
      async handle(call) {
        const found = await readTransfer(transferId(call.params.id), read)
        const of = await readDeviceFor(found.deviceId, call, 'device.read', read)
        return { octets: ownershipStatement(found, of), contentType: 'application/json', fileName: 'statement.json' }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/transfers/:id/signatures',
      id: 'signTransfer',
      tag: 'Owners',
      summary: 'Take an owner’s signature; with both the transfer is accepted',
      permission: 'device.write',
      scoped: true,
      params: transfer,
      body: z.strictObject({
        signature: z
          .string()
          .min(1)
          .max(200_000)
          .meta({ description: 'CMS SignedData, detached, as PEM or base64 of DER.' }),
      }),
      maxBody: 256 * 1024,
      answer: transferSchema,
      async handle(call) {
        const found = await readTransfer(transferId(call.params.id), read)
        await readDeviceFor(found.deviceId, call, 'device.write', read)
        const signature = octetsOf(call.body.signature)
        const made = await acceptTransfer(found.id, signature, call.actor, ports)
        return { body: transferView(await completed(made, call.now)) }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/transfers/:id/cancel',
      id: 'cancelTransfer',
      tag: 'Owners',
      summary: 'Call a transfer off before it takes effect',
      permission: 'device.write',
      scoped: true,
      params: transfer,
      answer: transferSchema,
      async handle(call) {
        const found = await readTransfer(transferId(call.params.id), read)
        await readDeviceFor(found.deviceId, call, 'device.write', read)
        return { body: transferView(await cancelTransfer(found.id, call.actor, ports)) }
      },
    }),
    endpoint({
      method: 'GET',
      path: '/devices/:id/renewal',
      id: 'explainRenewal',
      tag: 'Renewal',
      summary: 'What a device is to renew, when, and why then',
      permission: 'device.read',
      scoped: true,
      params: device,
      answer: z.object({
        credentials: z.array(
          credentialSchema
            .extend({
              standing: z.string(),
              opensAt: timestampText.meta({ description: 'When the policy would have it.' }),
              movedBySeconds: z.int().meta({ description: 'How far levelling moved the window.' }),
              told: z.object({
                suggestedWindow: z.object({ start: timestampText, end: timestampText }),
                reason: z.string(),
                retryAfterSeconds: z.int(),
              }),
            })
            .meta({ id: 'ExplainedCredential' }),
        ),
      }),
      async handle(call) {
        const { id } = await readDeviceFor(call.params.id, call, 'device.read', read)
        const held = await read.credentialsOfDevice(id)
        const credentials = await Promise.all(
          held.map(async credential => {
            const { renewal: policy, keyAlgorithms } = await ports.authorities.profile(credential.profile)
            const why = explainWindow(credential, policy, call.now)
            const told = renewalInfo(credential, policy, call.now, keyAlgorithms)
            const { start, end } = told.suggestedWindow
            return {
              ...credentialView(credential),
              standing: why.standing,
              opensAt: timestamp(why.opensAt),
              movedBySeconds: why.movedBy,
              told: {
                suggestedWindow: { start: timestamp(start), end: timestamp(end) },
                reason: told.reason,
                retryAfterSeconds: told.retryAfterSeconds,
              },
            }
          }),
        )
        return { body: { credentials } }
      },
    }),
    endpoint({
      method: 'POST',
      path: '/devices/:id/renewal-orders',
      id: 'orderRenewal',
      tag: 'Renewal',
      summary: 'Ask a device to renew before its time',
      permission: 'device.write',
      scoped: true,
      params: device,
      body: z.strictObject({
        profile: nameText.default('ldevid').meta({ description: 'Which of its credentials.' }),
        withinSeconds: durationSeconds.default(DEFAULT_ORDER_SECONDS),
        newKey: z.boolean().default(false),
        keyAlgorithm: keyAlgorithmName.nullable().default(null),
        toProfile: nameText.nullable().default(null),
        toAuthority: nameText.nullable().default(null),
      }),
      answer: credentialSchema,
      async handle(call) {
        const { id } = await readDeviceFor(call.params.id, call, 'device.write', read)
        const { profile, withinSeconds, newKey, keyAlgorithm, toProfile, toAuthority } = call.body
        const target = await ports.authorities.profile(toProfile ?? profile)
        if (target.holder !== 'device') throw unmeetable(`The profile ${target.name} is not for devices.`)
        if (keyAlgorithm !== null && !target.keyAlgorithms.includes(keyAlgorithm))
          throw unmeetable(`The profile ${target.name} does not allow ${keyAlgorithm}.`)
        const order = {
          reason: 'operator',
          until: call.now + withinSeconds,
          newKey,
          keyAlgorithm,
          profile: toProfile,
          authorityId: toAuthority === null ? null : authorityId(toAuthority),
          campaignId: null,
        } as const
        return { body: credentialView(await orderRenewal(id, profile, order, call.actor, ports)), status: 201 }
      },
    }),
    endpoint({
      method: 'DELETE',
      path: '/devices/:id/renewal-orders/:profile',
      id: 'withdrawRenewalOrder',
      tag: 'Renewal',
      summary: 'Take an order back: the window is again the one that it was before',
      permission: 'device.write',
      scoped: true,
      params: { ...device, profile: nameText },
      answer: credentialSchema,
      async handle(call) {
        const { id } = await readDeviceFor(call.params.id, call, 'device.write', read)
        return { body: credentialView(await withdrawOrder(deviceId(id), call.params.profile, call.actor, ports)) }
      },
    }),
  ]
}

function unmeetable(message: string): TouchmarkError {
  return new TouchmarkError('renewal.order_unmeetable', 'conflict', message, {
    next: 'Look at what the profile allows: GET /api/v1/profiles/NAME.',
  })
}

/** PEM as it is; base64 of DER as DER. */
function octetsOf(text: string): Uint8Array {
  if (text.includes('-----BEGIN')) return toUtf8(text)
  try {
    return fromBase64(text.replaceAll(/\s+/g, ''))
  } catch {
    throw new InvalidRequest([{ in: 'body', path: 'signature', message: 'must be PEM, or base64 of DER' }])
  }
}
