// `touchmark demo`, which is `npm start`: everything from nothing, told as a short story, and the commands to do it again by hand.
import { once } from 'node:events'
import { join } from 'node:path'
import { InvalidArgumentError } from 'commander'
import type { DataFolder } from '../server/data-folder.ts'
import { isInitialised } from '../server/data-folder.ts'
import { act, type Command, type Context, command, portNumber, withPassphrase } from './command.ts'
import type { DemoStep, DemoStory } from './demo-run.ts'
import { DEFAULT_PUBLIC_HTTP_URL } from './init.ts'
import { OPERATOR } from './operator.ts'
import { facts } from './output.ts'
import { passphraseSources } from './passphrase-sources.ts'
import { FIRST_SIGN_IN } from './serve.ts'
import { systemClock } from './store.ts'

interface DemoOptions {
  readonly port?: number
  readonly once?: boolean
  readonly fleet: number
}

const DEFAULT_FLEET = 320
const MAX_FLEET = 5000

export function demoCommand(): Command {
  const demo = withPassphrase(
    command({
      name: 'demo',
      summary: 'Show the whole way of a device, from the factory to its first renewal',
      description:
        'Makes a data folder where there is none, with a fleet that has five months behind it, starts the server, and runs\n' +
        'one factory unit and one device through birth, enrolment, mutual TLS and renewal. Then it serves until Ctrl-C, and\n' +
        'prints the commands to go on by hand.',
      examples: [
        ['demo', 'In ./touchmark-data, on https://localhost:8443'],
        ['demo --port 0 --once', 'On a free port, and end after the story'],
      ],
    }),
  )
    .option('--port <port>', 'HTTPS port; 0 takes a free one', portNumber)
    .option('--fleet <devices>', `devices of the fleet; 0: none (default: ${DEFAULT_FLEET})`, fleetSize, DEFAULT_FLEET)
    .option('--once', 'end after the story')
  return act<DemoOptions>(demo, runDemoCommand)
}

function fleetSize(text: string): number {
  const devices = Number(text)
  if (Number.isInteger(devices) && devices >= 0 && devices <= MAX_FLEET) return devices
  throw new InvalidArgumentError(`must be a number of devices, at most ${MAX_FLEET}`)
}

async function runDemoCommand({ out, data, options, signal }: Context<DemoOptions>): Promise<void> {
  const started = performance.now()
  const [
    { initialise },
    { openInstance },
    { startServer },
    { jsonLogger },
    { runDemo },
    { DEMO_AGE_SECONDS, playDemoFleet },
  ] = await Promise.all([
    import('../server/initialise.ts'),
    import('../server/open-instance.ts'),
    import('../server/wiring.ts'),
    import('../server/logger.ts'),
    import('./demo-run.ts'),
    import('./demo-fleet.ts'),
  ])
  const steps: DemoStep[] = []
  const tell = (step: DemoStep) => {
    steps.push(step)
    const number = out.style('bold', `${steps.length}.`.padStart(3))
    const took = out.style('dim', `${Math.round(step.milliseconds)} ms`)
    out.say(`${number} ${out.style('bold', step.title)}  ${took}\n    ${step.detail.replaceAll('\n', '\n    ')}`)
  }

  const isNew = !isInitialised(data)
  const age = isNew && options.fleet > 0 ? DEMO_AGE_SECONDS : 0
  if (isNew) {
    const begun = performance.now()
    const started = systemClock.now() - age
    await initialise(data, {
      organization: 'Touchmark Demo',
      publicHttpUrl: DEFAULT_PUBLIC_HTTP_URL,
      passphrase: undefined,
      clock: { now: () => started },
      actor: OPERATOR,
    })
    tell({
      title: 'A maker sets up its authorities',
      detail:
        'an offline root, and under it issuing authorities for birth certificates, for operational ones and for services',
      milliseconds: performance.now() - begun,
    })
  }
  await using instance = await openInstance(data, passphraseSources(options))
  if (age > 0) {
    const begun = performance.now()
    const { devices, days } = await playDemoFleet(instance, options.fleet)
    tell({
      title: 'Its fleet lives for five months, in fast motion',
      detail: `${devices} devices in ${days} days: born in batches, shipped, enrolled, renewed, retired; a campaign is under way`,
      milliseconds: performance.now() - begun,
    })
  }
  const logger = jsonLogger(line => process.stderr.write(line))
  await using server = await startServer(instance, {
    // The story is the output; only what goes wrong is told beside it.
    logger: { ...logger, info: () => undefined },
    ...(options.port === undefined ? {} : { httpsPort: options.port }),
  })
  const { url, httpUrl, firstSignIn } = server
  const folders = { device: join(data.path, 'demo-device'), service: join(data.path, 'demo-service') }
  const story = await runDemo({ instance, url, folders, tell })
  const milliseconds = performance.now() - started
  out.result(
    {
      url,
      httpUrl,
      ...(firstSignIn === null ? {} : { firstSignIn }),
      milliseconds: Math.round(milliseconds),
      steps,
      ...story,
    },
    () => ending(out, data, story, server, milliseconds),
  )
  if (options.once || signal.aborted) return
  out.note('\nServing until Ctrl-C.')
  await once(signal, 'abort')
}

