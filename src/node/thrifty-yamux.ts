/**
 * yamux that opens a stream's window again when half of it is used, as the specification has it. The library does so
 * after each frame, however small: a message of nine bytes is then answered by a packet of its own, which took about a
 * twelfth of the processor's time in a swarm.
 */
import type { StreamMuxerFactory } from '@libp2p/interface'
import { type YamuxMuxerInit, yamux } from '@libp2p/yamux'

type YamuxMuxer = ReturnType<ReturnType<ReturnType<typeof yamux>>['createStreamMuxer']>

/** What the library's stream keeps to itself. */
interface YamuxStream {
  readonly state: number
  /** Bytes that the peer may send, after the last update and now. */
  readonly recvWindow: number
  readonly recvWindowCapacity: number
  sendWindowUpdate(): void
}

/** `StreamState.Established`: before, an update also opens the stream; after, it is not for us to send any. */
const ESTABLISHED = 3

/** The part of a window that is used before the peer is told that it may send more. */
const USED = 1 / 2

export function thriftyYamux(init: YamuxMuxerInit): () => StreamMuxerFactory {
  const make = yamux(init)
  return () => {
    const factory = make()
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = (connection) => thrifty(createStreamMuxer(connection))
    return factory
  }
}

function thrifty(muxer: YamuxMuxer): YamuxMuxer {
  const onCreateStream = muxer.onCreateStream.bind(muxer)
  const onRemoteStream = muxer.onRemoteStream.bind(muxer)
  muxer.onCreateStream = () => waitForHalf(onCreateStream())
  muxer.onRemoteStream = (stream) => onRemoteStream(waitForHalf(stream))
  return muxer
}

function waitForHalf<S>(stream: S): S {
  if (!isYamux(stream)) throw new TypeError('not a stream of yamux')
  const update = stream.sendWindowUpdate.bind(stream)
  stream.sendWindowUpdate = () => {
    const { state, recvWindow, recvWindowCapacity } = stream
    if (state !== ESTABLISHED || recvWindowCapacity <= recvWindow * (1 - USED)) update()
  }
  return stream
}

function isYamux(stream: unknown): stream is YamuxStream {
  const { state, recvWindow, recvWindowCapacity, sendWindowUpdate } = stream as Partial<YamuxStream>
  const numbers = [state, recvWindow, recvWindowCapacity]
  return numbers.every((one) => typeof one === 'number') && typeof sendWindowUpdate === 'function'
}
