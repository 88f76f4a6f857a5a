// `touchmark campaign`: move many devices to another key, algorithm, profile or authority, in waves. Needs no passphrase: a command writes
// down what shall be, and a running server asks the devices.
import { type KeyAlgorithmName, keyAlgorithms } from '../crypto/algorithms.ts'
import { systemRandom } from '../crypto/random.ts'
import { type BlastRadius, blastRadius } from '../domain/campaign/blast-radius.ts'
import type { Campaign } from '../domain/campaign/campaign.ts'
import {
  type ControlPorts,
  cancelCampaign,
  findCampaign,
  pauseCampaign,
  resumeCampaign,
  rollBackCampaign,
  startCampaign,
} from '../domain/campaign/control-campaign.ts'
import {
  type CampaignDefinition,
  type CampaignDefinitionInput,
  campaignJsonSchema,
  parseCampaignDefinition,
} from '../domain/campaign/definition.ts'
import { planCampaign } from '../domain/campaign/plan-campaign.ts'
import {
  compromisedBatch,
  compromisedDevice,
  endedAlgorithm,
  type Playbook,
  replacedAuthority,
} from '../domain/campaign/playbooks.ts'
import {
  type CampaignProgress,
  campaignProgress,
  type HangingDevice,
  namedDevices,
} from '../domain/campaign/progress.ts'
import { authorityId, batchId, type UnixSeconds } from '../domain/ids.ts'
import type { Store } from '../domain/ports.ts'
import { act, type Command, type Context, command, duration, group, positiveInteger, usageError } from './command.ts'
import { type DeviceQueryOptions, deviceQueryOf, deviceQueryOptions } from './device-query-options.ts'
import { readJsonFile } from './documents.ts'
import { keylessAuthorities } from './keyless-authorities.ts'
import { OPERATOR } from './operator.ts'
import { facts, table, time, timestamp } from './output.ts'
import { progressBar } from './progress.ts'
import { systemClock, withStore } from './store.ts'

export function campaignCommand(): Command {
  return group({
    name: 'campaign',
    summary: 'Move many devices to another key, algorithm, profile or authority, in waves',
    description:
      'A campaign asks each of its devices to renew before the time, and says what shall be true afterwards. The first\n' +
      'wave is small (the canary); the next one begins when the one before is judged; too many failures stop it.',
    examples: [
      ['campaign preview --model gateway-7 --key-algorithm P-256', 'Who it would be, before anything is done'],
      ['campaign create to-p384 --model gateway-7 --to-algorithm P-384', 'Write it down; nothing happens yet'],
      ['campaign start to-p384', 'A running server asks the canary'],
      ['campaign show to-p384 --watch', 'Progress, and the devices that hang, with the reason'],
      ['campaign playbook authority ldevid-1 --to ldevid-2', 'What to do when an issuing CA is to be replaced'],
    ],
  })
    .addCommand(previewCommand())
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(devicesCommand())
    .addCommand(controlCommand('start', 'Begin: a running server asks the canary', startCampaign))
    .addCommand(controlCommand('pause', 'Ask nobody more for now; who was asked may still renew', pauseCampaign))
    .addCommand(resumeCommand())
    .addCommand(controlCommand('cancel', 'End it, and withdraw what was asked and not done yet', cancelCampaign))
    .addCommand(rollBackCommand())
    .addCommand(playbookCommand())
    .addCommand(schemaCommand())
}

function previewCommand(): Command {
  const preview = deviceQueryOptions(
    command({
      name: 'preview',
      summary: 'Count whom a query means: states, authorities, contact, and until when they are believed offline',
      examples: [['campaign preview --batch 6745ab0112cd34ef5678ab9012cd34ef', 'The blast radius of a batch']],
    }),
  )
  return act<DeviceQueryOptions>(preview, ({ out, data, options }) =>
    withStore(data, async store => {
      const now = systemClock.now()
      const radius = await watchedRadius(await deviceQueryOf(options, now, store.read), now, store, out)
      out.result(radiusView(radius), () => radiusText(radius))
    }),
  )
}

