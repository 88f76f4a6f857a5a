// Tells a program beside the agent that something changed: a new certificate to load, a device that was suspended. The program gets facts
// in its environment and nothing secret; what it does wrong is reported and undoes nothing.
import { execFile } from 'node:child_process'
import { TouchmarkError } from '../core/errors.ts'
import type { HookEventName } from './agent-state.ts'

export interface HookEvent {
  readonly event: HookEventName
  readonly model: string
  readonly serialNumber: string
  /** Paths; `undefined` where there is no identity to use. */
  readonly certificate: string | undefined
  readonly key: string | undefined
  readonly trustAnchors: string
  /** Of the certificate, RFC 3339. */
  readonly notAfter: string | undefined
}

/** May reject: the agent reports it as `agent.hook_failed`. */
export type Hook = (event: HookEvent) => Promise<void>

const TIMEOUT_MS = 60_000

/**
 * A hook that runs a program, without a shell and without arguments, with TOUCHMARK_EVENT, TOUCHMARK_MODEL, TOUCHMARK_SERIAL_NUMBER,
 * TOUCHMARK_CERTIFICATE, TOUCHMARK_KEY, TOUCHMARK_TRUST and TOUCHMARK_NOT_AFTER in its environment. It is ended after a minute.
 */
export function programHook(program: string, timeoutMs: number = TIMEOUT_MS): Hook {
  return event =>
    new Promise((resolve, reject) => {
      const env = {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        LANG: process.env['LANG'],
        TOUCHMARK_EVENT: event.event,
        TOUCHMARK_MODEL: event.model,
        TOUCHMARK_SERIAL_NUMBER: event.serialNumber,
        TOUCHMARK_TRUST: event.trustAnchors,
        ...(event.certificate === undefined ? {} : { TOUCHMARK_CERTIFICATE: event.certificate }),
        ...(event.key === undefined ? {} : { TOUCHMARK_KEY: event.key }),
        ...(event.notAfter === undefined ? {} : { TOUCHMARK_NOT_AFTER: event.notAfter }),
      }
      const options = { env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 } as const
      execFile(program, [], options, (error, _stdout, stderr) => {
        if (error) reject(hookFailed(event.event, reasonOf(error, stderr), error))
        else resolve()
      })
    })
}

export function hookFailed(event: HookEventName, reason: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError('agent.hook_failed', 'unavailable', `The hook failed after "${event}": ${reason}.`, {
    ...(cause === undefined ? {} : { cause }),
    next: 'The change itself is done; run the program by hand, or repair it.',
    evidence: { event },
  })
}

function reasonOf(error: Error & { code?: unknown; killed?: boolean }, stderr: string): string {
  if (error.killed) return 'it did not end in time'
  const said = stderr
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(-200)
  return `it ended with ${String(error.code)}${said ? ` (${said})` : ''}`
}
