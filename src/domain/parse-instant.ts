// A moment as people and other programs write it (ISO 8601, RFC 3339), in whole seconds.
import type { UnixSeconds } from './ids.ts'

const INSTANT =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?$/

/** Whole seconds; fractions are cut off (RFC 5280 §4.1.2.5 knows none), and a time without a zone is UTC. */
export function parseInstant(value: string): UnixSeconds | undefined {
  const found = INSTANT.exec(value)
  if (!found) return undefined
  const written = value.toUpperCase().replace(' ', 'T').replace(',', '.')
  const zoned = found[3] === undefined ? `${written}Z` : written.replace(/([+-][0-9]{2})([0-9]{2})$/, '$1:$2')
  const milliseconds = Date.parse(zoned)
  return Number.isNaN(milliseconds) ? undefined : (Math.floor(milliseconds / 1000) as UnixSeconds)
}
