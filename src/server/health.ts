// Health for those who start and balance processes: /healthz says that the process answers, /readyz that it can do its work.
import type { HttpReply, Route } from '../protocols/http.ts'

/** One thing that must be well for the process to be of use. */
export interface ReadinessCheck {
  readonly name: string
  /** Resolves where it is well; what it throws is for the log lines, never for the reply. */
  check(): Promise<void>
}

export interface HealthPorts {
  readonly checks: readonly ReadinessCheck[]
  onFailure(name: string, thrown: unknown): void
}

export function createHealthRoutes(ports: HealthPorts): Route[] {
  const common = { method: 'GET', door: 'public', listeners: ['https', 'http'], maxBody: 0 } as const
  return [
    { ...common, pattern: '/healthz', handle: async () => json(200, { status: 'ok' }) },
    {
      ...common,
      pattern: '/readyz',
      async handle() {
        const results = await Promise.all(ports.checks.map(each => runCheck(each, ports)))
        const ready = results.every(([, well]) => well)
        return json(ready ? 200 : 503, { ready, checks: Object.fromEntries(results) })
      },
    },
  ]
}

/** A check that does not come back within this time has failed. */
const CHECK_MS = 2000

async function runCheck(check: ReadinessCheck, ports: HealthPorts): Promise<[string, boolean]> {
  let timer: NodeJS.Timeout | undefined
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_MS} ms`)), CHECK_MS)
    })
    await Promise.race([check.check(), late])
    return [check.name, true]
  } catch (thrown) {
    ports.onFailure(check.name, thrown)
    return [check.name, false]
  } finally {
    clearTimeout(timer)
  }
}

function json(status: number, value: unknown): HttpReply {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  return { status, headers, body: `${JSON.stringify(value)}\n` }
}
