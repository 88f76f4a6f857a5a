// A page to read the API and to try it, at /api/docs: made in the browser from the OpenAPI document, with nothing from elsewhere and no inline
// script. What it sends goes with the session of the console, or with a token that is typed in and kept nowhere.
import type { HttpReply, Route } from '../http.ts'
import { API_BASE } from './endpoint.ts'

export function createDocsRoutes(): Route[] {
  const route = (pattern: string, contentType: string, body: string): Route => ({
    method: 'GET',
    pattern,
    door: 'public',
    listeners: ['https'],
    maxBody: 0,
    handle: async (): Promise<HttpReply> => ({
      status: 200,
      headers: {
        'content-type': contentType,
        'cache-control': 'public, max-age=60',
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      },
      body,
    }),
  })
  return [
    route('/api/docs', 'text/html; charset=utf-8', HTML),
    route('/api/docs/page.js', 'text/javascript; charset=utf-8', SCRIPT),
    route('/api/docs/page.css', 'text/css; charset=utf-8', STYLE),
  ]
}

const HTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Touchmark REST API</title>
<link rel="stylesheet" href="/api/docs/page.css">
<header>
  <h1>Touchmark REST API</h1>
  <p id="about">Every endpoint, from <a href="${API_BASE}/openapi.json">the OpenAPI document</a>. Calls go with your session on the console, or with a token:</p>
  <label>API token <input id="token" type="password" autocomplete="off" placeholder="tmk_… (kept nowhere)"></label>
  <label>Find <input id="find" type="search" placeholder="devices, revoke, …"></label>
</header>
<main id="list" aria-live="polite"><p>Loading …</p></main>
<script src="/api/docs/page.js"></script>
</html>
`

const STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 0 auto; padding: 1rem }
label { display: block; margin: .25rem 0 } input, textarea, button { font: inherit; padding: .25rem .5rem }
input, textarea { width: min(40rem, 100%); box-sizing: border-box } textarea, pre, code { font-family: ui-monospace, monospace; font-size: .9rem }
details { border: 1px solid #8886; border-radius: .5rem; margin: .5rem 0; padding: .5rem .75rem } summary { cursor: pointer }
summary b { display: inline-block; min-width: 4.5rem } pre { overflow: auto; max-height: 30rem; background: #8882; padding: .5rem }
:focus-visible { outline: 3px solid #2a7de1; outline-offset: 2px }
`

/** Text goes into the page as text, never as markup. */
const SCRIPT = `'use strict'
const list = document.getElementById('list')
const token = document.getElementById('token')
const find = document.getElementById('find')
const make = (name, fields = {}, ...children) => {
  const made = Object.assign(document.createElement(name), fields)
  made.append(...children)
  return made
}
const field = (label, input) => make('label', {}, label, make('br'), input)

function example(schema, components, depth = 0) {
  if (!schema || depth > 5) return null
  if (schema.$ref) return example(components[schema.$ref.split('/').pop()], components, depth + 1)
  if (schema.default !== undefined) return schema.default
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  const choice = (schema.anyOf || schema.oneOf || [])[0]
  if (choice) return example(choice, components, depth + 1)
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  if (type === 'array') return [example(schema.items, components, depth + 1)]
  if (type === 'object') {
    const entries = Object.entries(schema.properties || {}).filter(([name]) => (schema.required || []).includes(name))
    return Object.fromEntries(entries.map(([name, inner]) => [name, example(inner, components, depth + 1)]))
  }
  return { string: '', integer: 0, number: 0, boolean: false }[type] ?? null
}

function operationElement(path, method, operation, components) {
  const inputs = []
  const form = make('form')
  for (const parameter of operation.parameters || []) {
    const input = make('input', { name: parameter.name, required: parameter.in === 'path' })
    inputs.push({ parameter, input })
    const more = parameter.description ? ' — ' + parameter.description : ''
    form.append(field(parameter.name + ' (' + parameter.in + ')' + more, input))
  }
  const [type, content] = Object.entries((operation.requestBody || {}).content || {})[0] || []
  let body
  if (type === 'application/json') {
    body = make('textarea', { rows: 6, value: JSON.stringify(example(content.schema, components), null, 2) })
    form.append(field('Body', body))
  } else if (type) {
    body = make('input', { type: 'file' })
    form.append(field('File', body))
  }
  const output = make('pre', { hidden: true })
  form.append(make('button', {}, 'Send'), output)
  form.addEventListener('submit', async event => {
    event.preventDefault()
    const query = new URLSearchParams()
    const headers = { 'X-Touchmark-CSRF': '1' }
    if (token.value) headers.Authorization = 'Bearer ' + token.value
    let target = path
    for (const { parameter, input } of inputs) {
      if (parameter.in === 'path') target = target.replace('{' + parameter.name + '}', encodeURIComponent(input.value))
      else if (input.value === '') continue
      else if (parameter.in === 'header') headers[parameter.name] = input.value
      else for (const each of parameter.schema.type === 'array' ? input.value.split(',') : [input.value]) query.append(parameter.name, each)
    }
    if (type) headers['Content-Type'] = type
    output.hidden = false
    output.textContent = '…'
    try {
      const sent = body && (body.type === 'file' ? body.files[0] : body.value)
      const answer = await fetch(target + (query.size ? '?' + query : ''), { method: method.toUpperCase(), headers, body: sent })
      const text = await answer.text()
      let shown = text
      try { shown = JSON.stringify(JSON.parse(text), null, 2) } catch {}
      output.textContent = answer.status + ' ' + answer.statusText + '\\n\\n' + shown.slice(0, 100000)
    } catch (error) {
      output.textContent = String(error)
    }
  })
  const needs = operation['x-permission']
  return make(
    'details',
    {},
    make('summary', {}, make('b', {}, method.toUpperCase()), make('code', {}, path), ' — ' + operation.summary),
    make('p', {}, operation.description || ''),
    make('p', {}, 'Takes: ', make('code', {}, needs)),
    form,
  )
}

async function start() {
  const { paths, tags, components } = await (await fetch('${API_BASE}/openapi.json')).json()
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  )
  const show = () => {
    const wanted = find.value.toLowerCase()
    const matches = all.filter(({ path, operation }) =>
      (path + ' ' + operation.summary + ' ' + operation['x-permission']).toLowerCase().includes(wanted),
    )
    list.replaceChildren(
      ...tags.flatMap(({ name }) => {
        const own = matches.filter(({ operation }) => operation.tags.includes(name))
        const rows = own.map(each => operationElement(each.path, each.method, each.operation, components.schemas))
        return own.length === 0 ? [] : [make('h2', {}, name), ...rows]
      }),
    )
  }
  find.addEventListener('input', show)
  show()
}
start().catch(error => list.replaceChildren(make('p', {}, String(error))))
`
