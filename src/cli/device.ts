// `touchmark device`: the registry, one device or many, and an operator's word on one. Needs no running server, and takes effect in one that
// runs; only the certificate of destruction needs the passphrase.
import { type Command, group } from './command.ts'
import { destructionCertificateCommand } from './device-destruction.ts'
import { listCommand } from './device-list.ts'
import { eraseCommand, setCommand } from './device-properties.ts'
import { approveCommand, pendingCommand, rejectCommand } from './device-requests.ts'
import { showCommand } from './device-show.ts'
import { destroyCommand, resumeCommand, retireCommand, shipCommand, suspendCommand } from './device-states.ts'
import {
  transferAcceptCommand,
  transferCancelCommand,
  transferCommand,
  transferStatementCommand,
} from './device-transfer.ts'

export function deviceCommand(): Command {
  return group({ name: 'device', summary: 'Find a device, its keys and certificates; decide about it' })
    .addCommand(showCommand())
    .addCommand(listCommand())
    .addCommand(setCommand())
    .addCommand(eraseCommand())
    .addCommand(pendingCommand())
    .addCommand(approveCommand())
    .addCommand(rejectCommand())
    .addCommand(shipCommand())
    .addCommand(suspendCommand())
    .addCommand(resumeCommand())
    .addCommand(transferCommand())
    .addCommand(transferStatementCommand())
    .addCommand(transferAcceptCommand())
    .addCommand(transferCancelCommand())
    .addCommand(retireCommand())
    .addCommand(destroyCommand())
    .addCommand(destructionCertificateCommand())
}
