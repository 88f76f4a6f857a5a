// The API's description of itself: its OpenAPI document, as it is.
import { type Endpoint, endpoint } from './endpoint.ts'
import { openApiDocument } from './openapi.ts'

/** Describes `others` and itself. */
export function descriptionEndpoints(others: readonly Endpoint[], version: string): Endpoint[] {
  let text: string | undefined
  const own: Endpoint[] = [
    endpoint({
      method: 'GET',
      path: '/openapi.json',
      id: 'showOpenApi',
      tag: 'Description',
      summary: 'This description, as OpenAPI 3.1',
      permission: 'public',
      produces: 'application/json',
      async handle() {
        text ??= `${JSON.stringify(openApiDocument([...others, ...own], version))}\n`
        return {
          octets: text,
          contentType: 'application/json',
          headers: { 'cache-control': 'public, max-age=60' },
        }
      },
    }),
  ]
  return own
}
