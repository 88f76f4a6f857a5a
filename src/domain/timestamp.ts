// Times as JSON has them.
import type { UnixSeconds } from './ids.ts'

/** RFC 3339 in UTC, whole seconds. */
export function timestamp(seconds: UnixSeconds): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
