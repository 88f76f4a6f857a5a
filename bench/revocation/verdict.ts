// The verdict as a gateway asks it in a handshake: POST over TLS connections that stay open, to a warm server, about devices in turn. The limit is what
// no answer can do without: a round trip to a bare HTTPS server with the same TLS, and the bare verification of the signatures of the path.
import { type ChildProcess, spawn } from 'node:child_process'
import { createPublicKey, verify } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { createInterface } from 'node:readline'
import { toPem } from '../../src/core/asn1/pem.ts'
import { type Certificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import { createApiToken } from '../../src/domain/access/api-tokens.ts'
import { newOperatorId, type Operator } from '../../src/domain/access/operator.ts'
import { permissionNames } from '../../src/domain/access/permissions.ts'
import { runBatch } from '../../src/domain/factory/run-batch.ts'
import { authorityId } from '../../src/domain/ids.ts'
import type { Instance } from '../../src/server/open-instance.ts'
import { report } from '../support/figure.ts'
import { MAIN, makeDataFolder, openBenchInstance } from '../support/instance.ts'
import { publicKeyUnit } from '../support/units.ts'

const DEVICES = 500
const WARM = 1500
const ASKED = 4000
const CONNECTIONS = [1, 4] as const
const AUTHORITY = authorityId('idevid-1')

interface Prepared {
  readonly token: string
  readonly roots: readonly string[]
  readonly certificates: readonly string[]
  /** Milliseconds for the signatures of one path, in the middle. */
  readonly bareVerification: number
}

export async function run(): Promise<void> {
  await using folder = await makeDataFolder()
  const { token, roots, certificates, bareVerification } = await prepare(folder.path)
  await using bare = await start([new URL('../support/bare-server.ts', import.meta.url).pathname, folder.path])
  await using ours = await start([MAIN, 'serve', '--data', folder.path, '--port', '0', '--http-port', '0', '--json'])
  const bodies = certificates.map(certificate => JSON.stringify({ certificate, purpose: 'client' }))
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  for (const connections of CONNECTIONS) {
    const asked = { bodies, headers, ca: roots, connections }
    const limit = await measure({ ...asked, url: `${bare.url}/`, good: '', pid: bare.pid })
    const answers = await measure({ ...asked, url: `${ours.url}/api/v1/verdict`, good: '"good":true', pid: ours.pid })
    const what = `bare HTTPS round trip and bare verification (${bareVerification.toFixed(3)} ms)`
    for (const at of ['p50', 'p99'] as const) {
      report({
        figure: `verdict over keep-alive, ${at}`,
        value: Number(answers[at].toFixed(3)),
        unit: 'ms',
        limit: { what, value: Number((limit[at] + bareVerification).toFixed(3)), unit: 'ms' },
        connections,
        // What a machine that has other things to do cannot change.
        serverMicroseconds: answers.serverMicroseconds,
        verdictsPerSecond: Math.round(answers.perSecond),
      })
    }
  }
}

async function prepare(path: string): Promise<Prepared> {
  await using instance = await openBenchInstance(path)
  await runBatch(
    {
      inputDigest: '4'.repeat(64),
      units: (async function* () {
        for (let line = 1; line <= DEVICES; line++) yield publicKeyUnit(line)
      })(),
      profile: await instance.authorities.profile('idevid'),
      rules: await instance.rules(),
      operator: 'bench',
    },
    {
      ...instance,
      sink: { write: async () => undefined, stationKey: () => Promise.reject(new Error('no unit needs one')) },
    },
  )
  const { items } = await instance.store.read.certificatesOfAuthority(AUTHORITY, { limit: DEVICES + 100 })
  const leaves = items.filter(({ deviceId }) => deviceId !== null).map(({ der }) => der)
  const chain = (await instance.authorities.chain(AUTHORITY)).map(parseCertificate)
  return {
    token: await apiToken(instance),
    roots: (await instance.authorities.trustBundle()).map(der => toPem('CERTIFICATE', der)),
    certificates: leaves.map(der => toPem('CERTIFICATE', der)),
    bareVerification: bareVerification([parseCertificate(leaves[0]!), ...chain]),
  }
}

/** An API token of an administrator who is written into the store. */
async function apiToken({ store, clock, random }: Instance): Promise<string> {
  const now = clock.now()
  const operator: Operator = {
    id: newOperatorId(random),
    name: 'Bench',
    email: 'bench@example.test',
    state: 'active',
    roles: [{ role: 'administrator', scope: {} }],
    passwordHash: null,
    totp: null,
    oidc: null,
    createdAt: now,
    revision: 1,
  }
  await store.commit({ writes: [{ kind: 'operator.put', operator, from: null }], audit: [] })
  const principal = {
    kind: 'operator',
    id: operator.id,
    operatorId: operator.id,
    name: 'Bench',
    grants: [{ permissions: new Set(permissionNames), scope: {} }],
    authenticatedBy: 'passkey',
    authenticatedAt: now,
  } as const
  const asked = { name: 'gateway', permissions: ['certificate.read'], scope: {}, lifetimeSeconds: 86_400 } as const
  return (await createApiToken(asked, principal, { store, clock, random })).secret
}

/** With keys that are open: what any verifier has to pay. */
function bareVerification(path: readonly Certificate[]): number {
  const signed = path.slice(0, -1).map((certificate, i) => {
    const spki = Buffer.from(path[i + 1]!.subjectPublicKeyInfo.raw)
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    const hash = key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'sha384' : 'sha256'
    return { certificate, key, hash }
  })
  const times: number[] = []
  for (let i = 0; i < 500; i++) {
    const begun = performance.now()
    for (const { certificate, key, hash } of signed) {
      if (!verify(hash, certificate.tbs, key, certificate.signature)) throw new Error('A signature does not verify.')
    }
    times.push(performance.now() - begun)
  }
  return times.sort((a, b) => a - b)[250]!
}

interface Asked {
  readonly url: string
  readonly bodies: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly ca: readonly string[]
  readonly connections: number
  /** What stands in every answer. */
  readonly good: string
  readonly pid: number
}

interface Measured {
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
  /** Processor time of the server for one answer; `null` where the machine does not tell. */
  readonly serverMicroseconds: number | null
}

async function measure(asked: Asked): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: asked.connections, ca: [...asked.ca] })
  const times: number[] = []
  let next = 0
  const asker = async (until: number) => {
    while (next < until) {
      const body = asked.bodies[next++ % asked.bodies.length]!
      const begun = performance.now()
      const text = await post(asked, agent, body)
      times.push(performance.now() - begun)
      if (!text.includes(asked.good)) throw new Error(text)
    }
  }
  const all = (until: number) => Promise.all(Array.from({ length: asked.connections }, () => asker(until)))
  await all(WARM)
  times.length = 0
  const before = processorSeconds(asked.pid)
  const begun = performance.now()
  await all(WARM + ASKED)
  const seconds = (performance.now() - begun) / 1000
  const spent = processorSeconds(asked.pid) - before
  agent.destroy()
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)]!
  return {
    p50: at(0.5),
    p99: at(0.99),
    perSecond: times.length / seconds,
    serverMicroseconds: Number.isNaN(spent) ? null : Math.round((spent * 1e6) / times.length),
  }
}

/** User and system time of a process, in ticks of a hundredth of a second (proc(5)); NaN where there is no /proc. */
function processorSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return Number.NaN
  }
}

async function post({ url, headers }: Asked, agent: Agent, body: string): Promise<string> {
  const asked = request(url, { method: 'POST', agent, headers })
  asked.end(body)
  const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return text
}

interface Started extends AsyncDisposable {
  readonly url: string
  readonly pid: number
}

async function start(args: readonly string[]): Promise<Started> {
  const child: ChildProcess = spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout! })) {
    const { ready, url } = JSON.parse(line) as { ready?: boolean; url: string }
    if (ready) return { url, pid: child.pid!, [Symbol.asyncDispose]: () => end(child) }
  }
  throw new Error('The server ended before it was ready.')
}

async function end(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  await closed
}
