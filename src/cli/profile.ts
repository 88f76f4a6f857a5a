// `touchmark profile`: what certificates may contain, as versioned JSON. A changed profile is in force at once, also in a running
// server; certificates keep the version that they were issued under.
import { TouchmarkError } from '../core/errors.ts'
import { type Profile, parseProfile } from '../domain/ca/profile.ts'
import { profileJsonSchema } from '../domain/ca/profile-config.ts'
import { act, type Command, command, group, positiveInteger } from './command.ts'
import { putDocument, readJsonFile } from './documents.ts'
import { table, time } from './output.ts'
import { systemClock, withStore } from './store.ts'

export function profileCommand(): Command {
  return group({
    name: 'profile',
    summary: 'Certificate profiles: list, show, check, add',
    examples: [['profile show ldevid > ldevid.json', 'Take a copy, edit it, then: touchmark profile add ldevid.json']],
  })
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(checkCommand())
    .addCommand(addCommand())
    .addCommand(schemaCommand())
}

function listCommand(): Command {
  const list = command({ name: 'list', summary: 'List the profiles in force' })
  return act(list, ({ out, data }) =>
    withStore(data, async store => {
      const documents = await store.read.documents('profile')
      const profiles = documents.map(document => ({ document, profile: parseProfile(JSON.parse(document.body)) }))
      if (out.json) {
        out.line({ profiles: profiles.map(({ profile }) => profile.config) })
        return
      }
      const rows = profiles.map(({ document, profile }) => [
        profile.name,
        String(document.version),
        profile.authority,
        profile.holder,
        lifetime(profile),
        profile.config.description,
      ])
      out.say(table(['PROFILE', 'VERSION', 'ISSUED BY', 'FOR', 'LIFETIME', 'DESCRIPTION'], rows))
    }),
  )
}

interface ShowOptions {
  readonly version?: number
}

function showCommand(): Command {
  const show = command({
    name: 'show',
    summary: 'Print a profile as it is stored',
    examples: [['profile show idevid', 'The version in force']],
  })
    .argument('<name>', 'name of the profile')
    .option('--version <number>', 'an earlier version', positiveInteger)
  return act<ShowOptions>(show, ({ out, data, options }, name) =>
    withStore(data, async store => {
      const document = await store.read.document('profile', name!, options.version)
      if (!document) {
        throw new TouchmarkError('profile.not_found', 'not_found', `There is no profile ${name}.`, {
          next: 'List the profiles with: touchmark profile list',
        })
      }
      out.raw(`${JSON.stringify(JSON.parse(document.body), null, out.json ? undefined : 2)}\n`)
      if (!out.json) out.note(`Version ${document.version}, since ${time(document.createdAt)}.`)
    }),
  )
}

function checkCommand(): Command {
  const check = command({
    name: 'check',
    summary: 'Check a profile without storing it',
    description: 'All problems are reported together, each with its path.',
    examples: [['profile check ldevid.json', 'Exit code 0: it may be added']],
  }).argument('<file>', 'JSON; - reads standard input')
  return act(check, async ({ out }, file) => {
    const profile = parseProfile(await readJsonFile(file!))
    out.result({ ok: true, name: profile.name, version: profile.version }, () => `${profile.name} is a good profile.`)
  })
}

function addCommand(): Command {
  const add = command({
    name: 'add',
    summary: 'Store a profile, or the next version of one',
    description: 'The version in the file is replaced by the next one in the store.',
    examples: [['profile add ldevid.json', 'In force at once']],
  }).argument('<file>', 'JSON; - reads standard input')
  return act(add, async ({ out, data }, file) => {
    const json = await readJsonFile(file!)
    const { config } = parseProfile(json)
    await withStore(data, async store => {
      const body = (version: number) => JSON.stringify({ ...config, version }, null, 2)
      const version = await putDocument(
        store,
        { kind: 'profile', name: config.name, body },
        'profile.changed',
        systemClock.now(),
      )
      out.result({ name: config.name, version }, () => `${config.name} version ${version} is in force.`)
    })
  })
}

function schemaCommand(): Command {
  const schema = command({
    name: 'schema',
    summary: 'Print the JSON Schema of profiles, for editors',
    examples: [['profile schema > profile.schema.json', 'Every field with what it means']],
  })
  return act(schema, async ({ out }) =>
    out.raw(`${JSON.stringify(profileJsonSchema(), null, out.json ? undefined : 2)}\n`),
  )
}

function lifetime(profile: Profile): string {
  if (profile.lifetimeSeconds === null) return 'no end'
  const days = profile.lifetimeSeconds / 86_400
  return days >= 1 ? `${Math.round(days)} d` : `${Math.round(profile.lifetimeSeconds / 60)} min`
}
