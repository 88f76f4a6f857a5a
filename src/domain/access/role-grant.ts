// Roles with their scopes, as they come from outside and back from the store.
import { z } from 'zod'

export const scopeSchema = z.strictObject({
  owner: z.string().min(1).max(256).exactOptional(),
  models: z.array(z.string().min(1).max(64)).min(1).max(1000).exactOptional(),
  sites: z.array(z.string().min(1).max(256)).min(1).max(1000).exactOptional(),
})

export const roleGrantSchema = z.strictObject({
  role: z.string().min(1).max(64),
  scope: scopeSchema.default({}),
})
