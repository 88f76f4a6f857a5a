// Octets that never change under one entity-tag: conditional requests and ranges (RFC 9110 §13, §14). A download of many megabytes over a poor
// link goes on where it broke off, and whoever has the newest version hears so in a few octets.
import { EMPTY } from '../../core/bytes/bytes.ts'
import type { HttpReply, HttpRequest } from '../http.ts'

export interface OctetRange {
  readonly from: number
  /** Not included. */
  readonly to: number
}

export interface Served {
  readonly octets: number
  /** Of all octets, hexadecimal: the entity-tag is made from it. */
  readonly sha256: string
  readonly headers: Readonly<Record<string, string>>
  /** All of them, where they are few. */
  readonly bytes?: Uint8Array
  /** As a stream, where they are not here. */
  body?(range: OctetRange): AsyncIterable<Uint8Array>
}

/** 200, 206, 304 or 416; for HEAD the same without the body, which the server leaves out. */
export function immutableReply(request: HttpRequest, served: Served): HttpReply {
  const etag = `"${served.sha256.slice(0, 32)}"`
  const headers = { ...served.headers, etag, 'accept-ranges': 'bytes' }
  if (isFresh(request, etag, served.headers['last-modified'])) return { status: 304, headers, body: EMPTY }
  const range = wantedRange(request, served.octets, etag, served.headers['last-modified'])
  if (range === 'unsatisfiable') {
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${served.octets}` }, body: EMPTY }
  }
  const { from, to } = range ?? { from: 0, to: served.octets }
  const partial = range === undefined ? {} : { 'content-range': `bytes ${from}-${to - 1}/${served.octets}` }
  const reply = { status: range === undefined ? 200 : 206, headers: { ...headers, ...partial } }
  if (served.bytes !== undefined) return { ...reply, body: served.bytes.subarray(from, to) }
  return {
    ...reply,
    headers: { ...reply.headers, 'Content-Length': String(to - from) },
    body: EMPTY,
    stream: served.body!({ from, to }),
  }
}

/** If-None-Match counts before If-Modified-Since (RFC 9110 §13.2.2); tags are compared weakly (§13.1.2). */
function isFresh({ headers }: HttpRequest, etag: string, lastModified: string | undefined): boolean {
  const tags = headers['if-none-match']
  if (tags !== undefined) {
    return tags.trim() === '*' || tags.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag)
  }
  const since = headers['if-modified-since']
  if (since === undefined || lastModified === undefined) return false
  const at = Date.parse(since)
  return !Number.isNaN(at) && Date.parse(lastModified) <= at
}

/** One range; who asks for several, or for what is no range, gets everything (RFC 9110 §14.2). */
function wantedRange(
  { headers }: HttpRequest,
  octets: number,
  etag: string,
  lastModified: string | undefined,
): OctetRange | 'unsatisfiable' | undefined {
  const asked = /^bytes=(\d{0,15})-(\d{0,15})$/.exec((headers['range'] ?? '').trim())
  if (asked === null) return undefined
  // A strong tag, or the very date: otherwise the part would be of another version (RFC 9110 §13.1.5).
  const condition = headers['if-range']?.trim()
  if (condition !== undefined && condition !== etag && condition !== lastModified) return undefined
  const [, first = '', last = ''] = asked
  if (first === '') {
    if (last === '') return undefined
    const suffix = Math.min(Number(last), octets)
    return suffix === 0 ? 'unsatisfiable' : { from: octets - suffix, to: octets }
  }
  const from = Number(first)
  const to = last === '' ? octets : Math.min(Number(last) + 1, octets)
  if (last !== '' && Number(last) < from) return undefined
  return from >= octets ? 'unsatisfiable' : { from, to }
}