interface CreateOptions extends DeviceQueryOptions {
  readonly file?: string
  readonly newKey?: boolean
  readonly toAlgorithm?: string
  readonly toProfile?: string
  readonly toAuthority?: string
  readonly canary?: string
  readonly waveSize?: number
  readonly patience?: number
  readonly perHour?: number
  readonly quiet?: string
  readonly stopAt?: string
}

function createCommand(): Command {
  const create = deviceQueryOptions(
    command({
      name: 'create',
      summary: 'Write a campaign down, with its devices; nothing is asked until it is started',
      description:
        'Whom: the query options, all of which must hold. What: at least one of --new-key, --to-algorithm, --to-profile and\n' +
        '--to-authority. How fast: the options below, or all of it as JSON with --file (see: touchmark campaign schema).',
      examples: [
        ['campaign create rekey-7 --model gateway-7 --new-key --canary 20 --wave-size 5000', 'New keys, in waves'],
        ['campaign create night --group berlin --new-key --per-hour 2000 --quiet 06:00-22:00', 'By night only (UTC)'],
      ],
    }).argument('<name>', 'small letters, digits, - and .'),
  )
    .option('--file <file>', 'the whole definition as JSON; - reads standard input')
    .option('--new-key', 'each device makes a new key')
    .option('--to-algorithm <algorithm>', `each device makes a key of this algorithm: ${algorithmNames().join(', ')}`)
    .option('--to-profile <profile>', 'each device moves to this profile')
    .option('--to-authority <id>', 'each certificate comes from this authority afterwards')
    .option('--canary <number>', 'devices of the first wave (default 10)')
    .option('--wave-size <number>', 'devices of each later wave (default 1000)', positiveInteger)
    .option('--patience <duration>', 'a device that has not followed by then counts as failed (default 1d)', duration)
    .option('--per-hour <number>', 'devices asked in an hour, at most', positiveInteger)
    .option('--quiet <from-until>', 'ask nobody between these times of the day, UTC: 06:00-22:00')
    .option('--stop-at <percent>', 'pause where more of a wave fails (default 5)')
  return act<CreateOptions>(create, ({ out, data, options }, name) =>
    withStore(data, async store => {
      const now = systemClock.now()
      const definition = await definitionOf(name!, options, now, store)
      const bar = progressBar(out, 'devices')
      const radius = await watchedRadius(definition.query, now, store, out)
      const progress = (devices: number) => bar.update(devices, radius.devices)
      const campaign = await planCampaign(definition, OPERATOR, { ...ports(store), progress })
      bar.stop()
      out.result({ campaign: campaignView(campaign), preview: radiusView(radius) }, () =>
        [
          `${campaign.name} is planned: ${count(campaign.devices, 'device')} in ${count(campaign.waves, 'wave')}.`,
          '',
          radiusText(radius),
        ].join('\n'),
      )
      out.note(`Begin with: touchmark campaign start ${campaign.name}`)
    }),
  )
}

async function definitionOf(
  name: string,
  options: CreateOptions,
  now: UnixSeconds,
  store: Store,
): Promise<CampaignDefinition> {
  if (options.file !== undefined) {
    const json = await readJsonFile(options.file)
    return parseCampaignDefinition({ name, ...(json as object) })
  }
  const { profile, ...devices } = await deviceQueryOf(options, now, store.read)
  return parseCampaignDefinition({
    name,
    devices,
    target: {
      ...(profile === undefined ? {} : { profile }),
      newKey: options.newKey === true,
      keyAlgorithm: options.toAlgorithm ?? null,
      newProfile: options.toProfile ?? null,
      authority: options.toAuthority ?? null,
    },
    pace: defined({
      canary: options.canary === undefined ? undefined : wholeNumber(options.canary, '--canary'),
      waveSize: options.waveSize,
      patienceSeconds: options.patience,
      perHour: options.perHour,
      quiet: options.quiet === undefined ? undefined : quietHours(options.quiet),
      stopAtFailureShare: options.stopAt === undefined ? undefined : share(options.stopAt),
    }),
  })
}

