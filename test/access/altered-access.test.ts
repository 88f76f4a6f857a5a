// Attack: write access to the database, past the program, to get in. Each row of access is altered or added once, and verification has to
// name it.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, type TestContext, test } from 'node:test'
import { DATABASE_FILE, openStore } from '../../src/adapters/store/open-store.ts'
import { sha256 } from '../../src/crypto/digest.ts'
import { createApiToken, revokeApiToken } from '../../src/domain/access/api-tokens.ts'
import { operatorPrincipal } from '../../src/domain/access/grants.ts'
import { addOperator, removeOperator, setPassword } from '../../src/domain/access/operators.ts'
import { signInWithLink } from '../../src/domain/access/sign-in.ts'
import { registerPasskey, registrationOptions } from '../../src/domain/access/webauthn.ts'
import { verifyStore } from '../../src/domain/audit/verify-store.ts'
import { testAccess } from '../support/api-door.ts'
import { OPERATOR, testInstance } from '../support/instance.ts'
import { VirtualAuthenticator } from '../support/virtual-authenticator.ts'

const PARTY = { origin: 'https://localhost', name: 'Test' }

let folder: string
let copies = 0

/** Two administrators, one of them with everything that one signs in with; one who was removed; tokens; an act that waits. */
before(async context => {
  folder = await mkdtemp(join(tmpdir(), 'touchmark-access-'))
  const instance = await testInstance(context as TestContext, { folder: join(folder, 'original') })
  const access = testAccess(instance)
  const { store, clock } = instance
  const roles = [{ role: 'administrator', scope: {} }]
  const admitted = []
  for (const name of ['Ada', 'Ben', 'Cy']) {
    admitted.push(await addOperator({ name, email: `${name}@example.test`, roles, actor: OPERATOR }, access))
  }
  const [ada, , cy] = admitted
  const from = { address: '192.0.2.1', agent: 'Test', previous: undefined }
  await signInWithLink({ secret: ada!.secret }, from, access)
  const operatorId = ada!.operator.id
  const options = await registrationOptions(operatorId, PARTY, access)
  const answer = new VirtualAuthenticator().create(options, PARTY.origin)
  await registerPasskey({ operatorId, name: 'Key', answer }, PARTY, access)
  await setPassword({ operatorId, password: 'a long walk in the hills' }, access)
  await removeOperator({ operatorId: cy!.operator.id, actor: OPERATOR }, access)
  const since = { authenticatedBy: 'passkey', authenticatedAt: clock.now() } as const
  const principal = await operatorPrincipal(ada!.operator, since, store.read)
  const request = { name: 'x', permissions: ['device.read'], scope: {}, lifetimeSeconds: 3600 } as const
  await createApiToken(request, principal, access)
  const { token } = await createApiToken(request, principal, access)
  await revokeApiToken(token.id, OPERATOR, access)
  const config = { schema: 1, name: 'watcher', permissions: ['device.read'] }
  const outcome = await access.fourEyes.request('role.change', { config, from: 0 }, 'A role', principal)
  assert.equal(outcome.kind, 'waiting')
})
after(() => rm(folder, { recursive: true, force: true }))

async function findings(statement?: string): Promise<string[]> {
  const copy = join(folder, String(copies++))
  await mkdir(copy, { mode: 0o700 })
  const original = new DatabaseSync(join(folder, 'original', DATABASE_FILE), { readOnly: true })
  original.prepare('VACUUM INTO ?').run(join(copy, DATABASE_FILE))
  original.close()
  if (statement !== undefined) {
    const database = new DatabaseSync(join(copy, DATABASE_FILE))
    assert.ok(Number(database.prepare(statement).run().changes) > 0, 'there is something to alter')
    database.close()
  }
  await using store = await openStore({ folder: copy })
  const { findings: found } = await verifyStore(store.read, { hash: sha256, origin: 'test', logKeys: [] })
  // This store was never signed for; that is for other tests.
  return found.map(({ code }) => code).filter(code => code !== 'audit.checkpoint_missing')
}

