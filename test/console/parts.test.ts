// The parts of the console that need no browser: the hash under its proofs, what the overview concludes, the types of its client, and how the
// server hands it out.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import type { Document, Overview } from '../../console/src/api/schema.ts'
import { commonNameOf, nextCommonName, nextId } from '../../console/src/pages/authority-names.ts'
import {
  isUnderstood,
  mappingProblem,
  readCsvHead,
  splitLine,
  withHeadings,
} from '../../console/src/pages/csv-columns.ts'
import { queryOf, standingOf, withStates } from '../../console/src/pages/device-query.ts'
import { needsOf } from '../../console/src/pages/overview-needs.ts'
import { propertyChanges, rowOf } from '../../console/src/pages/property-rows.ts'
import { questionOf, selectionOf } from '../../console/src/pages/revocation-question.ts'
import { qrCode } from '../../console/src/parts/qr-code.ts'
import { sha256 } from '../../console/src/parts/sha256.ts'
import { CLIENT_TYPES, wantedClientTypes } from '../../scripts/console-client.ts'
import type { HttpRequest } from '../../src/protocols/http.ts'
import { CONSOLE_SECTIONS, createConsoleRoutes } from '../../src/server/console.ts'
import { testFolder } from '../support/cli.ts'

test('the hash of the console is SHA-256 (FIPS 180-4), at every length around a block', () => {
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff)
    assert.deepEqual(Buffer.from(sha256(bytes)), createHash('sha256').update(bytes).digest())
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), bytes => {
      assert.deepEqual(Buffer.from(sha256(bytes)), createHash('sha256').update(bytes).digest())
    }),
  )
})

const NOW = Date.parse('2030-01-01T00:00:00Z')

function overview(change: Partial<Overview> = {}): Overview {
  return {
    at: '2030-01-01T00:00:00Z',
    devices: { total: 1, byState: { manufactured: 0, shipped: 0, active: 1, suspended: 0, retired: 0, destroyed: 0 } },
    certificates: 1,
    activity: [],
    refusals: [],
    renewal: { live: 1, expiredNotRenewed: 0, windowsBegun: 0, endingWithin: [{ days: 1, certificates: 0 }] },
    waiting: { requests: 0, more: false },
    campaigns: [],
    batches: [],
    authorities: [
      {
        id: 'ldevid-1',
        kind: 'issuing',
        state: 'active',
        notBefore: '2029-01-01T00:00:00Z',
        notAfter: '2044-01-01T00:00:00Z',
        crl: { number: 1, thisUpdate: '2029-12-31T00:00:00Z', nextUpdate: '2030-01-07T00:00:00Z', fresh: true },
      },
    ],
    log: { size: 10, checkpoint: { size: 10, at: '2030-01-01T00:00:00Z', entriesBehind: 0 } },
    ...change,
  }
}

test('in quiet running nothing needs anybody', () => {
  assert.deepEqual(needsOf(overview(), NOW), [])
})

test('a retired authority needs nobody, whatever has become of its lists', () => {
  const [authority] = overview().authorities
  const retired = { ...authority!, state: 'retired' as const, crl: { ...authority!.crl!, fresh: false } }
  assert.deepEqual(needsOf(overview({ authorities: [retired] }), NOW), [])
})

test('what endangers devices stands before what can wait', () => {
  const [authority] = overview().authorities
  const kinds = needsOf(
    overview({
      waiting: { requests: 2, more: false },
      renewal: { live: 1, expiredNotRenewed: 3, windowsBegun: 0, endingWithin: [{ days: 1, certificates: 4 }] },
      authorities: [{ ...authority!, crl: { ...authority!.crl!, fresh: false }, notAfter: '2030-03-01T00:00:00Z' }],
      campaigns: [{ id: '1', name: 'x', state: 'paused', devices: 1, wave: 0, waves: 1 }],
      log: { size: 10, checkpoint: { size: 4, at: '2029-12-31T23:00:00Z', entriesBehind: 6 } },
    }),
    NOW,
  ).map(({ kind }) => kind)
  assert.deepEqual(kinds, [
    'crl_stale',
    'expired_not_renewed',
    'log_behind',
    'authority_ending',
    'requests_waiting',
    'ending_soon',
    'campaign_paused',
  ])
})

test('an authority that lives for a day is given a quarter of its life as notice, and not a year', () => {
  const [authority] = overview().authorities
  const short = { ...authority!, notBefore: '2029-12-31T12:00:00Z', notAfter: '2030-01-01T12:00:00Z' }
  assert.deepEqual(needsOf(overview({ authorities: [short] }), NOW), [])
})

// Of the pictures that zbarimg 0.23.92 read back when they were written down.
const QR_DIGESTS = ['df0bdab8312f6ebf', 'df2d31f68788653e', 'afc99d84ea338191']

