// How the hierarchy grows: new authorities under ours, requests for others to certify, certificates that come back, and the CRL of the
// offline root. What needs the root's key opens the folder that the command line names, for the one act.
import { readFile, writeFile } from 'node:fs/promises'
import { parsePem, toPem } from '../core/asn1/pem.ts'
import { isKeyAlgorithmName } from '../crypto/algorithms.ts'
import type { Authority } from '../domain/ca/authority.ts'
import type { AuthorityPlan } from '../domain/ca/create-authority.ts'
import type { IssuingAuthority } from '../domain/ca/signing-authority.ts'
import { authorityId } from '../domain/ids.ts'
import type { Instance } from '../server/open-instance.ts'
import { act, type Command, type Context, command, positiveInteger, usageError, withPassphrase } from './command.ts'
import { OPERATOR } from './operator.ts'
import type { Output } from './output.ts'
import { time, timestamp } from './output.ts'
import { passphraseSources } from './passphrase-sources.ts'

interface KeyOptions {
  readonly issuerKeys?: string
  readonly passphraseFile?: string
}

interface CreateOptions extends KeyOptions {
  readonly name: string
  readonly kind: string
  readonly algorithm: string
  readonly days?: number
  readonly expiry: boolean
  readonly pathLength?: number
  readonly crlShards?: number
  readonly issuer?: string
  readonly out?: string
}

export function createCommand(): Command {
  const create = withPassphrase(
    command({
      name: 'create',
      summary: 'Make an authority',
      description:
        'With --issuer an authority of this instance certifies it at once; the offline root does so from the folder of\n' +
        'its keys. Without, a key is made here and a request (PKCS#10) printed for somebody else to certify: bring the\n' +
        'certificate back with touchmark authority import.',
      examples: [
        [
          'authority create ldevid-2 --name "LDevID CA 2" --issuer root-1 --issuer-keys ./offline-root',
          'Under our root',
        ],
        [
          'authority create site-1 --name "Site A" --kind intermediate --path-length 1 > site.csr',
          'Under somebody else’s',
        ],
      ],
    }),
  )
    .argument('<id>', 'name and generation: ldevid-2')
    .option('--issuer <id>', 'the authority of this instance that certifies it')
  return act<CreateOptions>(withPlan(create), async (context, id) => {
    const { out, options } = context
    const plan = planOf(id!, options)
    await using instance = await openInstance(context)
    const { addAwaiting, addSubordinate } = await import('../domain/ca/add-authority.ts')
    const ports = { ...instance, now: instance.clock.now(), actor: OPERATOR }
    if (options.issuer === undefined) {
      await printRequest(out, plan.id, await addAwaiting(plan, ports), options.out)
      return
    }
    const made = await withIssuer(context, instance, options.issuer, issuer => addSubordinate(plan, issuer, ports))
    await report(out, made)
  })
}

export function signCommand(): Command {
  const sign = withPassphrase(
    command({
      name: 'sign',
      summary: 'Certify the request of an authority that lives elsewhere',
      description:
        'The other half of create without --issuer: for whoever keeps the root. Of the request only the key counts; name,\n' +
        'path length and lifetime are what you say here. Prints the certificate in PEM.',
      examples: [
        [
          'authority sign site-1 site.csr --name "Site A" --kind intermediate --path-length 1 --issuer root-1 --issuer-keys ./offline-root > site.pem',
          'Another instance’s authority, under our root',
        ],
      ],
    }),
  )
    .argument('<id>', 'name and generation: site-1')
    .argument('<request>', 'PKCS#10, PEM or DER')
    .requiredOption('--issuer <id>', 'the authority of this instance that certifies it')
  return act<CreateOptions>(withPlan(sign), async (context, id, file) => {
    const { out, options } = context
    const plan = planOf(id!, options)
    const request = await readRequest(file!)
    const { signAuthorityRequest } = await import('../domain/ca/add-authority.ts')
    await using instance = await openInstance(context)
    const ports = { ...instance, now: instance.clock.now(), actor: OPERATOR }
    const der = await withIssuer(context, instance, options.issuer!, issuer =>
      signAuthorityRequest(request, plan, issuer, ports),
    )
    const pem = toPem('CERTIFICATE', der)
    if (options.out !== undefined) await writeFile(options.out, pem)
    if (out.json) out.line({ id, certificate: pem })
    else if (options.out === undefined) out.raw(pem)
  })
}

