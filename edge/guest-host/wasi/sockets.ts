import type { ErrorCode, IpAddressFamily } from '@bytecodealliance/preview2-shim/interfaces/wasi-sockets-network'
import { type Instance, Resource } from './instance.ts'
import { IoError } from './io-error.ts'
import { refuse } from './network-code.ts'
import { ResolveAddressStream, resolveAddresses } from './resolve-address-stream.ts'
import { TcpSocket } from './tcp-socket.ts'

/** `network` of wasi:sockets: the right to ask the owner for connections, which everybody has. */
export class Network extends Resource {}

/** `udp-socket`: there is none. */
export class UdpSocket {}

/** `incoming-datagram-stream`: there is none. */
export class IncomingDatagramStream {}

/** `outgoing-datagram-stream`: there is none. */
export class OutgoingDatagramStream {}

/** wasi:sockets: names, and connections by TCP to where the owner lets them. No UDP (`not-supported`), no listening. */
export function buildSockets(instance: Instance): Record<string, object> {
  return {
    'wasi:sockets/network': {
      Network,
      networkErrorCode(error: IoError): ErrorCode | undefined {
        const failure = IoError.failureOf(error)
        return failure.of === 'network' ? failure.code : undefined
      },
    },
    'wasi:sockets/instance-network': { instanceNetwork: () => new Network(instance) },
    'wasi:sockets/ip-name-lookup': {
      ResolveAddressStream,
      resolveAddresses: (_: Network, name: string) => resolveAddresses(instance, name),
    },
    'wasi:sockets/tcp': { TcpSocket },
    'wasi:sockets/tcp-create-socket': {
      createTcpSocket(family: IpAddressFamily): TcpSocket {
        if (!instance.hasRoom) refuse('new-socket-limit')
        return new TcpSocket(instance, family)
      },
    },
    'wasi:sockets/udp': { UdpSocket, IncomingDatagramStream, OutgoingDatagramStream },
    'wasi:sockets/udp-create-socket': { createUdpSocket: (): never => refuse('not-supported') },
  }
}
