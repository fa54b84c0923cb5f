// What is mounted on the control API's TCP port, below which path. Whoever is answered by a route has shown credentials
// and is no foreign web page; what a request asks is for the route to check.
import type { ControlRequest, ControlResponse } from '../request.js'

export interface WebRoute {
  /** "/api" takes /api and /api/..., "/" takes everything. Of several that take a path, the first does. */
  readonly prefix: `/${string}`
  /** `request.via` is 'tcp'. Never rejects; the answer holds no secret. */
  handle(request: ControlRequest): Promise<ControlResponse>
}

/** The route of a path. */
export function routeOf(routes: readonly WebRoute[], path: string): WebRoute | undefined {
  return routes.find(({ prefix }) => prefix === '/' || path === prefix || path.startsWith(`${prefix}/`))
}
