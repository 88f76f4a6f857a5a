// `npm run bench -- NAME [part …]`: measures, and prints one JSON line a figure, each with its limit measured in the same run. Nothing here
// judges: the numbers to reach stand in the documentation, the figures are for people. Code is compiled once and kept, as the command does.
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../node_modules/.cache/touchmark', import.meta.url))
enableCompileCache(cache)
// For the threads that are measured.
process.env['NODE_COMPILE_CACHE'] ??= cache

const SUITES: Readonly<Record<string, () => Promise<{ run(parts: readonly string[]): Promise<void> }>>> = {
  issuance: () => import('./issuance.ts'),
  campaign: () => import('./campaign.ts'),
  console: () => import('./console.ts'),
  revocation: () => import('./revocation.ts'),
}

const [name, ...parts] = process.argv.slice(2)
const suite = name === undefined ? undefined : SUITES[name]
if (!suite) {
  console.error(`Say which: npm run bench -- ${Object.keys(SUITES).join(' | ')}`)
  process.exit(2)
}
await (await suite()).run(parts)
