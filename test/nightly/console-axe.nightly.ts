// Every page of the console, in light and in dark, by the rules of axe for WCAG 2.2 AA: minutes, not seconds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AxeBuilder } from '@axe-core/playwright'
import { addFleet, becomeFirstAdministrator, openConsole } from '../support/console.ts'
import { consolePages } from '../support/console-pages.ts'
import { requireTool } from '../support/tools.ts'

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

test('no page of the console breaks a rule of axe, in light and in dark', { timeout: 400_000 }, async t => {
  if (!requireTool(t, 'chromium')) return
  await using opened = await openConsole()
  const { page, server } = opened
  await becomeFirstAdministrator(opened)
  await addFleet(server)
  await server.json(['campaign', 'create', 'fresh-keys', '--profile', 'ldevid', '--new-key'])
  await server.json(['campaign', 'start', 'fresh-keys'])
  const pages = await consolePages(server)
  assert.ok(pages.length > 10)
  const told: string[] = []
  for (const { path, ready } of pages) {
    await opened.goto(path)
    await page.getByRole('heading', { name: ready, level: 1 }).waitFor()
    await page.locator('.tm-skeleton').first().waitFor({ state: 'detached' })
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
        for (const node of nodes)
          told.push(`${path}, ${scheme}: ${id}: ${node.target.join(' ')} ${node.failureSummary}`)
      }
    }
  }
  assert.deepEqual(told, [])
})
