// The command line as scripts use it: its output and exit codes, a server on free ports, folders that go away. A command runs in a process
// that runs others after it, where the test does not ask for one of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from './command-process.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Standard input; empty without. */
  readonly input?: string
  /** Whether the command gets a process of its own, from its first to its last instruction. Servers and what reads `input` always do. */
  readonly ownProcess?: boolean
}

/** They may serve: ending them means ending their process. */
const SERVERS: ReadonlySet<string | undefined> = new Set(['serve', 'demo'])

/** Runs one command line to its end. */
export async function touchmark(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  if (!options.ownProcess && options.input === undefined && !SERVERS.has(args[0]))
    return runCommand({ args, env: environment(options), cwd: options.cwd ?? process.cwd() })
  const child = start(args, options)
  let stdout = ''
  let stderr = ''
  child.stdout!.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr!.setEncoding('utf8').on('data', text => (stderr += text))
  child.stdin!.end(options.input ?? '')
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** As `touchmark` with `--json`: the one document. Throws where the command did not succeed. */
export async function touchmarkJson<T = Record<string, unknown>>(
  args: readonly string[],
  options: CliOptions = {},
): Promise<T> {
  const { code, stdout, stderr } = await touchmark([...args, '--json'], options)
  if (code !== 0) throw new Error(`touchmark ${args.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}

export interface ServerProcess {
  readonly url: string
  readonly httpUrl: string
  readonly warnings: readonly string[]
  /** What it wrote to standard output and standard error so far. */
  output(): { stdout: string; stderr: string }
  readonly pid: number
  /** Sends SIGTERM and waits; answers the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** `touchmark serve --json` on free ports; resolves with its ready line. `configured`: the plain port is that of touchmark.json. */
export async function serve(
  args: readonly string[],
  { httpPort = 'free', ...options }: CliOptions & { readonly httpPort?: 'free' | 'configured' } = {},
): Promise<ServerProcess> {
  const plain = httpPort === 'free' ? ['--http-port', '0'] : []
  const child = start(['serve', '--port', '0', ...plain, '--json', ...args], options)
  let stdout = ''
  let stderr = ''
  const ready = Promise.withResolvers<{ url: string; httpUrl: string; warnings: string[] }>()
  child.stdout!.setEncoding('utf8').on('data', text => {
    stdout += text
    if (stdout.includes('\n')) ready.resolve(JSON.parse(stdout.slice(0, stdout.indexOf('\n'))))
  })
  child.stderr!.setEncoding('utf8').on('data', text => (stderr += text))
  const closed = once(child, 'close') as Promise<[number | null]>
  void closed.then(([code]) => ready.reject(new Error(`serve ended with ${code}: ${stderr}`)))
  child.stdin!.end()
  const { url, httpUrl, warnings } = await ready.promise
  return {
    url,
    httpUrl,
    warnings,
    output: () => ({ stdout, stderr }),
    pid: child.pid!,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      return (await closed)[0]
    },
  }
}

function start(args: readonly string[], options: CliOptions): ChildProcess {
  const { cwd } = options
  return spawn(process.execPath, [MAIN, ...args], { env: environment(options), ...(cwd ? { cwd } : {}) })
}

function environment({ env }: CliOptions): NodeJS.ProcessEnv {
  const { TOUCHMARK_PASSPHRASE_FILE: _file, TOUCHMARK_DATA: _data, ...inherited } = process.env
  return { ...inherited, ...env }
}

export interface TestFolder extends Disposable {
  readonly path: string
  join(...names: string[]): string
}

/** A folder that goes away with the test. */
export function testFolder(): TestFolder {
  const path = mkdtempSync(join(tmpdir(), 'touchmark-test-'))
  return {
    path,
    join: (...names) => join(path, ...names),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}
