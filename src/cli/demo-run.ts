// What `touchmark demo` does: one unit on a factory line and its device in the field, over the real protocols. Each step is timed and
// told; what is made stays in files, for the reader to go on with.
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parsePem, parsePemBlock, toPem } from '../core/asn1/pem.ts'
import type { Bytes } from '../core/bytes/bytes.ts'
import { toHex } from '../core/bytes/hex.ts'
import { TouchmarkError } from '../core/errors.ts'
import { parseCertificate } from '../core/pki/certificate.ts'
import { ATTRIBUTE, attributeValue, formatName } from '../core/pki/name.ts'
import { sha256 } from '../crypto/digest.ts'
import { importPkcs8, type PrivateKey } from '../crypto/keys.ts'
import { systemRandom } from '../crypto/random.ts'
import { ensureIdentity } from '../domain/ca/platform-identity.ts'
import { runBatch, type UnitResult } from '../domain/factory/run-batch.ts'
import type { UnitInput } from '../domain/factory/unit.ts'
import { serialNumber } from '../domain/ids.ts'
import type { Instance } from '../server/open-instance.ts'
import { type Credential, SimulatedDevice } from '../sim/device.ts'
import { RelyingService } from '../sim/relying-service.ts'
import { OPERATOR } from './operator.ts'
import { time } from './output.ts'

export interface DemoStep {
  readonly title: string
  readonly detail: string
  readonly milliseconds: number
}

export interface DemoFolders {
  readonly device: string
  readonly service: string
}

export interface DemoStory {
  readonly model: string
  readonly serialNumber: string
  readonly certificates: { readonly birth: string; readonly operational: string; readonly renewed: string }
  readonly folders: DemoFolders
}

export interface DemoRun {
  readonly instance: Instance
  readonly url: string
  readonly folders: DemoFolders
  tell(step: DemoStep): void
}

const MODEL = 'demo-sensor'

/** Runs the story. A device of an earlier run that is refused now (its reader revoked it) makes room for a new one. */
export async function runDemo(run: DemoRun): Promise<DemoStory> {
  const known = await readDevice(run.folders.device)
  try {
    return await runStory(run)
  } catch (thrown) {
    if (!known || !(isRefusal(thrown) || thrown instanceof UnitRejected)) throw thrown
    const aside = `${run.folders.device}-${known.serialNumber}`
    await rename(run.folders.device, aside)
    run.tell({
      title: 'That device is not let in any more, so a new one takes its place',
      detail: `${thrown.message}\nits files are in ${aside}`,
      milliseconds: 0,
    })
    return runStory(run)
  }
}

async function runStory({ instance, url, folders, tell }: DemoRun): Promise<DemoStory> {
  const step = async <T>(title: string, work: () => Promise<readonly [T, string]>): Promise<T> => {
    const started = performance.now()
    const [result, detail] = await work()
    tell({ title, detail, milliseconds: performance.now() - started })
    return result
  }
  const trustAnchors = (await instance.authorities.trustBundle()).map(der => toPem('CERTIFICATE', der)).join('')

  const device = await step('A device is made', async () => {
    const made = await powerOn({ url, trustAnchors }, folders.device)
    return [made, `serial number ${made.serialNumber}, model ${made.model}; its key was made inside it and stays there`]
  })
  await step('The factory gives it its birth certificate', async () => {
    const chain = await factoryLine(device, instance)
    device.installBirthCertificate(chain)
    return [undefined, describe(device.birth, 'IDevID')]
  })
  const operational = await step('In the field it enrols over EST', async () => {
    const credential = await device.enrol()
    return [credential, describe(credential, 'LDevID')]
  })
  const service = await makeService(instance, folders.service, trustAnchors)
  await step('A service that knows only the root lets it in', async () => {
    await using relying = await RelyingService.start({ ...service, trustAnchors })
    const { body, tls } = await device.call(relying.url)
    return [undefined, `mutual ${tls.protocol}, ${tls.cipher}; the service saw: ${body}`]
  })
  const renewed = await step('It renews, with a new key', async () => {
    const credential = await device.renew()
    return [credential, describe(credential, 'LDevID')]
  })
  await step('The server knows it by the new one', async () => {
    const { body } = await device.call(`${url}/whoami`)
    const { certificate } = JSON.parse(body) as { certificate: { serialNumber: string } }
    return [undefined, `GET /whoami: certificate ${certificate.serialNumber}`]
  })
  await writeFiles(folders.device, device.files())
  return {
    model: device.model,
    serialNumber: device.serialNumber,
    certificates: {
      birth: device.birth.certificate.serialNumber,
      operational: operational.certificate.serialNumber,
      renewed: renewed.certificate.serialNumber,
    },
    folders,
  }
}

