// `touchmark renewal`: what is coming, who hangs and why, what the window of a device is and why; and to ask one device before its time. Needs
// no passphrase: a running server and the devices do the rest.
import { isKeyAlgorithmName, type KeyAlgorithmName } from '../crypto/algorithms.ts'
import type { Device } from '../domain/device/device.ts'
import { authorityId } from '../domain/ids.ts'
import type { StoreReader } from '../domain/ports.ts'
import type { Credential, RenewalReason } from '../domain/renewal/credential.ts'
import { HORIZON_PERIODS, type HorizonPeriod, type ProfileHorizon } from '../domain/renewal/expiry-horizon.ts'
import type { WindowExplanation } from '../domain/renewal/explain-window.ts'
import type { StuckDevice, StuckReason } from '../domain/renewal/stuck-devices.ts'
import { act, type Command, type Context, command, duration, group, positiveInteger, usageError } from './command.ts'
import { deviceArgument, findDevice } from './find-device.ts'
import { OPERATOR } from './operator.ts'
import { facts, table, time, timestamp } from './output.ts'
import { progressBar } from './progress.ts'
import { systemClock, withStore } from './store.ts'
import { storedProfile } from './stored-profile.ts'
import { credentialView, deviceView } from './views.ts'

export function renewalCommand(): Command {
  return group({
    name: 'renewal',
    summary: 'Renewal: what is coming, who hangs and why, and asking a device before its time',
    description:
      'Each certificate has a window in which its device renews, chosen when it was issued and spread so that a fleet that\n' +
      'was born in an hour does not renew in one. Who has not renewed when the window closed hangs: long before it expires.',
    examples: [
      ['renewal horizon', 'Certificates that end and renewals that begin, day by day'],
      ['renewal stuck', 'Devices that should have renewed, and what is known of why'],
      ['renewal show SN-000042', 'Its window, and why it lies there'],
      ['renewal order SN-000042 --new-key', 'Ask it to renew with a new key within seven days'],
    ],
  })
    .addCommand(horizonCommand())
    .addCommand(stuckCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(orderCommand())
    .addCommand(withdrawCommand())
}

interface HorizonOptions {
  readonly by: string
  readonly for: number
  readonly profile?: string
}

function horizonCommand(): Command {
  const horizon = command({
    name: 'horizon',
    summary: 'How many certificates end, and how many renewals begin, by day or week',
    description:
      'Read from counters, so that it costs the same for ten devices and for ten million. A certificate that is renewed\n' +
      'leaves the day on which it would have ended: what stands in the next days has not renewed yet.',
    examples: [
      ['renewal horizon', 'The next 30 days'],
      ['renewal horizon --by week --for 365d --profile ldevid', 'A year of one profile'],
    ],
  })
    .option('--by <period>', 'day or week', 'day')
    .option('--for <duration>', 'how far to look', duration, 30 * HORIZON_PERIODS.day)
    .option('-p, --profile <name>', 'this profile only')
  return act<HorizonOptions>(horizon, ({ out, data, options }) => {
    const by = options.by
    if (!isPeriod(by)) throw usageError('--by is day or week.')
    return withStore(data, async ({ read }) => {
      const { expiryHorizon } = await import('../domain/renewal/expiry-horizon.ts')
      const profiles = options.profile === undefined ? await renewedProfiles(read) : [options.profile]
      if (options.profile !== undefined) await storedProfile(read, options.profile)
      const now = systemClock.now()
      const horizons = await expiryHorizon({ profiles, now, seconds: options.for, by }, read)
      out.result(
        {
          by,
          profiles: horizons.map(({ rows, ...sums }) => ({
            ...sums,
            rows: rows.map(({ start, ...row }) => ({ start: timestamp(start), ...row })),
          })),
        },
        () => horizons.map(each => horizonText(each, by)).join('\n\n'),
      )
    })
  })
}

function isPeriod(text: string): text is HorizonPeriod {
  return Object.hasOwn(HORIZON_PERIODS, text)
}

/** Profiles of devices whose certificates end. */
async function renewedProfiles(read: StoreReader): Promise<string[]> {
  const names = (await read.documents('profile')).map(({ name }) => name)
  const profiles = await Promise.all(names.map(name => storedProfile(read, name)))
  return profiles.filter(each => each.holder === 'device' && each.lifetimeSeconds !== null).map(({ name }) => name)
}

function horizonText({ profile, rows, expired, begun, live }: ProfileHorizon, by: HorizonPeriod): string {
  const head = facts([
    ['profile', profile],
    ['live', String(live)],
    ['window began before today', String(begun)],
    ['expired, not renewed', String(expired)],
  ])
  if (rows.length === 0) return `${head}\nNothing ends and nothing begins in this time.`
  const day = (at: number) => time(at).slice(0, 10)
  const lines = rows.map(({ start, expiring, renewing }) => [day(start), String(expiring), String(renewing)])
  return `${head}\n\n${table([by.toUpperCase(), 'ENDING', 'TO RENEW'], lines)}`
}

interface StuckOptions {
  readonly limit: number
  readonly profile?: string
}

const STUCK_WORDS: Readonly<Record<StuckReason, string>> = {
  device_not_active: 'the device is not active',
  refused: 'its attempts are refused',
  order_not_followed: 'it has not followed its order',
  never_seen: 'never seen with this certificate',
  silent: 'it has not tried',
}

function stuckCommand(): Command {
  const stuck = command({
    name: 'stuck',
    summary: 'Devices that should have renewed and have not, with the reason',
    description:
      'In the order in which their windows closed. "refused" comes with the code of the last refusal: what the device was\n' +
      'told, and what touchmark rule explain says of such a request.',
    examples: [
      ['renewal stuck', 'The first hundred'],
      ['renewal stuck --limit 100000 --json', 'All of them, one document'],
    ],
  })
    .option('-n, --limit <number>', 'at most so many', positiveInteger, 100)
    .option('-p, --profile <name>', 'this profile only')
  return act<StuckOptions>(stuck, ({ out, data, options, signal }) =>
    withStore(data, async ({ read }) => {
      const { stuckDevices, MAX_STUCK_PAGE } = await import('../domain/renewal/stuck-devices.ts')
      const now = systemClock.now()
      const found: StuckDevice[] = []
      const bar = progressBar(out, 'devices')
      let after: string | undefined
      do {
        const limit = Math.min(MAX_STUCK_PAGE, options.profile ? MAX_STUCK_PAGE : options.limit - found.length)
        const page = await stuckDevices(now, { limit, ...(after === undefined ? {} : { after }) }, read)
        found.push(...page.items.filter(each => [undefined, each.credential.profile].includes(options.profile)))
        after = page.next ?? undefined
        bar.update(Math.min(found.length, options.limit), options.limit)
      } while (after !== undefined && found.length < options.limit && !signal.aborted)
      bar.stop()
      const shown = found.slice(0, options.limit)
      const more = after !== undefined || found.length > shown.length
      out.result({ devices: shown.map(stuckView), more }, () => stuckText(shown, more, now))
    }),
  )
}

function stuckView({ device, credential, reason, expired, lastReportAt, lastReportedError }: StuckDevice) {
  return {
    device: deviceView(device),
    reason,
    expired,
    lastReportAt: lastReportAt === null ? null : timestamp(lastReportAt),
    lastReportedError,
    credential: credentialView(credential),
  }
}

function stuckText(stuck: readonly StuckDevice[], more: boolean, now: number): string {
  if (stuck.length === 0) return 'Nobody hangs: everyone whose window has closed has renewed.'
  const rows = stuck.map(({ device, credential, reason, expired }) => [
    device.serialNumber,
    device.model,
    credential.profile,
    expired ? `expired ${days(now - credential.notAfter)} ago` : `${days(credential.notAfter - now)} left`,
    reason === 'device_not_active' ? `the device is ${device.state}` : STUCK_WORDS[reason],
    credential.lastFailure === null ? '' : `${credential.lastFailure.code} (${credential.failures})`,
  ])
  const text = table(['DEVICE', 'MODEL', 'PROFILE', 'CERTIFICATE', 'REASON', 'LAST REFUSAL'], rows)
  return more ? `${text}\nThere are more: --limit` : text
}

interface ListOptions {
  readonly within: number
  readonly limit: number
  readonly profile?: string
}

function listCommand(): Command {
  const list = command({
    name: 'list',
    summary: 'What expires soon, in order, with its window',
    examples: [
      ['renewal list', 'What expires within 30 days'],
      ['renewal list --within 7d --profile ldevid --json', 'The next week, as JSON'],
    ],
  })
    .option('--within <duration>', 'how far to look', duration, 30 * HORIZON_PERIODS.day)
    .option('-n, --limit <number>', 'at most so many', positiveInteger, 100)
    .option('-p, --profile <name>', 'this profile only')
  return act<ListOptions>(list, ({ out, data, options, signal }) =>
    withStore(data, async ({ read }) => {
      const now = systemClock.now()
      const range = { from: now, until: now + options.within }
      const found: Credential[] = []
      let after: string | undefined
      do {
        const page = await read.credentialsExpiring(range, { limit: 500, ...(after === undefined ? {} : { after }) })
        found.push(...page.items.filter(({ profile }) => [undefined, profile].includes(options.profile)))
        after = page.next ?? undefined
      } while (after !== undefined && found.length < options.limit && !signal.aborted)
      const shown = found.slice(0, options.limit)
      const devices = await Promise.all(shown.map(({ deviceId }) => read.device(deviceId)))
      const more = after !== undefined || found.length > shown.length
      const credentials = shown.map((each, i) => ({ device: deviceName(devices[i]), ...credentialView(each) }))
      out.result({ credentials, more }, () => {
        if (shown.length === 0) return 'Nothing expires in this time.'
        const rows = shown.map((each, i) => [
          devices[i]?.serialNumber ?? each.deviceId,
          each.profile,
          time(each.notAfter),
          `${time(each.windowStart)} +${days(each.windowEnd - each.windowStart + 1)}`,
          each.order?.reason ?? 'scheduled',
        ])
        const text = table(['DEVICE', 'PROFILE', 'EXPIRES', 'WINDOW', 'REASON'], rows)
        return more ? `${text}\nThere are more: --limit` : text
      })
    }),
  )
}

const deviceName = (device: Device | undefined) =>
  device === undefined ? null : { serialNumber: device.serialNumber, model: device.model }

interface DeviceOptions {
  readonly model?: string
  readonly profile: string
}

function showCommand(): Command {
  const show = deviceArgument(
    command({
      name: 'show',
      summary: 'What a device is to renew, when, and why then',
      examples: [['renewal show SN-000042', 'Every certificate that it renews']],
    }),
  )
  return act<Pick<DeviceOptions, 'model'>>(show, ({ out, data, options }, serial) =>
    withStore(data, async ({ read }) => {
      const [{ explainWindow }, { renewalInfo }] = await Promise.all([
        import('../domain/renewal/explain-window.ts'),
        import('../domain/renewal/renewal-info.ts'),
      ])
      const device = await findDevice(read, serial!, options.model)
      const now = systemClock.now()
      const held = await Promise.all(
        (await read.credentialsOfDevice(device.id)).map(async credential => {
          const { renewal: policy, keyAlgorithms } = await storedProfile(read, credential.profile)
          return {
            credential,
            why: explainWindow(credential, policy, now),
            told: renewalInfo(credential, policy, now, keyAlgorithms),
          }
        }),
      )
      const credentials = held.map(({ credential, why, told }) => ({
        ...credentialView(credential),
        standing: why.standing,
        opensAt: timestamp(why.opensAt),
        movedBySeconds: why.movedBy,
        told: {
          suggestedWindow: { start: timestamp(told.suggestedWindow.start), end: timestamp(told.suggestedWindow.end) },
          reason: told.reason,
          retryAfterSeconds: told.retryAfterSeconds,
        },
      }))
      out.result({ device: deviceView(device), credentials }, () =>
        held.length === 0
          ? `${device.serialNumber} has no certificate that is to be renewed.`
          : held.map(({ credential, why, told }) => showText(credential, why, told.reason)).join('\n\n'),
      )
    }),
  )
}

function showText(credential: Credential, why: WindowExplanation, reason: RenewalReason): string {
  const { previous, order, lastFailure, failures } = credential
  return facts([
    ['profile', credential.profile],
    ['certificate', `${credential.serialNumber} of ${credential.authorityId}, ${credential.keyAlgorithm}`],
    ['valid', `${time(credential.notBefore)} – ${time(credential.notAfter)}`],
    ['window', `${time(credential.windowStart)} – ${time(credential.windowEnd)} (${why.standing})`],
    ['why', whyText(why, reason)],
    ['seen in use', credential.seenAt === null ? 'not yet' : time(credential.seenAt)],
    ...(previous === null ? [] : [['before it', previousText(credential)] as const]),
    ...(order === null ? [] : [['order', orderText(order)] as const]),
    ...(lastFailure === null
      ? []
      : [['refused', `${failures}, last ${time(lastFailure.at)}: ${lastFailure.code}`] as const]),
  ])
}

function whyText(why: WindowExplanation, reason: RenewalReason): string {
  if (reason !== 'scheduled') return `asked for: ${reason.replaceAll('_', ' ')}`
  const opening = `the policy has it at ${time(why.opensAt)}`
  if (why.movedBy === 0) return opening
  return `${opening}; that was full, so it lies ${days(Math.abs(why.movedBy))} ${why.movedBy < 0 ? 'earlier' : 'later'}`
}

function previousText({ previous, retireAt }: Credential): string {
  const end = retireAt === null ? 'not revoked by us' : `good until this one is seen, or ${time(retireAt)}`
  return `${previous!.serialNumber} of ${previous!.authorityId}, ${end}`
}

function orderText(order: NonNullable<Credential['order']>): string {
  const wishes = [
    order.newKey ? 'a new key' : '',
    order.keyAlgorithm ?? '',
    order.profile === null ? '' : `profile ${order.profile}`,
    order.authorityId === null ? '' : `authority ${order.authorityId}`,
  ].filter(wish => wish !== '')
  return `${order.reason}, until ${time(order.until)}${wishes.length === 0 ? '' : `: ${wishes.join(', ')}`}`
}

interface OrderOptions extends DeviceOptions {
  readonly newKey?: boolean
  readonly keyAlgorithm?: string
  readonly toProfile?: string
  readonly toAuthority?: string
  readonly within?: number
}

function orderCommand(): Command {
  const order = deviceArgument(
    command({
      name: 'order',
      summary: 'Ask a device to renew before its time',
      description:
        'The device hears of it when it next asks or reports. What the order wishes is held against its request: a renewal\n' +
        'that ignores it is refused. For many devices: touchmark campaign.',
      examples: [
        ['renewal order SN-000042', 'Renew within seven days'],
        ['renewal order SN-000042 --new-key --within 1d', 'With a new key, within a day'],
        ['renewal order SN-000042 --key-algorithm P-384', 'With a key of another algorithm'],
        ['renewal order SN-000042 --to-profile ldevid-2', 'Under another profile; a rule must allow that renewal'],
      ],
    }),
  )
    .option('-p, --profile <name>', 'which of its certificates', 'ldevid')
    .option('--new-key', 'with a new key')
    .option('--key-algorithm <name>', 'with a key of this algorithm')
    .option('--to-profile <name>', 'under this profile')
    .option('--to-authority <id>', 'by this authority, which the profile must name')
    .option('--within <duration>', 'how long it has', duration)
  return act<OrderOptions>(order, (context, serial) => giveOrder(context, serial!))
}

function giveOrder({ out, data, options }: Context<OrderOptions>, serial: string): Promise<void> {
  const keyAlgorithm = options.keyAlgorithm === undefined ? null : algorithmNamed(options.keyAlgorithm)
  return withStore(data, async store => {
    const { DEFAULT_ORDER_SECONDS, orderRenewal } = await import('../domain/renewal/order-renewal.ts')
    const device = await findDevice(store.read, serial, options.model)
    await checkWishes(store.read, options, keyAlgorithm)
    const credential = await orderRenewal(
      device.id,
      options.profile,
      {
        reason: 'operator',
        until: systemClock.now() + (options.within ?? DEFAULT_ORDER_SECONDS),
        newKey: options.newKey === true,
        keyAlgorithm,
        profile: options.toProfile ?? null,
        authorityId: options.toAuthority === undefined ? null : authorityId(options.toAuthority),
        campaignId: null,
      },
      OPERATOR,
      { store, clock: systemClock },
    )
    out.result({ device: deviceView(device), credential: credentialView(credential) }, () =>
      facts([
        ['device', `${device.serialNumber} (${device.model})`],
        ['order', orderText(credential.order!)],
      ]),
    )
  })
}

/** What no renewal could fulfil is said now. Throws `profile.not_found`. */
async function checkWishes(
  read: StoreReader,
  options: OrderOptions,
  keyAlgorithm: KeyAlgorithmName | null,
): Promise<void> {
  const target = await storedProfile(read, options.toProfile ?? options.profile)
  if (target.holder !== 'device') throw usageError(`The profile ${target.name} is not for devices.`)
  if (keyAlgorithm !== null && !target.keyAlgorithms.includes(keyAlgorithm)) {
    throw usageError(`The profile ${target.name} does not allow ${keyAlgorithm}.`, 'touchmark profile show NAME')
  }
}

function algorithmNamed(text: string): KeyAlgorithmName {
  if (isKeyAlgorithmName(text)) return text
  throw usageError(`${text} is no key algorithm.`)
}

function withdrawCommand(): Command {
  const withdraw = deviceArgument(
    command({
      name: 'withdraw',
      summary: 'Take an order back: its window is again the one that it had before',
      examples: [['renewal withdraw SN-000042', 'As if it had not been asked']],
    }),
  ).option('-p, --profile <name>', 'which of its certificates', 'ldevid')
  return act<DeviceOptions>(withdraw, ({ out, data, options }, serial) =>
    withStore(data, async store => {
      const { withdrawOrder } = await import('../domain/renewal/order-renewal.ts')
      const device = await findDevice(store.read, serial!, options.model)
      const ports = { store, clock: systemClock }
      const credential = await withdrawOrder(device.id, options.profile, OPERATOR, ports)
      out.result({ device: deviceView(device), credential: credentialView(credential) }, () =>
        facts([
          ['device', `${device.serialNumber} (${device.model})`],
          ['window', `${time(credential.windowStart)} – ${time(credential.windowEnd)}`],
        ]),
      )
    }),
  )
}

/** A length of time in the largest unit that says something. */
function days(seconds: number): string {
  if (seconds >= HORIZON_PERIODS.day) return `${Math.floor(seconds / HORIZON_PERIODS.day)} d`
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)} h` : `${Math.max(0, Math.floor(seconds / 60))} min`
}
