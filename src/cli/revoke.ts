// `touchmark revoke`: one certificate, or everything of a device; final, on hold, or released. A running server of the same data
// folder publishes the new CRL within seconds; OCSP and the TLS door know at once.

import { authorityId, serialNumber } from '../domain/ids.ts'
import type { Store } from '../domain/ports.ts'
import type { RevocationOutcome } from '../domain/revocation/revoke.ts'
import { act, type Command, command, usageError } from './command.ts'
import { findDevice } from './find-device.ts'
import { OPERATOR } from './operator.ts'
import { timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'

interface Options {
  readonly certificate?: string
  readonly device?: string
  readonly model?: string
  readonly authority?: string
  readonly reason?: string
  readonly release?: boolean
}

export function revokeCommand(): Command {
  const revoke = command({
    name: 'revoke',
    summary: 'Revoke, hold or release certificates',
    description:
      'A revocation is final, but for the reason certificateHold, which --release ends. With keyCompromise every\n' +
      'certificate over the same key ends, and the key is never certified again.\n' +
      'Reasons: keyCompromise, superseded, cessationOfOperation, affiliationChanged, privilegeWithdrawn,\n' +
      'cACompromise, certificateHold, unspecified.',
    examples: [
      ['revoke --certificate 6743a1f0… --reason keyCompromise', 'One certificate, by serial number in hex'],
      ['revoke --device SN-000042 --reason cessationOfOperation', 'Everything that a device holds'],
      ['revoke --certificate 6743a1f0… --reason certificateHold', 'Put it on hold'],
      ['revoke --certificate 6743a1f0… --release', 'End the hold'],
    ],
  })
    .option('-c, --certificate <hex>', 'serial number of a certificate')
    .option('--device <serial>', 'serial number of a device: all its live certificates')
    .option('-m, --model <model>', 'where two models share the serial number')
    .option('-a, --authority <id>', 'where two authorities used the serial number')
    .option('-r, --reason <reason>', 'why (RFC 5280 §5.3.1)')
    .option('--release', 'end a hold')
  return act<Options>(revoke, ({ out, data, options }) => {
    checkUsage(options)
    return withStore(data, async store => {
      const outcome = await run(options, store)
      const changed = outcome.changed.map(({ authorityId, serialNumber, status }) => ({
        serialNumber,
        issuer: authorityId,
        status: status.kind,
        ...(status.kind === 'good' ? {} : { statusChangedAt: timestamp(status.at) }),
        ...(status.kind === 'revoked' ? { reason: status.reason } : {}),
      }))
      out.result({ changed, unchanged: outcome.unchanged }, () =>
        changed.length === 0
          ? `Nothing changed: ${outcome.unchanged} certificate(s) were in that state already.`
          : changed
              .map(
                each => `${each.serialNumber}  ${each.issuer}  ${each.status}${each.reason ? `, ${each.reason}` : ''}`,
              )
              .join('\n'),
      )
    })
  })
}

function checkUsage(options: Options): void {
  if ((options.certificate === undefined) === (options.device === undefined)) {
    throw usageError('Name either --certificate HEX or --device SERIAL.')
  }
  if (options.release && options.reason !== undefined) throw usageError('--release takes no --reason.')
  if (!options.release && options.reason === undefined) {
    throw usageError('A revocation states its reason.', 'Add --reason, for example --reason keyCompromise.')
  }
  if (options.release && options.device !== undefined)
    throw usageError('A hold is released certificate by certificate.')
  if (options.certificate !== undefined && !/^[0-9a-fA-F:]{1,128}$/.test(options.certificate)) {
    throw usageError('A certificate’s serial number is hexadecimal.', 'touchmark device show SERIAL prints it.')
  }
}

async function run(options: Options, store: Store): Promise<RevocationOutcome> {
  const { parseRevocationReason } = await import('../domain/revocation/terms.ts')
  const { releaseCertificate, revokeCertificate, revokeDevice } = await import('../domain/revocation/revoke.ts')
  const ports = { store, clock: systemClock }
  if (options.device !== undefined) {
    const device = await findDevice(store.read, options.device, options.model)
    return revokeDevice(device.id, parseRevocationReason(options.reason!), OPERATOR, ports)
  }
  const selector = {
    serialNumber: serialNumber(options.certificate!),
    ...(options.authority === undefined ? {} : { authorityId: authorityId(options.authority) }),
  }
  return options.release
    ? releaseCertificate(selector, OPERATOR, ports)
    : revokeCertificate(selector, parseRevocationReason(options.reason!), OPERATOR, ports)
}