function listCommand(): Command {
  const list = command({ name: 'list', summary: 'List the campaigns, newest first' })
  return act(list, ({ out, data }) =>
    withStore(data, async store => {
      const { items } = await store.read.campaigns({ limit: 100 })
      out.result({ campaigns: items.map(campaignView) }, () =>
        items.length === 0
          ? 'There are none. See: touchmark campaign --help'
          : table(
              ['NAME', 'STATE', 'DEVICES', 'WAVE', 'CREATED'],
              items.map(({ name, state, devices, wave, waves, createdAt }) => [
                name,
                words(state),
                String(devices),
                `${wave + 1} of ${waves}`,
                time(createdAt),
              ]),
            ),
      )
    }),
  )
}

interface ShowOptions {
  readonly watch?: boolean
}

const WATCH_MS = 1000

function showCommand(): Command {
  const show = command({
    name: 'show',
    summary: 'Show where a campaign stands, which devices hang, and why',
    examples: [['campaign show to-p384 --watch --json', 'One JSON document a second, until it ends']],
  })
    .argument('<name>', 'from touchmark campaign list')
    .option('-w, --watch', 'again every second, until it ends')
  return act<ShowOptions>(show, ({ out, data, options, signal }, name) =>
    withStore(data, async store => {
      for (;;) {
        const progress = await campaignProgress(await findCampaign(name!, { store }), systemClock.now(), { store })
        out.result(progressView(progress), () => progressText(progress))
        if (!options.watch || signal.aborted || hasEnded(progress.campaign)) return
        await new Promise(resolve => setTimeout(resolve, WATCH_MS))
      }
    }),
  )
}

interface DevicesOptions {
  readonly state: string
}

const DEVICE_STATES = ['planned', 'asked', 'done', 'failed', 'skipped', 'going_back', 'back'] as const
const DEVICES_PAGE = 500

function devicesCommand(): Command {
  const devices = command({
    name: 'devices',
    summary: 'List every device of a campaign that is in one state',
    description: 'With --json one document a line, so that a script may act on each.',
    examples: [['campaign devices rekey-7 --state failed --json | jq -r .serialNumber', 'Who has not followed']],
  })
    .argument('<name>', 'from touchmark campaign list')
    .option('--state <state>', `one of: ${DEVICE_STATES.join(', ')}`, 'failed')
  return act<DevicesOptions>(devices, ({ out, data, options, signal }, name) =>
    withStore(data, async store => {
      const state = DEVICE_STATES.find(each => each === options.state)
      if (state === undefined)
        throw usageError(`There is no state ${options.state}.`, `There are: ${DEVICE_STATES.join(', ')}.`)
      const campaign = await findCampaign(name!, { store })
      let after: string | undefined
      do {
        const page = await store.read.campaignDevices(
          campaign.id,
          { state },
          { limit: DEVICES_PAGE, ...(after === undefined ? {} : { after }) },
        )
        for (const device of await namedDevices(campaign, page.items, { store })) {
          const { serialNumber, model, reason, stateChangedAt } = device
          out.result({ ...device, stateChangedAt: timestamp(stateChangedAt) }, () =>
            [serialNumber, model, time(stateChangedAt), reason].join('  '),
          )
        }
        after = page.next ?? undefined
      } while (after !== undefined && !signal.aborted)
    }),
  )
}

function controlCommand(
  name: string,
  summary: string,
  move: (name: string, actor: typeof OPERATOR, ports: ControlPorts) => Promise<Campaign>,
): Command {
  const control = command({ name, summary }).argument('<name>', 'from touchmark campaign list')
  return act(control, ({ out, data }, campaign) =>
    withStore(data, async store => told(await move(campaign!, OPERATOR, ports(store)), out)),
  )
}