const ALTERATIONS: readonly (readonly [what: string, statement: string, code: string])[] = [
  [
    'an operator whom nobody admitted',
    "INSERT INTO operator SELECT 'op-mine', 'x', 'x@x', state, roles, NULL, NULL, NULL, NULL, 1, 1 FROM operator WHERE name = 'Ben'",
    'audit.access_unlogged',
  ],
  ['an operator who is gone', "DELETE FROM operator WHERE name = 'Ben'", 'audit.access_missing'],
  [
    'an operator who comes back',
    "UPDATE operator SET state = 'active', roles = '[]' WHERE state = 'removed'",
    'audit.access_altered',
  ],
  [
    'an operator with other roles',
    `UPDATE operator SET roles = '[{"role":"auditor","scope":{}}]' WHERE name = 'Ben'`,
    'audit.access_altered',
  ],
  [
    'a password that somebody put there',
    "UPDATE operator SET password_hash = (SELECT password_hash FROM operator WHERE name = 'Ada') WHERE name = 'Ben'",
    'audit.access_altered',
  ],
  ['a password that is another', "UPDATE operator SET password_hash = 'x' WHERE name = 'Ada'", 'audit.access_altered'],
  [
    'codes of somebody else',
    `UPDATE operator SET totp = '{"sealed":"x","lastStep":0}' WHERE name = 'Ada'`,
    'audit.access_altered',
  ],
  [
    'an identity of an OpenID provider',
    `UPDATE operator SET oidc = '["https://evil.example","x"]' WHERE name = 'Ben'`,
    'audit.access_altered',
  ],
  [
    'a passkey moved to another operator',
    "UPDATE passkey SET operator_id = (SELECT id FROM operator WHERE name = 'Ben')",
    'audit.access_unlogged',
  ],
  ['a passkey with another key', "UPDATE passkey SET public_key = x'00'", 'audit.access_unlogged'],
  ['a session that nobody opened', "UPDATE session SET secret_hash = x'00'", 'audit.access_unlogged'],
  [
    'a session moved to another operator',
    "UPDATE session SET operator_id = (SELECT id FROM operator WHERE name = 'Ben')",
    'audit.access_unlogged',
  ],
  [
    'an API token that may more',
    `UPDATE api_token SET permissions = '["key.destroy"]' WHERE revoked_at IS NULL`,
    'audit.access_altered',
  ],
  [
    'an API token that never ends',
    'UPDATE api_token SET expires_at = expires_at + 9 WHERE revoked_at IS NULL',
    'audit.access_altered',
  ],
  [
    'an API token that works again',
    'UPDATE api_token SET revoked_at = NULL WHERE revoked_at IS NOT NULL',
    'audit.access_altered',
  ],
  [
    'an API token that nobody made',
    "INSERT INTO api_token SELECT 'at-mine', x'00', operator_id, name, permissions, scope, 1, expires_at, NULL, NULL FROM api_token WHERE revoked_at IS NULL",
    'audit.access_unlogged',
  ],
  [
    'an act that is another than what was asked for',
    "UPDATE approval SET parameters = replace(parameters, 'device.read', 'key.destroy')",
    'audit.access_altered',
  ],
  ['an act that somebody else asked for', "UPDATE approval SET requested_by = 'op-x'", 'audit.access_altered'],
  ['an act that takes nobody else', 'UPDATE approval SET quorum = 0', 'audit.access_altered'],
  ['an act that was carried out', "UPDATE approval SET state = 'executed'", 'audit.access_altered'],
  [
    'an act that nobody asked for',
    "INSERT INTO approval SELECT 'ap-mine', act, parameters, summary, requested_by, 1, expires_at, quorum, approvals, state, 1, NULL, 1 FROM approval",
    'audit.access_unlogged',
  ],
  [
    'a role that gives more',
    "INSERT INTO document SELECT 'role', 'mine', 1, '{\"permissions\":[]}', 1 FROM document LIMIT 1",
    'audit.document_unlogged',
  ],
]

test('access verifies as long as nobody touches it', async () => assert.deepEqual(await findings(), []))

for (const [what, statement, code] of ALTERATIONS) {
  test(`${what}: ${code}`, async () => assert.deepEqual(await findings(statement), [code]))
}
