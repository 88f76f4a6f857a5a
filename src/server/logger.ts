// Lines for operators: one JSON object each on standard error. They may be lost, and they never hold a secret or what a
// stranger sent; evidence for auditors is the log of the store, not this.

import { currentRequest } from './current-request.ts'

export type LogLevel = 'info' | 'warning' | 'error'
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>

export interface Logger {
  info(event: string, fields?: LogFields): void
  warning(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

/** Writes lines through `write`, each with the id of the request that it belongs to, if any; `event` is a stable dotted name (`server.listening`). */
export function jsonLogger(write: (line: string) => void, now: () => Date = () => new Date()): Logger {
  const line = (level: LogLevel, event: string, fields: LogFields = {}) => {
    const request = currentRequest()
    const said = request === undefined ? fields : { request, ...fields }
    write(`${JSON.stringify({ time: now().toISOString(), level, event, ...said })}\n`)
  }
  return {
    info: (event, fields) => line('info', event, fields),
    warning: (event, fields) => line('warning', event, fields),
    error: (event, fields) => line('error', event, fields),
  }
}

/** An unexpected error as fields: for the operator, with its stack and the causes below it, to a depth of four. */
export function errorFields(thrown: unknown): LogFields {
  const causes: string[] = []
  let at: unknown = thrown
  for (let depth = 0; depth < 4 && at instanceof Error && at.cause !== undefined; depth++) {
    at = at.cause
    causes.push(String(at))
  }
  return {
    error: String(thrown),
    ...(causes.length > 0 ? { causes } : {}),
    ...(thrown instanceof Error && thrown.stack ? { stack: thrown.stack } : {}),
  }
}
