// Which recipe a job is, by its act. Factory batches have a station's files beside them and are run by whoever has those.
import type { StoredJob } from './job.ts'
import { type DeviceJobPorts, runDeviceJob } from './run-device-job.ts'
import { runRevocationJob } from './run-revocation-job.ts'

/** As `runDeviceJob` and `runRevocationJob` promise. */
export function runJob(job: StoredJob, ports: DeviceJobPorts, signal: AbortSignal): Promise<StoredJob> {
  return job.act === 'certificates.revoke' || job.act === 'certificates.release'
    ? runRevocationJob(job, ports, signal)
    : runDeviceJob(job, ports, signal)
}
