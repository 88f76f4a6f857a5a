// Which devices, on a command line: the same options for lists, saved groups and campaigns. Every one that is given must hold.
import { InvalidArgumentError } from 'commander'
import { isKeyAlgorithmName, keyAlgorithms } from '../crypto/algorithms.ts'
import { DEVICE_STATES, type DeviceState } from '../domain/device/device.ts'
import { narrowGroup, queryAt, readGroup, type StandingQuery } from '../domain/device/device-group.ts'
import type { DeviceQuery } from '../domain/device/device-query.ts'
import { authorityId, batchId, type UnixSeconds } from '../domain/ids.ts'
import type { StoreReader } from '../domain/ports.ts'
import { type Command, duration, usageError } from './command.ts'

export interface DeviceQueryOptions {
  readonly group?: string
  readonly state?: readonly DeviceState[]
  readonly model?: string
  readonly batch?: string
  readonly owner?: string
  readonly site?: string
  readonly label?: Readonly<Record<string, string>>
  readonly profile?: string
  readonly authority?: string
  readonly keyAlgorithm?: string
  readonly firmware?: string
  readonly expiresWithin?: number
  readonly seenWithin?: number
  readonly notSeenFor?: number
}

/** Adds the options of `DeviceQueryOptions` to a command. */
export function deviceQueryOptions(made: Command): Command {
  return made
    .option('-g, --group <name>', 'of this saved group')
    .option('--state <state>', `in this state; may be given again: ${DEVICE_STATES.join(', ')}`, addState)
    .option('-m, --model <model>', 'of this model')
    .option('-b, --batch <id>', 'of this batch')
    .option('--owner <name>', 'of this owner')
    .option('--site <name>', 'at this site')
    .option('--label <name=value>', 'with this label; may be given again', addLabel)
    .option('--profile <name>', 'with a credential of this profile')
    .option('--authority <id>', 'with a credential from this authority')
    .option('--key-algorithm <name>', 'with a credential over such a key')
    .option('--firmware <version>', 'that reported this firmware')
    .option('--expires-within <duration>', 'with a credential that expires within this time: 30d', duration)
    .option('--seen-within <duration>', 'that reported within this time: 1d', duration)
    .option('--not-seen-for <duration>', 'that has not reported for this time, or never: 30d', duration)
}

/** The query as it can be saved: without the group that it may refer to. Throws `usage.invalid`. */
export function standingQueryOf(options: DeviceQueryOptions): StandingQuery {
  const { keyAlgorithm } = options
  if (keyAlgorithm !== undefined && !isKeyAlgorithmName(keyAlgorithm)) {
    throw usageError(`"${keyAlgorithm}" is no key algorithm: ${keyAlgorithms.map(({ name }) => name).join(', ')}.`)
  }
  if (options.batch !== undefined && !/^[0-9a-f]{32}$/.test(options.batch)) {
    throw usageError('A batch is named by its id: 32 hexadecimal digits.')
  }
  const query = {
    states: options.state && [...options.state],
    model: options.model,
    batch: options.batch === undefined ? undefined : batchId(options.batch),
    owner: options.owner,
    site: options.site,
    labels: options.label && { ...options.label },
    profile: options.profile,
    authority: options.authority === undefined ? undefined : authorityId(options.authority),
    keyAlgorithm,
    firmware: options.firmware,
    expiresWithinSeconds: options.expiresWithin,
    seenWithinSeconds: options.seenWithin,
    notSeenForSeconds: options.notSeenFor,
  }
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as StandingQuery
}

/** What the options mean at `now`, with the saved group that they name. Throws `usage.invalid`, `group.not_found`, `group.condition_differs`. */
export async function deviceQueryOf(
  options: DeviceQueryOptions,
  now: UnixSeconds,
  read: Pick<StoreReader, 'document'>,
): Promise<DeviceQuery> {
  const own = standingQueryOf(options)
  if (options.group === undefined) return queryAt(own, now)
  return queryAt(narrowGroup((await readGroup(options.group, read)).query, own), now)
}

function addState(text: string, before: readonly DeviceState[] = []): DeviceState[] {
  const state = DEVICE_STATES.find(candidate => candidate === text)
  if (state === undefined) throw new InvalidArgumentError(`It is one of ${DEVICE_STATES.join(', ')}.`)
  return [...before, state]
}

export function addLabel(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, name, value] = /^([^=]{1,64})=(.{1,256})$/s.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Write it as NAME=VALUE.')
  return { ...before, [name]: value }
}
