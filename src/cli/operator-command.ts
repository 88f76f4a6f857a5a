// `touchmark operator`: people who sign in on the console and programs that use the API. Whoever can run this at the machine can do it all, as
// with every command; the log says that it was the command line.
import { writeFile } from 'node:fs/promises'
import { toPem } from '../core/asn1/pem.ts'
import { TouchmarkError } from '../core/errors.ts'
import { systemRandom } from '../crypto/random.ts'
import { createApiToken, MAX_API_TOKEN_SECONDS } from '../domain/access/api-tokens.ts'
import { operatorPrincipal } from '../domain/access/grants.ts'
import type { Operator, RoleGrant } from '../domain/access/operator.ts'
import {
  activeOperators,
  addOperator,
  changeRoles,
  createFirstLink,
  createLink,
  removeOperator,
} from '../domain/access/operators.ts'
import { isPermission, type Permission, permissionNames } from '../domain/access/permissions.ts'
import type { Scope } from '../domain/access/principal.ts'
import { readRoles } from '../domain/access/roles.ts'
import { LINK_SECONDS } from '../domain/access/sign-in-link.ts'
import type { Store } from '../domain/ports.ts'
import { type DataFolder, readConfiguration } from '../server/data-folder.ts'
import { signInUrl } from '../server/sign-in-url.ts'
import { act, type Command, command, duration, group, usageError, withPassphrase } from './command.ts'
import { OPERATOR } from './operator.ts'
import { facts, table, time, timestamp } from './output.ts'
import { passphraseSources } from './passphrase-sources.ts'
import { systemClock, withStore } from './store.ts'

export function operatorCommand(): Command {
  return group({ name: 'operator', summary: 'Operators: who may sign in, and what they may do' })
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(rolesCommand())
    .addCommand(linkCommand())
    .addCommand(tokenCommand())
    .addCommand(certificateCommand())
    .addCommand(removeCommand())
}

const ROLE_HELP = 'a role, everywhere or where it says: operator@owner=beta,model=gw-7,site=ulm; may be given again'
const collect = (text: string, all: readonly string[]): string[] => [...all, text]

function addCommand(): Command {
  const add = command({
    name: 'add',
    summary: 'Admit somebody, and print the link by which they sign in the first time',
    description: 'The link works once and for a day. There they set up a passkey, or a password with codes.',
    examples: [
      ['operator add ada@example.test --name "Ada Ames" --role administrator', 'Somebody who may do everything'],
      ['operator add ben@example.test --name Ben --role operator@site=ulm', 'Somebody for the devices of one site'],
    ],
  })
    .argument('<email>', 'what they sign in with')
    .requiredOption('--name <name>', 'what the console calls them')
    .option('--role <role>', ROLE_HELP, collect, [])
  return act<{ readonly name: string; readonly role: readonly string[] }>(add, ({ out, data, options }, email) =>
    withStore(data, async store => {
      const roles = options.role.map(parseRoleGrant)
      const { operator, secret } = await addOperator(
        { name: options.name, email: email!, roles, actor: OPERATOR },
        ports(store),
      )
      const link = await linkUrl(data, secret)
      out.result({ ...operatorView(operator), link, linkExpiresAt: timestamp(systemClock.now() + LINK_SECONDS) }, () =>
        facts([
          ['operator', operator.id],
          ['roles', rolesText(operator.roles)],
          ['link', link],
        ]),
      )
      if (!out.json) out.note('It is shown this once, and signs in once, within a day.')
    }),
  )
}

function listCommand(): Command {
  const list = command({ name: 'list', summary: 'List the operators' })
  return act(list, ({ out, data }) =>
    withStore(data, async ({ read }) => {
      const operators = await Array.fromAsync(activeOperators(read))
      out.result(operators.map(operatorView), () =>
        table(
          ['OPERATOR', 'NAME', 'E-MAIL', 'ROLES', 'SINCE'],
          operators.map(each => [each.id, each.name, each.email ?? '', rolesText(each.roles), time(each.createdAt)]),
        ),
      )
    }),
  )
}

