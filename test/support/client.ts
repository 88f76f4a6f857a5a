// Programs of other people, run as their users run them: in a folder, with arguments, to their end.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Both, as a person at a terminal sees them. */
  readonly text: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string | Uint8Array
  readonly timeoutMs?: number
}

/** Runs a program; a client that hangs is ended and answers `code: null`. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { cwd, env, input, timeoutMs = 20_000 } = options
  const child = spawn(command, args, { ...(cwd ? { cwd } : {}), env: { ...process.env, LC_ALL: 'C', ...env } })
  const [stdout, stderr, text]: string[][] = [[], [], []]
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    stdout!.push(part)
    text!.push(part)
  })
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    stderr!.push(part)
    text!.push(part)
  })
  // A program that ends without reading its input closes the pipe: its exit code tells what happened.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { code, stdout: stdout!.join(''), stderr: stderr!.join(''), text: text!.join('') }
}

/** Lines for `bash`, which stops at the first that fails. */
export function shell(script: string, options: RunOptions = {}): Promise<RunResult> {
  return run('bash', ['-euo', 'pipefail', '-c', script], options)
}
