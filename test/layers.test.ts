// The rings of docs/architecture.md as a table: a folder may import from those that its row names, from itself, and nothing else of ours.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

interface Ring {
  /** Folder below src/, or a file. */
  readonly place: string
  readonly mayImport: readonly string[]
  /** `node:` modules and packages; `'any'` for the rim. */
  readonly modules: readonly string[] | 'any'
  readonly instead: string
}

const PROTOCOLS = ['est', 'ocsp', 'distribution', 'log', 'device', 'api'] as const

const RINGS: readonly Ring[] = [
  { place: 'core', mayImport: [], modules: [], instead: 'take the time, randomness, hash or verifier as an argument' },
  {
    place: 'crypto',
    mayImport: ['core'],
    modules: ['node:crypto', 'node:worker_threads', 'node:util', 'node:os'],
    instead: 'files and sockets belong to adapters/ or server/',
  },
  {
    place: 'domain',
    mayImport: ['core', 'crypto'],
    modules: ['zod'],
    instead: 'add a port to domain/ports.ts and implement it in adapters/',
  },
  { place: 'protocols/http.ts', mayImport: ['core'], modules: [], instead: 'keep the shared types plain' },
  {
    place: 'protocols/problem.ts',
    mayImport: ['core', 'protocols/http.ts'],
    modules: [],
    instead: 'problem details know errors and replies, and nothing else',
  },
  ...PROTOCOLS.map(
    (name): Ring => ({
      place: `protocols/${name}`,
      mayImport: ['core', 'crypto', 'domain', 'protocols/http.ts', 'protocols/problem.ts'],
      // Its schemas are what validates, and what the OpenAPI document is made of.
      modules: name === 'api' ? ['zod'] : [],
      instead: 'a protocol translates: what two of them share belongs to domain/ or core/',
    }),
  ),
  {
    place: 'adapters',
    mayImport: ['core', 'crypto', 'domain'],
    modules: 'any',
    instead: 'an adapter implements a port and knows no protocol',
  },
  {
    place: 'server',
    mayImport: ['core', 'crypto', 'domain', 'protocols', 'adapters'],
    modules: 'any',
    instead: 'the process knows no command line',
  },
  {
    place: 'agent',
    mayImport: ['core', 'crypto'],
    modules: 'any',
    instead: 'the device side shares the encodings and the cryptography with the server, and nothing else',
  },
  {
    place: 'sim',
    // The engine that chooses windows is pure: virtual time runs the very code that the server runs (docs/adr/0011-levelled-renewal.md).
    mayImport: ['core', 'crypto', 'agent', 'domain/renewal/window.ts', 'domain/renewal/policy.ts'],
    modules: 'any',
    instead: 'a simulated device speaks only the public protocols',
  },
  {
    place: 'cli',
    mayImport: ['core', 'crypto', 'domain', 'protocols', 'adapters', 'server', 'agent', 'sim'],
    modules: 'any',
    instead: 'nothing is to the right of the command line',
  },
]

const IMPORT = /(?:^|\n)\s*(?:import|export)\s+(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g

function ringOf(file: string): Ring | undefined {
  return RINGS.find(ring => file === `src/${ring.place}` || file.startsWith(`src/${ring.place}/`))
}

function allowed(ring: Ring, target: string): boolean {
  return [ring.place, ...ring.mayImport].some(place => target === `src/${place}` || target.startsWith(`src/${place}/`))
}

const files = globSync('src/**/*.ts').map(file => file.replaceAll('\\', '/'))

test('every source file lives in a ring', () => {
  const publicDoors = ['src/pki.ts', 'src/server.ts', 'src/agent.ts']
  const homeless = files.filter(file => !ringOf(file) && !publicDoors.includes(file))
  assert.deepEqual(homeless, [], 'give the folder a row in test/layers.test.ts and in docs/architecture.md')
})

test('imports point from right to left only', () => {
  const wrong: string[] = []
  for (const file of files) {
    const ring = ringOf(file)
    if (!ring) continue
    for (const match of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      const target = match[1] ?? match[2]!
      if (target.startsWith('.')) {
        const path = normalize(join(dirname(file), target)).replaceAll('\\', '/')
        if (!allowed(ring, path)) wrong.push(`${file} imports ${path}: ${ring.instead}`)
        if (!path.endsWith('.ts') && !path.endsWith('.json'))
          wrong.push(`${file} imports ${target}: relative imports end in .ts`)
      } else if (ring.modules !== 'any' && !ring.modules.includes(target)) {
        wrong.push(`${file} imports ${target}: ${ring.instead}`)
      }
    }
  }
  assert.deepEqual(wrong, [])
})

test('the core reads no clock and draws no randomness', () => {
  const impure = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bglobalThis\.crypto\b|\bprocess\.|\bperformance\./
  const wrong = files
    .filter(file => file.startsWith('src/core/') || file.startsWith('src/domain/'))
    .filter(file => impure.test(readFileSync(file, 'utf8').replace(/\/\/.*|\/\*[\s\S]*?\*\//g, '')))
  assert.deepEqual(wrong, [], 'time and randomness are ports: see domain/ports.ts')
})

test('there are no barrels, default exports or constructs that need a compiler', () => {
  const wrong: string[] = []
  for (const file of files) {
    const text = readFileSync(file, 'utf8')
    if (file.endsWith('/index.ts')) wrong.push(`${file}: name the file after what it holds`)
    if (/^export default /m.test(text)) wrong.push(`${file}: use a named export`)
    if (/^(export )?(declare )?(const )?enum /m.test(text)) wrong.push(`${file}: use a union of string literals`)
  }
  assert.deepEqual(wrong, [])
})
