// Conformance data that is not ours to copy: read from the folder that TOUCHMARK_CONFORMANCE names, or from beside the
// repository. Where it is absent a test says in one line which suite it did not run; with CI=true that is a failure.
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { TestContext } from 'node:test'

const REPOSITORY = resolve(import.meta.dirname, '../..')

/** The folder with the conformance data, or `undefined` where there is none. */
export function conformanceFolder(): string | undefined {
  const named = process.env['TOUCHMARK_CONFORMANCE']
  const folder = named ? resolve(named) : resolve(REPOSITORY, '../shared/conformance')
  return existsSync(folder) ? folder : undefined
}

/** The folder of one suite; where it is absent, the test is skipped (or fails, with CI=true) and `undefined` comes back. */
export function requireConformance(t: TestContext, suite: string): string | undefined {
  const folder = conformanceFolder()
  const path = folder && join(folder, suite)
  if (path && existsSync(path)) return path
  const message = `conformance data "${suite}" is not here: "${t.name}" was not run`
  if (process.env['CI'] === 'true') throw new Error(message)
  console.log(message)
  t.skip(message)
  return undefined
}
