// Who may come in, against the log: operators with their roles and means to sign in, sessions, sign-in links, API tokens, and acts that wait for
// a second person. A row that was put there past the log would be a door. Memory grows with operators and with what they ever signed in with.
import {
  apiTokenDigest,
  approvalDigest,
  oidcDigest,
  passkeyDigest,
  passwordDigest,
  rolesDigest,
  totpDigest,
} from '../access/commitments.ts'
import type { Operator } from '../access/operator.ts'
import type { Page, StoreReader } from '../ports.ts'
import type { Report } from './finding.ts'
import { readable, Suspects, UNREADABLE } from './suspects.ts'
import type { CrossCheck } from './verify.ts'

type AccessReader = Pick<
  StoreReader,
  'operators' | 'passkeysOfOperator' | 'sessionsOfOperator' | 'apiTokens' | 'approvals' | 'auditEntries'
>

interface LoggedOperator {
  roles: unknown
  removed: boolean
  /** By credential: the digest, while it is set. */
  readonly single: Map<string, unknown>
  readonly passkeys: Set<unknown>
  readonly sessions: Set<unknown>
}

const PAGE = 200
/** Digests of what is not there: `passwordDigest({ passwordHash: null })` and its like. */
const NONE = passwordDigest({ passwordHash: null })

export function accessCheck(read: AccessReader, report: Report): CrossCheck {
  const suspects = new Suspects(report)
  const operators = new Map<string, LoggedOperator>()
  const tokens = new Map<string, { readonly digest: unknown; revoked: boolean }>()
  const approvals = new Map<string, { readonly digest: unknown; state: unknown }>()

  return {
    entry(_index, { action, outcome, subject, detail = {} }) {
      if (outcome !== 'done') return
      const { name = '', tokenId = '', approvalId = '' } = subject
      const operator = operators.get(name)
      switch (action) {
        case 'operator.added':
          operators.set(name, {
            roles: detail['rolesSha256'],
            removed: false,
            single: new Map(),
            passkeys: new Set(),
            sessions: new Set(),
          })
          return
        case 'operator.changed':
          if (operator) operator.roles = detail['rolesSha256']
          return
        case 'operator.removed':
          if (operator) operator.removed = true
          return
        case 'operator.credential_changed':
          if (operator) noteCredential(operator, detail)
          return
        case 'session.started':
          operator?.sessions.add(detail['secretSha256'])
          return
        case 'api_token.created':
          tokens.set(tokenId, { digest: detail['tokenSha256'], revoked: false })
          return
        case 'api_token.revoked': {
          const token = tokens.get(tokenId)
          if (token) token.revoked = true
          return
        }
        case 'approval.requested':
          approvals.set(approvalId, { digest: detail['approvalSha256'], state: 'waiting' })
          return
        case 'approval.given':
        case 'approval.ended': {
          const approval = approvals.get(approvalId)
          if (approval) approval.state = detail['state']
          return
        }
        default:
      }
    },
    unreadable: () => suspects.unreadable(),
    later() {},
    async end(size) {
      const checks = [checkOperators, checkTokens, checkApprovals]
      for (const check of checks) {
        if ((await readable(check())) === UNREADABLE) accuse('table', 'altered', 'holds what nobody wrote')
      }
      await suspects.settle(read, size)
    },
  }

  function noteCredential(operator: LoggedOperator, detail: Readonly<Record<string, unknown>>): void {
    const { credential, change, credentialSha256 } = detail
    if (credential === 'passkey') {
      if (change === 'set') operator.passkeys.add(credentialSha256)
      else operator.passkeys.delete(credentialSha256)
    } else operator.single.set(String(credential), change === 'set' ? credentialSha256 : undefined)
  }

  function accuse(about: string, how: 'altered' | 'missing' | 'unlogged', why: string): void {
    const finding = { code: `audit.access_${how}`, message: `${about} ${why}.`, evidence: { name: about } } as const
    suspects.add({ about, finding, against: how === 'missing' ? 'word' : 'silence' })
  }

  async function checkOperators(): Promise<void> {
    const missing = new Set(operators.keys())
    for await (const operator of all(page => read.operators(page))) {
      missing.delete(operator.id)
      const logged = operators.get(operator.id)
      if (logged === undefined) accuse(operator.id, 'unlogged', 'was admitted past the log')
      else await checkOperator(operator, logged)
    }
    for (const id of missing) accuse(id, 'missing', 'is an operator by the log, and is gone')
  }

  async function checkOperator(operator: Operator, logged: LoggedOperator): Promise<void> {
    const { id } = operator
    if ((operator.state === 'removed') !== logged.removed) {
      accuse(id, 'altered', `is ${operator.state}, and by the log ${logged.removed ? 'removed' : 'active'}`)
    } else if (!logged.removed && rolesDigest(operator.roles) !== logged.roles) {
      accuse(id, 'altered', 'has other roles than the log says')
    }
    const single = { password: passwordDigest(operator), totp: totpDigest(operator), oidc: oidcDigest(operator) }
    for (const [credential, digest] of Object.entries(single)) {
      // Removal erases them all, without an entry for each.
      const expected = logged.removed ? NONE : (logged.single.get(credential) ?? NONE)
      if (digest !== expected) accuse(id, 'altered', `has another ${credential} than the log says`)
    }
    for (const passkey of await read.passkeysOfOperator(id)) {
      if (!logged.passkeys.has(passkeyDigest(passkey)))
        accuse(id, 'unlogged', 'has a passkey of which the log knows nothing')
    }
    for (const session of await read.sessionsOfOperator(id)) {
      if (!logged.sessions.has(session.secretHash))
        accuse(id, 'unlogged', 'has a session of which the log knows nothing')
    }
  }

  async function checkTokens(): Promise<void> {
    for await (const token of all(page => read.apiTokens(page))) {
      const logged = tokens.get(token.id)
      if (logged === undefined) accuse(token.id, 'unlogged', 'is an API token that was made past the log')
      else if (apiTokenDigest(token) !== logged.digest) accuse(token.id, 'altered', 'is not the token that was made')
      else if (logged.revoked && token.revokedAt === null)
        accuse(token.id, 'altered', 'is revoked by the log, and works')
    }
  }

  async function checkApprovals(): Promise<void> {
    for await (const approval of all(page => read.approvals(page))) {
      const logged = approvals.get(approval.id)
      if (logged === undefined) accuse(approval.id, 'unlogged', 'is an act that nobody asked for')
      else if (approvalDigest(approval) !== logged.digest) accuse(approval.id, 'altered', 'is not what was asked for')
      else if (approval.state !== logged.state) {
        accuse(approval.id, 'altered', `is ${approval.state}, and by the log ${String(logged.state)}`)
      }
    }
  }
}

async function* all<T>(read: (page: { after?: string; limit: number }) => Promise<Page<T>>): AsyncGenerator<T> {
  for (let after: string | null | undefined; after !== null; ) {
    const page: Page<T> = await read({ limit: PAGE, ...(after === undefined ? {} : { after }) })
    yield* page.items
    after = page.next
  }
}
