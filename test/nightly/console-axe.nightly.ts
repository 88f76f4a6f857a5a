// Every page of the console and its larger dialogs, in light and in dark, by the rules of axe for WCAG 2.2 AA: minutes, not seconds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { becomeFirstAdministrator, openConsole } from '../support/console.ts'
import { consolePages } from '../support/console-pages.ts'
import { requireTool } from '../support/tools.ts'

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** What is opened on a page: buttons and menu items, one after the other. */
const DIALOGS: readonly { readonly path: string; readonly open: readonly string[] }[] = [
  { path: '/devices?model=gateway-x2', open: ['Act on all that fit…'] },
  { path: '/devices?model=gateway-x2', open: ['Save', 'As a group for everybody…'] },
  { path: '/operators', open: ['Add an operator', 'Add a role'] },
  { path: '/operators?tab=roles', open: ['Make a role'] },
  { path: '/operators?tab=single-sign-on', open: ['Set a provider', 'Add a group'] },
  { path: '/campaigns', open: ['Plan a campaign'] },
  { path: '/authorities/new', open: ['Next'] },
  { path: '/account', open: ['Set up the second factor'] },
  { path: '/account', open: ['Make a token'] },
]

test('no page of the console breaks a rule of axe, in light and in dark', { timeout: 600_000 }, async t => {
  if (!requireTool(t, 'chromium')) return
  await using opened = await openConsole({ fleet: 120 })
  const { page, server } = opened
  await becomeFirstAdministrator(opened)
  const pages = await consolePages(server)
  assert.ok(pages.length > 30)
  const device = pages.find(({ name }) => name === 'device')!
  const told: string[] = []
  for (const { path, ready } of pages) {
    await opened.goto(path)
    await page.getByRole('heading', { name: ready, level: 1 }).waitFor()
    told.push(...(await findings(page, path)))
  }
  for (const { path, open } of [...DIALOGS, { path: device.path, open: ['Propose a transfer'] }]) {
    await opened.goto(path)
    for (const name of open) {
      await page.getByRole('button', { name, exact: true }).or(page.getByRole('menuitem', { name })).first().click()
    }
    told.push(...(await findings(page, `${path}: ${open.join(', ')}`)))
  }
  assert.deepEqual(told, [])
})

async function findings(page: Page, where: string): Promise<string[]> {
  await page.locator('.tm-skeleton').first().waitFor({ state: 'detached' })
  const told: string[] = []
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
    // Only the colours differ in the dark.
    const rules = scheme === 'light' ? { type: 'tag', values: WCAG } : { type: 'rule', values: ['color-contrast'] }
    const axe = new AxeBuilder({ page }).options({
      resultTypes: ['violations'],
      runOnly: rules as { type: 'tag' | 'rule'; values: string[] },
    })
    const { violations } = await axe.analyze()
    for (const { id, nodes } of violations) {
      for (const node of nodes) told.push(`${where}, ${scheme}: ${id}: ${node.target.join(' ')} ${node.failureSummary}`)
    }
  }
  return told
}
