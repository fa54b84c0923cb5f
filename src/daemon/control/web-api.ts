// The control API over TCP, while the configuration asks for it: starts, changes and ends with "webui". Promises: what
// cannot be served with is an error at the start, and later lets in nobody who is not to get in any more; the listener and all it needs are
// loaded only if there is one.
import type { ControlBackend } from '../../control/calls.js'
import { controlHandler, type Page } from '../../control/handler.js'
import type { LegacyHost } from '../../control/legacy/host.js'
import type { WebRoute } from '../../control/web/route.js'
import type { WebSettings } from '../../control/web/settings.js'
import type { WebServer } from '../../control/web/web-server.js'
import { toShoalError } from '../../core/error.js'
import type { Log } from '../../ports/log.js'

/** What is answered over TCP; the first that takes a path answers it. */
export function webRoutes(
  backend: ControlBackend,
  pages: readonly Page[],
  legacy: LegacyHost,
  log: Log,
): readonly WebRoute[] {
  let old: WebRoute['handle'] | undefined
  return [
    {
      prefix: '/api',
      handle: async (request) => {
        // Few ask, so it is loaded by the first who does.
        old ??= (await import('../../control/legacy/api.js')).legacyHandler(legacy, log)
        return old(request)
      },
    },
    { prefix: '/', handle: controlHandler(backend, log, pages) },
  ]
}

export class WebApi {
  readonly #routes: readonly WebRoute[]
  readonly #log: Log
  #server: WebServer | undefined
  /** One change at a time. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(routes: readonly WebRoute[], log: Log) {
    this.#routes = routes
    this.#log = log
  }

  /** Serves with these settings, or not at all. Throws what serveWeb and WebServer.adjust throw. */
  serve(settings: WebSettings | undefined): Promise<void> {
    const mine = this.#last.then(() => this.#serve(settings))
    this.#last = mine.catch(() => undefined)
    return mine
  }

  /** The same for settings read anew: what cannot be is logged. Never rejects. */
  async adjust(settings: WebSettings | undefined): Promise<void> {
    try {
      await this.serve(settings)
    } catch (thrown) {
      const { code, message } = toShoalError(thrown)
      const left = this.#server?.port ? 'stays as it was' : 'is not served until the next change'
      this.#log.error({ code, message }, `webui cannot be changed so; the API over TCP ${left}`)
    }
  }

  /** Nothing is served after it, whatever is under way. */
  async close(): Promise<void> {
    await this.serve(undefined)
  }

  async #serve(settings: WebSettings | undefined): Promise<void> {
    if (settings === undefined) {
      const server = this.#server
      this.#server = undefined
      await server?.close()
      return
    }
    if (this.#server !== undefined) await this.#server.adjust(settings)
    else {
      const { serveWeb } = await import('../../control/web/web-server.js')
      this.#server = await serveWeb({ settings, routes: this.#routes, log: this.#log })
    }
    const { host, tls, login, apiKey } = settings
    this.#log.info(
      {
        host,
        port: this.#server.port,
        tls: tls !== undefined,
        login: login !== undefined,
        apiKey: apiKey !== undefined,
      },
      'the control API is served over TCP',
    )
  }
}
