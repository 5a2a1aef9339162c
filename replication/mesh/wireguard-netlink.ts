import { SocketAddress } from 'node:net'
import { formatWireGuardKey, MakiError, type WireGuardKey, wireGuardKeyBytes } from '../../core/index.ts'
import type { NetworkAddress } from '../gossip/network.ts'
import {
  AF_INET,
  AF_INET6,
  attribute,
  ipBytes,
  listAttributes,
  nested,
  parseNetwork,
  readAttributes,
  textAttribute,
  u8,
  u16,
  u32,
} from './netlink/index.ts'
import type { TunnelChange, TunnelPeer, TunnelPeerChange, TunnelStatus } from './ports.ts'
import { checkTunnelChange } from './tunnel-change.ts'

/** The generic netlink family of the kernel's WireGuard: linux/wireguard.h. Numbers in the machine's byte order, ports in that of the network. */
export const WIREGUARD_FAMILY = { name: 'wireguard', version: 1, getDevice: 0, setDevice: 1 } as const

const DEVICE = { interface: 2, privateKey: 3, publicKey: 4, listenPort: 6, peers: 8 } as const
const PEER = {
  publicKey: 1,
  flags: 3,
  endpoint: 4,
  keepalive: 5,
  handshake: 6,
  received: 7,
  sent: 8,
  networks: 9,
} as const
const NETWORK = { family: 1, address: 2, bits: 3 } as const
const REMOVE_ME = 1
const REPLACE_NETWORKS = 2

const KEY_BYTES = 32
const SOCKADDR_IN_BYTES = 16
const SOCKADDR_IN6_BYTES = 28
const TIMESPEC_BYTES = 16

/** A list of attributes has at most 65,535 bytes; less leaves room for one part more. */
const MESSAGE_BYTES = 32 * 1024
/** Some 8 KiB of one peer. */
const NETWORKS_AT_ONCE = 200

/** Asks for all of a device: the attributes of a request. */
export const encodeGetDevice = (interfaceName: string): Buffer => textAttribute(DEVICE.interface, interfaceName)

/**
 * The attributes of the requests that make a change, to be sent one after another. Throws MAKI_INVALID for what no device could take.
 */
export function encodeSetDevice(interfaceName: string, change: TunnelChange): readonly Buffer[] {
  checkTunnelChange(change)
  const name = textAttribute(DEVICE.interface, interfaceName)
  const device = [name]
  if (change.privateKey !== undefined) device.push(attribute(DEVICE.privateKey, change.privateKey))
  if (change.listenPort !== undefined) device.push(attribute(DEVICE.listenPort, u16(change.listenPort)))
  const messages: Buffer[] = []
  let head = device
  let parts: Buffer[] = []
  let length = 0
  const flush = (): void => {
    messages.push(Buffer.concat([...head, ...(parts.length === 0 ? [] : [nested(DEVICE.peers, ...parts)])]))
    head = [name]
    parts = []
    length = 0
  }
  for (const part of (change.peers ?? []).flatMap(encodePeer)) {
    if (length > 0 && length + part.length > MESSAGE_BYTES) flush()
    parts.push(part)
    length += part.length
  }
  flush()
  return messages
}

/** A peer in parts that fit a message each; the first says all but the networks that the others add. */
function encodePeer(peer: TunnelPeerChange): readonly Buffer[] {
  const key = attribute(PEER.publicKey, wireGuardKeyBytes(peer.publicKey))
  if (peer.remove === true) return [nested(0, key, attribute(PEER.flags, u32(REMOVE_ME)))]
  const first = [key]
  if (peer.allowedIps !== undefined) first.push(attribute(PEER.flags, u32(REPLACE_NETWORKS)))
  if (peer.endpoint !== undefined) first.push(attribute(PEER.endpoint, encodeEndpoint(peer.endpoint)))
  if (peer.keepaliveSecs !== undefined) first.push(attribute(PEER.keepalive, u16(peer.keepaliveSecs)))
  const networks = (peer.allowedIps ?? []).map(encodeNetwork)
  const parts: Buffer[] = []
  for (let at = 0; at === 0 || at < networks.length; at += NETWORKS_AT_ONCE) {
    const some = networks.slice(at, at + NETWORKS_AT_ONCE)
    parts.push(nested(0, ...(at === 0 ? first : [key]), ...(some.length === 0 ? [] : [nested(PEER.networks, ...some)])))
  }
  return parts
}

function encodeNetwork(text: string): Buffer {
  const { family, bytes, bits } = parseNetwork(text)
  return nested(
    0,
    attribute(NETWORK.family, u16(family)),
    attribute(NETWORK.address, bytes),
    attribute(NETWORK.bits, u8(bits)),
  )
}