function ending(
  out: Context<DemoOptions>['out'],
  data: DataFolder,
  story: DemoStory,
  server: {
    readonly url: string
    readonly httpUrl: string
    readonly firstSignIn: string | null
    readonly warnings: readonly string[]
  },
  milliseconds: number,
): string {
  const heading = (text: string) => out.style('bold', text)
  return [
    '',
    heading(`Done in ${(milliseconds / 1000).toFixed(1)} seconds. Where things are`),
    facts([
      ['console', server.url],
      ['server', `${server.url}  (EST at ${server.url}/.well-known/est)`],
      ['CRL, OCSP', server.httpUrl],
      ['log', `${server.url}/log/checkpoint`],
      ['instance', data.path],
      ['device', `${story.folders.device}: roots.pem, birth.pem, birth.key, device.pem, device.key`],
    ]),
    ...(server.firstSignIn === null ? [] : ['', FIRST_SIGN_IN, server.firstSignIn]),
    ...server.warnings.map(warning => out.style('yellow', `! ${warning}`)),
    '',
    heading('The same by hand, with the files of this device (paste into another terminal)'),
    commands(data, story, server),
  ].join('\n')
}

/** Exact commands: test/cli/demo.test.ts runs every one of them. */
export function commands(
  data: DataFolder,
  story: DemoStory,
  server: { readonly url: string; readonly httpUrl: string },
): string {
  const { url, httpUrl } = server
  const touchmark = `${shellPath(join(import.meta.dirname, '../../bin/touchmark.js'))} `
  // Another one each time: a serial number of its own, and a folder beside that of the device.
  const agent = `AGENT-${story.certificates.renewed.slice(-8).toUpperCase()}`
  const dataOption = `--data ${shellPath(data.path)}`
  return `
# Be the device: its files
cd ${shellPath(story.folders.device)}

# Who am I? Mutual TLS with the device's certificate
curl --cacert roots.pem --cert device.pem --key device.key ${url}/whoami

# Renew: a new key, a request with the same name, EST simplereenroll with the certificate that is being renewed
openssl ecparam -name prime256v1 -genkey -noout -out new.key
openssl req -new -key new.key -subj '/O=Touchmark Demo/serialNumber=${story.serialNumber}' -outform DER -out new.csr
openssl base64 -in new.csr -out new.csr.b64
curl --cacert roots.pem --cert device.pem --key device.key -H 'Content-Type: application/pkcs10' --data-binary @new.csr.b64 -o new.p7.b64 ${url}/.well-known/est/simplereenroll
openssl base64 -d -in new.p7.b64 | openssl pkcs7 -inform DER -print_certs -out new.pem
openssl x509 -in new.pem -noout -subject -issuer -dates

# Any service that knows only the root: OpenSSL on both sides
openssl s_server -accept 9443 -cert ../demo-service/service.pem -key ../demo-service/service.key -cert_chain ../demo-service/chain.pem -CAfile roots.pem -Verify 3 -verify_return_error -www -quiet &
curl --retry 5 --retry-connrefused --cacert roots.pem --cert device.pem --key device.key https://localhost:9443/ | grep -i -A3 'client certificate'
kill $!

# Status, before and after the operator revokes it
openssl x509 -in device.pem -out leaf.pem
awk '/BEGIN/{n++} n==2' device.pem > issuer.pem
openssl ocsp -issuer issuer.pem -cert leaf.pem -CAfile roots.pem -url ${httpUrl}/ocsp
${touchmark}device show ${story.serialNumber} ${dataOption}
${touchmark}revoke --certificate ${story.certificates.renewed} --reason keyCompromise ${dataOption}
openssl ocsp -issuer issuer.pem -cert leaf.pem -CAfile roots.pem -url ${httpUrl}/ocsp
curl --cacert roots.pem --cert device.pem --key device.key ${url}/whoami

# Another device, by the agent: it enrols with a one-time token, reports, and renews by itself (agent run without --once goes on for ever)
${touchmark}token create --device ${agent} --model ${story.model} --profile ldevid ${dataOption} --json | sed 's/.*"token":"\\([^"]*\\)".*/\\1/' > token
${touchmark}agent enroll --server ${url} --trust roots.pem --serial ${agent} --model ${story.model} --token-file token --dir ../${agent}
${touchmark}agent run --dir ../${agent} --once
${touchmark}agent renew --dir ../${agent}
curl --cacert roots.pem --cert ../${agent}/current/certificate.pem --key ../${agent}/current/key.pem ${url}/whoami

# The auditor: is the store what the log says?
${touchmark}audit verify ${dataOption}
`
}

/** A path as a shell takes it: quoted where it must be. */
function shellPath(path: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
