// `touchmark agent`: the device side as a program. It needs no installation of the server on the machine, only its address and its roots.
import { readFile } from 'node:fs/promises'
import { Option } from 'commander'
import type { AgentEvent, DeviceAgent } from '../agent/device-agent.ts'
import type { AgentStatus } from '../agent/status.ts'
import { TouchmarkError } from '../core/errors.ts'
import { isKeyAlgorithmName, keyAlgorithms } from '../crypto/algorithms.ts'
import { act, type Command, duration, group, usageError } from './command.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { facts, type Output, timestamp } from './output.ts'

interface HomeOptions {
  readonly dir: string
  readonly passphraseFile?: string
  readonly hook?: string
}

interface EnrollOptions extends HomeOptions {
  readonly server: readonly string[]
  readonly trust: string
  readonly serial: string
  readonly model: string
  readonly token?: string
  readonly tokenFile?: string
  readonly certificate?: string
  readonly key?: string
  readonly profile: string
  readonly keyAlgorithm: string
  readonly keyPlace: string
}

interface RunOptions extends HomeOptions {
  readonly once?: boolean
  readonly server?: readonly string[]
  readonly reportEvery?: number
  readonly firmware?: string
  readonly firmwareFile?: string
  readonly configuration?: string
}

export function agentCommand(): Command {
  return group({
    name: 'agent',
    summary: 'Be a device: enrol, renew by itself, report, obey',
    description:
      'The agent runs on the device. It keeps one identity in a folder: a key, its certificate, the roots that it trusts.\n' +
      'Programs beside it use DIR/current/certificate.pem, DIR/current/key.pem and DIR/roots.pem; the link "current" moves\n' +
      'to the next identity in one step. Guides: docs/guides/agent.md and docs/guides/agent-library.md.',
    examples: [
      [
        'agent enroll --server https://ca.example:8443 --trust roots.pem --serial SN-42 --model gateway --token-file token --dir /var/lib/touchmark-agent',
        'The first certificate, with a one-time token (touchmark token create, on the server)',
      ],
      ['agent run --dir /var/lib/touchmark-agent', 'Renew, report and obey for ever; as a service: examples/systemd'],
      ['agent status --dir /var/lib/touchmark-agent --json', 'How is it?'],
    ],
  })
    .addCommand(enrollCommand())
    .addCommand(runCommand())
    .addCommand(statusCommand())
    .addCommand(renewCommand())
    .addCommand(wipeCommand())
}

function enrollCommand(): Command {
  const enroll = agentPart({
    name: 'enroll',
    summary: 'Get the first certificate over EST',
    description:
      'The key is made here and stays here. The device shows a one-time token or the certificate that it was born with; a\n' +
      'bootstrap certificate is kept and used again if a renewal is refused. After a failure give the same command again:\n' +
      'the request is the same, so a certificate that was issued and lost on the way is fetched.',
    examples: [
      [
        'agent enroll --server https://localhost:8443 --trust roots.pem --serial SN-42 --model gateway --token-file token --dir ./device',
        'With a token',
      ],
      [
        'agent enroll --server https://localhost:8443 --trust roots.pem --serial SN-42 --model gateway --certificate birth.pem --key birth.key --dir ./device',
        'With a birth certificate',
      ],
    ],
  })
    .alias('enrol')
    .requiredOption(
      '--server <url>',
      'https://host:port; again for a second one that is asked when the first does not answer',
      many,
    )
    .requiredOption(
      '--trust <file>',
      'roots in PEM, which the server and its certificates must lead to (touchmark trust)',
    )
    .requiredOption('--serial <serial>', "the device's serial number")
    .requiredOption('--model <model>', "the device's model")
    .addOption(
      new Option(
        '--token <token>',
        'one-time token; others on this machine can read a command line: prefer a file',
      ).env('TOUCHMARK_AGENT_TOKEN'),
    )
    .option('--token-file <file>', 'file with the one-time token')
    .option('--certificate <file>', 'bootstrap certificate with its chain, PEM')
    .option('--key <file>', 'its key: PKCS#8, PEM')
    .option('--profile <name>', 'profile to enrol for', 'ldevid')
    .addOption(
      new Option('--key-algorithm <name>', 'kind of key')
        .choices(keyAlgorithms.map(({ name }) => name))
        .default('P-256'),
    )
    .option(
      '--key-place <uri>',
      'where the key lives: file; tpm: and pkcs11: have their place, and no driver in this build',
      'file',
    )
  return act<EnrollOptions>(enroll, async ({ out, options, signal }) => {
    const agent = await openAgent(options, out)
    const { keyAlgorithm } = options
    if (!isKeyAlgorithmName(keyAlgorithm)) throw usageError(`There is no key algorithm ${keyAlgorithm}.`)
    const status = await agent.enrol(
      {
        model: options.model,
        serialNumber: options.serial,
        servers: options.server.map(serverUrl),
        trustAnchors: await readText(options.trust, 'trust anchors'),
        evidence: await evidenceOf(options),
        profile: options.profile,
        keyAlgorithm,
        keyPlace: options.keyPlace,
      },
      signal,
    )
    out.result(status, () => `Enrolled.\n${describe(status, options.dir)}`)
  })
}

