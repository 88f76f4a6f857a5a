// `npm run bench -- NAME [part …]`: measures, and prints one JSON line a figure, each with its limit measured in the same run. Nothing here
// judges: the numbers to reach stand in the documentation, the figures are for people.
const SUITES: Readonly<Record<string, () => Promise<{ run(parts: readonly string[]): Promise<void> }>>> = {
  issuance: () => import('./issuance.ts'),
  campaign: () => import('./campaign.ts'),
  revocation: () => import('./revocation.ts'),
}

const [name, ...parts] = process.argv.slice(2)
const suite = name === undefined ? undefined : SUITES[name]
if (!suite) {
  console.error(`Say which: npm run bench -- ${Object.keys(SUITES).join(' | ')}`)
  process.exit(2)
}
await (await suite()).run(parts)
