import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Bitfield } from '../../src/core/bitfield.js'
import { blake3 } from '../../src/core/hash.js'
import { type WriterId, writerIdOf } from '../../src/core/ids.js'
import {
  ENDGAME_AFTER_MS,
  ENDGAME_PIECES,
  MAX_FETCHERS,
  OVERTAKEN_BYTES,
  type PeerNumber,
  Picker,
  type Piece,
  type PieceRef,
  type WantedPiece,
} from '../../src/core/picker.js'

const feedA = writerIdOf(Buffer.from('feed a'))
const feedB = writerIdOf(Buffer.from('feed b'))

function wanted(name: string, refs: PieceRef[], priority = 1, length = 1000): WantedPiece {
  return { id: blake3(Buffer.from(name)), length, refs, priority }
}

function inA(index: number, priority = 1): WantedPiece {
  return wanted(`a${index}`, [{ writer: feedA, index }], priority)
}

function peerWith(picker: Picker, ...indices: number[]): PeerNumber {
  const peer = picker.addPeer()
  picker.setHeld(peer, feedA, Bitfield.of(indices))
  return peer
}

function pickAll(picker: Picker, peer: PeerNumber, nowMs = 0): Piece[] {
  const picked: Piece[] = []
  for (;;) {
    const piece = picker.pick(peer, nowMs, Number.POSITIVE_INFINITY)
    if (piece === undefined) return picked
    assert.ok(piece !== 'no-room')
    picked.push(piece)
  }
}

const indexOf = (piece: Piece): number => piece.refs[0]!.index

test('picker: I3, fresh before bulk, then the rarest first', () => {
  const picker = new Picker(1)
  const one = peerWith(picker, 0, 1, 2, 3)
  peerWith(picker, 0, 1, 2)
  peerWith(picker, 0, 1)
  for (const index of [0, 1, 2, 3]) picker.want(inA(index, index === 0 ? 0 : 1))
  assert.deepEqual(pickAll(picker, one).map(indexOf), [0, 3, 2, 1])
})

test('picker: I3, rarity follows gains, losses and peers that leave', () => {
  const picker = new Picker(1)
  const one = peerWith(picker, 0, 1, 2)
  const field = Bitfield.of([0])
  const two = picker.addPeer()
  picker.setHeld(two, feedA, field)
  const three = peerWith(picker, 1)
  for (const index of [0, 1, 2]) picker.want(inA(index))
  picker.removePeer(three)
  field.set(2)
  picker.gained(two, feedA, 2)
  field.clear(0)
  picker.lost(two, feedA, 0)
  picker.want(inA(3))
  const picked = pickAll(picker, one).map(indexOf)
  assert.deepEqual(picked.slice(0, 2).sort(), [0, 1])
  assert.equal(picked[2], 2)
  assert.equal(picked.length, 3)
})

test('picker: I3, what everybody holds is overtaken by rarer pieces, but not for ever', () => {
  const MIB = 1 << 20
  const picker = new Picker(1)
  const [one, two] = [picker.addPeer(), picker.addPeer()]
  const [atOne, atTwo] = [Bitfield.of([0]), Bitfield.of([0])]
  picker.setHeld(one, feedA, atOne)
  picker.setHeld(two, feedA, atTwo)
  const large = (index: number): WantedPiece => wanted(`l${index}`, [{ writer: feedA, index }], 1, MIB)
  const common = picker.want(large(0))
  let overtaking = 0
  // A rarer one comes whenever one is taken, as from a writer that goes on writing.
  for (let index = 1; index < 100; index++) {
    atOne.set(index)
    picker.want(large(index))
    const piece = picker.pick(one, 0, Number.POSITIVE_INFINITY)
    if (piece === common) break
    assert.ok(piece !== undefined && piece !== 'no-room' && indexOf(piece) === index)
    picker.done(piece)
    overtaking += piece.length
  }
  assert.equal(overtaking, OVERTAKEN_BYTES + MIB)
  // Given up by one, it has not waited less; but what is fresh goes first at any time.
  picker.release(common, one)
  assert.equal(picker.pick(two, 0, 1000), 'no-room')
  atTwo.set(200)
  const fresh = picker.want(inA(200, 0))
  assert.equal(picker.pick(two, 0, Number.POSITIVE_INFINITY), fresh)
  assert.equal(picker.pick(two, 0, Number.POSITIVE_INFINITY), common)
})

