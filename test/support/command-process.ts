// A process that runs one command line after the other. The program has to be read and compiled once only, which is most of what a short
// command costs. Each command has its own arguments, environment, working folder, output streams and exit code; what it leaves open it would
// have left open, too, in a process of its own. Run as a program, this file is such a process.
import { type ChildProcess, fork } from 'node:child_process'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

interface Asked {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export interface Answered {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Those that wait for a command. Commands that run at the same time run in different processes, as they do for a user. */
const idle: CommandProcess[] = []

/** Runs one command line to its end, in a process that may have run others before. */
export async function runCommand(asked: Asked): Promise<Answered> {
  const process = idle.pop() ?? new CommandProcess()
  const answered = await process.run(asked)
  idle.push(process)
  return answered
}

class CommandProcess {
  readonly #child: ChildProcess

  constructor() {
    this.#child = fork(fileURLToPath(import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    // Nothing keeps it: it ends when the test that talks to it does.
    this.#hold(false)
  }

  run(asked: Asked): Promise<Answered> {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>()
    const child = this.#child
    const onExit = (code: number | null, signal: string | null) =>
      reject(new Error(`touchmark ${asked.args.join(' ')} ended its process: ${code ?? signal}`))
    this.#hold(true)
    child.once('exit', onExit)
    child.once('message', answered => {
      child.off('exit', onExit)
      this.#hold(false)
      resolve(answered as Answered)
    })
    child.send(asked)
    return promise
  }

  #hold(held: boolean): void {
    for (const each of [this.#child, this.#child.channel]) held ? each?.ref() : each?.unref()
  }
}

/** Keeps what is written to it, as a pipe would. */
class Kept extends Writable {
  readonly #chunks: Buffer[] = []

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk)
    done()
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8')
  }
}

async function runHere({ args, env, cwd }: Asked): Promise<Answered> {
  const { main } = await import('../../src/cli/program.ts')
  const [stdout, stderr] = [new Kept(), new Kept()]
  Object.defineProperty(process, 'stdout', { value: stdout, configurable: true })
  Object.defineProperty(process, 'stderr', { value: stderr, configurable: true })
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, env)
  process.chdir(cwd)
  process.exitCode = undefined
  const code = await main(args)
  process.exitCode = undefined
  return { code, stdout: stdout.text, stderr: stderr.text }
}

if (import.meta.main) {
  process.on('message', async asked => process.send!(await runHere(asked as Asked)))
  // The test is over.
  process.on('disconnect', () => process.exit())
}
