// `touchmark rule`: who may have what, as data, and a dry run that says why. The dry run asks the same function that decides.
import { readFile } from 'node:fs/promises'
import { text as wholeText } from 'node:stream/consumers'
import { parsePem } from '../core/asn1/pem.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type CertificationRequest, parseCertificationRequest } from '../core/pki/csr.ts'
import { isKeyAlgorithmName } from '../crypto/algorithms.ts'
import { systemRandom } from '../crypto/random.ts'
import { serialNumber } from '../domain/ids.ts'
import type { StoreReader } from '../domain/ports.ts'
import { type EvidenceFinding, EvidenceReader } from '../domain/ra/evidence-reader.ts'
import {
  defaultRules,
  OPERATIONS,
  type Operation,
  parseRules,
  RULES_NAME,
  rulesJsonSchema,
} from '../domain/ra/rules.ts'
import { rulesInForce, whatIf } from '../domain/ra/what-if.ts'
import { act, type Command, command, group, usageError } from './command.ts'
import { putDocument, readJsonFile } from './documents.ts'
import { EXIT } from './exit-codes.ts'
import { findDevice } from './find-device.ts'
import { OPERATOR } from './operator.ts'
import { facts, table } from './output.ts'
import { systemClock, withStore } from './store.ts'
import { storedProfile } from './stored-profile.ts'

export function ruleCommand(): Command {
  return group({
    name: 'rule',
    summary: 'Registration rules: show, change, explain a decision',
    examples: [['rule show > rules.json', 'Take a copy, edit it, then: touchmark rule set rules.json']],
  })
    .addCommand(showCommand())
    .addCommand(checkCommand())
    .addCommand(setCommand())
    .addCommand(schemaCommand())
    .addCommand(explainCommand())
}

function showCommand(): Command {
  const show = command({ name: 'show', summary: 'Print the rules in force' })
  return act(show, ({ out, data }) =>
    withStore(data, async store => {
      const stored = await store.read.document('rules', RULES_NAME)
      const rules: unknown = stored ? JSON.parse(stored.body) : defaultRules
      out.raw(`${JSON.stringify(rules, null, out.json ? undefined : 2)}\n`)
      if (!out.json) out.note(stored ? `Version ${stored.version}.` : 'These are the rules of a new instance.')
    }),
  )
}

function checkCommand(): Command {
  const check = command({ name: 'check', summary: 'Check a rule set without storing it' }).argument(
    '<file>',
    'JSON; - reads standard input',
  )
  return act(check, async ({ out }, file) => {
    const rules = parseRules(await readJsonFile(file!))
    out.result({ ok: true, rules: rules.map(rule => rule.name) }, () => `${rules.length} good rules.`)
  })
}

function setCommand(): Command {
  const set = command({
    name: 'set',
    summary: 'Store a rule set as the next version',
    description: 'In force at once, also in a running server. The first rule that matches decides; none means no.',
  }).argument('<file>', 'JSON; - reads standard input')
  return act(set, async ({ out, data }, file) => {
    const json = await readJsonFile(file!)
    const rules = parseRules(json)
    await withStore(data, async store => {
      const document = { kind: 'rules', name: RULES_NAME, body: () => JSON.stringify(json, null, 2) } as const
      const version = await putDocument(store, document, 'rule.changed', systemClock.now())
      out.result(
        { version, rules: rules.map(rule => rule.name) },
        () => `${rules.length} rules are in force as version ${version}.`,
      )
    })
  })
}

function schemaCommand(): Command {
  const schema = command({ name: 'schema', summary: 'Print the JSON Schema of rule sets, for editors' })
  return act(schema, async ({ out }) =>
    out.raw(`${JSON.stringify(rulesJsonSchema(), null, out.json ? undefined : 2)}\n`),
  )
}

interface ExplainOptions {
  readonly profile: string
  readonly operation: string
  readonly device?: string
  readonly model?: string
  readonly certificate?: string
  readonly tokenFile?: string
  readonly csr?: string
  readonly keyAlgorithm: string
  readonly serverKey?: boolean
  readonly channelBinding?: boolean
  readonly rules?: string
}