test('picker: I3, a line of pieces that only silent peers hold keeps nothing from the others', () => {
  const picker = new Picker(1)
  const silent = peerWith(picker, ...Array.from({ length: 500 }, (_, i) => i))
  const other = picker.addPeer()
  const field = Bitfield.of([])
  picker.setHeld(other, feedA, field)
  for (let index = 0; index < 500; index++) picker.want(inA(index))
  picker.stall(silent)
  for (let index = 500; index < 700; index++) {
    field.set(index)
    const piece = picker.want({ ...inA(index), length: 1 << 20 })
    assert.equal(picker.pick(other, 0, Number.POSITIVE_INFINITY), piece)
    picker.done(piece)
  }
  picker.revive(silent)
  assert.equal(pickAll(picker, silent).length, 500)
})

test('picker: the tie-break is the same for the same seed and keeps runs together', () => {
  const order = (seed: number): number[] => {
    const picker = new Picker(seed)
    const all = Array.from({ length: 1000 }, (_, index) => index)
    const peer = peerWith(picker, ...all)
    for (const index of all) picker.want(inA(index))
    return pickAll(picker, peer).map(indexOf)
  }
  const first = order(7)
  assert.deepEqual(first, order(7))
  assert.notDeepEqual(first, order(8))
  assert.deepEqual(
    [...first].sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, index) => index),
  )
  const steps = first.filter((index, at) => at > 0 && index === first[at - 1]! + 1).length
  assert.ok(steps > 900, `${steps} of 999 steps go to the next piece`)
})

test('picker: a piece under several references is had from whoever holds any of them', () => {
  const picker = new Picker(1)
  const peer = picker.addPeer()
  const held = new Bitfield()
  picker.setHeld(peer, feedB, held)
  const refs = [
    { writer: feedA, index: 4 },
    { writer: feedB, index: 9 },
  ]
  picker.want(wanted('twice', refs))
  assert.equal(picker.isHeld(refs), false)
  assert.equal(picker.pick(peer, 0, 1e9), undefined)
  held.set(9)
  picker.gained(peer, feedB, 9)
  assert.equal(picker.isHeld(refs), true)
  const piece = picker.pick(peer, 0, 1e9)
  assert.ok(piece !== undefined && piece !== 'no-room')
  assert.deepEqual(picker.refAt(piece, peer), refs[1])
})

test('picker: wanting again adds references and urgency, never a second piece', () => {
  const picker = new Picker(1)
  const peer = peerWith(picker, 0, 1)
  picker.want(inA(0))
  picker.want(wanted('late', [{ writer: feedB, index: 0 }]))
  assert.equal(picker.pickableCount, 1)
  picker.want(wanted('late', [{ writer: feedA, index: 1 }], 0))
  assert.equal(picker.wantedCount, 2)
  assert.deepEqual(
    pickAll(picker, peer).map((piece) => piece.refs.length),
    [2, 1],
  )
})

test('picker: a piece without room is named, and picked when there is', () => {
  const picker = new Picker(1)
  const peer = peerWith(picker, 0)
  picker.want(inA(0))
  assert.equal(picker.pick(peer, 0, 999), 'no-room')
  assert.notEqual(picker.pick(peer, 0, 1000), undefined)
})

test('picker: I1, I5, what is no longer wanted is not picked, and takes nothing with it', () => {
  const picker = new Picker(1)
  const peer = peerWith(picker, 0, 1, 2)
  const [first, ...rest] = [0, 1, 2].map((index) => picker.want(inA(index)))
  // Waiting in one line with the others, in front of them.
  picker.done(first!)
  assert.deepEqual(pickAll(picker, peer), rest)
  assert.equal(picker.fetchedCount, 2)
  assert.equal(picker.pickableCount, 0)
})

test('picker: I2, what a stalled peer fetches goes to others, and back if it wakes first', () => {
  const picker = new Picker(1)
  const slow = peerWith(picker, 0, 1)
  const other = peerWith(picker, 0, 1)
  picker.want(inA(0))
  picker.want(inA(1))
  assert.equal(pickAll(picker, slow).length, 2)
  assert.equal(picker.pick(other, 0, 1e9), undefined)
  picker.stall(slow)
  assert.equal(picker.pick(slow, 1e6, 1e9), undefined)
  const moved = picker.pick(other, 0, 1e9)
  assert.ok(moved !== undefined && moved !== 'no-room')
  picker.revive(slow)
  assert.equal(picker.pick(other, 0, 1e9), undefined, 'the other piece is fetched again')
  assert.deepEqual(picker.done(moved), [slow, other])
  assert.equal(picker.wantedCount, 1)
})