test('a QR code is one that ZBar reads, and has its patterns at every size (ISO/IEC 18004)', () => {
  const digest = (text: string) => {
    const rows = qrCode(text)!.map(row => row.map(dark => (dark ? '#' : ' ')).join(''))
    return createHash('sha256').update(rows.join('\n')).digest('hex').slice(0, 16)
  }
  const texts = ['A', 'otpauth://totp/Acme:ada@example.com?secret=JBSWY3DPEHPK3PXP&issuer=Acme', 'x'.repeat(400)]
  assert.deepEqual(texts.map(digest), QR_DIGESTS)
  for (let length = 1; length <= 666; length += 95) {
    const rows = qrCode('x'.repeat(length))!
    const size = rows.length
    assert.equal((size - 17) % 4, 0)
    for (const [top, left] of [
      [0, 0],
      [0, size - 7],
      [size - 7, 0],
    ] as const) {
      const edge = rows[top]!.slice(left, left + 7)
      assert.deepEqual(edge, Array(7).fill(true))
      assert.equal(rows[top + 1]![left + 1], false)
      assert.equal(rows[top + 3]![left + 3], true)
    }
    for (let i = 8; i < size - 8; i++) assert.equal(rows[6]![i], i % 2 === 0)
    assert.equal(rows[size - 8]![8], true)
  }
  assert.equal(qrCode('x'.repeat(667)), undefined)
})

test('a factory file with headings of its own is sent with ours, and otherwise as it is', async () => {
  const text = '\ufeffArtikel;"Serien;nr";Schluessel;Farbe;Model\r\nsensor;S-1;AAAA;"red ""ish""";x\r\n'
  const head = (await readCsvHead(new Blob([text])))!
  assert.equal(isUnderstood(head), false)
  assert.deepEqual(
    head.columns.map(({ heading, example, role }) => [heading, example, role]),
    [
      ['Artikel', 'sensor', 'label'],
      ['Serien;nr', 'S-1', 'label'],
      ['Schluessel', 'AAAA', 'label'],
      ['Farbe', 'red "ish"', 'label'],
      ['Model', 'x', 'model'],
    ],
  )
  assert.equal(mappingProblem(head.columns), 'serial')
  const roles = ['model', 'serial', 'public_key', 'label', 'ignore'] as const
  const columns = head.columns.map((column, i) => ({ ...column, role: roles[i]! }))
  assert.equal(mappingProblem(columns), null)
  assert.equal(mappingProblem(columns.map(column => ({ ...column, role: 'serial' as const }))), 'twice')
  assert.equal(
    await withHeadings(new Blob([text]), head, columns).text(),
    'model;serial;public_key;Farbe;\nsensor;S-1;AAAA;"red ""ish""";x\r\n',
  )
  for (const [ours, understood] of [
    ['Serial No,model\nA,b\n', true],
    ['Artikel,sn\nA,b\n', true],
    ['a,b\nA,b\n', false],
  ] as const) {
    assert.equal(isUnderstood((await readCsvHead(new Blob([ours])))!), understood)
  }
  for (const other of [
    'SN-1\nSN-2\n',
    '{"serial":"a","model":"b"}\n',
    '-----BEGIN CERTIFICATE REQUEST-----\n',
    'a,b',
  ]) {
    assert.equal(await readCsvHead(new Blob([other])), undefined)
  }
  assert.deepEqual(splitLine('a,"b,""c",,', ','), ['a', 'b,"c', '', ''])
})

test('the question of the address is one of the API, and a standing one where it can be', () => {
  const asked = (text: string) => queryOf(new URLSearchParams(text))
  assert.deepEqual(asked(''), { sort: '-registered' })
  assert.deepEqual(asked('view=ending'), { expiresWithin: 30 * 86_400, sort: 'expiry' })
  assert.deepEqual(asked('view=ending&model=a'), { expiresWithin: 30 * 86_400, model: 'a' })
  assert.deepEqual(asked('q=GA-&site=Porto&state=active'), { search: 'GA-', site: 'Porto' })
  assert.deepEqual(asked('state=nonsense&view=constructor'), { sort: '-registered' })
  const group: Document = { name: 'g', version: 1, changedAt: '', document: { query: { site: 'Porto' } } }
  assert.equal(standingOf(asked(''), []), undefined)
  assert.equal(standingOf(asked('q=GA'), []), undefined)
  assert.equal(standingOf(asked('group=gone'), [group]), undefined)
  assert.deepEqual(standingOf(asked('group=g&view=silent&label=a=b=c'), [group]), {
    site: 'Porto',
    states: ['active'],
    notSeenForSeconds: 30 * 86_400,
    labels: { a: 'b=c' },
  })
  assert.deepEqual(withStates({ states: ['active', 'retired'] }, ['active', 'shipped']), { states: ['active'] })
  assert.equal(withStates({ states: ['retired'] }, ['active']), undefined)
})

