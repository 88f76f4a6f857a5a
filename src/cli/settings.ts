// `touchmark settings`: what every certificate and every transfer of this instance goes by, as one document in versions.
import { parseSettings, SETTINGS_NAME, type SettingsConfig, settingsDocument } from '../domain/ca/settings.ts'
import { act, type Command, command, group } from './command.ts'
import { putDocument, readJsonFile } from './documents.ts'
import { systemClock, withStore } from './store.ts'
import { storedSettings } from './stored-settings.ts'

export function settingsCommand(): Command {
  return group({
    name: 'settings',
    summary: 'What the whole instance goes by: show, change',
    examples: [
      ['settings show > settings.json', 'The document in force'],
      ['settings change settings.json', 'The edited one, as the next version'],
    ],
  })
    .addCommand(showCommand())
    .addCommand(changeCommand())
}

function showCommand(): Command {
  const show = command({ name: 'show', summary: 'Print the document in force' })
  return act(show, ({ out, data }) =>
    withStore(data, async ({ read }) => {
      // Checked first: a document that could not be read again would be no use.
      await storedSettings(read)
      const { body } = (await read.document('settings', SETTINGS_NAME))!
      if (out.json) out.line(JSON.parse(body))
      else out.raw(`${body}\n`)
    }),
  )
}

function changeCommand(): Command {
  const change = command({
    name: 'change',
    summary: 'Put a document into force as the next version',
    description:
      'Certificates name the organization and publicHttpUrl for as long as they live: whoever changes those keeps the old\n' +
      'address answering.',
    examples: [['settings show | jq \'.ownershipTransfers = "rule"\' | touchmark settings change -', 'One field']],
  }).argument('<file>', 'JSON; - reads standard input')
  return act(change, ({ out, data }, file) =>
    withStore(data, async store => {
      const config = (await readJsonFile(file!)) as SettingsConfig
      parseSettings(config)
      const now = systemClock.now()
      const body = (version: number) => settingsDocument(config, version, now).body
      const version = await putDocument(store, { kind: 'settings', name: SETTINGS_NAME, body }, 'setting.changed', now)
      out.result({ name: SETTINGS_NAME, version }, () => `The settings are in force as version ${version}.`)
    }),
  )
}
