import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ROUTES } from '../../src/control/calls.js'
import { controlHandler } from '../../src/control/handler.js'
import { silentLog } from '../../src/ports/log.js'
import { FakeBackend } from './fake-backend.js'

interface Operation {
  readonly operationId?: string
  readonly requestBody?: { readonly content: object }
  readonly responses: Record<string, { readonly content: Record<string, { readonly schema?: object }> }>
}

async function document(): Promise<Record<string, Record<string, Operation>>> {
  const handle = controlHandler(new FakeBackend(), silentLog, [
    {
      path: '/page',
      summary: 'a page',
      contentType: 'text/plain',
      answer: async () => ({ status: 200, text: 'x', contentType: 'text/plain' }),
    },
  ])
  const response = (await handle({ method: 'GET', path: '/openapi.json' })) as { body: unknown }
  // As it goes over the wire.
  const parsed = JSON.parse(JSON.stringify(response.body)) as { openapi: string; paths: never }
  assert.equal(parsed.openapi, '3.1.0')
  return parsed.paths
}

it('the OpenAPI document has every call with what it takes and answers', async () => {
  const paths = await document()
  for (const [name, { method, path, input }] of Object.entries(ROUTES)) {
    const operation = paths[path]?.[method.toLowerCase()]
    assert.equal(operation?.operationId, name)
    assert.ok(operation.responses[200]?.content['application/json']?.schema !== undefined, name)
    assert.equal(operation.requestBody !== undefined, method !== 'GET' && input !== undefined, name)
  }
})

it('the OpenAPI document has the pages, itself among them', async () => {
  const paths = await document()
  assert.deepEqual(Object.keys(paths['/page']?.get?.responses[200]?.content ?? {}), ['text/plain'])
  assert.ok(paths['/openapi.json'] !== undefined)
})

it('no two calls have the same method and path', () => {
  const keys = Object.values(ROUTES).map(({ method, path }) => `${method} ${path}`)
  assert.equal(new Set(keys).size, keys.length)
})
