// One-time tokens and waiting requests against the log: what lets a device in without a certificate, or an operator's word that nobody
// gave. Memory grows with the tokens that were ever made, at some two hundred octets each, and with the requests that wait.
import type { StoreReader } from '../ports.ts'
import type { EnrolmentState } from '../ra/enrolment.ts'
import type { Token } from '../ra/token.ts'
import type { Report } from './finding.ts'
import { readable, type Suspect, Suspects, UNREADABLE } from './suspects.ts'
import type { CrossCheck } from './verify.ts'

type TokenReader = Pick<StoreReader, 'allTokens' | 'enrolments' | 'auditEntries'>

interface LoggedToken {
  readonly index: number
  readonly made: string
  used: number | null
  cancelled: number | null
}

const PAGE = 500
const OPEN_STATES = ['pending', 'approved', 'rejected'] as const satisfies readonly EnrolmentState['kind'][]

export function tokenCheck(read: TokenReader, report: Report): CrossCheck {
  const suspects = new Suspects(report)
  const tokens = new Map<string, LoggedToken>()
  /** Requests that were not issued yet, by their last entry. */
  const requests = new Map<string, string>()

  return {
    entry(index, { action, outcome, at, subject, detail }) {
      if (outcome !== 'done') return
      const { tokenId = '', requestDigest = '' } = subject
      switch (action) {
        case 'token.created': {
          const { profile, expiresAt, secretSha256 } = detail ?? {}
          const made = [subject['deviceId'], profile, expiresAt, at, secretSha256].join(' ')
          tokens.set(tokenId, { index, made, used: null, cancelled: null })
          return
        }
        case 'token.used': {
          const token = tokens.get(tokenId)
          if (token) token.used = at
          return
        }
        case 'token.cancelled': {
          const token = tokens.get(tokenId)
          if (token) token.cancelled = at
          return
        }
        case 'enrolment.pending':
        case 'enrolment.approved':
        case 'enrolment.rejected':
          requests.set(requestDigest, action.slice('enrolment.'.length))
          return
        case 'certificate.issued':
          requests.delete(requestDigest)
          return
        default:
      }
    },
    unreadable: () => suspects.unreadable(),
    later() {},
    async end(size) {
      if ((await readable(checkTokens())) === UNREADABLE) accuse('table', 'altered', 'holds what no token has')
      await checkRequests()
      await suspects.settle(read, size)
    },
  }

  async function checkTokens(): Promise<void> {
    for await (const token of read.allTokens()) {
      const logged = tokens.get(token.id)
      tokens.delete(token.id)
      if (logged === undefined) accuse(token.id, 'unlogged', 'was made past the log', 'silence')
      else if (madeOf(token) !== logged.made) {
        accuse(token.id, 'altered', `is not the one that entry ${logged.index} made`)
      } else if (token.usedAt !== logged.used || token.cancelledAt !== logged.cancelled) {
        const why = `is ${ended(token.usedAt, token.cancelledAt)} in the store and ${ended(logged.used, logged.cancelled)} by the log`
        accuse(token.id, 'altered', why, 'silence')
      }
    }
    for (const [id, { index }] of tokens) accuse(id, 'missing', `, which entry ${index} made, is gone`)
  }

  function accuse(
    id: string,
    how: 'altered' | 'missing' | 'unlogged',
    why: string,
    against: Suspect['against'] = 'word',
  ): void {
    const message = `Token ${id}${why.startsWith(',') ? '' : ' '}${why}.`
    suspects.add({ about: id, finding: { code: `audit.token_${how}`, message, evidence: { tokenId: id } }, against })
  }

  async function checkRequests(): Promise<void> {
    for (const state of OPEN_STATES) {
      for (let after: string | undefined; ; ) {
        const page = await read.enrolments(state, { limit: PAGE, ...(after === undefined ? {} : { after }) })
        for (const { digest } of page.items) {
          const logged = requests.get(digest)
          requests.delete(digest)
          if (logged !== state) accuseRequest(digest, state, logged)
        }
        if (page.next === null) break
        after = page.next
      }
    }
    for (const [digest, logged] of requests) accuseRequest(digest, undefined, logged)
  }

  function accuseRequest(digest: string, found: string | undefined, logged: string | undefined): void {
    const finding = {
      code: 'audit.enrolment_altered',
      message: `Request ${digest} is ${found ?? 'not open'} in the store and ${logged ?? 'not open'} by the log.`,
      evidence: { requestDigest: digest, found: found ?? 'none', expected: logged ?? 'none' },
    } as const
    suspects.add({ about: digest, finding, against: 'silence' })
  }
}

function ended(used: number | null, cancelled: number | null): string {
  if (used === null && cancelled === null) return 'open'
  return [
    ...(used === null ? [] : [`used at ${used}`]),
    ...(cancelled === null ? [] : [`cancelled at ${cancelled}`]),
  ].join(', ')
}

function madeOf({ deviceId, profile, expiresAt, createdAt, secretHash }: Token): string {
  return [deviceId, profile, expiresAt, createdAt, secretHash].join(' ')
}
