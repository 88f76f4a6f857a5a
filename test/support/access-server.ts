// The REST API of a test instance behind a real listener, with sign-in as it is: sockets, TLS, cookies. The clock is the test's; browsers keep
// cookies and say where a request comes from, as real ones do.
import type { IncomingHttpHeaders } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import type { TestContext } from 'node:test'
import { NetworkOpenIdProvider } from '../../src/adapters/oidc/openid-provider.ts'
import { hotp } from '../../src/crypto/hotp.ts'
import type { Access } from '../../src/domain/access/access.ts'
import { createFirstLink } from '../../src/domain/access/operators.ts'
import { authenticate, SESSION_COOKIE } from '../../src/protocols/api/authenticate.ts'
import { createOidcRoutes } from '../../src/protocols/api/oidc-routes.ts'
import { createApiRoutes } from '../../src/protocols/api/routes.ts'
import { openListener } from '../../src/server/listener.ts'
import { jsonLogger } from '../../src/server/logger.ts'
import { apiPorts } from './api-door.ts'
import { type TestInstance, testInstance } from './instance.ts'
import { testCertificate } from './test-pki.ts'
import { VirtualAuthenticator } from './virtual-authenticator.ts'

export interface AccessServer extends TestInstance {
  readonly access: Access
  readonly origin: string
  readonly ca: string
  browser(options?: BrowserOptions): Browser
  /** A first administrator, signed in, with a passkey. */
  firstAdministrator(): Promise<Browser>
  /** Somebody with these roles, admitted by the administrator and signed in by their link. */
  operator(administrator: Browser, email: string, roles: readonly string[]): Promise<Browser & { id: string }>
}

export interface BrowserOptions {
  readonly cert?: string
  readonly key?: string
}

export async function accessServer(t: TestContext): Promise<AccessServer> {
  const instance = await testInstance(t)
  const ports = apiPorts(instance, () => undefined)
  const { store, clock } = instance
  const routes = [
    ...createApiRoutes({ ...ports, authenticate: asked => authenticate(asked, { store, clock }) }),
    ...createOidcRoutes({ ...ports, provider: new NetworkOpenIdProvider() }),
  ]
  const certificate = await testCertificate({ name: 'localhost', dns: ['localhost'] })
  const listener = await openListener({
    host: '127.0.0.1',
    port: 0,
    routes,
    logger: jsonLogger(() => undefined),
    tls: { key: certificate.key, cert: certificate.cert },
  })
  t.after(() => listener.close())
  const origin = `https://localhost:${listener.port}`
  const server: AccessServer = {
    ...instance,
    access: ports.access,
    origin,
    ca: certificate.cert,
    browser: options => new Browser(server, options),
    async firstAdministrator() {
      const secret = (await createFirstLink(ports.access))!
      const browser = server.browser()
      const person = { secret, name: 'Ada Ames', email: 'ada@example.test' }
      expectStatus(await browser.post('/session/link', person), 200)
      await browser.addPasskey()
      return browser
    },
    async operator(administrator, email, roles) {
      const given = roles.map(role => ({ role }))
      const added = await administrator.post('/operators', { name: email, email, roles: given })
      expectStatus(added, 201)
      const browser = server.browser()
      expectStatus(await browser.post('/session/link', { secret: added.json.linkSecret }), 200)
      return Object.assign(browser, { id: added.json.operator.id as string })
    },
  }
  return server
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever JSON came
  readonly json: any
}

/** What a browser does for a page of ours; headers may be changed to do what a page of others would. */
export class Browser {
  readonly #server: AccessServer
  readonly #options: BrowserOptions
  readonly authenticator = new VirtualAuthenticator()
  /** Value of the session cookie. */
  cookie: string | undefined

  constructor(server: AccessServer, options: BrowserOptions = {}) {
    this.#server = server
    this.#options = options
  }

  get = (path: string, headers?: Headers) => this.send('GET', path, undefined, headers)
  post = (path: string, body?: unknown, headers?: Headers) => this.send('POST', path, body, headers)
  put = (path: string, body?: unknown, headers?: Headers) => this.send('PUT', path, body, headers)
  delete = (path: string, headers?: Headers) => this.send('DELETE', path, undefined, headers)

  async send(method: string, path: string, body?: unknown, headers: Headers = {}): Promise<Answer> {
    const { origin, ca } = this.#server
    const unsafe = method !== 'GET'
    const all: Headers = {
      ...(unsafe ? { origin, 'sec-fetch-site': 'same-origin', 'x-touchmark-csrf': '1' } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(this.cookie === undefined ? {} : { cookie: `${SESSION_COOKIE}=${this.cookie}` }),
      'user-agent': 'Test browser',
      ...headers,
    }
    const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))
    const { port } = new URL(origin)
    const target = { host: '127.0.0.1', port, servername: 'localhost', path: `/api/v1${path}` }
    const answer = await exchange(
      { ...target, method, ca, agent: false, headers: { host: `localhost:${port}`, ...sent }, ...this.#options },
      body === undefined ? undefined : JSON.stringify(body),
    )
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (name === SESSION_COOKIE) this.cookie = value || undefined
    }
    return answer
  }

  async addPasskey(): Promise<void> {
    const options = await this.post('/account/passkeys/options')
    expectStatus(options, 200)
    const answer = this.authenticator.create(options.json, this.#server.origin)
    expectStatus(await this.post('/account/passkeys', { name: 'Test key', answer }), 201)
  }

  /** Signs in with the passkey that `addPasskey` made. */
  async signIn(): Promise<Answer> {
    const options = await this.post('/session/passkey/options')
    return this.post('/session/passkey', { answer: this.authenticator.get(options.json, this.#server.origin) })
  }

  /** Sets up password and codes; answers a function that gives the code of now. */
  async usePassword(password: string): Promise<() => string> {
    const offer = await this.post('/account/totp/offer')
    expectStatus(offer, 200)
    const secret = fromBase32(offer.json.secret)
    const code = () => hotp(secret, Math.floor(this.#server.clock.now() / 30), 6)
    expectStatus(await this.put('/account/totp', { ticket: offer.json.ticket, code: code() }), 204)
    expectStatus(await this.put('/account/password', { password }), 204)
    return code
  }
}

type Headers = Readonly<Record<string, string>>

function exchange(options: RequestOptions, body: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(options, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const isJson = /json/.test(response.headers['content-type'] ?? '')
        resolve({ status: response.statusCode!, headers: response.headers, text, json: isJson ? JSON.parse(text) : {} })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

export function expectStatus(answer: Answer, status: number): void {
  if (answer.status !== status) throw new Error(`${answer.status} instead of ${status}: ${answer.text}`)
}

export function fromBase32(text: string): Buffer {
  const bits = [...text]
    .map(each => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(each).toString(2).padStart(5, '0'))
    .join('')
  return Buffer.from(bits.match(/.{8}/g)!.map(octet => Number.parseInt(octet, 2)))
}