/** `struct sockaddr_in` or `struct sockaddr_in6`. */
function encodeEndpoint({ host, port }: NetworkAddress): Buffer {
  const address = ipBytes(host)
  const isIpv4 = address.length === 4
  const bytes = Buffer.alloc(isIpv4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES)
  bytes.writeUInt16LE(isIpv4 ? AF_INET : AF_INET6, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set(address, isIpv4 ? 4 : 8)
  return bytes
}

/** What the answers to a `getDevice` say together, attributes each. Throws MAKI_PROTOCOL for what is cut or no answer. */
export function decodeDevice(answers: readonly Uint8Array[]): TunnelStatus {
  let publicKey: WireGuardKey | undefined
  let listenPort = 0
  const peers: PeerDraft[] = []
  for (const answer of answers) {
    const device = readAttributes(answer)
    const [key, port] = [device.get(DEVICE.publicKey), device.get(DEVICE.listenPort)]
    if (key !== undefined) publicKey = formatWireGuardKey(sized(key, KEY_BYTES))
    if (port !== undefined) listenPort = sized(port, 2).readUInt16LE()
    for (const { value } of listAttributes(device.get(DEVICE.peers) ?? Buffer.alloc(0))) {
      const peer = decodePeer(value)
      const before = peers.at(-1)
      // What did not fit one answer goes on in the next.
      if (before?.publicKey === peer.publicKey) before.allowedIps.push(...peer.allowedIps)
      else peers.push(peer)
    }
  }
  return { publicKey, listenPort, peers }
}

type PeerDraft = Omit<TunnelPeer, 'allowedIps'> & { readonly allowedIps: string[] }

function decodePeer(bytes: Buffer): PeerDraft {
  const peer = readAttributes(bytes)
  const [endpoint, keepalive, handshake] = [peer.get(PEER.endpoint), peer.get(PEER.keepalive), peer.get(PEER.handshake)]
  return {
    publicKey: formatWireGuardKey(sized(peer.get(PEER.publicKey), KEY_BYTES)),
    endpoint: endpoint === undefined ? undefined : decodeEndpoint(endpoint),
    allowedIps: listAttributes(peer.get(PEER.networks) ?? Buffer.alloc(0)).map(({ value }) => decodeNetwork(value)),
    keepaliveSecs: keepalive === undefined ? 0 : sized(keepalive, 2).readUInt16LE(),
    lastHandshakeMs: handshake === undefined ? undefined : decodeTime(handshake),
    receivedBytes: decodeCount(peer.get(PEER.received)),
    sentBytes: decodeCount(peer.get(PEER.sent)),
  }
}

function decodeNetwork(bytes: Buffer): string {
  const network = readAttributes(bytes)
  const isIpv4 = sized(network.get(NETWORK.family), 2).readUInt16LE() === AF_INET
  const address = sized(network.get(NETWORK.address), isIpv4 ? 4 : 16)
  const bits = sized(network.get(NETWORK.bits), 1).readUInt8()
  if (bits > address.length * 8) throw bad('a network has too many bits')
  return `${formatAddress(address)}/${bits}`
}

function decodeEndpoint(bytes: Buffer): NetworkAddress {
  const isIpv4 = bytes.length >= 2 && bytes.readUInt16LE() === AF_INET
  const address = sized(bytes, isIpv4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES)
  const port = address.readUInt16BE(2)
  if (isIpv4) return { host: formatAddress(address.subarray(4, 8)), port }
  const zone = address.readUInt32LE(24)
  return { host: `${formatAddress(address.subarray(8, 24))}${zone === 0 ? '' : `%${zone}`}`, port }
}

/** RFC 5952. */
function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address
}

/** `struct __kernel_timespec`, all zero where there was none. */
function decodeTime(bytes: Buffer): number | undefined {
  const time = sized(bytes, TIMESPEC_BYTES)
  const atMs = Number(time.readBigInt64LE(0)) * 1000 + Math.floor(Number(time.readBigInt64LE(8)) / 1_000_000)
  return atMs === 0 ? undefined : atMs
}

const decodeCount = (bytes: Buffer | undefined): number =>
  bytes === undefined ? 0 : Number(sized(bytes, 8).readBigUInt64LE())

function sized(bytes: Buffer | undefined, length: number): Buffer {
  if (bytes?.length === length) return bytes
  throw bad(`${bytes?.length ?? 'no'} bytes where ${length} are expected`)
}

const bad = (what: string) =>
  new MakiError('MAKI_PROTOCOL', `the kernel's WireGuard answered what is no answer: ${what}`)
