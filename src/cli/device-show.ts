// `touchmark device show`: everything that is known of one device.

import type { DeviceId } from '../domain/ids.ts'
import type { StoreReader } from '../domain/ports.ts'
import { act, type Command, command } from './command.ts'
import { deviceArgument, findDevice } from './find-device.ts'
import { facts, table, time, timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'
import {
  certificateView,
  credentialView,
  deviceView,
  healthView,
  holdingView,
  keyView,
  propertyView,
  statusText,
  transferView,
} from './views.ts'

export function showCommand(): Command {
  const show = deviceArgument(
    command({
      name: 'show',
      summary: 'Show a device: what is said of it, its keys, credentials, certificates, health, owners',
      examples: [
        ['device show SN-000042', 'A device by its serial number, its certificates newest first'],
        [
          'device show SN-000042 --json | jq -r .certificates[0].serialNumber',
          'The newest certificate, ready for touchmark revoke',
        ],
      ],
    }),
  )
  return act<{ readonly model?: string }>(show, ({ out, data, options }, serial) =>
    withStore(data, async ({ read }) => {
      const device = await findDevice(read, serial!, options.model)
      const known = await everythingOf(device.id, read)
      const { properties, keys, credentials, certificates, health, transfers, statements, suspension } = known
      const now = systemClock.now()
      const document = {
        device: deviceView(device),
        properties: properties.map(propertyView),
        keys: keys.map(({ key, holding }) => ({ ...keyView(key), holding: holding ? holdingView(holding) : null })),
        credentials: credentials.map(credentialView),
        certificates: certificates.map(record => certificateView(record, now)),
        health: health ? healthView(health) : null,
        suspendedFrom: suspension?.from ?? null,
        transfers: transfers.map(transferView),
        statements: statements.map(({ kind, sha256, at }) => ({ kind, sha256, at: timestamp(at) })),
      }
      out.result(document, () =>
        [
          facts([
            ['device', `${device.serialNumber}  (${device.model})`],
            ['state', `${device.state} since ${time(device.stateChangedAt)}`],
            ['registered', time(device.createdAt)],
            ...(device.batch ? [['batch', device.batch] as const] : []),
            ...properties.map(
              ({ name, value, personal }) => [name, personal ? `${value}  (personal)` : value] as const,
            ),
            ...(health
              ? [
                  ['last heard of', `${time(health.at)}, its clock ${skewText(health.clockSkewSeconds)}`] as const,
                  ...(health.firmware ? [['firmware', health.firmware] as const] : []),
                  ...(health.lastError ? [['last error', health.lastError] as const] : []),
                ]
              : []),
          ]),
          '',
          table(
            ['KEY', 'ALGORITHM', 'MADE BY', 'KEPT IN', 'STATE', 'SINCE'],
            keys.map(({ key, holding }) => [
              key.id.slice(0, 16),
              key.algorithm,
              key.origin,
              holding
                ? `${holding.place.replace('_', ' ')}, ${holding.protection} (${holding.attestation})`
                : 'not known',
              key.state,
              time(key.stateChangedAt),
            ]),
          ),
          ...section(
            table(
              ['CREDENTIAL', 'CERTIFICATE', 'RENEWS FROM', 'TO', 'ASKED FOR', 'FAILED'],
              credentials.map(each => [
                each.profile,
                each.serialNumber,
                time(each.windowStart),
                time(each.windowEnd),
                each.order?.reason ?? '',
                each.failures === 0 ? '' : `${each.failures}: ${each.lastFailure?.code ?? ''}`,
              ]),
            ),
            credentials,
          ),
          '',
          table(
            ['CERTIFICATE', 'PROFILE', 'ISSUER', 'NOT AFTER', 'KEY', 'STATUS'],
            certificates.map(record => [
              record.serialNumber,
              record.profile,
              record.authorityId,
              time(record.notAfter),
              record.keyId.slice(0, 16),
              statusText(record, now),
            ]),
          ),
          ...section(
            table(
              ['TRANSFER', 'FROM', 'TO', 'EFFECTIVE', 'STATE'],
              transfers.map(each => [each.id, each.from ?? '', each.to, time(each.effectiveAt), each.state]),
            ),
            transfers,
          ),
        ].join('\n'),
      )
    }),
  )
}

async function everythingOf(id: DeviceId, read: StoreReader) {
  const [properties, keys, credentials, certificates, health, transfers, statements, suspension] = await Promise.all([
    read.propertiesOfDevice(id),
    read.keysOfDevice(id),
    read.credentialsOfDevice(id),
    read.certificatesOfDevice(id),
    read.health(id),
    read.transfersOfDevice(id),
    read.statementsOfDevice(id),
    read.suspension(id),
  ])
  const held = await Promise.all(keys.map(async key => ({ key, holding: await read.keyHolding(key.id) })))
  return { properties, keys: held, credentials, certificates, health, transfers, statements, suspension }
}

/** A table of its own, where there is something in it. */
function section(text: string, rows: readonly unknown[]): string[] {
  return rows.length === 0 ? [] : ['', text]
}

function skewText(seconds: number): string {
  if (Math.abs(seconds) < 5) return 'is right'
  return `is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead'}`
}