function rolesCommand(): Command {
  const roles = command({
    name: 'roles',
    summary: 'List the roles that there are, or give an operator these and no others',
    examples: [
      ['operator roles', 'What there is'],
      ['operator roles ada@example.test --role ca-officer --role auditor', 'These two from now on'],
    ],
  })
    .argument('[operator]', 'id or e-mail address')
    .option('--role <role>', ROLE_HELP, collect, [])
    .option('--none', 'no role at all')
  return act<{ readonly role: readonly string[]; readonly none?: true }>(roles, ({ out, data, options }, who) =>
    withStore(data, async store => {
      if (who === undefined) {
        const all = await readRoles(store.read)
        out.result(
          all.map(({ name, description, permissions, builtIn }) => ({
            name,
            description,
            builtIn,
            permissions: [...permissions],
          })),
          () =>
            table(
              ['ROLE', 'WHAT IT IS FOR', 'PERMISSIONS'],
              all.map(({ name, description, permissions }) => [name, description, String(permissions.size)]),
            ),
        )
        return
      }
      if (options.role.length > 0 === (options.none === true)) {
        throw usageError('Say which roles: --role, once or more, or --none.')
      }
      const { id } = await findOperator(who, store)
      const given = { operatorId: id, roles: options.role.map(parseRoleGrant), actor: OPERATOR }
      const operator = await changeRoles(given, ports(store))
      out.result(operatorView(operator), () => `${operator.id}: ${rolesText(operator.roles)}.`)
    }),
  )
}

function linkCommand(): Command {
  const link = command({
    name: 'link',
    summary: 'A link by which an operator signs in once: the first time, or who lost a passkey',
    description: 'Without an operator: the link that makes the first administrator, where there is none yet.',
    examples: [['operator link ada@example.test', 'In place of the link before']],
  }).argument('[operator]', 'id or e-mail address')
  return act(link, ({ out, data }, who) =>
    withStore(data, async store => {
      const secret = await (who === undefined
        ? createFirstLink(ports(store))
        : createLink({ operatorId: (await findOperator(who, store)).id, actor: OPERATOR }, ports(store)))
      if (secret === undefined) {
        throw new TouchmarkError('operator.not_first', 'conflict', 'There are operators already.', {
          next: 'Name one, or add an administrator: touchmark operator add EMAIL --name NAME --role administrator',
        })
      }
      const url = await linkUrl(data, secret)
      out.result({ link: url, expiresAt: timestamp(systemClock.now() + LINK_SECONDS) }, () => url)
      if (!out.json) out.note('It is shown this once, and signs in once, within a day.')
    }),
  )
}

interface TokenOptions {
  readonly name: string
  readonly permission: readonly string[]
  readonly scope?: string
  readonly lifetime: number
}

function tokenCommand(): Command {
  const token = command({
    name: 'token',
    summary: 'Make an API token for a program, in the name of an operator',
    description:
      'It never has more power than the operator has at the moment. Programs send it as Authorization: Bearer.',
    examples: [
      [
        'operator token ada@example.test --name inventory --permission device.read --lifetime 90d',
        'For a program that lists devices',
      ],
    ],
  })
    .argument('<operator>', 'id or e-mail address')
    .requiredOption('--name <name>', 'what it is for')
    .requiredOption('--permission <name>', 'what it may do; may be given again', collect, [])
    .option('--scope <scope>', 'where: owner=beta,model=gw-7,site=ulm')
    .option(
      '--lifetime <duration>',
      `how long it works, at most ${MAX_API_TOKEN_SECONDS / 86_400}d`,
      duration,
      90 * 86_400,
    )
  return act<TokenOptions>(token, ({ out, data, options }, who) =>
    withStore(data, async store => {
      const operator = await findOperator(who!, store)
      const now = systemClock.now()
      const since = { authenticatedBy: 'link', authenticatedAt: now } as const
      const principal = await operatorPrincipal(operator, since, store.read)
      const request = {
        name: options.name,
        permissions: options.permission.map(parsePermission),
        scope: options.scope === undefined ? {} : parseScope(options.scope),
        lifetimeSeconds: options.lifetime,
      }
      const { token: made, secret } = await createApiToken(request, principal, { ...ports(store), actor: OPERATOR })
      const { id, permissions, expiresAt } = made
      out.result({ token: secret, id, operatorId: operator.id, permissions, expiresAt: timestamp(expiresAt) }, () =>
        facts([
          ['token', secret],
          ['may', permissions.join(', ')],
          ['until', time(expiresAt)],
        ]),
      )
      if (!out.json) out.note('It is shown this once.')
    }),
  )
}