function runCommand(): Command {
  const run = withHook(
    agentPart({
      name: 'run',
      summary: 'Renew, report and obey until it is stopped',
      description:
        'Asks the server when to renew, renews at a random moment of that window, follows new trust anchors, reports, and\n' +
        'obeys when the operator suspends or wipes the device. With --json a line for each thing that happens.\n' +
        'Exit code: 0 stopped, 1 with --once: something failed (it is in lastError).',
      examples: [
        ['agent run --dir ./device', 'Until Ctrl-C'],
        ['agent run --dir ./device --once --json', 'What is due now, and end: for a timer of your own'],
        [
          'agent run --dir ./device --hook /usr/local/bin/reload-app --firmware-file /etc/firmware-version',
          'As a service',
        ],
      ],
    }),
  )
    .option('--once', 'do what is due, and end')
    .option('--server <url>', 'in place of the servers that it enrolled with; may be given again', many)
    .option(
      '--report-every <duration>',
      'time between reports where the server asks for nothing else (default 1d)',
      duration,
    )
    .option('--firmware <version>', 'firmware version to report')
    .option('--firmware-file <file>', 'file whose first line is the firmware version, read at each report')
    .option('--configuration <name>', 'name of the configuration to report')
  return act<RunOptions>(run, async ({ out, options, signal }): Promise<ExitCode> => {
    const agent = await openAgent(options, out, options.once ? 'beside' : 'result')
    if (!options.once) {
      await agent.run(signal)
      return EXIT.ok
    }
    const { errors } = await agent.tick({ signal, atOnce: true })
    const status = await agent.status()
    out.result(status, () => describe(status, options.dir))
    return errors.length === 0 ? EXIT.ok : EXIT.no
  })
}

function statusCommand(): Command {
  const status = agentPart({
    name: 'status',
    summary: 'How is the identity?',
    description:
      'Reads the files, needs no network and no passphrase. Exit code: 0 where the identity may be used now, else 1.\n' +
      'JSON: valid, reason, notAfter, renewAfter, serialNumber (of the certificate), state, lastError, and more.',
    examples: [['agent status --dir ./device --json', '{"valid":true,"notAfter":…}']],
  })
  return act<HomeOptions>(status, async ({ out, options }) => {
    const { DeviceAgent } = await import('../agent/device-agent.ts')
    const found = await new DeviceAgent({ home: options.dir }).status()
    out.result(found, () => describe(found, options.dir))
    return found.valid ? EXIT.ok : EXIT.no
  })
}

function renewCommand(): Command {
  const renew = withHook(
    agentPart({
      name: 'renew',
      summary: 'Renew now, whatever the window says',
      description:
        'A new key and a new certificate. Where it fails, the old identity stays as it is. A running agent takes note.',
      examples: [['agent renew --dir ./device', 'Now']],
    }),
  )
  return act<HomeOptions>(renew, async ({ out, options, signal }) => {
    const agent = await openAgent(options, out)
    const status = await agent.renew(signal)
    out.result(status, () => `Renewed.\n${describe(status, options.dir)}`)
  })
}

function wipeCommand(): Command {
  const wipe = withHook(
    agentPart({
      name: 'wipe',
      summary: 'Destroy every key of this device, for good',
      description:
        'The device says so to the server, signed with each key, overwrites and removes the keys, and never works again with\n' +
        'this folder. The server hears it only where the device was retired there; the statement stays in the folder.',
      examples: [['agent wipe --dir ./device --yes', 'There is no way back']],
    }),
  ).option('--yes', 'yes, destroy them')
  return act<HomeOptions & { readonly yes?: boolean }>(wipe, async ({ out, options, signal }) => {
    if (!options.yes) throw usageError('This destroys the keys of the device.', 'Say --yes where that is meant.')
    const agent = await openAgent(options, out)
    const status = await agent.wipe(signal)
    out.result(status, () => 'The keys are destroyed.')
  })
}

/** A part of `agent`: a folder, JSON, and a passphrase. */
function agentPart(text: Parameters<typeof group>[0]): Command {
  return group(text)
    .addOption(new Option('-d, --dir <folder>', "the agent's folder").env('TOUCHMARK_AGENT_DIR').makeOptionMandatory())
    .addOption(new Option('--json', 'JSON on standard output, words for people on standard error'))
    .addOption(
      new Option('--passphrase-file <file>', 'file with the passphrase that seals the keys').env(
        'TOUCHMARK_AGENT_PASSPHRASE_FILE',
      ),
    )
}

function withHook(made: Command): Command {
  return made.addOption(
    new Option('--hook <program>', 'run after each change, with TOUCHMARK_EVENT and the paths in its environment').env(
      'TOUCHMARK_AGENT_HOOK',
    ),
  )
}

