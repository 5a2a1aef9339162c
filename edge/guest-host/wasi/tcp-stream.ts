import { type InputSource, StreamFailure } from './input-stream.ts'
import { type Instance, type Remote, refuseAnswer } from './instance.ts'
import { toNetworkCode } from './network-code.ts'
import { MAX_WRITE_BYTES, type OutputSink } from './output-stream.ts'
import { READY } from './poll.ts'

/** What a socket tells its streams. */
export interface TcpDirections {
  isReceiving: boolean
  isSending: boolean
}

/** The bytes that come over a connection. */
export function createTcpSource(instance: Instance, remote: Remote, directions: TcpDirections): InputSource {
  const { id } = remote.retain()
  let hasEnded = false
  return {
    read(length) {
      if (hasEnded || !directions.isReceiving) return undefined
      const { header, body } = instance.ask({ ask: 'tcp-read', id, length })
      if ('error' in header) throw new StreamFailure({ of: 'network', code: toNetworkCode(header) })
      if (!('ended' in header) || body.length > length) throw refuseAnswer('tcp-read')
      hasEnded = header.ended
      return hasEnded && body.length === 0 ? undefined : body
    },
    look: () => (hasEnded || !directions.isReceiving ? READY : { kind: 'owner', waiting: { id, until: 'read' } }),
    close: () => remote.release(),
  }
}

/** Takes bytes for a connection; what does not leave at once is held, as much as one grant. */
export function createTcpSink(instance: Instance, remote: Remote, directions: TcpDirections): OutputSink {
  const { id } = remote.retain()
  let held: Uint8Array = new Uint8Array(0)
  const send = (): boolean => {
    while (held.length > 0) {
      const { header } = instance.ask({ ask: 'tcp-write', id }, held)
      if ('error' in header) throw new StreamFailure({ of: 'network', code: toNetworkCode(header) })
      if (!('wrote' in header) || header.wrote > held.length || header.wrote < 0) throw refuseAnswer('tcp-write')
      if (header.wrote === 0) return false
      held = held.subarray(header.wrote)
    }
    return true
  }
  return {
    room: () => (directions.isSending ? (send() ? MAX_WRITE_BYTES : 0) : undefined),
    write(bytes) {
      held = Buffer.concat([held, bytes])
      send()
    },
    flush: send,
    look: () =>
      held.length === 0 || !directions.isSending ? READY : { kind: 'owner', waiting: { id, until: 'write' } },
    close() {
      try {
        if (directions.isSending) send()
      } catch (failure) {
        // Nobody is there any more to be told.
        if (!(failure instanceof StreamFailure)) throw failure
      } finally {
        remote.release()
      }
    },
  }
}