function certificateCommand(): Command {
  const certificate = withPassphrase(
    command({
      name: 'certificate',
      summary: 'Certify the key of an operator, who then signs in with the certificate',
      description:
        'Of the request only the key counts; the subject is the opaque id. Prints the certificate in PEM. It signs in until it\n' +
        'ends, is revoked, or the operator is removed.',
      examples: [
        ['operator certificate ada@example.test ada.csr --out ada.pem', 'Then: curl --cert ada.pem --key ada.key'],
      ],
    }),
  )
    .argument('<operator>', 'id or e-mail address')
    .argument('<request>', 'PKCS#10, PEM or DER')
    .option('--out <file>', 'write it to a file')
  return act<{ readonly out?: string; readonly passphraseFile?: string }>(
    certificate,
    async ({ out, data, options }, who, file) => {
      const [{ readRequest }, { openInstance }, { certifyOperator }] = await Promise.all([
        import('./authority-make.ts'),
        import('../server/open-instance.ts'),
        import('../domain/access/operator-certificate.ts'),
      ])
      const request = await readRequest(file!)
      await using instance = await openInstance(data, passphraseSources(options))
      const { id } = await findOperator(who!, instance.store)
      const record = await certifyOperator({ operatorId: id, request, actor: OPERATOR }, instance)
      const pem = toPem('CERTIFICATE', record.der)
      if (options.out !== undefined) await writeFile(options.out, pem)
      if (out.json) out.line({ operatorId: id, serialNumber: record.serialNumber, certificate: pem })
      else if (options.out === undefined) out.raw(pem)
    },
  )
}

function removeCommand(): Command {
  const remove = command({
    name: 'remove',
    summary: 'Remove an operator, and erase name and address',
    description: 'Sessions end, passkeys and API tokens work no more. The log keeps the opaque id.',
  }).argument('<operator>', 'id or e-mail address')
  return act(remove, ({ out, data }, who) =>
    withStore(data, async store => {
      const { id } = await findOperator(who!, store)
      await removeOperator({ operatorId: id, actor: OPERATOR }, ports(store))
      out.result({ removed: id }, () => `${id} is removed.`)
    }),
  )
}

const ports = (store: Store) => ({ store, clock: systemClock, random: systemRandom })

async function linkUrl(data: DataFolder, secret: string): Promise<string> {
  return signInUrl((await readConfiguration(data)).publicUrl, secret)
}

async function findOperator(who: string, { read }: Store): Promise<Operator> {
  const operator = (await read.operator(who)) ?? (await read.operatorByEmail(who.toLowerCase()))
  if (operator?.state === 'active') return operator
  throw new TouchmarkError('operator.not_found', 'not_found', 'There is no such operator.', {
    next: 'List them with: touchmark operator list',
  })
}

/** `operator@owner=beta,model=gw-7,model=gw-8,site=ulm`. */
function parseRoleGrant(text: string): RoleGrant {
  const at = text.indexOf('@')
  return at === -1 ? { role: text, scope: {} } : { role: text.slice(0, at), scope: parseScope(text.slice(at + 1)) }
}

function parseScope(text: string): Scope {
  const pairs = text.split(',').map(pair => {
    const [, name = '', value = ''] = /^(owner|model|site)=(.+)$/.exec(pair) ?? []
    if (name === '') throw usageError(`"${pair}" is no scope.`, 'Write it as owner=NAME, model=NAME or site=NAME.')
    return [name, value] as const
  })
  const named = (wanted: string) => pairs.filter(([name]) => name === wanted).map(([, value]) => value)
  const [owner, ...others] = named('owner')
  if (others.length > 0) throw usageError('A scope has one owner.', 'Give the role again for the other one.')
  const [models, sites] = [named('model'), named('site')]
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(models.length === 0 ? {} : { models }),
    ...(sites.length === 0 ? {} : { sites }),
  }
}

function parsePermission(text: string): Permission {
  if (isPermission(text)) return text
  throw usageError(`There is no permission "${text}".`, `There are: ${permissionNames.join(', ')}`)
}

function rolesText(roles: readonly RoleGrant[]): string {
  return roles.map(({ role, scope }) => `${role}${scopeText(scope)}`).join(', ') || 'none'
}

function scopeText({ owner, models = [], sites = [] }: Scope): string {
  const parts = [
    ...(owner === undefined ? [] : [`owner=${owner}`]),
    ...models.map(model => `model=${model}`),
    ...sites.map(site => `site=${site}`),
  ]
  return parts.length === 0 ? '' : `@${parts.join(',')}`
}

const operatorView = ({ id, name, email, roles, createdAt }: Operator) => ({
  id,
  name,
  email,
  roles,
  createdAt: timestamp(createdAt),
})