/** The device of the last run with its key, or a new one. */
async function powerOn(where: { url: string; trustAnchors: string }, folder: string): Promise<SimulatedDevice> {
  const known = await readDevice(folder)
  if (known)
    return SimulatedDevice.restore({ ...where, model: MODEL, serialNumber: known.serialNumber }, known.birthKey)
  const serialNumber = `DEMO-${toHex(systemRandom.bytes(4)).toUpperCase()}`
  return SimulatedDevice.powerOn({ ...where, model: MODEL, serialNumber })
}

async function readDevice(folder: string): Promise<{ serialNumber: string; birthKey: PrivateKey } | undefined> {
  const [key, certificate] = [join(folder, 'birth.key'), join(folder, 'birth.pem')]
  if (!existsSync(key) || !existsSync(certificate)) return undefined
  const birthKey = importPkcs8(parsePemBlock(await readFile(key, 'utf8'), 'PRIVATE KEY'))
  const [leaf] = parsePem(await readFile(certificate, 'utf8'))
  const serialNumber = leaf && attributeValue(parseCertificate(leaf.der).subject, ATTRIBUTE.serialNumber)
  return serialNumber === undefined ? undefined : { serialNumber, birthKey }
}

class UnitRejected extends Error {
  override readonly name = 'UnitRejected'
}

function isRefusal(thrown: unknown): thrown is TouchmarkError {
  return thrown instanceof TouchmarkError && thrown.code === 'agent.server_refused'
}

/** A batch of one: the same recipe that does a hundred thousand. */
async function factoryLine(device: SimulatedDevice, instance: Instance): Promise<Bytes[]> {
  const der = await device.birthRequest()
  const results: UnitResult[] = []
  const unit: UnitInput = { line: 1, model: device.model, serialNumber: device.serialNumber, key: { kind: 'csr', der } }
  await runBatch(
    {
      inputDigest: toHex(sha256(der)),
      units: (async function* () {
        yield unit
      })(),
      profile: await instance.authorities.profile('idevid'),
      rules: await instance.rules(),
      operator: OPERATOR.id,
    },
    {
      ...instance,
      sink: {
        write: async done => void results.push(...done),
        stationKey: () => Promise.reject(new Error('The device of the demo makes its own key.')),
      },
    },
  )
  const [result] = results
  if (!result || result.outcome === 'rejected') {
    throw new UnitRejected(`The factory line rejected the unit: ${result?.code ?? 'nothing came back'}`)
  }
  const certificate = new Uint8Array(result.certificate)
  const [record] = await instance.store.read.certificatesBySerial(serialNumber(result.certificateSerial))
  return [certificate, ...(await instance.authorities.chain(record!.authorityId)).slice(0, -1)]
}

/** Certificate and key of the service, in files too: for `openssl s_server`. */
async function makeService(
  instance: Instance,
  folder: string,
  trustAnchors: string,
): Promise<{ cert: string; key: string }> {
  const identity = await ensureIdentity(
    {
      profile: 'server-tls',
      keyLabel: 'demo-service-',
      keyAlgorithm: 'P-256',
      subjectFields: { commonName: 'demo-service', dnsNames: 'localhost', ipAddresses: '127.0.0.1 ::1' },
      renewAtRemaining: 1 / 3,
      actor: 'demo',
    },
    instance,
  )
  const above = (await instance.authorities.chain(identity.record.authorityId)).slice(0, -1)
  const certificates = [identity.record.der, ...above].map(der => toPem('CERTIFICATE', der))
  const key = toPem('PRIVATE KEY', (await instance.keyStore.privateKey(identity.keyUri)).toPkcs8())
  await writeFiles(
    folder,
    new Map([
      ['service.pem', certificates[0]!],
      ['chain.pem', certificates.slice(1).join('')],
      ['service.key', key],
      ['roots.pem', trustAnchors],
    ]),
  )
  return { cert: certificates.join(''), key }
}

async function writeFiles(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const [name, text] of files) {
    await writeFile(join(folder, `.${name}`), text, { mode: 0o600 })
    await rename(join(folder, `.${name}`), join(folder, name))
  }
}

function describe({ certificate }: Credential, kind: string): string {
  return `${kind} ${certificate.serialNumber}\n${formatName(certificate.subject)}, until ${time(certificate.notAfter)}`
}
