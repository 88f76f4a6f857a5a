// Who may come in and what they may do, as endpoints of the API.
import type { Access } from '../../domain/access/access.ts'
import { accountEndpoints } from './account-endpoints.ts'
import type { Endpoint } from './endpoint.ts'
import { operatorEndpoints } from './operator-endpoints.ts'
import { sessionEndpoints } from './session-endpoints.ts'

export function accessEndpoints(access: Access): Endpoint[] {
  return [...sessionEndpoints(access), ...accountEndpoints(access), ...operatorEndpoints(access)]
}
