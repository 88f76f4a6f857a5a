// `touchmark simulate`: a fleet that does not exist yet, to see how an installation bears it: in virtual time, or for real against a server.
import { act, type Command, command, duration, positiveInteger, usageError } from './command.ts'
import { EXIT } from './exit-codes.ts'
import type { RealOptions } from './simulate-real.ts'
import type { VirtualOptions } from './simulate-virtual.ts'

type SimulateOptions = VirtualOptions & RealOptions & { readonly virtual?: boolean }

export function simulateCommand(): Command {
  const simulate = command({
    name: 'simulate',
    summary: 'Simulate a fleet, to size an installation and to see what a renewal policy does',
    description:
      'With --virtual, years pass in seconds: the engine that chooses renewal windows in the server, for devices that come\n' +
      'and go. It needs no server and, without --profile, no data folder.\n' +
      'With --server, so many agents enrol and renew over EST and mutual TLS, struck by power cuts, lost messages, wrong\n' +
      'clocks and copies. Their tokens come from the data folder of that server (--data), or from a file (--tokens).',
    examples: [
      ['simulate --virtual --devices 1000000 --years 3 --plot fleet.svg', 'Load per day, peaks, failures, storage'],
      [
        'simulate --virtual --devices 50000 --years 1 --profile ldevid',
        'With the policy of a profile of this instance',
      ],
      [
        'simulate --server https://localhost:8443 --devices 200 --faults 0.05',
        'Agents against the server that runs here',
      ],
    ],
  })
    .option('--virtual', 'in virtual time')
    .option('--server <url>', 'for real, against this server; again for a second one', collect)
    .requiredOption('--devices <number>', 'how many', positiveInteger)
    .option('--faults <share>', 'share of attempts that fail, of acts that something strikes', '0.05')
    .option('-p, --profile <name>', 'of their certificates; in virtual time lifetime and policy are taken from it')
    .option('--seed <number>', 'another number, another fleet', positiveInteger, 1)
    .option('--years <number>', 'virtual: how long', '3')
    .option('--plot <file>', 'virtual: draw renewals and failures by day, as SVG')
    .option('--lifetime <duration>', 'virtual: of the certificates: 365d, 24h (default: a year)', duration)
    .option('--born-within <duration>', 'virtual: all devices are born within this time (default 1d)', duration)
    .option('--renewals <number>', 'real: how often each device renews', '2')
    .option('--concurrency <number>', 'real: devices that act at the same time', positiveInteger, 48)
    .option('--trust <file>', 'real: roots in PEM (default: those of the data folder)')
    .option('--tokens <file>', 'real: one JSON document a line with serialNumber, model and token')
    .option('-m, --model <model>', 'real: of the devices', 'simulated')
  return act<SimulateOptions>(simulate, async context => {
    const { virtual, server } = context.options
    if ((virtual === true) === (server !== undefined)) throw usageError('Say either --virtual or --server URL.')
    if (!virtual) return (await import('./simulate-real.ts')).simulateForReal(context)
    await (await import('./simulate-virtual.ts')).simulateVirtually(context)
    return EXIT.ok
  })
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value.replace(/\/+$/, '')]
}
