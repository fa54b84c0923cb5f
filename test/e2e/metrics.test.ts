// What a scrape of running daemons tells, and what /health and /ready say of them.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { text as textOf } from 'node:stream/consumers'
import { test } from 'node:test'
import { type Answer, send } from '../../src/control/client.js'
import { socketAddress } from '../../src/control/socket.js'
import { FAMILIES } from '../../src/daemon/metrics/families.js'
import { converged, eventually, freePort, type TestNode, withWorld } from '../support/daemons.js'

const KEY = `shoal-${'k'.repeat(32)}`

/** There only after something has happened that does not happen here: a hook, or a look back at a scrape before. */
const NOT_HERE = [
  // No blind node, nothing verified, no promise of copies.
  ...['pieces', 'piece_bytes', 'bytes', 'dead_bytes', 'packs'].map((what) => `shoal_vault_${what}`),
  ...['shoal_scrub_last_timestamp_seconds', 'shoal_member_scrub_last_timestamp_seconds'],
  ...['promised', 'short_pieces', 'short_bytes'].map((what) => `shoal_copies_${what}`),
  'shoal_copies_counted_timestamp_seconds',
  ...['shoal_hook_failed', 'shoal_hook_pending_paths', 'shoal_relay_connected'],
  ...['mean', 'p99', 'max'].map((which) => `shoal_event_loop_delay_${which}_seconds`),
]

async function get(node: TestNode, path: string): Promise<Answer> {
  const address = await socketAddress(node.storage)
  try {
    return await send(address.path, 'GET', path, undefined, undefined)
  } finally {
    await address.release()
  }
}

function getByTcp(port: number, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      textOf(response).then((body) => resolve({ status: response.statusCode ?? 0, text: body }), reject)
    })
    call.on('error', reject)
    call.end()
  })
}

/** Values of a scrape, by what stands before them, the label of the share left out: 'shoal_peers{transport="tcp"}'. */
async function scrape(node: TestNode): Promise<Map<string, number>> {
  const { status, text } = await get(node, '/metrics')
  assert.equal(status, 200)
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, series, value] = /^([^#].*) (\S+)$/.exec(line) ?? []
    if (series === undefined) continue
    const key = series.replace(`share="${node.dir}"`, '').replace('{,', '{').replace('{}', '')
    assert.ok(!values.has(key), `${key} is there twice`)
    values.set(key, Number(value))
  }
  return values
}

test('two daemons: what one has sent the other has received, both say who is there, and how long it took', async () => {
  await withWorld({}, async (world) => {
    const port = await freePort()
    const config = { webui: { listen: `127.0.0.1:${port}`, api_key: KEY } }
    const nodes = await world.start(['a', 'b'], (name) => (name === 'b' ? { grade: 'read', config } : {}))
    const [a, b] = nodes as [TestNode, TestNode]
    // Of changes made before, nobody knows how long they took.
    await converged([a, b])
    for (const name of ['one', 'two', 'three']) a.write(`d/${name}`, name.repeat(1000))
    await converged([a, b])

    const [ofA, ofB] = [await scrape(a), await scrape(b)]
    const at = (values: Map<string, number>, key: string): number => {
      const value = values.get(key)
      assert.ok(value !== undefined, `${key} is there`)
      return value
    }
    assert.equal(at(ofB, 'shoal_share_files'), 3)
    assert.equal(at(ofB, 'shoal_share_missing_bytes'), 0)
    assert.equal(at(ofB, 'shoal_share_state{state="idle"}'), 1)
    assert.equal(at(ofB, 'shoal_share_info{grade="read"}'), 1)
    const bytes = at(ofB, 'shoal_piece_bytes_total{direction="received"}')
    assert.ok(bytes >= 11_000, `${bytes} bytes`)
    assert.equal(at(ofA, 'shoal_piece_bytes_total{direction="sent"}'), bytes)
    assert.equal(at(ofB, 'shoal_pieces_total{direction="received"}'), 3)
    assert.equal(at(ofA, 'shoal_pieces_total{direction="sent"}'), 3)
    assert.equal(at(ofB, 'shoal_wrong_pieces_total'), 0)
    assert.ok(at(ofB, 'shoal_scan_duration_seconds_count') >= 1)
    assert.ok(at(ofB, 'shoal_apply_latency_seconds_count') >= 3)
    assert.ok(at(ofB, 'shoal_change_latency_seconds_count{origin="a"}') >= 3)
    assert.equal(
      at(ofB, 'shoal_change_latency_seconds_bucket{origin="a",le="+Inf"}'),
      at(ofB, 'shoal_change_latency_seconds_count{origin="a"}'),
    )

    const label = (await a.status()).device.slice(0, 16)
    assert.equal(at(ofB, `shoal_member_info{peer="${label}",name="a",grade="write"}`), 1)
    assert.equal(at(ofB, `shoal_member_in_sync{peer="${label}"}`), 1)
    assert.equal(at(ofB, `shoal_peer_received_bytes_total{peer="${label}"}`), bytes)
    assert.equal(at(ofB, 'shoal_peers{transport="tcp"}'), 1)

    // The second has looked back at the first; the round trip is measured within half a minute.
    const told = new Set([...(await scrape(b)).keys()].map((key) => key.split('{')[0]!))
    const missing = Object.entries(FAMILIES)
      .filter(([name, { type }]) => !told.has(type === 'histogram' ? `${name}_count` : name))
      .map(([name]) => name)
    const late = [...NOT_HERE, 'shoal_peer_round_trip_seconds', 'shoal_member_clock_ahead_seconds']
    assert.deepEqual(
      missing.filter((name) => !late.includes(name)),
      [],
    )

    assert.deepEqual(JSON.parse((await get(b, '/ready')).text), { ready: true, reasons: [] })
    const { status, text } = await get(b, '/health')
    assert.equal(status, 200)
    assert.equal((JSON.parse(text) as { healthy: boolean }).healthy, true)

    // Over TCP the same for who has the key; the two that are open name no folder.
    assert.equal((await getByTcp(port, '/metrics')).status, 401)
    const scraped = await getByTcp(port, '/metrics', { authorization: `Bearer ${KEY}` })
    assert.equal(scraped.status, 200)
    assert.ok(scraped.text.includes(`shoal_share_files{share="${b.dir}"} 3`))
    for (const path of ['/health', '/ready']) {
      const open = await getByTcp(port, path)
      assert.equal(open.status, 200, path)
      assert.ok(!open.text.includes(b.dir))
    }

    await a.kill()
    await eventually('b has noticed', async () => {
      const values = await scrape(b)
      return (
        values.get('shoal_peers{transport="tcp"}') === 0 &&
        values.get(`shoal_member_connected{peer="${label}"}`) === 0
      )
    })
    const alone = await scrape(b)
    assert.equal(alone.get(`shoal_member_in_sync{peer="${label}"}`), 0)
    assert.equal(alone.has(`shoal_peer_received_bytes_total{peer="${label}"}`), false)
    assert.equal(alone.get('shoal_piece_bytes_total{direction="received"}'), bytes)
  })
})
