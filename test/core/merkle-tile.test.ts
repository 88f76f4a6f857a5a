// C2SP tlog-tiles: paths and entry bundles.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  encodeEntryBundle,
  parseEntryBundle,
  parseTilePath,
  type TileResource,
  tilePath,
} from '../../src/core/merkle/tile.ts'

test('spells the paths of the specification (Merkle Tree, Log entries)', () => {
  const table: readonly (readonly [TileResource, string])[] = [
    [{ kind: 'tile', level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ kind: 'tile', level: 0, index: 1234067, width: 256 }, 'tile/0/x001/x234/067'],
    [{ kind: 'tile', level: 1, index: 1234067, width: 17 }, 'tile/1/x001/x234/067.p/17'],
    [{ kind: 'tile', level: 63, index: 999, width: 255 }, 'tile/63/999.p/255'],
    [{ kind: 'tile', level: 2, index: 1000, width: 1 }, 'tile/2/x001/000.p/1'],
    [{ kind: 'entries', index: 273, width: 112 }, 'tile/entries/273.p/112'],
    [{ kind: 'entries', index: 1_000_000, width: 256 }, 'tile/entries/x001/x000/000'],
  ]
  for (const [resource, path] of table) {
    assert.equal(tilePath(resource), path)
    assert.deepEqual(parseTilePath(path), resource)
  }
})

test('reads what it writes, whatever the tile', () => {
  const width = fc.integer({ min: 1, max: 256 })
  const index = fc.integer({ min: 0, max: 2 ** 45 })
  const resource = fc.oneof(
    fc.record(
      { kind: fc.constant('tile' as const), level: fc.integer({ min: 0, max: 63 }), index, width },
      { noNullPrototype: true },
    ),
    fc.record({ kind: fc.constant('entries' as const), index, width }, { noNullPrototype: true }),
  )
  fc.assert(fc.property(resource, each => assert.deepEqual(parseTilePath(tilePath(each)), each)))
})

test('refuses every other spelling of a path', () => {
  const bad = [
    '',
    'tile',
    'tile/',
    'tile/0',
    'tile/0/',
    'tile/0/0',
    'tile/0/00',
    'tile/0/0000',
    'tile/00/000',
    'tile/01/000',
    'tile/64/000',
    'tile/100/000',
    'tile/-1/000',
    'tile/0/x000/000',
    'tile/0/x000/x001/000',
    'tile/0/001/000',
    'tile/0/x001',
    'tile/0/x1/000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/0/000.p/1000',
    'tile/0/000.p/',
    'tile/0/000.p',
    'tile/0/000/1',
    '/tile/0/000',
    'tile/0/000/',
    'tile/0/000\n',
    'tile/entry/000',
    'tile/0/../000',
    'tile/0/x001/x234/067.p/-1',
    'tile/٠/000',
    'tile/0/x999/x999/x999/x999/x999/x999/999',
  ]
  for (const path of bad) assert.throws(() => parseTilePath(path), { code: 'merkle.path_invalid' }, path)
})

test('packs entries with their length in two octets before each (Log entries)', () => {
  assert.deepEqual(
    [...encodeEntryBundle([Uint8Array.of(7, 8), new Uint8Array(0), Uint8Array.of(9)])],
    [0, 2, 7, 8, 0, 0, 0, 1, 9],
  )
  assert.equal(encodeEntryBundle([]).length, 0)
  const entries = fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 256 })
  fc.assert(
    fc.property(entries, list => {
      const read = parseEntryBundle(encodeEntryBundle(list), list.length)
      assert.deepEqual(
        read.map(entry => [...entry]),
        list.map(entry => [...entry]),
      )
    }),
    { numRuns: 50 },
  )
  const largest = new Uint8Array(65_535).fill(1)
  assert.deepEqual(parseEntryBundle(encodeEntryBundle([largest]), 1)[0], largest)
})

test('refuses bundles that are cut, too long, or of another width', () => {
  const bundle = encodeEntryBundle([Uint8Array.of(1, 2, 3), Uint8Array.of(4)])
  for (let length = 0; length < bundle.length; length++) {
    assert.throws(
      () => parseEntryBundle(bundle.subarray(0, length), 2),
      { code: 'merkle.tile_malformed' },
      `cut to ${length}`,
    )
  }
  assert.throws(() => parseEntryBundle(bundle, 1), { code: 'merkle.tile_malformed' })
  assert.throws(() => parseEntryBundle(bundle, 3), { code: 'merkle.tile_malformed' })
  assert.throws(() => encodeEntryBundle([new Uint8Array(65_536)]), { code: 'merkle.entry_too_large' })
  assert.throws(() => encodeEntryBundle(Array.from({ length: 257 }, () => new Uint8Array(1))), {
    code: 'merkle.tile_malformed',
  })
})
