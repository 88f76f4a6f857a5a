// Devices chosen the plain way: every one looked at. Random queries over a small fleet must come out the same from the store, in pages of
// whatever size.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Device, DeviceState } from '../../../src/domain/device/device.ts'
import type { DeviceHealth } from '../../../src/domain/device/device-health.ts'
import type { DeviceProperty, PropertyName } from '../../../src/domain/device/device-property.ts'
import type { DeviceQuery, SelectedDevice } from '../../../src/domain/device/device-query.ts'
import { authorityId } from '../../../src/domain/ids.ts'
import type { Store, Write } from '../../../src/domain/ports.ts'
import type { Credential } from '../../../src/domain/renewal/credential.ts'
import { aCredential, aHealth } from '../../support/field-fixtures.ts'
import { aBatch, aDevice, NOW, only } from '../../support/store-fixtures.ts'
import { allOf } from './field-contract.ts'

interface Known {
  readonly device: Device
  readonly properties: readonly DeviceProperty[]
  readonly credentials: readonly Credential[]
  readonly health: DeviceHealth | undefined
}

const STATES = ['manufactured', 'active', 'suspended'] as const
const BATCHES = [aBatch().id, aBatch().id]
const ALGORITHMS = ['P-256', 'P-384'] as const

/** So few values of each that conditions meet. */
function aFleet(): Known[] {
  return Array.from({ length: 48 }, (_, i) => {
    const device = aDevice({
      state: STATES[i % 3]!,
      model: `M${i % 2}`,
      batch: i % 5 === 0 ? null : BATCHES[i % 2]!,
      labels: i % 4 === 0 ? {} : { line: `L${i % 3}`, ...(i % 2 === 0 ? { hall: 'ä' } : {}) },
    })
    const property = (name: PropertyName, value: string): DeviceProperty => ({
      deviceId: device.id,
      name,
      value,
      personal: false,
      salt: null,
    })
    const credential = (profile: string, place: number) =>
      aCredential(device, {
        profile,
        authorityId: authorityId(`ca-${place % 2}`),
        keyAlgorithm: ALGORITHMS[place % 2]!,
        notAfter: NOW + (place % 6),
      })
    return {
      device,
      properties: [
        ...(i % 3 === 0 ? [] : [property('owner', `O${i % 2}`)]),
        ...(i % 7 === 0 ? [] : [property('site', `S${i % 3}`)]),
      ],
      credentials: [
        ...(i % 4 === 3 ? [] : [credential('ldevid', i)]),
        ...(i % 3 === 0 ? [credential('tls', i + 1), credential('mqtt', i)] : []),
      ],
      health:
        i % 3 === 1 ? undefined : aHealth(device, { at: NOW + (i % 8), firmware: i % 6 === 0 ? null : `1.${i % 2}` }),
    }
  })
}

const one = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const CONDITIONS = {
  states: fc.uniqueArray(one<DeviceState>('manufactured', 'active', 'suspended', 'retired'), { minLength: 1 }),
  model: one('M0', 'M1', 'none'),
  batch: one(...BATCHES),
  owner: one('O0', 'O1'),
  site: one('S0', 'S1'),
  labels: one<Record<string, string>>({ line: 'L1' }, { line: 'L2', hall: 'ä' }, { line: 'L1\0' }, {}),
  profile: one('ldevid', 'tls'),
  authority: one(authorityId('ca-0'), authorityId('ca-1')),
  keyAlgorithm: one(...ALGORITHMS),
  expiresBefore: one(NOW + 2, NOW + 5),
  firmware: one('1.0', '1.1'),
  seenAfter: one(NOW - 1, NOW + 3),
  notSeenAfter: one(NOW + 3, NOW + 6),
}
/** Of few conditions, so that each drives now and then and some devices are meant. */
const QUERY: fc.Arbitrary<DeviceQuery> = fc
  .subarray(Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[], { maxLength: 4 })
  .chain((names): fc.Arbitrary<DeviceQuery> => fc.record(pick(names)))

function pick(names: readonly (keyof typeof CONDITIONS)[]): Partial<typeof CONDITIONS> {
  return Object.fromEntries(names.map(name => [name, CONDITIONS[name]]))
}

/** Errors: an AssertionError that tells the query. */
export async function selectsLikeTheModel(store: Store, runs: number): Promise<void> {
  const fleet = aFleet()
  for (const { device, properties, credentials, health } of fleet) {
    const writes: Write[] = [
      { kind: 'device.insert', device },
      ...credentials.map((credential): Write => ({ kind: 'credential.put', credential, from: null })),
      ...(health === undefined ? [] : [{ kind: 'health.put', health, from: null } as const]),
      ...properties.map(({ deviceId, name, value, personal, salt }): Write => {
        return { kind: 'device.property', deviceId, name, from: null, to: { value, personal, salt } }
      }),
    ]
    await store.commit(only(...writes))
  }
  const check = async (query: DeviceQuery, limit: number) => {
    const selected = await allOf(limit, page => store.read.selectDevices(query, page))
    assert.deepEqual(selected.toSorted(inOrder), fleet.flatMap(known => meant(known, query)).toSorted(inOrder))
  }
  await fc.assert(fc.asyncProperty(QUERY, fc.integer({ min: 1, max: 20 }), check), { numRuns: runs })
}

const placeOf = ({ deviceId, credential }: SelectedDevice) => `${deviceId} ${credential?.profile ?? ''}`
const inOrder = (a: SelectedDevice, b: SelectedDevice) => (placeOf(a) < placeOf(b) ? -1 : 1)

/** What the query says of this device: nothing, one item, or one for each credential that it names. */
function meant({ device, properties, credentials, health }: Known, query: DeviceQuery): SelectedDevice[] {
  const has = (name: string, value: string | undefined) =>
    value === undefined || properties.some(property => property.name === name && property.value === value)
  const unlike = <T>(asked: T | undefined, value: T) => asked !== undefined && asked !== value
  if (query.states !== undefined && !query.states.includes(device.state)) return []
  if (unlike(query.model, device.model) || unlike(query.batch, device.batch ?? undefined)) return []
  if (!has('owner', query.owner) || !has('site', query.site)) return []
  if (Object.entries(query.labels ?? {}).some(([name, value]) => device.labels[name] !== value)) return []
  if (unlike(query.firmware, health?.firmware ?? undefined)) return []
  const seen = health === undefined ? Number.NEGATIVE_INFINITY : health.at
  if (query.seenAfter !== undefined && seen <= query.seenAfter) return []
  if (query.notSeenAfter !== undefined && seen > query.notSeenAfter) return []
  const item = { deviceId: device.id, state: device.state, credential: null, lastSeenAt: health?.at ?? null }
  const { profile, authority, keyAlgorithm, expiresBefore } = query
  if ([profile, authority, keyAlgorithm, expiresBefore].every(condition => condition === undefined)) return [item]
  return credentials
    .filter(
      credential =>
        !unlike(profile, credential.profile) &&
        !unlike(authority, credential.authorityId) &&
        !unlike(keyAlgorithm, credential.keyAlgorithm) &&
        (expiresBefore === undefined || credential.notAfter < expiresBefore),
    )
    .map(credential => ({
      ...item,
      credential: {
        profile: credential.profile,
        authorityId: credential.authorityId,
        keyAlgorithm: credential.keyAlgorithm,
        notAfter: credential.notAfter,
      },
    }))
}
