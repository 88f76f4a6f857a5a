// `touchmark device transfer…`: a device changes hands. Proposed here, signed by both owners with any tool that makes CMS signatures, or
// done by rule where the settings allow it; effective at its date.
import { readFile } from 'node:fs/promises'
import type { OwnershipTransfer } from '../domain/device/ownership.ts'
import { type TransferId, transferId } from '../domain/ids.ts'
import type { Store } from '../domain/ports.ts'
import { act, type Command, command, usageError } from './command.ts'
import { deviceArgument, findDevice } from './find-device.ts'
import { OPERATOR } from './operator.ts'
import { facts, time } from './output.ts'
import { systemClock, withStore } from './store.ts'
import { storedSettings } from './stored-settings.ts'
import { transferView } from './views.ts'

interface TransferOptions {
  readonly model?: string
  readonly to: string
  readonly effective?: string
  readonly newKey?: boolean
  readonly byRule?: boolean
}

export function transferCommand(): Command {
  const transfer = deviceArgument(
    command({
      name: 'transfer',
      summary: 'Propose that a device gets another owner',
      description:
        'Both owners sign the statement that transfer-statement prints, and transfer-accept takes each signature. With both\n' +
        'the transfer is accepted; at its date the device has another owner, and the old one may act for it no more.',
      examples: [
        [
          'device transfer SN-000042 --to beta --effective 2031-01-01 --new-key',
          'And a key that the old owner never saw',
        ],
        [
          'device transfer SN-000042 --to beta --by-rule',
          'At once and unsigned, where the settings say ownershipTransfers: rule',
        ],
      ],
    }),
  )
    .requiredOption('--to <owner>', 'the new owner, from touchmark owner list')
    .option('--effective <date>', 'when: 2031-01-01 or 2031-01-01T12:00:00Z (default: at once)')
    .option('--new-key', 'ask the device for a key that the old owner never saw')
    .option('--by-rule', 'without signatures, where the settings allow it')
  return act<TransferOptions>(transfer, ({ out, data, options }, serial) =>
    withStore(data, async store => {
      const [{ proposeTransfer }, { systemRandom }] = await Promise.all([
        import('../domain/device/propose-transfer.ts'),
        import('../crypto/random.ts'),
      ])
      const device = await findDevice(store.read, serial!, options.model)
      const proposal = {
        deviceId: device.id,
        to: options.to,
        effectiveAt: options.effective === undefined ? systemClock.now() : dateOf(options.effective),
        newKey: options.newKey === true,
        byRule: options.byRule === true,
      }
      const settings = await storedSettings(store.read)
      const ports = { store, clock: systemClock, random: systemRandom, settings }
      const proposed = await completed(await proposeTransfer(proposal, OPERATOR, ports), store)
      out.result({ transfer: transferView(proposed) }, () => describe(proposed))
      if (!out.json && proposed.state === 'proposed') {
        out.note(`Both sides sign this: touchmark device transfer-statement ${proposed.id} > statement.json`)
      }
    }),
  )
}

export function transferStatementCommand(): Command {
  const statement = command({
    name: 'transfer-statement',
    summary: 'Print what the owners sign',
    description:
      'Sign exactly these octets, detached:\n' +
      'openssl cms -sign -binary -in statement.json -signer owner.pem -inkey owner.key -outform DER -out statement.p7s',
    examples: [['device transfer-statement 6745ab01… > statement.json', 'One line of JSON']],
  }).argument('<id>', 'from touchmark device transfer')
  return act(statement, ({ out, data }, id) =>
    withStore(data, async store => {
      const [{ readTransfer }, { ownershipStatement }] = await Promise.all([
        import('../domain/device/propose-transfer.ts'),
        import('../domain/device/ownership-statement.ts'),
      ])
      const transfer = await readTransfer(idOf(id!), store.read)
      const device = await store.read.device(transfer.deviceId)
      // The same octets in either mode: they are JSON, and they are what is signed.
      out.raw(ownershipStatement(transfer, device!))
    }),
  )
}

export function transferAcceptCommand(): Command {
  const accept = command({
    name: 'transfer-accept',
    summary: "Take an owner's signature; with both the transfer is accepted",
    examples: [['device transfer-accept 6745ab01… --signature statement.p7s', 'CMS, detached, as DER or PEM']],
  })
    .argument('<id>', 'from touchmark device transfer')
    .requiredOption('--signature <file>', 'over what transfer-statement prints')
  return act<{ readonly signature: string }>(accept, ({ out, data, options }, id) =>
    withStore(data, async store => {
      const { acceptTransfer } = await import('../domain/device/propose-transfer.ts')
      const signature = await readSignature(options.signature)
      const accepted = await acceptTransfer(idOf(id!), signature, OPERATOR, { store, clock: systemClock })
      const transfer = await completed(accepted, store)
      out.result({ transfer: transferView(transfer) }, () => describe(transfer))
    }),
  )
}

export function transferCancelCommand(): Command {
  const cancel = command({
    name: 'transfer-cancel',
    summary: 'Call a transfer off before it takes effect',
  }).argument('<id>', 'from touchmark device transfer')
  return act(cancel, ({ out, data }, id) =>
    withStore(data, async store => {
      const { cancelTransfer } = await import('../domain/device/propose-transfer.ts')
      const transfer = await cancelTransfer(idOf(id!), OPERATOR, { store, clock: systemClock })
      out.result({ transfer: transferView(transfer) }, () => describe(transfer))
    }),
  )
}

/** What is due takes effect now, whether or not a server runs. */
async function completed(transfer: OwnershipTransfer, store: Store): Promise<OwnershipTransfer> {
  if (transfer.state !== 'accepted' || transfer.effectiveAt > systemClock.now()) return transfer
  const { completeTransfer } = await import('../domain/device/complete-transfers.ts')
  await completeTransfer(transfer.id, { store, clock: systemClock })
  return (await store.read.transfer(transfer.id)) ?? transfer
}

function describe(transfer: OwnershipTransfer): string {
  const { id, from, to, state, effectiveAt, newKey, agreements } = transfer
  const waiting = (['from', 'to'] as const).filter(party => !agreements.some(agreement => agreement.party === party))
  const names = { from: from ?? 'nobody', to }
  return facts([
    ['transfer', id],
    ['from', names.from],
    ['to', `${to}${newKey ? ', with a new key' : ''}`],
    ['effective', time(effectiveAt)],
    ['state', state],
    ...(state === 'proposed' ? [['to be signed by', waiting.map(party => names[party]).join(', ')] as const] : []),
  ])
}

function dateOf(text: string): number {
  const full = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(full) ? Date.parse(full) : Number.NaN
  if (Number.isNaN(at) || at < 0)
    throw usageError(`"${text}" is not a date.`, 'Write 2031-01-01 or 2031-01-01T12:00:00Z.')
  return Math.floor(at / 1000)
}

function idOf(text: string): TransferId {
  if (!/^[0-9a-f]{32}$/.test(text)) throw usageError('A transfer is named by its id: 32 hexadecimal digits.')
  return transferId(text)
}

async function readSignature(file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file))
  } catch (cause) {
    throw usageError(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}).`)
  }
}