test('the next generation of an authority has the next number, in its id and in its name', () => {
  const all = [
    { id: 'ldevid-1', generation: 1 },
    { id: 'ldevid-3', generation: 3 },
    { id: 'ldevid-x-9', generation: 9 },
  ]
  assert.equal(nextId('ldevid-1', all), 'ldevid-4')
  assert.equal(commonNameOf('O=Acme,CN=LDevID CA 1'), 'LDevID CA 1')
  assert.equal(nextCommonName('CN=LDevID CA 1,O=Acme', 4), 'LDevID CA 4')
})

test('a form of properties sends what differs, and takes away what is gone', () => {
  const before = [
    { name: 'site', value: 'Porto', personal: false },
    { name: 'label:line', value: 'A', personal: false },
    { name: 'attribute:contact', value: 'Ada', personal: true },
  ]
  const [site, line, contact] = before.map(rowOf)
  assert.deepEqual(propertyChanges(before, [site!, line!, contact!]), [])
  const after = [{ ...site!, value: 'Lyon' }, line!, { ...line!, name: 'colour', value: ' red ' }]
  assert.deepEqual(propertyChanges(before, after), [
    { name: 'attribute:contact', value: null, personal: true },
    { name: 'site', value: 'Lyon', personal: false },
    { name: 'label:colour', value: 'red', personal: false },
  ])
})

test('the types of the client are those of the endpoints', async () => {
  const plain = (text: string) => text.replaceAll(/['"]/g, '"').replaceAll(/[\s;,|()]+/g, '')
  assert.equal(
    plain(readFileSync(CLIENT_TYPES, 'utf8')),
    plain(await wantedClientTypes()),
    'run: node scripts/console-client.ts',
  )
})

test('the server answers at every address of the console, and at no other', () => {
  const pages = readFileSync('console/src/pages.ts', 'utf8')
  const sections = new Set([...pages.matchAll(/page\(\s*'\/([a-z-]+)/g)].map(([, section]) => section!))
  assert.deepEqual([...sections].sort(), [...CONSOLE_SECTIONS].sort())
})

test('the console is served compressed, under a policy without inline script or style, and cached by its name', async () => {
  using folder = testFolder()
  mkdirSync(folder.join('assets'))
  for (const [name, text] of [
    ['index.html', '<!doctype html>'],
    ['assets/index-C3k9xQ2_.js', 'export {}'],
    ['assets/color-scheme.js', '0'],
  ] as const) {
    writeFileSync(folder.join(name), text)
    writeFileSync(folder.join(`${name}.gz`), gzipSync(text))
  }
  const routes = createConsoleRoutes(folder.path)
  const ask = (pattern: string, params: Record<string, string> = {}, encoding?: string) =>
    routes
      .find(route => route.pattern === pattern)!
      .handle({ params, headers: { 'accept-encoding': encoding } } as unknown as HttpRequest)

  const page = await ask('/devices/*', {}, 'gzip, deflate;q=0.5')
  assert.equal(page.headers['content-encoding'], 'gzip')
  assert.equal(gunzipSync(page.body).toString(), '<!doctype html>')
  assert.equal(page.headers['cache-control'], 'no-cache')
  const policy = page.headers['content-security-policy']!
  assert.match(policy, /default-src 'none'/)
  assert.doesNotMatch(policy, /unsafe|https?:/)
  assert.match(policy, /frame-ancestors 'none'/)

  const script = await ask('/assets/:file', { file: 'index-C3k9xQ2_.js' })
  assert.equal(script.headers['content-encoding'], undefined)
  assert.match(script.headers['cache-control']!, /immutable/)
  const named = await ask('/assets/:file', { file: 'color-scheme.js' })
  assert.equal(named.headers['cache-control'], 'no-cache')
  const foreign = await ask('/assets/:file', { file: '../../package.json' })
  assert.equal(foreign.status, 404)
})

test('a revocation asks for what stands in the form, and for nothing where nothing stands there', () => {
  assert.equal(selectionOf({}), undefined)
  assert.equal(selectionOf({ model: '  ', issuedFrom: 'soon' }), undefined)
  assert.deepEqual(selectionOf({ model: ' gw-7 ', state: 'active', profile: 'ldevid' }), {
    certificates: { profile: 'ldevid' },
    devices: { model: 'gw-7', states: ['active'] },
  })
  const { certificates } = selectionOf({ issuedFrom: '2026-03-01T10:00' })!
  assert.equal(certificates?.issuedFrom, `${new Date('2026-03-01T10:00').toISOString().slice(0, 19)}Z`)
  assert.deepEqual(questionOf(new URLSearchParams('batch=00ff&model=gw-7&issuedFrom=x')), {
    batch: '00ff',
    model: 'gw-7',
  })
})