interface ResumeOptions {
  readonly stopAt?: string
}

function resumeCommand(): Command {
  const resume = command({
    name: 'resume',
    summary: 'Go on after a pause',
    description: 'Where too many of the wave failed it would pause again at once: --stop-at says how many may.',
  })
    .argument('<name>', 'from touchmark campaign list')
    .option('--stop-at <percent>', 'from now on, pause where more of a wave fails')
  return act<ResumeOptions>(resume, ({ out, data, options }, name) =>
    withStore(data, async store => {
      const tolerated = options.stopAt === undefined ? undefined : share(options.stopAt)
      told(await resumeCampaign(name!, OPERATOR, ports(store), tolerated), out)
    }),
  )
}

function rollBackCommand(): Command {
  const rollBack = command({
    name: 'roll-back',
    summary: 'Ask who followed to go back to the profile, algorithm and authority that it had',
  }).argument('<name>', 'from touchmark campaign list')
  return act(rollBack, ({ out, data }, name) =>
    withStore(data, async store => told(await rollBackCampaign(name!, OPERATOR, ports(store)), out)),
  )
}

interface PlaybookOptions {
  readonly name?: string
  readonly profile: string
  readonly to?: string
  readonly compromised?: boolean
  readonly plan?: boolean
}

function playbookCommand(): Command {
  const playbook = command({
    name: 'playbook',
    summary: 'What to do, and whom it meets, when something is no longer to be trusted',
    description:
      'Shows the blast radius and the steps in order; with --plan it writes the campaign down. Kinds:\n' +
      '  device SERIAL        a device is compromised\n' +
      '  batch ID             the keys of a batch may be known\n' +
      '  authority ID --to    an issuing CA is replaced (--compromised: because its key is known)\n' +
      '  algorithm NAME --to  a key algorithm is past its date',
    examples: [
      ['campaign playbook authority ldevid-1 --to ldevid-2 --compromised', 'First look'],
      ['campaign playbook algorithm RSA-2048 --to P-256 --plan --name off-rsa', 'Then the campaign'],
    ],
  })
    .argument('<kind>', 'device, batch, authority or algorithm')
    .argument('<what>', 'serial number, batch id, authority id or algorithm')
    .option('--to <what>', 'the authority or algorithm that takes over')
    .option('--compromised', 'the key of the authority is known to others')
    .option('-p, --profile <name>', 'whose credentials', 'ldevid')
    .option('--name <name>', 'what the campaign is called')
    .option('--plan', 'write the campaign down')
  return act<PlaybookOptions>(playbook, ({ out, data, options }, kind, what) =>
    withStore(data, async store => {
      const now = systemClock.now()
      const book = playbookOf(kind!, what!, options)
      const definition = book.campaign && parseCampaignDefinition(book.campaign)
      const radius = definition && (await watchedRadius(definition.query, now, store, out))
      const planned = definition && options.plan ? await planCampaign(definition, OPERATOR, ports(store)) : null
      const view = {
        title: book.title,
        preview: radius && radiusView(radius),
        campaign: planned && campaignView(planned),
        steps: book.steps,
      }
      out.result(view, () =>
        [
          out.style('bold', book.title),
          ...(radius ? ['', radiusText(radius)] : []),
          ...(planned ? ['', `${planned.name} is planned: ${count(planned.devices, 'device')}.`] : []),
          '',
          ...book.steps.map(({ what, command }, i) =>
            [`  ${i + 1}. ${what}`, ...(command ? [`     touchmark ${command}`] : [])].join('\n'),
          ),
        ].join('\n'),
      )
    }),
  )
}

