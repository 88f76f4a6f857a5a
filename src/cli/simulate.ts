// `touchmark simulate`: a fleet that does not exist yet, to see how an installation bears it.
import { act, type Command, command, duration, positiveInteger, usageError } from './command.ts'
import { simulateVirtually, type VirtualOptions } from './simulate-virtual.ts'

interface SimulateOptions extends VirtualOptions {
  readonly virtual?: boolean
}

export function simulateCommand(): Command {
  const simulate = command({
    name: 'simulate',
    summary: 'Simulate a fleet, to size an installation and to see what a renewal policy does',
    description:
      'With --virtual, years pass in seconds: the same engine that chooses renewal windows in the server, for devices that\n' +
      'come and go. It needs no server and, without --profile, no data folder.',
    examples: [
      ['simulate --virtual --devices 1000000 --years 3 --plot fleet.svg', 'Load per day, peaks, failures, storage'],
      [
        'simulate --virtual --devices 50000 --years 1 --profile ldevid',
        'With the policy of a profile of this instance',
      ],
    ],
  })
    .option('--virtual', 'in virtual time')
    .requiredOption('--devices <number>', 'how many', positiveInteger)
    .option('--years <number>', 'how long', '3')
    .option('--plot <file>', 'draw renewals and failures by day, as SVG')
    .option('--faults <share>', 'share of attempts that fail', '0.05')
    .option(
      '--lifetime <duration>',
      'of the certificates: 365d, 24h (default: that of the profile, or a year)',
      duration,
    )
    .option('--born-within <duration>', 'all devices are born within this time (default 1d)', duration)
    .option('-p, --profile <name>', 'lifetime and renewal policy of this profile')
    .option('--seed <number>', 'another number, another fleet', positiveInteger, 1)
  return act<SimulateOptions>(simulate, async context => {
    if (!context.options.virtual) throw usageError('Say --virtual.')
    await simulateVirtually(context)
  })
}
