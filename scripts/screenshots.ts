// `npm run screenshots`: every page of the console in light and in dark, from a live server with the demo's fleet in it, into docs/screenshots.
// Needs Chromium; with the fonts Inter and JetBrains Mono installed (Debian: fonts-inter, fonts-jetbrains-mono) they look as they should.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { toPem } from '../src/core/asn1/pem.ts'
import { becomeFirstAdministrator, openConsole } from '../test/support/console.ts'
import { consolePages } from '../test/support/console-pages.ts'

const folder = join(import.meta.dirname, '../docs/screenshots')
mkdirSync(folder, { recursive: true })
const only = process.argv.slice(2)
const TALL: Readonly<Record<string, number>> = {
  overview: 1500,
  revocation: 1500,
  certificates: 1180,
  certificate: 1180,
  authority: 1180,
}

await using opened = await openConsole({ width: 1360, height: 860, fleet: 320 })
const { page, server } = opened
await opened.goto('/')
await page.getByRole('heading', { name: 'Sign in' }).waitFor()
await shoot('sign-in')
await becomeFirstAdministrator(opened)
for (const { path, ready, name } of await consolePages(server)) {
  if (only.length > 0 && !only.includes(name)) continue
  await opened.goto(path)
  await page.getByRole('heading', { name: ready, level: 1 }).waitFor()
  await page.locator('.tm-skeleton').first().waitFor({ state: 'detached' })
  if (name === 'certificates') await judgeSomething()
  // Some are longer than a screen.
  await page.setViewportSize({ width: 1360, height: TALL[name] ?? 860 })
  await shoot(name)
  await page.setViewportSize({ width: 1360, height: 860 })
}
await opened.goto('/devices')
await page.getByRole('heading', { name: 'Devices', level: 1 }).waitFor()
await page.keyboard.press('Control+k')
await page.getByRole('combobox', { name: 'Search or go to' }).fill('GW-')
await page.getByRole('option', { name: /GW-/ }).first().waitFor()
await shoot('palette')

async function shoot(name: string): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
    // Charts redraw in the colours of the scheme.
    await page.waitForTimeout(350)
    await page.screenshot({ path: join(folder, `${name}-${scheme}.png`) })
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
}

/** A certificate of the fleet, pasted and read. */
async function judgeSomething(): Promise<void> {
  await using store = await server.store()
  const devices = (await store.read.devices({ model: 'gateway-x2', limit: 50 })).items
  const device = devices.find(({ state }) => state === 'active') ?? devices[0]
  const [certificate] = await store.read.certificatesOfDevice(device!.id)
  await page.getByLabel('Or paste').fill(toPem('CERTIFICATE', certificate!.der))
  await page.getByRole('button', { name: 'Read it' }).click()
  await page.getByRole('region', { name: 'Is it good?' }).waitFor()
}
