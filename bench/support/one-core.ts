// Servers side by side on one core, and load from another: nginx with one worker, a child process of ours, wrk. Where the machine has one core
// or no `taskset`, nothing is pinned, and the figures say so.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const pinned = availableParallelism() > 1 && has('taskset')

export function has(command: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', command], { stdio: 'ignore' }).status === 0
}

/** The command line that runs on the core of the servers, or of the load. */
export function on(core: 'servers' | 'load', command: readonly string[]): readonly [string, string[]] {
  const [first, ...rest] = pinned ? ['taskset', '-c', core === 'servers' ? '0' : '1', ...command] : command
  return [first!, rest]
}

export interface LoadedServer extends AsyncDisposable {
  readonly port: number
  /** The process that does the work. */
  readonly pid: number
}

/** nginx with one worker that serves the files of the folder, without a log of requests. */
export async function startNginx(folder: string, port: number, contentType: string): Promise<LoadedServer> {
  const files = join(folder, 'files')
  mkdirSync(files, { recursive: true })
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    name => `${name}_temp_path ${join(folder, name)};`,
  )
  writeFileSync(
    join(folder, 'nginx.conf'),
    `${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; daemon off; pid ${join(folder, 'pid')}; error_log stderr crit;
     events { worker_connections 1024; }
     http {
       access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; default_type ${contentType}; ${paths.join(' ')}
       server { listen 127.0.0.1:${port}; root ${files}; expires 1h; }
     }`,
  )
  const [command, args] = on('servers', ['nginx', '-c', join(folder, 'nginx.conf'), '-e', 'stderr'])
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  await listening(port)
  const worker = childrenOf(child.pid!)[0]
  return { port, pid: worker ?? child.pid!, [Symbol.asyncDispose]: () => end(child) }
}

export async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
}

/** One run of wrk, from one thread. `script` is Lua. */
export interface Load {
  readonly requestsPerSecond: number
  /** Processor time of the server for each request. */
  readonly microsecondsEach: number
}

const CONNECTIONS = 32

export function load(
  server: { readonly port: number; readonly pid: number },
  path: string,
  options: LoadOptions,
): Load {
  const url = `http://127.0.0.1:${server.port}${path}`
  const script = options.script === undefined ? [] : ['-s', options.script]
  const args = ['wrk', '-t1', `-c${CONNECTIONS}`, `-d${options.seconds}s`, ...script, url]
  const [command, rest] = on('load', args)
  const before = processorSeconds(server.pid)
  const { stdout } = spawnSync(command, rest, { encoding: 'utf8' })
  const used = processorSeconds(server.pid) - before
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1])
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
  if (!(requests > 0) || /Non-2xx/.test(stdout)) throw new Error(`wrk did not get what it asked for:\n${stdout}`)
  return { requestsPerSecond: rate, microsecondsEach: (used * 1e6) / requests }
}

export interface LoadOptions {
  readonly seconds: number
  readonly script?: string
}

/** User and system time of the process and its threads: clock ticks of a hundredth of a second on Linux. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap(task =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
      .split(' ')
      .filter(text => text !== '')
      .map(Number),
  )
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const socket = connect(port, '127.0.0.1')
    const there = await Promise.race([
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
      sleep(500, false),
    ])
    socket.destroy()
    if (there) return
    await sleep(50)
  }
  throw new Error(`Nothing listens on port ${port}.`)
}
