// Entity tags (RFC 9110 §8.8.3) of things that are edited: the version number, strong, because a version never changes.
import { TouchmarkError } from '../../core/errors.ts'
import type { HttpRequest } from '../http.ts'
import type { Endpoint } from './endpoint.ts'

export function etagOf(version: number): string {
  return `"${version}"`
}

/** Whether the caller has this version already (RFC 9110 §13.1.2, weak comparison). */
export function isNotModified({ headers }: HttpRequest, version: number): boolean {
  const tags = (headers['if-none-match'] ?? '').split(',').map(tag => tag.trim().replace(/^W\//, ''))
  return tags.includes(etagOf(version)) || tags.includes('*')
}

/**
 * The version that an edit builds on (RFC 9110 §13.1.1); `null` where the endpoint edits nothing. `If-None-Match: *` says that there is none
 * yet: version 0. Throws `api.precondition_required` (428), `api.precondition_invalid`.
 */
export function readIfMatch({ headers }: HttpRequest, { edits }: Endpoint): number | '*' | null {
  if (!edits) return null
  const given = headers['if-match']?.trim()
  if (given === '*') return '*'
  if (given === undefined && headers['if-none-match']?.trim() === '*') return 0
  if (given === undefined) {
    throw new TouchmarkError('api.precondition_required', 'conflict', 'An edit says which version it builds on.', {
      next: 'Send If-Match with the entity tag of what you read; If-None-Match: * where you make it.',
    })
  }
  const [, version] = /^"(\d{1,15})"$/.exec(given) ?? []
  if (version !== undefined) return Number(version)
  throw new TouchmarkError('api.precondition_invalid', 'malformed', 'If-Match holds one entity tag of ours, or *.', {
    next: 'Copy the ETag of the answer that you read.',
  })
}
