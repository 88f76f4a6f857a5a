// Asking twice is safe: a device that lost the answer (a power cut, a dropped line) asks again and gets the certificate that it was
// given. What counts as the same request: `enrolment-request.ts`.
import { TouchmarkError } from '../../core/errors.ts'
import { type CertificateRecord, isLive } from '../ca/certificate-record.ts'
import type { Profile } from '../ca/profile.ts'
import { mayEnrol } from '../device/device.ts'
import type { DeviceId, RequestDigest, UnixSeconds } from '../ids.ts'
import { subjectOf } from './decide.ts'
import type { Enrolment } from './enrolment.ts'
import { digestRequest, type EnrolmentRequest } from './enrolment-request.ts'
import type { Registration } from './registration.ts'

/** How long the same request gets the same certificate. A device that lost the answer asks again within hours. */
export const REPLAY_SECONDS = 86_400
/** Records followed for one request. The second is the newest there is; a third appears only while others write. */
const MAX_ROUNDS = 4

export type EarlierEnrolment =
  | { readonly kind: 'replay'; readonly record: CertificateRecord }
  /** `enrolment` is the record under `digest`, if there is one: it waits, or an operator has spoken. */
  | { readonly kind: 'open'; readonly digest: RequestDigest; readonly enrolment: Enrolment | undefined }

/**
 * What came of the same request before. Where it got a certificate that is no longer given again (older than a day, or not live), the
 * request is a new one: its digest then names the newest such certificate of the device, so that it is again the same for a day.
 */
export async function findEarlierEnrolment(
  identity: Uint8Array,
  request: EnrolmentRequest,
  profile: Profile,
  now: UnixSeconds,
  registration: Registration,
): Promise<EarlierEnrolment> {
  const { read } = registration.store
  const [first] = request.evidence
  const subject = first && subjectOf(first)
  const device = subject?.kind === 'known' ? subject.device : undefined
  let digest = digestRequest(identity)
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const enrolment = await read.enrolment(digest)
    if (enrolment?.state.kind !== 'issued') return { kind: 'open', digest, enrolment }
    const { authorityId, serialNumber, at } = enrolment.state
    const record = await read.certificate(authorityId, serialNumber)
    // A private key that was made here is gone: the same request is answered with a new one.
    const mayRepeat = record && !request.generatedKey && device && mayEnrol(device.state)
    if (mayRepeat && isLive(record, now) && now - at < REPLAY_SECONDS) return { kind: 'replay', record }
    const newest = round === 1 && device ? await newestSpent(device.id, request, profile, now, registration) : undefined
    digest = digestRequest(identity, newest ?? { authorityId, serialNumber })
  }
  throw new TouchmarkError('enrolment.contended', 'unavailable', 'The history of this request changes too fast.')
}

/** The newest certificate of the device under the profile that is no longer given again. */
async function newestSpent(
  device: DeviceId,
  request: EnrolmentRequest,
  profile: Profile,
  now: UnixSeconds,
  registration: Registration,
): Promise<CertificateRecord | undefined> {
  const records = await registration.store.read.certificatesOfDevice(device)
  return records.find(record => {
    const issuedAt = record.notBefore + profile.backdateSeconds
    return (
      record.profile === profile.name &&
      (request.generatedKey || !isLive(record, now) || now - issuedAt >= REPLAY_SECONDS)
    )
  })
}
