// `/metrics`, on a listener of its own: what it tells of (numbers of devices, codes of refusals) is not for those who reach the others.
import type { Route } from '../protocols/http.ts'
import type { Gauges } from './gauges.ts'
import type { Metrics } from './metrics.ts'

export function createMetricsRoute(metrics: Metrics, gauges: Gauges): Route {
  return {
    method: 'GET',
    pattern: '/metrics',
    door: 'public',
    listeners: ['http'],
    maxBody: 0,
    async handle() {
      await gauges.refresh()
      const { contentType, text } = await metrics.expose()
      return { status: 200, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body: text }
    },
  }
}
