// `GET /whoami` with a client certificate: who the server takes the other end for. For firmware developers and for the README: the shortest
// proof that a device's identity works. It says nothing that the owner of the key does not know.
import { TouchmarkError } from '../core/errors.ts'
import type { Clock, Store } from '../domain/ports.ts'
import type { Evidence } from '../domain/ra/evidence.ts'
import type { EvidenceReader } from '../domain/ra/evidence-reader.ts'
import type { RefusalLog } from '../domain/ra/refusal-log.ts'
import { seenInUse } from '../domain/renewal/seen-in-use.ts'
import type { Route } from '../protocols/http.ts'

export interface WhoamiPorts {
  readonly evidence: EvidenceReader
  /** A certificate that is revoked or made past the log is news here as anywhere. */
  readonly refusals: RefusalLog
  readonly clock: Clock
  readonly store: Store
}

export function createWhoamiRoute(ports: WhoamiPorts): Route {
  return {
    method: 'GET',
    pattern: '/whoami',
    door: 'protocol',
    listeners: ['https'],
    maxBody: 0,
    async handle(request) {
      const finding = await ports.evidence.fromCertificates(request.peer.certificates, ports.clock.now())
      switch (finding.kind) {
        case 'none':
          throw new TouchmarkError('whoami.no_certificate', 'unauthenticated', 'No client certificate was shown.', {
            next: 'Call with --cert and --key.',
          })
        case 'refused':
          await ports.refusals.record({
            code: finding.refusal.code,
            action: 'access.refused',
            protocol: 'https',
            operation: 'whoami',
            deviceId: null,
            address: request.peer.address,
            detail: finding.detail,
          })
          throw new TouchmarkError(finding.refusal.code, 'forbidden', finding.refusal.message)
        case 'evidence':
          if (finding.evidence.kind === 'own-certificate') await seenInUse(finding.evidence.record, ports)
          return {
            status: 200,
            headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
            body: `${JSON.stringify(identityOf(finding.evidence), null, 2)}\n`,
          }
        default:
          return finding satisfies never
      }
    },
  }
}

function identityOf(evidence: Evidence) {
  switch (evidence.kind) {
    case 'own-certificate':
      return {
        serialNumber: evidence.device.serialNumber,
        model: evidence.device.model,
        state: evidence.device.state,
        certificate: {
          serialNumber: evidence.record.serialNumber,
          profile: evidence.record.profile,
          issuer: evidence.record.authorityId,
          notAfter: new Date(evidence.record.notAfter * 1000).toISOString(),
          expired: evidence.expiredForSeconds > 0,
        },
      }
    case 'manufacturer-certificate':
      return {
        serialNumber: evidence.serialNumber,
        model: evidence.model,
        state: evidence.device?.state ?? 'not registered',
        certificate: { manufacturer: evidence.anchor },
      }
    case 'token':
    case 'operator':
      throw new TypeError(`A certificate is no ${evidence.kind}.`)
    default:
      return evidence satisfies never
  }
}