test('picker: I4, the endgame waits for its time, doubles up to its bound and ends with done()', () => {
  const picker = new Picker(1)
  const peers = Array.from({ length: MAX_FETCHERS + 1 }, () => peerWith(picker, 0))
  picker.want(inA(0))
  const piece = picker.pick(peers[0]!, 0, 1e9)
  assert.ok(piece !== undefined && piece !== 'no-room')
  assert.equal(picker.pick(peers[1]!, ENDGAME_AFTER_MS - 1, 1e9), undefined)
  for (const peer of peers.slice(1, MAX_FETCHERS))
    assert.equal(picker.pick(peer, ENDGAME_AFTER_MS, 1e9), piece)
  assert.equal(picker.pick(peers[MAX_FETCHERS]!, ENDGAME_AFTER_MS, 1e9), undefined)
  assert.equal(picker.pick(peers[0]!, ENDGAME_AFTER_MS, 1e9), undefined)
  assert.deepEqual(picker.done(piece), peers.slice(0, MAX_FETCHERS))
  assert.deepEqual(picker.done(piece), [])
  assert.equal(picker.fetchedCount, 0)
})

test('picker: I4, no endgame while somebody holds what nobody fetches, or too much is under way', () => {
  const picker = new Picker(1)
  const one = peerWith(picker, 0)
  const two = peerWith(picker, 0)
  const three = peerWith(picker, 1)
  picker.want(inA(0))
  picker.want(inA(1))
  assert.equal(pickAll(picker, one).length, 1)
  assert.equal(picker.pick(two, 1e6, 1e9), undefined)
  assert.equal(pickAll(picker, three).length, 1)
  assert.notEqual(picker.pick(two, 1e6, 1e9), undefined)

  const many = new Picker(1)
  const all = Array.from({ length: ENDGAME_PIECES + 1 }, (_, index) => index)
  const busy = peerWith(many, ...all)
  const idle = peerWith(many, ...all)
  for (const index of all) many.want(inA(index))
  assert.equal(pickAll(many, busy).length, all.length)
  assert.equal(many.pick(idle, 1e6, 1e9), undefined)
})

