// The parts of the console that need no browser: the hash under its proofs, what the overview concludes, the types of its client, and how the
// server hands it out.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import type { Overview } from '../../console/src/api/schema.ts'
import { needsOf } from '../../console/src/pages/overview-needs.ts'
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
