// A fleet in the field, as a store has it after years: the million of birth certificates, and over them states, sites, owners, credentials that
// end day by day, and what the devices last said. What the factory did is done the factory's way; the rest is written as rows.

import { toHex } from '../../src/core/bytes/hex.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import type { DeviceState } from '../../src/domain/device/device.ts'
import { authorityId, keyId, serialNumber } from '../../src/domain/ids.ts'
import type { Store, Write } from '../../src/domain/ports.ts'
import { say } from './figure.ts'
import { openBenchInstance } from './instance.ts'
import { DEVICES, fillMillion } from './million.ts'

const DAY = 86_400
const CHUNK = 500
const SITES = ['Hamburg', 'Porto', 'Gdansk', 'Lyon', 'Turin', 'Malmo', 'Ghent', 'Brno', 'Graz', 'Bilbao', 'Split']
const OWNERS = ['Stadtwerke Nord', 'Acme Retail', 'Vento Energia', 'Rail Gdansk', 'Helvetia Water']
const FIRMWARE = ['3.9.1', '4.0.0', '4.0.2', '4.1.0']

/** Of twenty devices: most are at work, some on the way, few at their end. */
const STATES: readonly DeviceState[] = [
  ...Array.from({ length: 15 }, () => 'active' as const),
  'shipped',
  'shipped',
  'manufactured',
  'suspended',
  'retired',
]

/** Makes it in a data folder that `init` made; with `lines` only those of the million. */
export async function fillFleet(path: string, lines?: Iterable<number>): Promise<void> {
  await fillMillion(path, lines)
  await using instance = await openBenchInstance(path)
  await spread(instance.store, instance.clock.now())
}

async function spread(store: Store, now: number): Promise<void> {
  let after: string | undefined
  for (let done = 0; ; ) {
    const page = await store.read.devices({ limit: CHUNK, ...(after === undefined ? {} : { after }) })
    const writes = page.items.flatMap(({ id, state: from }, i): Write[] => {
      const n = done + i
      const state = STATES[n % STATES.length]!
      const property = (name: 'site' | 'owner', value: string): Write => ({
        kind: 'device.property',
        deviceId: id,
        name,
        from: null,
        to: { value, personal: false, salt: null },
      })
      const made: Write[] = [property('site', SITES[n % SITES.length]!), property('owner', OWNERS[n % OWNERS.length]!)]
      if (state !== from) made.push({ kind: 'device.state', id, from, to: state, at: now - (n % 700) * DAY })
      if (state !== 'active' && state !== 'suspended') return made
      const notAfter = now + (1 + (n % 390)) * DAY
      made.push(
        {
          kind: 'credential.put',
          from: null,
          credential: {
            deviceId: id,
            profile: 'ldevid',
            authorityId: authorityId('ldevid-1'),
            serialNumber: serialNumber(toHex(systemRandom.bytes(16))),
            keyId: keyId(systemRandom.bytes(32)),
            keyAlgorithm: 'P-256',
            notBefore: notAfter - 397 * DAY,
            notAfter,
            windowStart: notAfter - 130 * DAY,
            windowEnd: notAfter - 120 * DAY,
            seenAt: now - DAY,
            previous: null,
            retireAt: null,
            order: null,
            failures: 0,
            lastFailure: null,
            revision: 1,
          },
        },
        {
          kind: 'health.put',
          from: null,
          health: {
            deviceId: id,
            at: now - (n % 86_400),
            sequence: 1,
            clockSkewSeconds: 0,
            firmware: FIRMWARE[n % FIRMWARE.length]!,
            configuration: null,
            agentVersion: null,
            lastError: null,
          },
        },
      )
      return made
    })
    await store.commit({ writes, audit: [] })
    done += page.items.length
    if (done % 50_000 === 0) say(`${done} of ${DEVICES} devices spread over the field`)
    if (page.next === null) return
    after = page.next
  }
}