/** What is to be said about an authority that is certified. */
function withPlan(made: Command): Command {
  return made
    .requiredOption('--name <common name>', 'commonName of its certificate')
    .option('--kind <kind>', 'issuing or intermediate', 'issuing')
    .option('--algorithm <name>', 'algorithm of its key', 'P-256')
    .option('--days <count>', 'lifetime of its certificate (default: 15 years)', positiveInteger)
    .option('--no-expiry', 'its certificate has no well-defined end')
    .option('--path-length <count>', 'how many authorities may follow below an intermediate', positiveInteger)
    .option('--crl-shards <count>', 'CRLs over which its certificates are spread', positiveInteger)
    .option('--issuer-keys <folder>', 'where the issuer’s key is, if not here: the folder offline-root')
    .option('--out <file>', 'write the result to a file instead of standard output')
}

export function csrCommand(): Command {
  const csr = withPassphrase(command({ name: 'csr', summary: 'Print the request of an authority that waits, again' }))
    .argument('<id>', 'from touchmark authority list')
    .option('--out <file>', 'write it to a file')
  return act<{ readonly out?: string; readonly passphraseFile?: string }>(csr, async (context, id) => {
    const { certificationRequestFor } = await import('../domain/ca/create-authority.ts')
    await using instance = await openInstance(context)
    const request = await certificationRequestFor(authorityId(id!), instance)
    await printRequest(context.out, id!, request, context.options.out)
  })
}

interface ImportOptions extends KeyOptions {
  readonly above: readonly string[]
  readonly acceptOtherName?: boolean
}

export function importCommand(): Command {
  const made = withPassphrase(
    command({
      name: 'import',
      summary: 'Bring in the certificate of an authority that waits',
      description: 'It is taken only where key, name, rights and chain are right.',
      examples: [
        [
          'authority import ldevid-2 ldevid-2.pem --above company-ca.pem --above company-root.pem',
          'With the certificates above',
        ],
      ],
    }),
  )
    .argument('<id>', 'from touchmark authority list')
    .argument('<file>', 'the certificate, PEM or DER; further ones in the file count as --above')
    .option(
      '--above <file>',
      'certificates above, up to the root; may be given again',
      (file, all: string[]) => [...all, file],
      [],
    )
    .option('--accept-other-name', 'take it although the issuer changed the name')
  return act<ImportOptions>(made, async (context, id, file) => {
    const { out, options } = context
    const { importAuthorityCertificate } = await import('../domain/ca/import-authority.ts')
    const [certificate, ...along] = await readCertificates(file!)
    const above = [...along, ...(await Promise.all(options.above.map(readCertificates))).flat()]
    await using instance = await openInstance(context)
    const record = await importAuthorityCertificate(
      authorityId(id!),
      certificate!,
      { above, ...(options.acceptOtherName ? { acceptOtherName: true } : {}) },
      { ...instance, now: instance.clock.now(), actor: OPERATOR },
    )
    await report(out, record)
  })
}

export function crlCommand(): Command {
  const crl = withPassphrase(
    command({
      name: 'crl',
      summary: 'Publish the CRL of an authority whose key is offline',
      description: 'The server publishes those of its own authorities. The root’s lasts 400 days: do this once a year.',
      examples: [['authority crl root-1 --issuer-keys /media/usb/offline-root', 'The root’s CRL']],
    }),
  )
    .argument('<id>', 'from touchmark authority list')
    .requiredOption('--issuer-keys <folder>', 'where its key is')
  return act<KeyOptions>(crl, async (context, id) => {
    const [{ publishCrl }, { OFFLINE_CRL_SCHEDULE }, { crlUrl }] = await Promise.all([
      import('../domain/revocation/publish-crl.ts'),
      import('../domain/revocation/crl-schedule.ts'),
      import('../domain/ca/distribution-urls.ts'),
    ])
    await using instance = await openInstance(context)
    const settings = await instance.authorities.settings()
    const published = await withIssuer(context, instance, id!, async issuer => {
      const shards = Array.from({ length: issuer.record.crlShards }, (_, shard) => shard)
      return Promise.all(
        shards.map(shard => publishCrl(issuer, shard, crlUrl(settings, id!, shard), OFFLINE_CRL_SCHEDULE, instance)),
      )
    })
    const document = published.map(({ name, number, thisUpdate, nextUpdate }) => ({
      name,
      number,
      thisUpdate: timestamp(thisUpdate),
      nextUpdate: timestamp(nextUpdate),
    }))
    context.out.result({ published: document }, () =>
      published
        .map(({ name, number, nextUpdate }) => `${name} number ${number}, next update by ${time(nextUpdate)}`)
        .join('\n'),
    )
  })
}