/** `events`: whether what happens is the command's result, or stands beside it. */
async function openAgent(
  options: RunOptions,
  out: Output,
  events: 'result' | 'beside' = 'beside',
): Promise<DeviceAgent> {
  const [{ DeviceAgent }, { programHook }, { firstLineOf }] = await Promise.all([
    import('../agent/device-agent.ts'),
    import('../agent/hook.ts'),
    import('../agent/first-line.ts'),
  ])
  const { firmware, firmwareFile, configuration, hook, server, reportEvery } = options
  return new DeviceAgent({
    home: options.dir,
    passphrase: await passphraseOf(options),
    onEvent: event => tell(out, event, events),
    ...(server ? { servers: server.map(serverUrl) } : {}),
    ...(reportEvery === undefined ? {} : { reportEverySeconds: reportEvery }),
    ...(hook ? { hook: programHook(hook) } : {}),
    ...(firmware === undefined ? {} : { firmware: () => firmware }),
    ...(firmwareFile === undefined ? {} : { firmware: () => firstLineOf(firmwareFile) }),
    ...(configuration === undefined ? {} : { configuration: () => configuration }),
  })
}

/** With --json an event is a document on one line. */
function tell(out: Output, { event, at, certificate, error }: AgentEvent, as: 'result' | 'beside'): void {
  const time = timestamp(at)
  const what = error ? `${error.activity} failed: ${error.code}: ${error.message}` : event
  const text = `${time} ${what}${certificate ? `  (${certificate})` : ''}`
  const document = {
    time,
    event,
    certificate: certificate ?? null,
    ...(error ? { error: { ...error, at: time } } : {}),
  }
  if (as === 'result') out.result(document, () => text)
  else out.note(out.json ? JSON.stringify(document) : text)
}

async function passphraseOf({ passphraseFile }: HomeOptions): Promise<Uint8Array | undefined> {
  // An environment variable that is set to nothing is one that is not set.
  if (!passphraseFile) return undefined
  const { readPassphraseFile } = await import('../server/passphrase.ts')
  return readPassphraseFile(passphraseFile)
}

async function evidenceOf(options: EnrollOptions) {
  const { token, tokenFile, certificate, key } = options
  if ((certificate === undefined) !== (key === undefined)) throw usageError('--certificate and --key belong together.')
  if (certificate !== undefined && key !== undefined) {
    if (token || tokenFile) throw usageError('A device shows a certificate or a token, not both.')
    const [certificates, keyText] = await Promise.all([
      readText(certificate, 'bootstrap certificate'),
      readText(key, 'bootstrap key'),
    ])
    return { kind: 'certificate', certificates, key: keyText } as const
  }
  const text = tokenFile === undefined ? token : (await readText(tokenFile, 'token')).trim()
  if (!text) {
    throw usageError(
      'The device needs something to show.',
      'Give --token-file (or --token), or --certificate with --key.',
    )
  }
  return { kind: 'token', token: text } as const
}

async function readText(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new TouchmarkError(
      'agent.file_unreadable',
      'unavailable',
      `The file with the ${what} cannot be read: ${file}`,
      {
        cause,
        next: 'Check the path and its access rights.',
      },
    )
  }
}

function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:') return url.origin
  throw usageError(`This is no address of a server: ${text}`, 'Write it as https://host:port.')
}

function many(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

function describe(status: AgentStatus, dir: string): string {
  const { device, lastError, renewal, trustBundle } = status
  const rows: [string, string][] = [['identity', status.valid ? 'valid' : `not to be used: ${status.reason}`]]
  if (device) rows.push(['device', `${device.serialNumber} (${device.model}), ${status.state}`])
  if (status.serialNumber)
    rows.push(['certificate', `${status.serialNumber}, ${status.profile}, until ${status.notAfter}`])
  if (status.renewAfter) rows.push(['renews', `${status.renewAfter}${renewal ? ` (${renewal.reason})` : ''}`])
  if (status.keyPlace)
    rows.push(['key', `${status.keyAlgorithm} in ${status.keyPlace}, protection: ${status.keyProtection}`])
  if (trustBundle) rows.push(['trust', `${trustBundle.roots} root(s), version ${trustBundle.version}`])
  if (status.servers.length > 0) rows.push(['servers', status.servers.join('\n')])
  if (status.lastReport) rows.push(['last report', status.lastReport])
  if (status.requestPending) rows.push(['under way', 'a request whose answer has not come'])
  if (lastError) rows.push(['last error', `${lastError.code}: ${lastError.message} (${lastError.at})`])
  if (status.clockIsWrong) rows.push(['clock', 'the clock of this device is wrong'])
  if (status.valid) rows.push(['files', `${dir}/current/certificate.pem, ${dir}/current/key.pem, ${dir}/roots.pem`])
  return facts(rows)
}
