// `touchmark device pending | approve | reject`: requests that wait for an operator.
import { fromHex } from '../core/bytes/hex.ts'
import { type RequestDigest, requestDigest } from '../domain/ids.ts'
import type { Page } from '../domain/ports.ts'
import type { Enrolment } from '../domain/ra/enrolment.ts'
import { act, type Command, command, usageError } from './command.ts'
import { OPERATOR } from './operator.ts'
import { table, time, timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'

const PAGE = 1000

export function pendingCommand(): Command {
  const pending = command({
    name: 'pending',
    summary: 'List enrolment requests that wait for an operator',
    examples: [['device pending', 'Then: touchmark device approve DIGEST']],
  })
  return act(pending, ({ out, data, signal }) =>
    withStore(data, async ({ read }) => {
      const rows: string[][] = []
      let after: string | null = null
      do {
        const page: Page<Enrolment> = await read.enrolments('pending', {
          limit: PAGE,
          ...(after === null ? {} : { after }),
        })
        for (const { digest, serialNumberClaimed, profile, protocol, rule, createdAt } of page.items) {
          if (out.json)
            out.line({ digest, serialNumberClaimed, profile, protocol, rule, createdAt: timestamp(createdAt) })
          else rows.push([digest, serialNumberClaimed, profile, protocol, rule, time(createdAt)])
        }
        after = page.next
      } while (after !== null && !signal.aborted)
      if (!out.json) out.say(table(['REQUEST', 'SAYS IT IS', 'PROFILE', 'PROTOCOL', 'RULE', 'SINCE'], rows))
    }),
  )
}

export function approveCommand(): Command {
  const approve = command({
    name: 'approve',
    summary: 'Approve a waiting request: the device gets its certificate when it asks again',
  }).argument('<digest>', 'from touchmark device pending')
  return act(approve, ({ out, data }, digest) =>
    withStore(data, async store => {
      const { approveEnrolment } = await import('../domain/ra/approve.ts')
      const enrolment = await approveEnrolment(digestOf(digest!), OPERATOR.id, { store, clock: systemClock })
      out.result({ digest: enrolment.digest, state: 'approved' }, () => `Approved: ${enrolment.serialNumberClaimed}.`)
    }),
  )
}

export function rejectCommand(): Command {
  const reject = command({ name: 'reject', summary: 'Reject a waiting request' })
    .argument('<digest>', 'from touchmark device pending')
    .requiredOption('-r, --reason <text>', 'why, for other operators; kept out of the log')
  return act<{ readonly reason: string }>(reject, ({ out, data, options }, digest) =>
    withStore(data, async store => {
      const { rejectEnrolment } = await import('../domain/ra/approve.ts')
      const ports = { store, clock: systemClock }
      const enrolment = await rejectEnrolment(digestOf(digest!), OPERATOR.id, options.reason, ports)
      out.result({ digest: enrolment.digest, state: 'rejected' }, () => `Rejected: ${enrolment.serialNumberClaimed}.`)
    }),
  )
}

function digestOf(text: string): RequestDigest {
  if (!/^[0-9a-f]{64}$/.test(text)) throw usageError('A request is named by its digest: 64 hexadecimal digits.')
  return requestDigest(fromHex(text))
}
