// What an operator asked for and a rule refused is evidence too: an entry with the command's name and the code, in one place for all commands.
// It holds no arguments: what somebody typed may be anything. A mistyped option, a file that is not there and a wrong passphrase are no
// refusals: nobody decided anything.
import type { ErrorKind, TouchmarkError } from '../core/errors.ts'
import type { DataFolder } from '../server/data-folder.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { OPERATOR } from './operator.ts'
import { systemClock, withStore } from './store.ts'

/** Commands that would have changed data. A test holds both lists against the commands that there are. */
export const CHANGING_COMMANDS: ReadonlySet<string> = new Set([
  'alert ack',
  'alert discard',
  'alert redeliver',
  'alert rules set',
  'alert silence',
  'authority create',
  'authority import',
  'authority retire',
  'authority sign',
  'batch',
  'campaign cancel',
  'campaign create',
  'campaign pause',
  'campaign resume',
  'campaign roll-back',
  'campaign start',
  'device approve',
  'device destroy',
  'device erase',
  'device reject',
  'device resume',
  'device retire',
  'device set',
  'device ship',
  'device suspend',
  'device transfer',
  'device transfer-accept',
  'device transfer-cancel',
  'group save',
  'operator add',
  'operator certificate',
  'operator link',
  'operator remove',
  'operator roles',
  'operator token',
  'owner add',
  'owner remove',
  'passphrase',
  'profile add',
  'renewal order',
  'renewal withdraw',
  'revoke',
  'rule set',
  'settings change',
  'token cancel',
  'token create',
  'trust add',
  'trust remove',
])

/** Commands that only look, or that act on something else than the data folder, or before there is one. */
export const OTHER_COMMANDS: ReadonlySet<string> = new Set([
  'agent enroll',
  'agent renew',
  'agent run',
  'agent status',
  'agent wipe',
  'alert list',
  'alert rules check',
  'alert rules schema',
  'alert rules show',
  'alert show',
  'alert test',
  'alert undelivered',
  'audit checkpoint',
  'audit entry',
  'audit list',
  'audit proof',
  'audit verify',
  // Signs a list that is due anyway, by its own schedule.
  'authority crl',
  'authority csr',
  'authority list',
  'authority show',
  'campaign devices',
  'campaign list',
  'campaign playbook',
  'campaign preview',
  'campaign schema',
  'campaign show',
  'certificate list',
  'certificate show',
  'completion',
  'demo',
  'device destruction-certificate',
  'device list',
  'device pending',
  'device show',
  'device transfer-statement',
  'doctor',
  'group devices',
  'group list',
  'group show',
  'init',
  'operator list',
  'owner list',
  'owner show',
  'profile check',
  'profile list',
  'profile schema',
  'profile show',
  'renewal horizon',
  'renewal list',
  'renewal show',
  'renewal stuck',
  'rule check',
  'rule explain',
  'rule schema',
  'rule show',
  'serve',
  'settings show',
  'simulate',
  'status fetch',
  'status query',
  'status show',
  'token list',
  'trust',
  'trust list',
  'trust show',
  'verify',
])

/** How a rule of the domain says no. */
const REFUSALS: ReadonlySet<ErrorKind> = new Set(['forbidden', 'not_found', 'conflict', 'too_many'])

/** Not found, and no question to the domain: files that the command line names. */
const FILES: ReadonlySet<string> = new Set(['factory.input_missing', 'certificate.file_unreadable'])

/** Whether the log should know of it. */
export function isRefusal(command: string, error: TouchmarkError): boolean {
  if (!CHANGING_COMMANDS.has(command) || FILES.has(error.code)) return false
  return REFUSALS.has(error.kind) && exitCodeOf(error) === EXIT.no
}

/** Writes the entry. Throws what opening the store and committing throw. */
export async function recordRefusal(data: DataFolder, command: string, { code }: TouchmarkError): Promise<void> {
  await withStore(data, store =>
    store.commit({
      writes: [],
      audit: [
        {
          at: systemClock.now(),
          actor: OPERATOR,
          action: 'operator.refused',
          outcome: 'refused',
          code,
          subject: {},
          detail: { command },
        },
      ],
    }),
  )
}
