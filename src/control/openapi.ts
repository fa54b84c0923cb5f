// The control API as an OpenAPI 3.1 document, made from the same table that requests are checked by.
import { z } from 'zod'
import { PACKAGE_VERSION } from '../ports/package-version.js'
import { ROUTES } from './calls.js'
import type { Page } from './handler.js'
import type { Route } from './route.js'
import { errorReport } from './schema.js'

/** As JSON. `pages` are what is served beside the calls. */
export function openApiDocument(pages: readonly Omit<Page, 'answer'>[]): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const [name, route] of Object.entries(ROUTES) as [string, Route<unknown, unknown>][])
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(name, route) }
  for (const { path, summary, contentType } of pages)
    paths[path] = {
      get: {
        summary,
        tags: ['pages'],
        responses: { 200: { description: 'what was asked for', content: { [contentType]: {} } } },
      },
    }
  return {
    openapi: '3.1.0',
    info: { title: 'Shoal control API', version: PACKAGE_VERSION },
    paths,
    components: { schemas: { Error: schemaOf(errorReport, 'output') } },
  }
}

function operation(name: string, route: Route<unknown, unknown>): object {
  const { method, summary, tag, answer, access } = route
  const input = route.input as z.ZodType<unknown> | undefined
  const description = access === 'socket' ? 'Answered on the socket only, never over TCP.' : undefined
  return {
    operationId: name,
    summary,
    ...(description === undefined ? {} : { description }),
    tags: [tag],
    ...(input === undefined
      ? {}
      : method === 'GET'
        ? { parameters: parameters(input) }
        : { requestBody: { content: json(schemaOf(input, 'input')) } }),
    responses: {
      200: { description: 'done', content: json(schemaOf(answer, 'output')) },
      default: { description: 'what went wrong', content: json({ $ref: '#/components/schemas/Error' }) },
    },
  }
}

function json(schema: object): object {
  return { 'application/json': { schema } }
}

function parameters(input: z.ZodType<unknown>): object[] {
  const { properties = {}, required = [] } = schemaOf(input, 'input') as {
    properties?: Record<string, object>
    required?: string[]
  }
  return Object.entries(properties).map(([name, schema]) => {
    return { name, in: 'query', required: required.includes(name), schema }
  })
}

function schemaOf(schema: z.ZodType<unknown>, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}
