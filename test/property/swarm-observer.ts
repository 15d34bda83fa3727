/** Checks that a driver could carry out every action, and that nothing is told that is not so. */
import assert from 'node:assert/strict'
import type { SwarmAction, SwarmEvent } from '../../src/swarm/events.ts'
import type { Scheduler } from '../../src/swarm/scheduler.ts'
import { Books, type PeerBooks, type SwarmBooks } from './swarm-books.ts'

type ActionOf<Type extends SwarmAction['type']> = Extract<SwarmAction, { readonly type: Type }>

/** Memory that requests to one peer may take, in bytes: more than any policy would want. */
const MOST_IN_FLIGHT = 128 << 20

/** An offer that was not answered for so long may be given up, in ms. */
const GIVEN_UP_MS = 4_000

export class Observer {
  readonly books = new Books()
  readonly #scheduler: Scheduler

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  /** An event is about to be handled. */
  sees(event: SwarmEvent, now: number): void {
    for (const { peers } of this.books.swarms.values())
      for (const { offers, givenUp } of peers.values())
        for (const [piece, { at }] of offers) if (at + GIVEN_UP_MS <= now) givenUp.add(piece)
    this.books.note(event)
  }

  checks(event: SwarmEvent, actions: readonly SwarmAction[], now: number): void {
    const answered = this.#mustAnswer(event)
    for (const action of actions) this.#check(action, event, now)
    const answers = actions.filter((action) => answersTo(action, event))
    assert.equal(answers.length, answered ? 1 : 0, `${answers.length} answers to ${JSON.stringify(event)}`)
    for (const swarm of this.books.swarms.values()) this.#checkWhole(swarm)
  }

  #mustAnswer(event: SwarmEvent): boolean {
    if (event.type !== 'offered' && event.type !== 'idle') return false
    return this.books.peer(event.root, event.peer) !== undefined
  }

  #check(action: SwarmAction, event: SwarmEvent, now: number): void {
    if (action.type === 'ban') {
      this.#ban(action)
      return
    }
    const swarm = this.books.swarms.get(action.root)
    assert.ok(swarm, `${action.type} in ${action.root}, which is not open`)
    if (!('peer' in action)) {
      checkOfSwarm(swarm, action)
      return
    }
    const peer = swarm.peers.get(action.peer)
    assert.ok(peer, `${action.type} to ${action.peer}, which is not there`)
    switch (action.type) {
      case 'request':
        checkRequest(swarm, peer, action, event)
        this.#checkSnubbed(swarm, peer)
        // a request stands above a question
        peer.questions.delete(action.piece)
        peer.open.set(action.piece, {
          piece: action.piece,
          begin: action.begin,
          at: action.begin,
          end: action.begin + action.length,
        })
        return
      case 'cancel':
        checkCancel(peer, action)
        return
      case 'offer':
        checkOffer(swarm, peer, action, now)
        return
      case 'send':
        checkSend(swarm, peer, action)
        return
      default:
        checkOfPeer(swarm, peer, action)
    }
  }

  #ban({ peer }: ActionOf<'ban'>): void {
    assert.ok(!this.books.banned.has(peer), `${peer} is banned twice`)
    assert.ok(this.#scheduler.isBanned(peer))
    this.books.banned.add(peer)
    for (const swarm of this.books.swarms.values()) swarm.peers.delete(peer)
  }

  #checkSnubbed({ root }: SwarmBooks, peer: PeerBooks): void {
    if (peer.wire === 'share' || peer.open.size === 0) return
    const view = this.#scheduler.peers(root).find((one) => one.peer === peer.key)
    assert.ok(view?.snubbed !== true, `${peer.key} is silent and asked for more`)
  }

  /** What has to hold between any two events. */
  #checkWhole(swarm: SwarmBooks): void {
    for (const piece of swarm.expected) {
      const comes = swarm.settling.has(piece) || [...swarm.peers.values()].some(({ open }) => open.has(piece))
      assert.ok(comes, `${piece} is told to be coming of nobody`)
    }
    for (const { key, wire, interested, has } of swarm.peers.values()) {
      const useful = [...has].some((piece) => !swarm.have.has(piece))
      // interest in a `share` peer may last as long as the download
      const may = wire === 'share' && !swarm.completed ? [useful, true] : [useful]
      if (wire !== 'bitswap') assert.ok(may.includes(interested), `interested in ${key}: ${interested}`)
    }
    const done = swarm.final && swarm.have.size === swarm.sizes.length
    assert.equal(swarm.completed, done, `${swarm.have.size} of ${swarm.sizes.length}, complete`)
  }
}

