// `touchmark token`: one-time tokens. The secret is printed once and stored nowhere; the store keeps its hash.
import { TouchmarkError } from '../core/errors.ts'
import { tokenId } from '../domain/ids.ts'
import type { StoreReader } from '../domain/ports.ts'
import type { Token } from '../domain/ra/token.ts'
import { act, type Command, command, duration, group, usageError } from './command.ts'
import { findDevice } from './find-device.ts'
import { OPERATOR } from './operator.ts'
import { facts, table, time, timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'

interface CreateOptions {
  readonly device: string
  readonly model: string
  readonly profile: string
  readonly lifetime?: number
}

export function tokenCommand(): Command {
  return group({ name: 'token', summary: 'One-time tokens: bearer evidence for one enrolment' })
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(cancelCommand())
}

function createCommand(): Command {
  const create = command({
    name: 'create',
    summary: 'Make a one-time token for a device',
    description:
      'The device is registered where it is unknown. The device enrols over EST with HTTP Basic: the user name is\n' +
      'its serial number, the password is the token. A token gives one certificate of its profile, once.',
    examples: [
      ['token create --device SN-000042 --model gateway-7 --profile ldevid', 'A token for seven days'],
      [
        'token create --device SN-000042 --model gateway-7 --profile ldevid --lifetime 15m --json | jq -r .token',
        'For a script',
      ],
    ],
  })
    .requiredOption('--device <serial>', "the device's serial number")
    .requiredOption('-m, --model <model>', "the device's model")
    .requiredOption('-p, --profile <name>', 'the profile that it may enrol for')
    .option('--lifetime <duration>', 'how long it may be used: 15m, 12h, 7d (default 7d)', duration)
  return act<CreateOptions>(create, ({ out, data, options }) =>
    withStore(data, async store => {
      const [{ createToken }, { systemRandom }, { storedProfile }] = await Promise.all([
        import('../domain/ra/create-token.ts'),
        import('../crypto/random.ts'),
        import('./stored-profile.ts'),
      ])
      const { secret, token, device, registered } = await createToken(
        {
          model: options.model,
          serialNumber: options.device,
          profile: options.profile,
          ...(options.lifetime === undefined ? {} : { lifetimeSeconds: options.lifetime }),
          actor: OPERATOR,
        },
        {
          store,
          clock: systemClock,
          random: systemRandom,
          authorities: { profile: name => storedProfile(store.read, name) },
        },
      )
      const document = {
        token: secret,
        id: token.id,
        serialNumber: device.serialNumber,
        model: device.model,
        deviceId: device.id,
        registered,
        profile: token.profile,
        expiresAt: timestamp(token.expiresAt),
      }
      out.result(document, () =>
        facts([
          ['token', secret],
          ['for', `${device.serialNumber} (${device.model})${registered ? ', registered now' : ''}`],
          ['profile', token.profile],
          ['until', `${time(token.expiresAt)}, once`],
        ]),
      )
      if (!out.json) out.note('It is shown this once. EST: user name is the serial number, password is the token.')
    }),
  )
}

interface ListOptions {
  readonly device: string
  readonly model?: string
}

function listCommand(): Command {
  const list = command({
    name: 'list',
    summary: 'List the tokens of a device that were neither used nor cancelled',
    description:
      'The secret is stored nowhere, so that it is never shown. A token that has expired opens nothing any more.',
    examples: [['token list --device SN-000042', 'With the ids that token cancel takes']],
  })
    .requiredOption('--device <serial>', "the device's serial number")
    .option('-m, --model <model>', 'where two models have a device of this serial number')
  return act<ListOptions>(list, ({ out, data, options }) =>
    withStore(data, async ({ read }) => {
      const { id } = await findDevice(read, options.device, options.model)
      const tokens = await read.openTokensOfDevice(id)
      const now = systemClock.now()
      if (out.json) for (const token of tokens) out.line(tokenView(token, now))
      else {
        const until = ({ expiresAt }: Token) => (expiresAt < now ? `${time(expiresAt)}, expired` : time(expiresAt))
        const rows = tokens.map(token => [token.id, token.profile, time(token.createdAt), until(token)])
        out.say(table(['TOKEN', 'PROFILE', 'MADE', 'UNTIL'], rows))
      }
    }),
  )
}

interface CancelOptions {
  readonly device?: string
  readonly model?: string
  readonly profile?: string
}

function cancelCommand(): Command {
  const cancel = command({
    name: 'cancel',
    summary: 'Withdraw a token before it is used',
    description:
      'It opens nothing from the next request on. What was enrolled with a used token is another matter: revoke it.',
    examples: [
      ['token cancel 6920a1c40f3d5e1b7a8c2d4e9f60b135', 'By its id, from touchmark token list'],
      ['token cancel --device SN-000042 --profile ldevid', 'The one that the device has for this profile'],
    ],
  })
    .argument('[id]', 'from touchmark token list or create')
    .option('--device <serial>', "the device's serial number, in place of the id")
    .option('-m, --model <model>', 'where two models have a device of this serial number')
    .option('-p, --profile <name>', 'where the device has tokens for several profiles')
  return act<CancelOptions>(cancel, ({ out, data, options }, id) =>
    withStore(data, async store => {
      if ((id === undefined) === (options.device === undefined)) {
        throw usageError('Name either the id of the token or --device SERIAL.')
      }
      const { cancelToken } = await import('../domain/ra/cancel-token.ts')
      const chosen = id === undefined ? (await onlyToken(store.read, options)).id : tokenId(id.toLowerCase())
      const token = await cancelToken(chosen, OPERATOR, { store, clock: systemClock })
      out.result(tokenView(token, systemClock.now()), () => `The token ${token.id} for ${token.profile} is cancelled.`)
    }),
  )
}

/** The one open token of the device, for the profile where one is named. Throws `token.not_found`, `token.ambiguous`. */
async function onlyToken(read: StoreReader, { device: serial, model, profile }: CancelOptions): Promise<Token> {
  const device = await findDevice(read, serial!, model)
  const open = (await read.openTokensOfDevice(device.id)).filter(
    token => profile === undefined || token.profile === profile,
  )
  const [token, ...others] = open
  const next = `List them with: touchmark token list --device ${serial}`
  if (token === undefined) {
    const message = `The device ${serial} has no such token that was neither used nor cancelled.`
    throw new TouchmarkError('token.not_found', 'not_found', message, { next })
  }
  if (others.length > 0) {
    const message = `The device ${serial} has ${open.length} such tokens.`
    throw new TouchmarkError('token.ambiguous', 'conflict', message, { next: `Name one by its id. ${next}` })
  }
  return token
}

function tokenView({ id, deviceId, profile, createdAt, expiresAt, cancelledAt }: Token, now: number) {
  return {
    id,
    deviceId,
    profile,
    createdAt: timestamp(createdAt),
    expiresAt: timestamp(expiresAt),
    expired: expiresAt < now,
    cancelledAt: cancelledAt === null ? null : timestamp(cancelledAt),
  }
}
