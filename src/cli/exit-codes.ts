// What the shell learns. The numbers are documented in docs/cli.md; scripts rely on them.
import type { TouchmarkError } from '../core/errors.ts'

export const EXIT = {
  ok: 0,
  /** The answer is no, or the operation failed. */
  no: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The surroundings are: data folder, passphrase, configuration, port, store, Node. */
  environment: 3,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Families of codes that speak of the surroundings, whatever the kind of the error. */
const ENVIRONMENT = ['data.', 'configuration.', 'passphrase.', 'listen.', 'keystore.', 'node.']

export function exitCodeOf(error: TouchmarkError): ExitCode {
  if (error.code.startsWith('usage.')) return EXIT.usage
  if (error.kind === 'unavailable' || ENVIRONMENT.some(family => error.code.startsWith(family))) return EXIT.environment
  return EXIT.no
}