function playbookOf(kind: string, what: string, options: PlaybookOptions): Playbook {
  const name = options.name ?? `${kind}-${what}`.toLowerCase().replaceAll(/[^a-z0-9.-]/g, '-')
  switch (kind) {
    case 'device':
      return compromisedDevice(what)
    case 'batch':
      return compromisedBatch(batchId(what), name.slice(0, 64), options.profile)
    case 'authority': {
      const to = authorityId(needed(options.to, '--to: the authority that takes over'))
      return replacedAuthority(authorityId(what), to, name, options.profile, options.compromised === true)
    }
    case 'algorithm': {
      const to = needed(options.to, '--to: the algorithm that takes over')
      return endedAlgorithm(what as KeyAlgorithmName, to as KeyAlgorithmName, name, options.profile)
    }
    default:
      throw usageError(`There is no playbook for ${kind}.`, 'There are: device, batch, authority, algorithm.')
  }
}

function schemaCommand(): Command {
  const schema = command({ name: 'schema', summary: 'Print the JSON Schema of a campaign definition' })
  return act(schema, async ({ out }) => {
    out.raw(`${JSON.stringify(campaignJsonSchema(), null, out.json ? undefined : 2)}\n`)
  })
}

function ports(store: Store) {
  return { store, clock: systemClock, random: systemRandom, authorities: keylessAuthorities(store) }
}

async function watchedRadius(
  query: Parameters<typeof blastRadius>[0],
  now: UnixSeconds,
  store: Store,
  out: Context<unknown>['out'],
): Promise<BlastRadius> {
  const bar = progressBar(out, 'devices counted')
  try {
    const { devices } = await store.read.counts()
    return await blastRadius(query, now, store.read, done => bar.update(done, Math.max(devices, done)))
  } finally {
    bar.stop()
  }
}

function told(campaign: Campaign, out: Context<unknown>['out']): void {
  out.result({ campaign: campaignView(campaign) }, () => `${campaign.name} is ${words(campaign.state)}.`)
  if (campaign.state === 'cancelling' || campaign.state === 'running' || campaign.state === 'rolling_back') {
    out.note(`A running server goes on with it. Watch: touchmark campaign show ${campaign.name} --watch`)
  }
}

function campaignView(campaign: Campaign) {
  const { id, name, state, stateReason, query, target, pace, devices, wave, waves } = campaign
  const { createdAt, startedAt, finishedAt } = campaign
  return {
    id,
    name,
    state,
    stateReason,
    query,
    target,
    pace,
    devices,
    wave,
    waves,
    createdAt: timestamp(createdAt),
    startedAt: startedAt === null ? null : timestamp(startedAt),
    finishedAt: finishedAt === null ? null : timestamp(finishedAt),
  }
}

function progressView({ campaign, at, total, waves, next, hanging, failed }: CampaignProgress) {
  const view = ({ stateChangedAt, ...device }: HangingDevice) => ({ ...device, since: timestamp(stateChangedAt) })
  return {
    campaign: campaignView(campaign),
    at: timestamp(at),
    total,
    waves,
    next,
    hanging: hanging.map(view),
    failed: failed.map(view),
  }
}

const BAR_WIDTH = 40

function progressText({ campaign, total, waves, next, hanging, failed }: CampaignProgress): string {
  const settled = total.done + total.failed + total.skipped + total.back
  const filled = campaign.devices === 0 ? 0 : Math.round((settled * BAR_WIDTH) / campaign.devices)
  const because = campaign.stateReason === null ? '' : ` (${campaign.stateReason})`
  return [
    `${campaign.name} is ${words(campaign.state)}${because}`,
    `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${settled} of ${campaign.devices}`,
    '',
    table(
      ['WAVE', 'PLANNED', 'ASKED', 'DONE', 'FAILED', 'PASSED OVER', 'GOING BACK', 'BACK'],
      waves.map(({ wave, total: of }) =>
        [
          wave === 0 && campaign.pace.canary > 0 ? 'canary' : wave + 1,
          ...[of.planned, of.asked, of.done, of.failed, of.skipped, of.going_back, of.back],
        ].map(String),
      ),
    ),
    ...(next?.kind === 'wait' && next.until !== null
      ? ['', `Waits until ${time(next.until)}: ${words(next.because)}.`]
      : []),
    ...hangingText('These were asked longest ago and have not followed:', hanging),
    ...hangingText('These failed:', failed),
  ].join('\n')
}

