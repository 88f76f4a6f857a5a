// The console in Debian's Chromium against a live server: what an operator does on a first day. Whether every page is
// accessible is looked at nightly (test/nightly/console-axe.nightly.ts).
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { toPem } from '../../src/core/asn1/pem.ts'
import type { CertificateRecord } from '../../src/domain/ca/certificate-record.ts'
import {
  addFleet,
  becomeFirstAdministrator,
  type OpenedConsole,
  openConsole,
  openConsoleAs,
} from '../support/console.ts'
import type { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

test('an operator of the first day', { timeout: 240_000 }, async t => {
  if (!requireTool(t, 'chromium')) return
  await using opened = await openConsole()
  await firstDay(t, opened)
})

async function firstDay(t: TestContext, opened: OpenedConsole): Promise<void> {
  const { page, server } = opened

  await t.test('who has no session gets the door, and nothing else', async () => {
    await opened.goto('/devices')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    assert.equal(await page.getByRole('navigation').count(), 0)
    // The browser itself notes that it was told 401, once, by the one question that asks who is there.
    assert.deepEqual(
      opened.complaints.filter(each => !each.endsWith('/api/v1/session')),
      [],
    )
    opened.complaints.length = 0
  })

  await t.test('the one-time link makes the first administrator, with a passkey, and leaves the address', async () => {
    await becomeFirstAdministrator(opened)
    assert.equal(new URL(page.url()).hash, '')
  })

  await t.test('the link works once', async () => {
    const again = await opened.context.browser()!.newContext()
    const other = await again.newPage()
    await other.goto(opened.firstSignIn)
    await other.getByRole('heading', { name: 'This link does not work' }).waitFor()
    await again.close()
  })

  await t.test('without a device the lists teach how one gets there', async () => {
    await opened.goto('/devices')
    await page.getByRole('heading', { name: 'No device yet' }).waitFor()
  })

  await addFleet(server)

  await t.test('the overview says how things are, with the numbers of the fleet', async () => {
    await opened.goto('/')
    await page.getByRole('region', { name: 'Is everything fine?' }).waitFor()
    await page.getByRole('link', { name: /^Devices 84/ }).waitFor()
  })

  await t.test('a device is found by how its serial number begins, in the list and in the palette', async () => {
    await opened.goto('/devices')
    await page.getByLabel('How the serial number begins').fill('GA-26000028')
    await page.waitForURL(/q=GA-26000028/)
    await page.getByRole('link', { name: 'GA-26000028' }).waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Search or go to' }).fill('GA-26000028')
    await page.getByRole('option', { name: /GA-26000028/ }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'GA-26000028', level: 1 }).waitFor()
  })

  await t.test('suspending says what it does, does it, and the timeline has it', async () => {
    await page.getByRole('button', { name: 'Act' }).click()
    await page.getByRole('menuitem', { name: 'Suspend…' }).click()
    const dialog = page.getByRole('dialog', { name: 'Suspend: GA-26000028' })
    await dialog.getByText('put 1 live certificate on hold').waitFor()
    await dialog.getByRole('button', { name: 'Suspend' }).click()
    await page.getByText('Suspend: done for GA-26000028.').waitFor()
    await page.locator('.tm-title-row').getByText('Suspended').waitFor()
    const { device } = await server.json<{ device: { state: string } }>(['device', 'show', 'GA-26000028'])
    assert.equal(device.state, 'suspended')
    await page.getByRole('tab', { name: 'Timeline' }).click()
    await page.getByText('A certificate is put on hold and may be released.').waitFor()
  })

  await t.test('what cannot be undone wants the serial number typed', async () => {
    await page.getByRole('button', { name: 'Act' }).click()
    await page.getByRole('menuitem', { name: 'Retire…' }).click()
    const dialog = page.getByRole('dialog', { name: 'Retire: GA-26000028' })
    const act = dialog.getByRole('button', { name: 'Retire' })
    assert.equal(await act.isDisabled(), true)
    await dialog.getByLabel('To go on, type GA-26000028').fill('GA-26000028')
    assert.equal(await act.isEnabled(), true)
    await dialog.getByRole('button', { name: 'Cancel' }).click()
  })

  await t.test('properties are edited, and what is personal is marked', async () => {
    await page.getByRole('tab', { name: 'Overview' }).click()
    const properties = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Properties' }) })
    await properties.getByRole('button', { name: 'Edit' }).click()
    const dialog = page.getByRole('dialog', { name: 'Properties of GA-26000028' })
    await dialog.getByRole('button', { name: 'Add a property' }).click()
    await dialog.getByRole('combobox', { name: 'Kind of property' }).last().click()
    await page.getByRole('option', { name: 'Attribute' }).click()
    await dialog.getByLabel('Name').last().fill('contact')
    await dialog.getByLabel('Value').last().fill('Ada')
    await dialog.getByLabel('personal').last().check()
    await dialog.getByRole('button', { name: 'Save the properties' }).click()
    await properties.getByText('attribute:contact').waitFor()
    await properties.getByText('personal', { exact: true }).waitFor()
  })

  await t.test('a one-time token is shown once, and can be withdrawn', async () => {
    await opened.goto('/devices?q=GA-26000056')
    await page.getByRole('link', { name: 'GA-26000056' }).click()
    const tokens = page.locator('section').filter({ has: page.getByRole('heading', { name: 'One-time tokens' }) })
    await tokens.getByRole('button', { name: 'Make a token' }).click()
    await tokens.locator('form').getByRole('button', { name: 'Make a token' }).click()
    const secret = await tokens.getByRole('region', { name: 'One-time token' }).textContent()
    assert.match(secret ?? '', /^[\w-]{43}/)
    await tokens.getByRole('button', { name: 'Withdraw the token for ldevid' }).click()
    await tokens.getByText('No open token.').waitFor()
    const { stdout } = await server.cli(['token', 'list', '--json'])
    assert.doesNotMatch(stdout, /"state":"open"/)
  })

  await t.test('an act on many devices shows whom it touches, and goes on as a job', async () => {
    await opened.goto('/devices?model=meter-e5')
    for (const name of ['ME-26000021', 'ME-26000049']) await page.getByLabel(`Choose ${name}`).check()
    await page.getByRole('button', { name: 'Act on them…' }).click()
    await page.getByRole('combobox', { name: 'What shall be done?' }).click()
    await page.getByRole('option', { name: 'Suspend' }).click()
    await page.getByText('2 devices: live certificates go on hold').waitFor()
    await page.getByRole('button', { name: 'Suspend: 2 devices' }).click()
    await page.getByText('2 done, 0 failed').waitFor()
    await page.getByRole('button', { name: 'Close', exact: true }).last().click()
    const { stdout } = await server.cli(['device', 'list', '--state', 'suspended', '--json'])
    assert.equal(stdout.match(/"state":"suspended"/g)?.length, 3)
  })

  await t.test('what the list was asked is kept as a view and a group, and comes out as a file', async () => {
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('menuitem', { name: 'As a view of mine…' }).click()
    await page.getByLabel('Name').fill('Meters')
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
    await page.getByRole('button', { name: 'Meters', exact: true }).waitFor()
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('menuitem', { name: 'As a group for everybody…' }).click()
    await page.getByLabel('Name').fill('meters')
    await page.getByRole('dialog').getByRole('button', { name: 'Save the group' }).click()
    await page.getByText('The group meters is saved.').waitFor()
    await opened.goto('/devices?group=meters')
    await page.getByRole('link', { name: 'ME-26000021' }).waitFor()
    await page.getByRole('button', { name: 'Export' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('menuitem', { name: 'NDJSON' }).click(),
    ])
    const lines = readFileSync(await download.path(), 'utf8')
      .trimEnd()
      .split('\n')
    assert.equal(lines.length, 15)
    assert.ok(lines.every(line => JSON.parse(line).model === 'meter-e5'))
  })

  await t.test('a batch is tried before anything is signed, with its bad rows, then run with progress', async () => {
    await opened.goto('/factory')
    const row = (name: string, key = publicKey()) => `${name};sensor-t1;${key};x`
    const text = `Seriennr;Artikel;Schluessel;Intern\n${row('NEW-0001')}\n${row('NEW-0002')}\n${row('NEW-0003', 'AAAA')}\n`
    const file = { name: 'units.csv', mimeType: 'text/csv', buffer: Buffer.from(text) }
    await page.locator('input[type=file]').setInputFiles(file)
    await page.getByText('units.csv').waitFor()
    await page.getByText('One column has to be the serial number.').waitFor()
    for (const [heading, role] of [
      ['Seriennr', 'Serial number'],
      ['Artikel', 'Model'],
      ['Schluessel', 'Public key'],
      ['Intern', 'Leave it out'],
    ] as const) {
      await page.getByRole('combobox', { name: `What the column ${heading} is` }).click()
      await page.getByRole('option', { name: role, exact: true }).click()
    }
    await page.getByRole('button', { name: 'Use these columns' }).click()
    await page.getByRole('button', { name: 'Dry run' }).click()
    await page.getByRole('region', { name: 'Dry run' }).getByText('NEW-0003').waitFor()
    const before = (await server.counts()).certificates
    await page.getByRole('button', { name: 'Issue 2 certificates' }).click()
    await page.getByRole('link', { name: 'results.csv', exact: true }).waitFor()
    assert.equal((await server.counts()).certificates, before + 2)
    const { device } = await server.json<{ device: { labels: object } }>(['device', 'show', 'NEW-0001'])
    assert.deepEqual(device.labels, {})
  })

  await t.test('a campaign shows its blast radius, and its progress while it runs', async () => {
    await opened.goto('/campaigns')
    await page.getByRole('button', { name: 'Plan a campaign' }).click()
    await page.getByLabel('Name').fill('fresh-keys')
    await page.getByRole('button', { name: 'Plan it for 24 devices' }).click()
    await page.getByRole('heading', { name: 'fresh-keys', level: 1 }).waitFor()
    await page.getByRole('button', { name: 'Start' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Start' }).click()
    await page.locator('.tm-title-row').getByText('Running').waitFor()
    assert.equal(
      (await page.getByRole('progressbar', { name: 'Progress' }).first().getAttribute('aria-valuemax')) !== null,
      true,
    )
  })

  await t.test(
    'an authority is made: its request goes out to the offline root, and its certificate comes in',
    async () => {
      await opened.goto('/authorities/ldevid-1/rollover')
      await page.getByRole('button', { name: 'Make it' }).click()
      await page.getByText('A root that is kept offline').waitFor()
      await page.getByRole('button', { name: 'Next' }).click()
      assert.equal(await page.getByLabel('Id here').inputValue(), 'ldevid-2')
      assert.equal(await page.getByLabel('Common name').inputValue(), 'LDevID CA 2')
      await page.getByRole('button', { name: 'Next' }).click()
      await page.getByRole('button', { name: 'Make the key and the request' }).click()
      await page.getByRole('heading', { name: 'ldevid-2', level: 1 }).waitFor()
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Download ldevid-2.csr' }).click(),
      ])
      await download.saveAs(server.folder.join('ldevid-2.csr'))
      const command = await page
        .getByRole('region', { name: 'Command for the machine with the key of root-1' })
        .textContent()
      await server.sh(command!.replace('./offline-root', `'${join(server.data, 'offline-root')}'`))
      await page.locator('input[type=file]').setInputFiles(server.folder.join('ldevid-2.pem'))
      await page.getByRole('button', { name: 'Bring it in' }).click()
      await page.locator('.tm-title-row').getByText('Active').waitFor()
      await opened.goto('/authorities/ldevid-1/rollover')
      await page.getByText('Follow by themselves: gateway-tls-server, ldevid.').waitFor()
      await page.getByText('24 devices still hold a credential from ldevid-1.').waitFor()
      const steps = page.getByRole('list', { name: 'Steps' }).getByRole('listitem')
      assert.deepEqual(await steps.evaluateAll(items => items.map(item => item.getAttribute('data-state'))), [
        'done',
        'done',
        'done',
        'done',
        'now',
        'later',
      ])
    },
  )

  await t.test('a revocation counts whom it hits as it is asked, and is undone while its time lasts', async () => {
    await opened.goto('/revocation')
    const hits = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Whom it would hit' }) })
    await page.getByLabel('Model').fill('gateway-x2')
    await hits.getByText('15 devices have no other live certificate and will be cut off.').waitFor()
    await page.getByLabel('Owner', { exact: true }).fill('nobody')
    await hits.getByText('No live certificate of a device meets these conditions.').waitFor()
    await page.getByLabel('Owner', { exact: true }).fill('')
    await page.getByRole('radio', { name: 'Cessation of operation' }).check()
    await page.getByLabel('Why (one word, optional)').fill('T-7')
    await hits.getByRole('button', { name: 'Revoke 15 certificates' }).click()
    const asking = page.getByRole('dialog', { name: 'Revoke 15 certificates' })
    await asking.getByText('put 15 certificates on hold at once, and revoke them for good after 1 day').waitFor()
    await asking.getByLabel('To go on, type 15').fill('15')
    await asking.getByRole('button', { name: 'Revoke 15 certificates' }).click()
    await hits.getByText('15 done, 0 failed').waitFor()
    assert.equal(await statusOfFirst(server, 'gateway-x2'), 'held')
    await hits.getByRole('button', { name: 'Undo' }).click()
    await page.getByRole('dialog', { name: 'Undo this revocation' }).getByRole('button', { name: 'Undo' }).click()
    const jobs = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Under way and done' }) })
    await jobs.getByText('Release certificates').waitFor()
    await jobs.getByText('15 done, 0 failed').nth(1).waitFor()
    assert.equal(await statusOfFirst(server, 'gateway-x2'), 'good')
  })

  await t.test('what is out stands there with its lists and artefacts, to be fetched', async () => {
    const row = page.getByRole('row').filter({ hasText: 'idevid-1' }).first()
    await row.getByText('at once').waitFor()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      row.getByRole('link', { name: /^No\. \d/ }).click(),
    ])
    assert.equal(readFileSync(await download.path())[0], 0x30)
  })

  await t.test('a second operator, in a browser of their own, agrees to a mass revocation', async () => {
    await opened.goto('/operators')
    await page.getByRole('button', { name: 'Add an operator' }).click()
    const dialog = page.getByRole('dialog', { name: 'Add an operator' })
    await dialog.getByLabel('Name').fill('Grace Hopper')
    await dialog.getByLabel('E-mail address').fill('grace@example.com')
    await dialog.getByRole('button', { name: 'Add a role' }).click()
    await dialog.getByRole('button', { name: 'Add', exact: true }).click()
    const link = await page.getByRole('region', { name: 'Sign-in link for Grace Hopper' }).textContent()
    await page.keyboard.press('Escape')
    await using second = await openConsoleAs(opened, link!)

    await opened.goto('/revocation')
    await page.getByLabel('Model').fill('sensor-t1')
    const act = page.getByRole('button', { name: /^Revoke \d+ certificates$/ })
    const certificates = /\d+/.exec((await act.textContent())!)![0]
    await page.getByText('So many need a second person').waitFor()
    await act.click()
    const asking = page.getByRole('dialog')
    await asking.getByLabel(`To go on, type ${certificates}`).fill(certificates)
    await asking.getByRole('button', { name: /^Revoke \d+/ }).click()
    await page.getByText('It is carried out when enough colleagues have agreed').waitFor()
    assert.equal(await statusOfFirst(server, 'sensor-t1'), 'good')

    // Nobody agrees to what they asked for themselves.
    await opened.goto('/approvals')
    await page.getByRole('button', { name: 'Withdraw' }).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Agree' }).count(), 0)

    await second.page.goto(`${server.url}/approvals`)
    await second.page.getByRole('button', { name: 'Agree' }).click()
    await second.page.getByText('Done', { exact: true }).first().waitFor()
    await second.page.goto(`${server.url}/jobs`)
    await second.page.getByText(`${certificates} done, 0 failed`).waitFor({ timeout: 30_000 })
    assert.equal(await statusOfFirst(server, 'sensor-t1'), 'held')
    opened.complaints.push(...second.complaints)
  })

  await t.test('an entry of the log is proved in the browser', async () => {
    await opened.goto('/audit/3')
    await page.locator('[data-verified=true]').waitFor({ timeout: 20_000 })
    await page.getByText('The root is that of a checkpoint signed by').waitFor()
  })

  await t.test('a pasted certificate is read, known as ours, and judged with every step and its path', async () => {
    await opened.goto('/certificates')
    await page.getByLabel('Or paste').fill(await newestOf(server, 'meter-e5'))
    await page.getByRole('button', { name: 'Read it' }).click()
    await page.getByText('basicConstraints').or(page.getByText('authorityKeyIdentifier')).first().waitFor()
    await page.getByText(/^Ours: /).waitFor()
    const verdict = page.getByRole('region', { name: 'Is it good?' })
    await verdict.getByRole('heading', { name: 'Good' }).waitFor()
    await page.getByText('trust anchor, ').waitFor()
    await page.getByText('is not revoked (registry').first().waitFor()
    // Against anchors of its own choice, at another time.
    await page.getByLabel('When (empty: now)').fill('2001-01-01T00:00')
    await verdict.getByRole('heading', { name: 'Not good' }).waitFor()
  })

  await t.test('the browser had nothing to complain of, and asked nobody else', () => {
    assert.deepEqual(opened.complaints, [])
  })

  await t.test('the first load stays under 350 kB compressed', async () => {
    const dist = join(import.meta.dirname, '../../console/dist')
    const loaded = new Set<string>()
    page.on('response', response => void loaded.add(new URL(response.url()).pathname))
    await opened.goto('/')
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
    const files = [...loaded].filter(path => path.startsWith('/assets/'))
    const octets = files.map(path => readFileSync(join(dist, `${path}.gz`)).length).reduce((sum, each) => sum + each, 0)
    assert.ok(files.length > 2, files.join())
    assert.ok(octets < 350_000, `${octets} octets`)
  })

  await t.test('signing out leads to the door, and the passkey opens it again', async () => {
    await page.getByRole('button', { name: 'Signed in as Ada Lovelace' }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
  })
}

async function firstOf(server: LiveServer, model: string): Promise<CertificateRecord> {
  await using store = await server.store()
  const [device] = (await store.read.devices({ model, limit: 1 })).items
  const [certificate] = await store.read.certificatesOfDevice(device!.id)
  return certificate!
}

/** Of the newest certificate of the first device of a model. */
async function statusOfFirst(server: LiveServer, model: string): Promise<string> {
  return (await firstOf(server, model)).status.kind
}

async function newestOf(server: LiveServer, model: string): Promise<string> {
  return toPem('CERTIFICATE', (await firstOf(server, model)).der)
}

/** SubjectPublicKeyInfo of a key that nobody keeps, as a column of a factory file has it. */
function publicKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .publicKey.export({ type: 'spki', format: 'der' })
    .toString('base64')
}