function explainCommand(): Command {
  const explaining = command({
    name: 'explain',
    summary: 'Say how a request would be decided, and why; nothing changes',
    description:
      'The evidence is what the device would show: a certificate (of the registry by serial number, or a file with its\n' +
      'chain), a token, or, with --device alone, an operator. Exit code 0: granted or pending; 1: denied.',
    examples: [
      ['rule explain --profile ldevid --certificate birth.pem', 'A device with this birth certificate'],
      ['rule explain --profile ldevid --operation renew --certificate 6743a1f0…', 'Its renewal'],
      ['rule explain --profile ldevid --device SN-000042 --token-file token.txt', 'A token, which is not used up'],
      ['rule explain --profile ldevid --certificate birth.pem --rules draft.json', 'By rules that are not in force'],
    ],
  })
    .requiredOption('-p, --profile <name>', 'the profile that is asked for')
    .option('-o, --operation <name>', 'enrol or renew', 'enrol')
    .option('--certificate <hex-or-file>', 'the client certificate that is shown')
    .option('--token-file <file>', 'the token that is shown, for the device of --device; - reads standard input')
    .option('--device <serial>', 'serial number of the device')
    .option('-m, --model <model>', 'where two models share the serial number')
    .option('--csr <file>', 'the request itself; without one a new key is assumed')
    .option('--key-algorithm <name>', 'algorithm of that key', 'P-256')
    .option('--server-key', 'the server makes the key')
    .option('--channel-binding', 'the request is bound to its connection')
    .option('--rules <file>', 'decide by these rules instead of those in force')
  return act<ExplainOptions>(explaining, ({ out, data, options }) =>
    withStore(data, async ({ read }) => {
      const finding = await findEvidence(read, options)
      const profile = await storedProfile(read, options.profile)
      if (!isKeyAlgorithmName(options.keyAlgorithm)) throw usageError(`${options.keyAlgorithm} is no key algorithm.`)
      const rules =
        options.rules === undefined ? await rulesInForce(read) : parseRules(await readJsonFile(options.rules))
      const csr = await readCsr(options.csr)
      const document = await whatIf(
        {
          operation: operationOf(options.operation),
          profile,
          finding,
          ...(csr === undefined ? {} : { csr }),
          keyAlgorithm: options.keyAlgorithm,
          serverKey: options.serverKey === true,
          channelBinding: options.channelBinding === true,
          rules,
        },
        systemClock.now(),
        { read, random: systemRandom, profile: name => storedProfile(read, name) },
      )
      out.result(document, () =>
        [
          facts([
            ['outcome', out.style(document.outcome === 'denied' ? 'red' : 'green', document.outcome)],
            ['because', document.because],
            ...(document.code ? [['code', document.code] as const] : []),
          ]),
          '',
          table(
            ['', 'CHECK', 'FINDING'],
            document.trace.map(step => [MARKS[step.verdict], step.check, step.because]),
          ),
        ].join('\n'),
      )
      return document.outcome === 'denied' ? EXIT.no : EXIT.ok
    }),
  )
}

const MARKS = { passed: '✓', failed: '✗', noted: '·' } as const

async function findEvidence(read: StoreReader, options: ExplainOptions): Promise<EvidenceFinding> {
  const reader = new EvidenceReader(read)
  if (options.certificate !== undefined) {
    return reader.fromCertificates(await certificatesOf(read, options.certificate), systemClock.now())
  }
  if (options.device === undefined) {
    if (options.tokenFile !== undefined)
      throw usageError('A token is shown together with the serial number: add --device SERIAL.')
    return { kind: 'none' }
  }
  if (options.tokenFile !== undefined) return reader.fromToken(options.device, await readToken(options.tokenFile))
  const device = await findDevice(read, options.device, options.model)
  return { kind: 'evidence', evidence: { kind: 'operator', name: OPERATOR.id, device } }
}

/** Never an argument: whoever is on the machine reads the command lines of others. */
async function readToken(file: string): Promise<string> {
  try {
    return (file === '-' ? await wholeText(process.stdin) : await readFile(file, 'utf8')).trim()
  } catch {
    throw usageError(`${file} cannot be read.`)
  }
}

async function certificatesOf(read: StoreReader, text: string): Promise<Uint8Array[]> {
  if (/^[0-9a-fA-F:]{8,64}$/.test(text)) {
    const [record] = await read.certificatesBySerial(serialNumber(text))
    if (record) return [record.der]
    throw new TouchmarkError('certificate.not_found', 'not_found', `No certificate has the serial number ${text}.`, {
      next: 'Look it up with: touchmark device show SERIAL',
    })
  }
  return readPemOrDer(text, 'CERTIFICATE')
}

async function readPemOrDer(file: string, ...labels: readonly string[]): Promise<Uint8Array[]> {
  let bytes: Uint8Array
  try {
    bytes = new Uint8Array(await readFile(file))
  } catch {
    throw usageError(`${file} cannot be read.`)
  }
  if (bytes[0] === 0x30) return [bytes]
  const blocks = parsePem(new TextDecoder().decode(bytes)).filter(block => labels.includes(block.label))
  if (blocks.length === 0) throw usageError(`${file} holds no ${labels[0]}.`)
  return blocks.map(block => block.der)
}

async function readCsr(file: string | undefined): Promise<CertificationRequest | undefined> {
  if (file === undefined) return undefined
  const [der] = await readPemOrDer(file, 'CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST')
  return der && parseCertificationRequest(der)
}

function operationOf(text: string): Operation {
  const operation = OPERATIONS.find(candidate => candidate === text)
  if (operation) return operation
  throw usageError(`--operation is one of ${OPERATIONS.join(', ')}.`)
}