function hangingText(title: string, devices: readonly HangingDevice[]): string[] {
  if (devices.length === 0) return []
  const rows = devices.map(({ serialNumber, model, stateChangedAt, reason }) => [
    serialNumber,
    model,
    time(stateChangedAt),
    reason,
  ])
  return ['', title, table(['SERIAL NUMBER', 'MODEL', 'SINCE', 'REASON'], rows)]
}

function radiusView({ lastExpiry, ...radius }: BlastRadius) {
  return { ...radius, lastExpiry: lastExpiry === null ? null : timestamp(lastExpiry) }
}

function radiusText(radius: BlastRadius): string {
  const list = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .sort(([, a], [, b]) => b - a)
      .map(([name, number]) => `${number} ${words(name)}`)
      .join(', ') || 'none'
  const { recent, silent, never } = radius.contact
  const credentials = Object.keys(radius.byAuthority).length > 0
  const offline = radius.believedUntil
    .filter(({ credentials }) => credentials > 0)
    .map(({ withinDays, credentials }) => `${credentials} ${horizon(withinDays)}`)
    .join(', ')
  return facts([
    ['Devices', String(radius.devices)],
    ['States', list(radius.byState)],
    ...(credentials
      ? ([
          ['Authorities', list(radius.byAuthority)],
          ['Key algorithms', list(radius.byKeyAlgorithm)],
        ] as const)
      : []),
    ['Heard from', `${recent} in the last 30 days, ${silent} longer ago, ${never} never`],
    ...(credentials
      ? ([['Believed offline', offline === '' ? 'nobody' : `${offline} (where nobody asks for status)`]] as const)
      : []),
    ...(radius.lastExpiry === null ? [] : ([['The last ends', time(radius.lastExpiry)]] as const)),
  ])
}

function horizon(withinDays: number | null): string {
  if (withinDays === null) return 'for more than a year'
  return withinDays === 0 ? 'no longer' : `for up to ${withinDays} days`
}

function hasEnded({ state }: Campaign): boolean {
  return state === 'finished' || state === 'cancelled' || state === 'rolled_back'
}

function algorithmNames(): string[] {
  return keyAlgorithms.map(row => row.name)
}

function quietHours(text: string): CampaignDefinition['pace']['quiet'] {
  const [, fromHour, fromMinute, untilHour, untilMinute] = /^(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(text) ?? []
  const minutes = [Number(fromHour) * 60 + Number(fromMinute), Number(untilHour) * 60 + Number(untilMinute)]
  if (!minutes.every(each => each >= 0 && each < 1440)) throw usageError('Write --quiet as 06:00-22:00, in UTC.')
  return { fromMinute: minutes[0]!, untilMinute: minutes[1]! }
}

function share(text: string): number {
  const percent = Number(text.replace(/%$/, ''))
  if (text.trim() === '' || !(percent >= 0 && percent <= 100)) throw usageError('--stop-at is a percentage, 0 to 100.')
  return percent / 100
}

function wholeNumber(text: string, option: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usageError(`${option} is a whole number.`)
  return Number(text)
}

function needed(value: string | undefined, what: string): string {
  if (value === undefined) throw usageError(`It needs ${what}.`)
  return value
}

function defined(pace: Record<string, unknown>): CampaignDefinitionInput['pace'] {
  return Object.fromEntries(Object.entries(pace).filter(([, value]) => value !== undefined))
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`
const words = (code: string) => code.replaceAll('_', ' ')