/** Whether the action is an answer of the kind that an offer has to get. */
function answersTo(action: SwarmAction, event: SwarmEvent): boolean {
  if (action.type === 'decline' || action.type === 'busy') {
    const offer = event.type === 'offered' || event.type === 'idle' ? event : undefined
    const same = offer?.peer === action.peer && offer.root === action.root
    const piece = offer?.type === 'offered' ? offer.piece : undefined
    assert.ok(same && piece === action.piece, `nobody offered what is declined: ${JSON.stringify(action)}`)
    if (action.type === 'busy') assert.ok(action.ms > 0 && Number.isFinite(action.ms), `busy ${action.ms} ms`)
    return true
  }
  if (action.type !== 'request' || !('peer' in event) || action.peer !== event.peer) return false
  if (event.type === 'offered') return action.root === event.root && action.piece === event.piece
  return event.type === 'idle' && action.root === event.root
}

function checkRequest(
  swarm: SwarmBooks,
  peer: PeerBooks,
  action: ActionOf<'request'>,
  event: SwarmEvent,
): void {
  const { piece, begin, length } = action
  const what = `${length} of piece ${piece} from ${begin} of ${peer.key}`
  const size = swarm.size(piece)
  assert.ok(
    size !== undefined && begin >= 0 && length > 0 && begin + length <= size,
    `${what}: no such bytes`,
  )
  assert.ok(swarm.isWanted(piece), `${what}: not wanted`)
  assert.ok(!peer.open.has(piece), `${what}: asked twice`)
  assert.ok(!peer.choked || answersTo(action, event), `${what}: choked`)
  if (peer.wire === 'bitswap') assert.equal(length, size, `${what}: not whole`)
  let inFlight = length
  for (const open of peer.open.values()) inFlight += open.end - open.at
  assert.ok(inFlight <= MOST_IN_FLIGHT, `${inFlight} bytes in flight at ${peer.key}`)
}

function checkCancel(peer: PeerBooks, { piece, begin, length }: ActionOf<'cancel'>): void {
  const open = peer.open.get(piece)
  const what = `${length} of piece ${piece} from ${begin} of ${peer.key}`
  assert.ok(open && length > 0 && begin >= open.at && begin + length === open.end, `${what} is not asked for`)
  open.end = begin
  if (open.at >= open.end) peer.open.delete(piece)
}

function checkOffer(swarm: SwarmBooks, peer: PeerBooks, action: ActionOf<'offer'>, now: number): void {
  const { piece, eager, rate, start } = action
  const what = `piece ${piece} to ${peer.key}`
  assert.equal(peer.wire, 'share')
  assert.ok(swarm.have.has(piece), `${what} is not here`)
  assert.ok(!peer.has.has(piece), `${what} is there`)
  assert.ok(rate > 0 && start >= 0 && Number.isFinite(rate) && Number.isFinite(start), `${rate}, ${start}`)
  if (!peer.givenUp.has(piece)) {
    assert.ok(!peer.offers.has(piece), `${what} is offered already`)
    assert.ok(!peer.asked.some((one) => one.piece === piece), `${what} is asked for already`)
  }
  peer.offers.set(piece, { eager, at: now })
  if (eager) peer.asked.push({ piece, begin: 0, length: swarm.size(piece) ?? 0, offered: true, delivered: 0 })
}

