// Revocation and validation in numbers. Parts, each in `revocation/<part>.ts`: all of them when none is named.
const PARTS: Readonly<Record<string, () => Promise<{ run(): Promise<void> }>>> = {
  artefact: () => import('./revocation/artefact.ts'),
  crl: () => import('./revocation/crl.ts'),
  ocsp: () => import('./revocation/ocsp.ts'),
  path: () => import('./revocation/path.ts'),
  revoke: () => import('./revocation/revoke.ts'),
  verdict: () => import('./revocation/verdict.ts'),
}

export async function run(parts: readonly string[]): Promise<void> {
  const unknown = parts.filter(part => !Object.hasOwn(PARTS, part))
  if (unknown.length > 0) throw new Error(`No part ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`)
  for (const [part, load] of Object.entries(PARTS)) {
    if (parts.length === 0 || parts.includes(part)) await (await load()).run()
  }
}
