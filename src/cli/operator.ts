// Who acts at the command line, as the log names them. It holds no names of people: which of them it was, the machine's own log knows.
import type { AuditEntry } from '../domain/audit/entry.ts'

export const OPERATOR: AuditEntry['actor'] = { kind: 'operator', id: 'command-line' }
