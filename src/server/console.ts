// The web console: the built files of console/dist, read once and served from memory. What has a hash in its name never changes; every
// page of the console is the same document, which finds its way by the address.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HttpReply, HttpRequest, Route } from '../protocols/http.ts'

/** First segments of the console's addresses; the rest below them is the console's own. `console/src/pages.ts` has a page for each. */
export const CONSOLE_SECTIONS = [
  'approvals',
  'alerts',
  'devices',
  'factory',
  'jobs',
  'campaigns',
  'authorities',
  'certificates',
  'profiles',
  'rules',
  'revocation',
  'audit',
  'operators',
  'settings',
  'account',
] as const

/** Where `scripts/build-console.ts` puts it. */
export const CONSOLE_FOLDER = join(import.meta.dirname, '../../console/dist')

/**
 * What the document may do: load from this origin, talk to this origin, and nothing inline. Attributes `style` that a script sets
 * through the object model are no inline style; those in markup are, and there are none.
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy':
    'camera=(), microphone=(), geolocation=(), usb=(), payment=(), publickey-credentials-get=(self)',
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  woff2: 'font/woff2',
}

/** `index-C3k9xQ2_.js`: the name is a promise that the content never changes. */
const HASHED = /-[A-Za-z0-9_-]{8}\.[a-z0-9]+$/

interface StoredFile {
  readonly type: string
  readonly identity: Uint8Array
  readonly gzip: Uint8Array | undefined
  readonly br: Uint8Array | undefined
}

/** Routes for the whole console; none where it was not built (`isConsoleBuilt`). */
export function createConsoleRoutes(folder: string = CONSOLE_FOLDER): Route[] {
  if (!isConsoleBuilt(folder)) return []
  const common = { method: 'GET', door: 'public', listeners: ['https'], maxBody: 0 } as const
  const page = readStored(folder, 'index.html')
  const files = new Map(
    readdirSync(join(folder, 'assets'))
      .filter(name => !/\.(?:gz|br|map)$/.test(name))
      .map(name => [name, readStored(folder, `assets/${name}`)]),
  )
  const document = async (request: HttpRequest) => reply(request, page, 'no-cache')
  return [
    { ...common, pattern: '/', handle: document },
    ...CONSOLE_SECTIONS.flatMap((section): Route[] => [
      { ...common, pattern: `/${section}`, handle: document },
      { ...common, pattern: `/${section}/*`, handle: document },
    ]),
    {
      ...common,
      pattern: '/assets/:file',
      async handle(request) {
        const name = request.params['file'] ?? ''
        const file = files.get(name)
        if (!file) return { status: 404, headers: SECURITY_HEADERS, body: '' }
        return reply(request, file, HASHED.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache')
      },
    },
  ]
}

export function isConsoleBuilt(folder: string = CONSOLE_FOLDER): boolean {
  return existsSync(join(folder, 'index.html'))
}

function readStored(folder: string, name: string): StoredFile {
  const path = join(folder, name)
  const read = (suffix: string) => (existsSync(path + suffix) ? new Uint8Array(readFileSync(path + suffix)) : undefined)
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
  return { type, identity: read('')!, gzip: read('.gz'), br: read('.br') }
}

function reply(request: HttpRequest, file: StoredFile, cacheControl: string): HttpReply {
  const accepted = (request.headers['accept-encoding'] ?? '').split(',').map(each => each.trim().split(';')[0])
  const encoding = (['br', 'gzip'] as const).find(name => accepted.includes(name) && file[name])
  return {
    status: 200,
    headers: {
      ...SECURITY_HEADERS,
      'content-type': file.type,
      'cache-control': cacheControl,
      vary: 'accept-encoding',
      ...(encoding ? { 'content-encoding': encoding } : {}),
    },
    body: (encoding && file[encoding]) ?? file.identity,
  }
}
