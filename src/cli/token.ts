// `touchmark token`: one-time tokens. The secret is printed once and stored nowhere; the store keeps its hash.
import { act, type Command, command, duration, group } from './command.ts'
import { OPERATOR } from './operator.ts'
import { facts, time, timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'

interface CreateOptions {
  readonly device: string
  readonly model: string
  readonly profile: string
  readonly lifetime?: number
}

export function tokenCommand(): Command {
  return group({ name: 'token', summary: 'One-time tokens: bearer evidence for one enrolment' }).addCommand(
    createCommand(),
  )
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
