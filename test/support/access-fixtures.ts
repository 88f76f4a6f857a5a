// Rows of access for tests of the store, each different from all before it.
import { randomBytes } from 'node:crypto'
import type { ApiToken } from '../../src/domain/access/api-token.ts'
import type { Approval } from '../../src/domain/access/approval.ts'
import type { Operator } from '../../src/domain/access/operator.ts'
import type { Passkey } from '../../src/domain/access/passkey.ts'
import type { Session } from '../../src/domain/access/session.ts'
import type { SignInLink } from '../../src/domain/access/sign-in-link.ts'
import { NOW } from './store-fixtures.ts'

let made = 0
const hex = (octets: number) => randomBytes(octets).toString('hex')

export function anOperator(fields: Partial<Operator> = {}): Operator {
  made++
  return {
    id: `op-${hex(16)}`,
    name: `Operator ${made}`,
    email: `operator-${made}-${hex(4)}@example.test`,
    state: 'active',
    roles: [{ role: 'auditor', scope: {} }],
    passwordHash: null,
    totp: null,
    oidc: null,
    createdAt: NOW + made,
    revision: 1,
    ...fields,
  }
}

export function aPasskey(operator: Pick<Operator, 'id'>, fields: Partial<Passkey> = {}): Passkey {
  made++
  return {
    id: hex(32),
    operatorId: operator.id,
    publicKey: new Uint8Array(randomBytes(77)),
    signCount: 0,
    name: `Key ${made}`,
    transports: ['internal'],
    createdAt: NOW + made,
    lastUsedAt: null,
    ...fields,
  }
}

export function aSession(operator: Pick<Operator, 'id'>, fields: Partial<Session> = {}): Session {
  made++
  return {
    id: `se-${hex(16)}`,
    secretHash: hex(32),
    operatorId: operator.id,
    method: 'passkey',
    createdAt: NOW + made,
    seenAt: NOW + made,
    address: '192.0.2.1',
    agent: 'A browser',
    ...fields,
  }
}

export function aLink(name: string, fields: Partial<SignInLink> = {}): SignInLink {
  return { name, secretHash: hex(32), createdAt: NOW, expiresAt: NOW + 86_400, ...fields }
}

export function anApiToken(operator: Pick<Operator, 'id'>, fields: Partial<ApiToken> = {}): ApiToken {
  made++
  return {
    id: `at-${hex(16)}`,
    secretHash: hex(32),
    operatorId: operator.id,
    name: `Token ${made}`,
    permissions: ['device.read'],
    scope: { owner: 'beta', models: ['m'], sites: ['s'] },
    createdAt: NOW + made,
    expiresAt: NOW + 1_000_000,
    lastUsedAt: null,
    revokedAt: null,
    ...fields,
  }
}

export function anApproval(fields: Partial<Approval> = {}): Approval {
  made++
  return {
    id: `ap-${hex(16)}`,
    act: 'role.change',
    parameters: '{"a":1}',
    summary: 'A change',
    requestedBy: `op-${hex(16)}`,
    requestedAt: NOW + made,
    expiresAt: NOW + made + 600,
    quorum: 1,
    approvals: [],
    state: 'waiting',
    stateChangedAt: NOW + made,
    outcome: null,
    revision: 1,
    ...fields,
  }
}
