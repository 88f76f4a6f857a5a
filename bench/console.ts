// The console over a million devices, in a real browser (Chromium): from the beginning of a load, or of a click, or of the last letter typed, until
// what was asked for stands on the screen. Beside each figure, in the same run, the same page over a handful of devices and the answer of the API alone.
// TOUCHMARK_BENCH_FLEET names a data folder with a fleet that an earlier run left there, or where one is to be left.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Page } from 'playwright-core'
import { buildConsole } from '../scripts/build-console.ts'
import { becomeFirstAdministrator, openBrowser, signInBy } from '../test/support/console.ts'
import { report, say } from './support/figure.ts'
import { fillFleet } from './support/fleet.ts'
import { MAIN, makeDataFolder, touchmark } from './support/instance.ts'
import { DEVICES } from './support/million.ts'

const ROUNDS = 15
/** Who becomes the first administrator in `becomeFirstAdministrator`. */
const OPERATOR = 'ada@example.com'
/** For what a page still asks after it stands there, which is no part of what comes next. */
const SETTLE_MS = 300

interface Look {
  readonly figure: string
  /** Milliseconds that it may take. */
  readonly goal: number
  /** What the API is asked for what is looked at. */
  readonly api: string
  /** Milliseconds until it stood there. */
  take(page: Page, url: string, round: number): Promise<number>
}

const LIST = '/api/v1/devices?sort=-registered&limit=100'
const OVERVIEW = '/api/v1/statistics/overview'
/** Beginnings of serial numbers, of which some mean one device and some a hundred thousand; none ends with 0, so that the last letter matters. */
const SEARCHES = ['SN004', 'SN0072', 'SN00812', 'SN0031415', 'SN00999999', 'SN0003', 'SN01', 'SN0055', 'SN00123']
/** The first devices that these and the letters before mean. */
const FEW = new Set(
  SEARCHES.flatMap(text => [text.slice(0, -1), text]).map(text => Number(text.slice(2).padEnd(8, '0')) || 1),
)

const ROW = '.tm-list-row .tm-row-link'
const FIGURES = '.tm-figures'

const LOOKS: readonly Look[] = [
  {
    figure: 'device list: load of the page to the first rows',
    goal: 300,
    api: LIST,
    take: (page, url) => load(page, `${url}/devices`, ROW),
  },
  {
    figure: 'device list: click to the first rows',
    goal: 300,
    api: LIST,
    take: (page, url) => click(page, url, 'Devices', ROW),
  },
  {
    figure: 'search: last letter typed to the rows',
    goal: 300,
    api: '/api/v1/devices?search=SN0072&limit=100',
    take: search,
  },
  {
    figure: 'overview: load of the page to its numbers',
    goal: 500,
    api: OVERVIEW,
    take: (page, url) => load(page, `${url}/`, FIGURES),
  },
  {
    figure: 'overview: click to its numbers',
    goal: 500,
    api: OVERVIEW,
    take: (page, url) => click(page, url, 'Overview', FIGURES),
  },
]

export async function run(): Promise<void> {
  await buildConsole()
  const few = await measureFew()
  await using made = await fleetFolder()
  const million = await measure(made.path)
  for (const { figure, goal } of LOOKS) {
    const { first, median, p95, api } = million.get(figure)!
    report({
      figure,
      value: median,
      unit: 'ms',
      p95,
      first,
      goal,
      api,
      devices: DEVICES,
      limit: { what: `the same page over ${FEW.size} devices`, value: few.get(figure)!.median, unit: 'ms' },
    })
  }
}

interface Taken {
  readonly first: number
  readonly median: number
  readonly p95: number
  /** Median of the answer of the API alone, asked by the page. */
  readonly api: number
}

async function measureFew(): Promise<ReadonlyMap<string, Taken>> {
  await using folder = await makeDataFolder()
  await fillFleet(folder.path, FEW)
  return await measure(folder.path)
}

async function fleetFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const kept = process.env['TOUCHMARK_BENCH_FLEET']
  if (kept === undefined) {
    const folder = await makeDataFolder()
    await fillFleet(folder.path)
    return folder
  }
  if (!existsSync(kept)) {
    touchmark('init', '--data', kept, '--organization', 'Bench')
    await fillFleet(kept)
  }
  return { path: kept, [Symbol.asyncDispose]: async () => undefined }
}

