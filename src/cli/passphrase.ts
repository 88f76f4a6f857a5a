// `touchmark passphrase`: seals the key store under another passphrase. One file is replaced, at once or not at all; the keys stay.
import { act, type Command, command, withPassphrase } from './command.ts'
import { OPERATOR } from './operator.ts'
import { passphraseSources } from './passphrase-sources.ts'
import { systemClock } from './store.ts'

interface PassphraseOptions {
  readonly newPassphraseFile?: string
}

export function passphraseCommand(): Command {
  const passphrase = command({
    name: 'passphrase',
    summary: 'Change the passphrase of the key store',
    description:
      'The keys themselves stay as they are: where somebody may have copied them together with the old passphrase, they are\n' +
      'lost (docs/operate/compromise.md). The offline root keeps the passphrase that it was made with.',
    examples: [['passphrase --data ./acme --new-passphrase-file /run/secrets/new', 'From now on the one in that file']],
  }).option('--new-passphrase-file <file>', 'file with the new passphrase; without it the terminal is asked twice')
  return act<PassphraseOptions>(withPassphrase(passphrase), async ({ out, data, options }) => {
    const [{ openInstance }, { newPassphrase }] = await Promise.all([
      import('../server/open-instance.ts'),
      import('./new-passphrase.ts'),
    ])
    await using instance = await openInstance(data, passphraseSources(options))
    const chosen = await newPassphrase(options.newPassphraseFile, out)
    await instance.keyStore.changePassphrase(chosen.bytes)
    const entry = {
      at: systemClock.now(),
      actor: OPERATOR,
      action: 'keystore.passphrase_changed',
      outcome: 'done',
      subject: {},
    } as const
    await instance.store.commit({ writes: [], audit: [entry] })
    const beside = instance.passphraseSource === 'folder'
    out.result({ changed: true, oldPassphraseFile: beside ? data.passphraseFile : null }, () =>
      beside ? `Changed. Delete ${data.passphraseFile}: it holds the old one.` : 'Changed.',
    )
  })
}