function checkSend(swarm: SwarmBooks, peer: PeerBooks, { piece, begin, length }: ActionOf<'send'>): void {
  const asked = peer.waiting(piece, begin)
  const what = `${length} of piece ${piece} from ${begin} to ${peer.key}`
  assert.ok(swarm.have.has(piece), `${what} is not here`)
  assert.ok(asked && asked.length === length, `${what} is not asked for`)
  asked.delivered = 0
}

function checkOfSwarm(swarm: SwarmBooks, action: Exclude<SwarmAction, { readonly peer: unknown }>): void {
  if (action.type === 'completed') {
    assert.ok(!swarm.completed, 'complete twice')
    swarm.completed = true
    return
  }
  const { piece } = action
  switch (action.type) {
    case 'have':
      assert.ok(swarm.have.has(piece), `${piece} is told and not stored`)
      return
    case 'expect':
      assert.ok(swarm.isWanted(piece) && !swarm.expected.has(piece), `${piece} is told to be coming`)
      swarm.expected.add(piece)
      return
    case 'expect-no-more':
      assert.ok(!swarm.have.has(piece) && swarm.size(piece) !== undefined)
      swarm.expected.delete(piece)
      return
    case 'verify-and-store':
      assert.ok(swarm.isWanted(piece), `${piece} is checked again`)
      assert.ok(swarm.isWhole(piece), `${piece} is to be checked, and not all here`)
      swarm.settling.set(piece, 'checking')
      return
    case 'discard':
      assert.ok(!swarm.settling.has(piece), `${piece} is dropped while it is checked`)
      swarm.held.delete(piece)
      return
  }
}

type OfPeer = Exclude<
  Extract<SwarmAction, { readonly peer: unknown }>,
  { readonly type: 'ban' | 'request' | 'cancel' | 'offer' | 'send' }
>

function checkOfPeer(swarm: SwarmBooks, peer: PeerBooks, action: OfPeer): void {
  const what = `${action.type} to ${peer.key}`
  switch (action.type) {
    case 'ask':
      assert.equal(peer.wire, 'bitswap', what)
      assert.ok(action.pieces.length > 0, what)
      for (const piece of action.pieces) {
        assert.ok(swarm.isWanted(piece) && !peer.questions.has(piece), `${what} of ${piece}`)
        peer.questions.add(piece)
      }
      return
    case 'unask':
      assert.ok(peer.wire === 'bitswap' && peer.questions.delete(action.piece), what)
      return
    case 'remind':
      assert.ok(peer.wire === 'bitswap' && action.pieces.length > 0, what)
      for (const piece of action.pieces) assert.ok(peer.open.has(piece), `${what} of ${piece}`)
      return
    case 'interested':
    case 'uninterested':
      assert.ok(peer.wire !== 'bitswap' && peer.interested === (action.type === 'uninterested'), what)
      peer.interested = action.type === 'interested'
      return
    case 'choke':
    case 'unchoke':
      assert.ok(peer.wire !== 'bitswap' && peer.choking === (action.type === 'unchoke'), what)
      peer.choking = action.type === 'choke'
      // the wire refuses what waits, save for what answers an offer
      if (peer.choking)
        for (const one of peer.asked.filter(({ delivered, offered }) => delivered === undefined && !offered))
          peer.drop(one)
      return
    case 'suggest':
      assert.ok(peer.wire === 'bittorrent' && swarm.have.has(action.piece), what)
      return
    case 'reject':
      assert.ok(peer.waiting(action.piece, action.begin), `${what}: nobody asked`)
      peer.drop(peer.waiting(action.piece, action.begin))
      return
    case 'offer-uplink':
      assert.ok(peer.wire === 'share' && action.rate > 0 && action.start >= 0, what)
      return
    case 'decline':
    case 'busy':
      assert.equal(peer.wire, 'share', what)
      return
  }
}
