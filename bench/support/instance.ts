// A data folder of its own for a measurement, made by the commands that people use, and taken away afterwards.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dataFolder } from '../../src/server/data-folder.ts'
import { type Instance, openInstance } from '../../src/server/open-instance.ts'

export const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname

export interface BenchFolder extends AsyncDisposable {
  readonly path: string
}

/** On the disk of the working folder, not in a memory file system: durability is part of the figure. */
export async function makeDataFolder(): Promise<BenchFolder> {
  const parent = await mkdtemp(join(process.env['TOUCHMARK_BENCH_FOLDER'] ?? tmpdir(), 'touchmark-bench-'))
  const path = join(parent, 'data')
  touchmark('init', '--data', path, '--organization', 'Bench')
  return { path, [Symbol.asyncDispose]: () => rm(parent, { recursive: true, force: true }) }
}

/** Runs a command to its end; throws with what it said where it fails. */
export function touchmark(...args: readonly string[]): string {
  const result = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (result.status !== 0) throw new Error(`touchmark ${args[0]} failed: ${result.stderr}`)
  return result.stdout
}

/** Opens it in this process, with the passphrase that `init` put beside it. */
export function openBenchInstance(path: string): Promise<Instance> {
  return openInstance(dataFolder(path), { file: undefined, ask: undefined })
}