async function measure(path: string): Promise<ReadonlyMap<string, Taken>> {
  const server = spawn(process.execPath, [MAIN, 'serve', '--data', path, '--port', '0', '--http-port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const { url, firstSignIn } = await ready(server)
    await using browser = await openBrowser(url, { width: 1440, height: 900 })
    if (firstSignIn !== undefined) await becomeFirstAdministrator({ page: browser.page, firstSignIn })
    else await signInBy(`${url}/${new URL(touchmark('operator', 'link', OPERATOR, '--data', path)).hash}`, browser.page)
    const taken = new Map<string, Taken>()
    for (const { figure, api, take } of LOOKS) {
      const times: number[] = []
      const answers: number[] = []
      for (let round = 0; round <= ROUNDS; round++) times.push(await take(browser.page, url, round))
      for (let round = 0; round <= ROUNDS; round++) answers.push(await ask(browser.page, api))
      const [first = 0, ...warm] = times
      const measured = {
        first: Math.round(first),
        median: quantile(warm, 0.5),
        p95: quantile(warm, 0.95),
        api: quantile(answers, 0.5),
      }
      say(`${figure}: ${JSON.stringify(measured)}`)
      taken.set(figure, measured)
    }
    return taken
  } finally {
    server.kill('SIGTERM')
    await once(server, 'close')
  }
}

interface Ready {
  readonly url: string
  readonly firstSignIn?: string
}

async function ready(child: ChildProcess): Promise<Ready> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const message = JSON.parse(line) as Ready & { readonly ready?: boolean }
    if (message.ready) return message
  }
  throw new Error('The server ended before it was ready.')
}

/** A page by its address: milliseconds from the beginning of the load until what `selector` means was painted. */
async function load(page: Page, address: string, selector: string): Promise<number> {
  await page.goto(address, { waitUntil: 'commit' })
  return painted(page, selector, 0)
}

/** A page by the navigation of the console, which was loaded on another page and has asked nothing of this one. */
async function click(page: Page, url: string, to: string, selector: string): Promise<number> {
  await page.goto(`${url}/account`)
  await page.getByRole('heading', { name: 'Your account', level: 1 }).waitFor()
  await page.waitForTimeout(SETTLE_MS)
  const link = await page.getByRole('navigation').getByRole('link', { name: to, exact: true }).elementHandle()
  const started = await page.evaluate(element => {
    const at = performance.now()
    ;(element as unknown as { click(): void }).click()
    return at
  }, link)
  return painted(page, selector, started)
}

async function search(page: Page, url: string, round: number): Promise<number> {
  const text = SEARCHES[round % SEARCHES.length]!
  const field = page.getByLabel('How the serial number begins')
  await page.goto(`${url}/devices`)
  await page.locator(ROW).first().waitFor()
  await field.fill(text.slice(0, -1))
  await painted(page, ROW, 0, text.slice(0, -1))
  await page.waitForTimeout(SETTLE_MS)
  await page.evaluate(
    "document.addEventListener('input', () => performance.mark('typed'), { capture: true, once: true })",
  )
  await field.fill(text)
  const since = await page.evaluate(() => performance.getEntriesByName('typed').at(-1)!.startTime)
  return painted(page, ROW, since, text)
}

/** The answer to a question of the page, without the page: milliseconds. */
function ask(page: Page, path: string): Promise<number> {
  return page.evaluate(async asked => {
    const at = performance.now()
    await (await fetch(asked, { cache: 'no-store' })).json()
    return performance.now() - at
  }, path)
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
}

/** Until an element is there and the browser has drawn a frame with it; with `beginning`, the first of them begins so. */
function painted(page: Page, selector: string, since: number, beginning = ''): Promise<number> {
  return page.evaluate<number>(`new Promise(resolve => {
    const there = () => document.querySelector(${JSON.stringify(selector)})?.textContent.startsWith(${JSON.stringify(beginning)})
    const done = () => requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - ${since})))
    if (there()) return done()
    const observer = new MutationObserver(() => {
      if (!there()) return
      observer.disconnect()
      done()
    })
    observer.observe(document, { childList: true, subtree: true, characterData: true })
  })`)
}