async function openInstance({ data, options }: Context<{ readonly passphraseFile?: string }>): Promise<Instance> {
  const server = await import('../server/open-instance.ts')
  return server.openInstance(data, passphraseSources(options))
}

/** The issuer with its key: of this instance, or from the folder that was named, opened for this one act. */
async function withIssuer<T>(
  { options, data }: Context<KeyOptions>,
  instance: Instance,
  id: string,
  use: (issuer: IssuingAuthority) => Promise<T>,
): Promise<T> {
  if (options.issuerKeys === undefined) return use(await instance.authorities.signing(authorityId(id)))
  const [{ openSoftwareKeyStore }, { findPassphrase }, { AuthorityDirectory }] = await Promise.all([
    import('../adapters/keystore/software-keystore.ts'),
    import('../server/passphrase.ts'),
    import('../domain/ca/authorities.ts'),
  ])
  const { bytes } = await findPassphrase(data, passphraseSources(options), options.issuerKeys)
  await using keyStore = await openSoftwareKeyStore({ folder: options.issuerKeys, passphrase: bytes })
  const authorities = new AuthorityDirectory({ store: instance.store, keyStore })
  return await use(await authorities.signing(authorityId(id)))
}

const KINDS = ['issuing', 'intermediate'] as const satisfies readonly Authority['kind'][]

function planOf(id: string, options: CreateOptions): AuthorityPlan {
  const kind = KINDS.find(candidate => candidate === options.kind)
  if (!kind) throw usageError(`--kind is one of ${KINDS.join(', ')}.`)
  if (!isKeyAlgorithmName(options.algorithm)) throw usageError(`${options.algorithm} is no key algorithm.`)
  return {
    id: authorityId(id),
    kind,
    commonName: options.name,
    algorithm: options.algorithm,
    ...(options.expiry ? {} : { validity: { noExpiry: true } }),
    ...(options.days === undefined ? {} : { validity: { days: options.days } }),
    ...(options.pathLength === undefined ? {} : { pathLength: options.pathLength }),
    ...(options.crlShards === undefined ? {} : { crlShards: options.crlShards }),
  }
}

/** A file holds a chain, or one request. */
const MAX_FILE = 1024 * 1024

async function readCertificates(file: string): Promise<Uint8Array[]> {
  const ders = await readDers(file, 'CERTIFICATE')
  if (ders.length === 0) throw usageError(`${file} holds no certificate.`)
  return ders
}

/** The PKCS#10 request in a file, PEM or DER. */
export async function readRequest(file: string): Promise<Uint8Array> {
  const [request] = await readDers(file, 'CERTIFICATE REQUEST')
  if (!request) throw usageError(`${file} holds no certificate request.`)
  return request
}

/** DER as it is, or the PEM blocks with this label. */
async function readDers(file: string, label: string): Promise<Uint8Array[]> {
  let bytes: Uint8Array
  try {
    bytes = new Uint8Array(await readFile(file))
  } catch {
    throw usageError(`${file} cannot be read.`)
  }
  if (bytes.length > MAX_FILE) throw usageError(`${file} is too large.`)
  if (bytes[0] === 0x30) return [bytes]
  return parsePem(new TextDecoder().decode(bytes)).flatMap(block => (block.label === label ? [block.der] : []))
}

async function printRequest(out: Output, id: string, request: Uint8Array, file: string | undefined): Promise<void> {
  const pem = toPem('CERTIFICATE REQUEST', request)
  if (file !== undefined) await writeFile(file, pem)
  if (out.json) out.line({ id, state: 'awaiting_certificate', request: pem })
  else if (file === undefined) out.raw(pem)
  out.note(`${id} waits for its certificate: touchmark authority import ${id} FILE`)
}

async function report(out: Output, record: Authority): Promise<void> {
  const { parseCertificate } = await import('../core/pki/certificate.ts')
  const document = { id: record.id, kind: record.kind, state: record.state, issuer: record.issuer }
  const until = record.certificate ? `, until ${time(parseCertificate(record.certificate).notAfter)}` : ''
  out.result(document, () => `${record.id} is ${record.state}${until}.`)
}