// A model of what the outside knows, driven by random events; every decision is checked against it.
test('picker: I1, I2, I3, I5 hold under any sequence of events', () => {
  const feeds: readonly WriterId[] = [feedA, feedB]
  const PIECES = 24
  const refsOf = (piece: number): PieceRef[] => {
    const first = { writer: feeds[piece % 2]!, index: piece }
    return piece % 3 === 0 ? [first, { writer: feeds[(piece + 1) % 2]!, index: piece + PIECES }] : [first]
  }
  const event = fc.record({
    type: fc.constantFrom(
      'want',
      'want',
      'unwant',
      'join',
      'leave',
      'field',
      'gain',
      'lose',
      'pick',
      'pick',
      'pick',
      'done',
      'release',
      'stall',
      'revive',
    ),
    piece: fc.nat(PIECES - 1),
    peer: fc.nat(5),
    feed: fc.nat(1),
    bits: fc.array(fc.nat(2 * PIECES - 1), { maxLength: PIECES }),
    urgent: fc.boolean(),
  })
  fc.assert(
    // Without a size fast-check stays at some ten events, in which no line of equals ever forms.
    fc.property(fc.nat(), fc.array(event, { maxLength: 200, size: 'max' }), (seed, events) => {
      const picker = new Picker(seed)
      const wantedNow = new Map<number, Piece>()
      const peers: PeerNumber[] = []
      const held = new Map<PeerNumber, Map<WriterId, Bitfield>>()
      const fetching: [Piece, PeerNumber][] = []
      const stalled = new Set<PeerNumber>()
      const holds = (peer: PeerNumber, piece: Piece): boolean =>
        piece.refs.some(({ writer, index }) => held.get(peer)!.get(writer)?.get(index))
      const rarity = (piece: Piece): number => peers.filter((peer) => holds(peer, piece)).length
      const isFetched = (piece: Piece): boolean =>
        fetching.some(([other, peer]) => other === piece && !stalled.has(peer))
      const forget = (drop: (piece: Piece, peer: PeerNumber) => boolean): void => {
        for (let at = fetching.length - 1; at >= 0; at--) if (drop(...fetching[at]!)) fetching.splice(at, 1)
      }
      const finish = (piece: Piece): void => {
        const asked = fetching.filter(([other]) => other === piece).map(([, peer]) => peer)
        assert.deepEqual(picker.done(piece).sort(), asked.sort())
        forget((other) => other === piece)
        for (const [name, known] of wantedNow) if (known === piece) wantedNow.delete(name)
      }
      const checkPick = (peer: PeerNumber): boolean => {
        const open = [...wantedNow.values()].filter((piece) => !isFetched(piece))
        const eligible = open.filter((piece) => holds(peer, piece))
        const piece = picker.pick(peer, 0, 1e9)
        if (piece === undefined) {
          assert.ok(stalled.has(peer) || eligible.length === 0, 'I5: something could have been picked')
          return false
        }
        assert.ok(piece !== 'no-room')
        assert.ok(eligible.includes(piece), 'I1, I2')
        assert.equal(piece.priority, Math.min(...eligible.map((each) => each.priority)), 'I3')
        const rivals = eligible.filter((each) => each.priority === piece.priority)
        assert.equal(rarity(piece), Math.min(...rivals.map(rarity)), 'I3')
        fetching.push([piece, peer])
        return true
      }
      for (const { type, piece, peer: which, feed, bits, urgent } of events) {
        const peer = peers[which % Math.max(1, peers.length)]
        const field = peer === undefined ? undefined : held.get(peer)!.get(feeds[feed]!)
        if (type === 'want') {
          const known = picker.want(wanted(`p${piece}`, refsOf(piece), urgent ? 0 : 1))
          wantedNow.set(piece, known)
        } else if (type === 'unwant' || type === 'done') {
          const known = wantedNow.get(piece)
          if (known !== undefined) finish(known)
        } else if (type === 'join') {
          const joined = picker.addPeer()
          peers.push(joined)
          held.set(joined, new Map())
        } else if (peer === undefined) {
          continue
        } else if (type === 'leave') {
          picker.removePeer(peer)
          forget((_, other) => other === peer)
          peers.splice(peers.indexOf(peer), 1)
        } else if (type === 'field') {
          const fresh = bits.length === 0 ? undefined : Bitfield.of(bits)
          picker.setHeld(peer, feeds[feed]!, fresh)
          if (fresh === undefined) held.get(peer)!.delete(feeds[feed]!)
          else held.get(peer)!.set(feeds[feed]!, fresh)
        } else if (type === 'gain' || type === 'lose') {
          for (const index of bits)
            if (type === 'gain' ? field?.set(index) : field?.clear(index))
              picker[type === 'gain' ? 'gained' : 'lost'](peer, feeds[feed]!, index)
        } else if (type === 'pick') {
          checkPick(peer)
        } else if (type === 'release') {
          const mine = fetching.find(([, other]) => other === peer)
          if (mine === undefined) continue
          picker.release(...mine)
          fetching.splice(fetching.indexOf(mine), 1)
        } else if (type === 'stall') {
          picker.stall(peer)
          stalled.add(peer)
        } else {
          picker.revive(peer)
          stalled.delete(peer)
        }
        const open = [...wantedNow.values()].filter((each) => !isFetched(each))
        assert.equal(picker.wantedCount, wantedNow.size)
        assert.equal(picker.fetchedCount, wantedNow.size - open.length)
        assert.equal(picker.pickableCount, open.filter((each) => rarity(each) > 0).length)
      }
      // I5: in the end all that anybody holds is picked.
      for (const peer of peers) {
        picker.revive(peer)
        stalled.delete(peer)
      }
      for (const peer of peers) while (checkPick(peer));
      assert.equal(picker.pickableCount, 0)
      for (const known of [...wantedNow.values()]) finish(known)
      assert.equal(picker.wantedCount, 0)
    }),
    { numRuns: 300 },
  )
})

// Were any event to look at all wanted pieces, this would take minutes.
test('picker: 100,000 wanted pieces of a 500,000-piece feed', () => {
  const picker = new Picker(3)
  const field = new Bitfield(500_000)
  for (let index = 0; index < 500_000; index++) field.set(index)
  const seed = picker.addPeer()
  picker.setHeld(seed, feedA, field)
  const partly = new Bitfield(500_000)
  const leech = picker.addPeer()
  picker.setHeld(leech, feedA, partly)
  const id = (index: number): Buffer => {
    const bytes = Buffer.alloc(32)
    bytes.writeUInt32BE(index)
    return bytes
  }
  for (let index = 0; index < 100_000; index++)
    picker.want({ id: id(index), length: 1000, refs: [{ writer: feedA, index: index * 5 }], priority: 1 })
  for (let index = 0; index < 20_000; index++) {
    partly.set(index * 5)
    picker.gained(leech, feedA, index * 5)
    const piece = picker.pick(index % 2 === 0 ? seed : leech, 0, 1e9)
    if (piece !== undefined && piece !== 'no-room') picker.done(piece)
  }
  assert.equal(picker.wantedCount, 80_000)
})
