// The console in a real browser: the bundle built, a server with a small fleet in it, Debian's Chromium, and an administrator who is signed in
// by the one-time link and a passkey of a virtual authenticator. What the browser complains of is kept: no test may leave it unread.
import { createHash, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { buildConsole } from '../../scripts/build-console.ts'
import { LiveServer } from './live-server.ts'

/** Where Debian's package puts it, or what CHROMIUM names. */
const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

export interface OpenedBrowser extends AsyncDisposable {
  readonly page: Page
  readonly context: BrowserContext
  /** What the browser said against the pages so far: errors, refused loads, requests to other origins. */
  readonly complaints: string[]
}

export interface OpenedConsole extends OpenedBrowser {
  readonly server: LiveServer
  /** `https://localhost:PORT/#link=…` of the first start. */
  readonly firstSignIn: string
  goto(path: string): Promise<void>
}

export interface ConsoleOptions {
  readonly width?: number
  readonly height?: number
  /** Devices of the demo's fleet to look at; without it the instance is empty. */
  readonly fleet?: number
}

/** Starts everything; nobody is signed in. */
export async function openConsole(options: ConsoleOptions = {}): Promise<OpenedConsole> {
  await buildConsole()
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await (options.fleet ? LiveServer.startDemo(options.fleet) : LiveServer.start()))
  const { firstSignIn } = JSON.parse(server.stdout().split('\n')[0]!) as { firstSignIn: string }
  const { page, context, complaints } = stack.use(await openBrowser(server.url, options))
  const resources = stack.move()
  return {
    server,
    page,
    context,
    firstSignIn,
    complaints,
    goto: async path => {
      await page.goto(server.url + path)
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** A browser for a console that is served somewhere on this machine; nobody is signed in. */
export async function openBrowser(url: string, options: ConsoleOptions = {}): Promise<OpenedBrowser> {
  await using stack = new AsyncDisposableStack()
  const browser = stack.adopt(await launch(url), opened => opened.close())
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
  })
  const page = await context.newPage()
  const complaints: string[] = []
  watch(page, url, complaints)
  await addAuthenticator(context, page)
  const resources = stack.move()
  return { page, context, complaints, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

/** By the link of the first start: makes the administrator with a passkey, and ends on the overview. */
export async function becomeFirstAdministrator({
  page,
  firstSignIn,
}: Pick<OpenedConsole, 'page' | 'firstSignIn'>): Promise<void> {
  await page.goto(firstSignIn)
  await page.getByLabel('Name').fill('Ada Lovelace')
  await page.getByLabel('E-mail address').fill('ada@example.com')
  await page.getByRole('button', { name: 'Make my account' }).click()
  await page.getByRole('button', { name: 'Make a passkey' }).click()
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
}

export interface SecondOperator extends AsyncDisposable {
  readonly page: Page
  readonly complaints: string[]
}

/** Somebody else at the same server, by a sign-in link: a browser context of their own, with a passkey of their own. */
export async function openConsoleAs({ context, server }: OpenedConsole, link: string): Promise<SecondOperator> {
  const own = await context.browser()!.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' })
  const page = await own.newPage()
  const complaints: string[] = []
  watch(page, server.url, complaints)
  await addAuthenticator(own, page)
  await signInBy(link, page)
  return { page, complaints, [Symbol.asyncDispose]: () => own.close() }
}

/** By a sign-in link of somebody who is an operator already: ends on the overview. */
export async function signInBy(link: string, page: Page): Promise<void> {
  await page.goto(link)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Make a passkey' }).click()
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
}

/** Passkeys want a certificate without errors: the browser is told which key this server has, and trusts that one and no other. */
async function launch(url: string): Promise<Browser> {
  const key = createHash('sha256')
    .update(await publicKeyOf(url))
    .digest('base64')
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: ['--no-sandbox', `--ignore-certificate-errors-spki-list=${key}`],
  })
}

async function publicKeyOf(url: string): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const socket = connect({ host: 'localhost', port: Number(new URL(url).port), rejectUnauthorized: false }, () => {
    const certificate = socket.getPeerX509Certificate()
    socket.end()
    if (certificate) resolve(new X509Certificate(certificate.raw).publicKey.export({ type: 'spki', format: 'der' }))
    else reject(new Error('The server showed no certificate.'))
  })
  socket.once('error', reject)
  return promise
}

function watch(page: Page, origin: string, complaints: string[]): void {
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning')
      complaints.push(`console: ${message.text()} ${message.location().url}`)
  })
  page.on('pageerror', error => complaints.push(`page: ${error.message}`))
  page.on('request', request => {
    const { protocol, origin: asked } = new URL(request.url())
    if (protocol !== 'data:' && protocol !== 'blob:' && asked !== origin)
      complaints.push(`another origin: ${request.url()}`)
  })
}

async function addAuthenticator(context: BrowserContext, page: Page): Promise<void> {
  const session = await context.newCDPSession(page)
  await session.send('WebAuthn.enable')
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
}

/** A fleet to look at: birth certificates by a batch, a part of the devices enrolled by agents, one suspended, a campaign under way. */
export async function addFleet(server: LiveServer, { units = 60, agents = 24 } = {}): Promise<void> {
  const models = ['gateway-x2', 'sensor-t1', 'sensor-t1', 'meter-e5']
  const sites = ['Hamburg', 'Porto', 'Gdansk']
  const lines = Array.from({ length: units }, (_, i) => {
    const model = models[i % models.length]!
    return `${model.slice(0, 2).toUpperCase()}-${26_000_000 + i * 7},${model},${sites[i % sites.length]}`
  })
  writeFileSync(server.folder.join('units.csv'), `serial,model,site\n${lines.join('\n')}\n`)
  await server.sh('touchmark batch --input units.csv --profile idevid --output results --generate-keys')
  await server.sh(
    `touchmark simulate --server "$URL" --devices ${agents} --renewals 1 --faults 0 --model sensor-t1 --trust "$ROOTS"`,
  )
}
