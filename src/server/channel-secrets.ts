// Where channels find their secrets: in the folder `secrets/` of the instance, and in what the service manager hands over.
import { join } from 'node:path'
import { type Secrets, secretsIn } from '../adapters/notify/secrets.ts'
import type { DataFolder } from './data-folder.ts'

export function channelSecrets(folder: Pick<DataFolder, 'path'>): Secrets {
  const handed = process.env['CREDENTIALS_DIRECTORY']
  return secretsIn(join(folder.path, 'secrets'), ...(handed === undefined ? [] : [handed]))
}
