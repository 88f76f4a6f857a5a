// `touchmark/server`: the platform inside another program. Open an instance from a data folder, serve it, or call its use cases yourself.

export { runBatch } from './domain/factory/run-batch.ts'
export { enrol } from './domain/ra/enrol.ts'
export { OcspService } from './domain/revocation/ocsp-service.ts'
export { releaseCertificate, revokeCertificate, revokeDevice } from './domain/revocation/revoke.ts'
export { type DataFolder, dataFolder } from './server/data-folder.ts'
export { type Instance, openInstance } from './server/open-instance.ts'
export { type RunningServer, type ServerOptions, startServer } from './server/wiring.ts'
