import { isIP } from 'node:net'
import { formatWireGuardKey, MakiError, type WireGuardKey, wireGuardKeyBytes } from '../../core/index.ts'
import type { NetworkAddress } from '../gossip/network.ts'
import type { TunnelChange, TunnelPeer, TunnelPeerChange, TunnelStatus } from './ports.ts'
import { checkTunnelChange, isNetwork, isPort } from './tunnel-change.ts'
import { wireGuardPublicKey } from './wireguard-public-key.ts'

/**
 * The configuration protocol of WireGuard programs (https://www.wireguard.com/xplatform/#configuration-protocol): lines of
 * `key=value` on a Unix socket, a request and its answer each ended by an empty line. Keys are hexadecimal.
 */

/** Asks for all of a device. */
export const UAPI_GET = 'get=1\n\n'

/** What ends an answer. */
export const UAPI_END = '\n\n'

/** An answer of 10,000 peers has some 5 MB; more than this is none. */
export const MAX_UAPI_BYTES = 32 * 1024 * 1024

/** The request that makes a change. Throws MAKI_INVALID for what no device could take; nothing of it names a file. */
export function encodeUapiSet(change: TunnelChange): string {
  checkTunnelChange(change)
  const lines = ['set=1']
  if (change.privateKey !== undefined) lines.push(`private_key=${Buffer.from(change.privateKey).toString('hex')}`)
  if (change.listenPort !== undefined) lines.push(`listen_port=${change.listenPort}`)
  for (const peer of change.peers ?? []) lines.push(...peerLines(peer))
  return `${lines.join('\n')}${UAPI_END}`
}

function peerLines(peer: TunnelPeerChange): string[] {
  const lines = [`public_key=${Buffer.from(wireGuardKeyBytes(peer.publicKey)).toString('hex')}`]
  if (peer.remove === true) return [...lines, 'remove=true']
  if (peer.endpoint !== undefined) lines.push(`endpoint=${formatEndpoint(peer.endpoint)}`)
  if (peer.keepaliveSecs !== undefined) lines.push(`persistent_keepalive_interval=${peer.keepaliveSecs}`)
  if (peer.allowedIps !== undefined) {
    lines.push('replace_allowed_ips=true', ...peer.allowedIps.map((network) => `allowed_ip=${network}`))
  }
  return lines
}

const formatEndpoint = ({ host, port }: NetworkAddress): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`

/** What a device answered. Of a `get` that was refused only the number counts. */
export interface UapiAnswer {
  readonly status: TunnelStatus
  /** 0, or why it was refused: a positive number of errno(3). */
  readonly errno: number
}

/** Reads a whole answer; what it does not know it leaves out. Throws MAKI_PROTOCOL for what is cut or no answer. */
export function parseUapiAnswer(text: string): UapiAnswer {
  if (!text.endsWith(UAPI_END)) throw bad('the answer is cut')
  const lines = text.slice(0, -UAPI_END.length).split('\n')
  const last = lines.pop() as string
  const refused = /^errno=-?(\d{1,5})$/.exec(last)?.[1]
  if (refused === undefined) throw bad('the answer does not end with errno')
  let publicKey: WireGuardKey | undefined
  let listenPort = 0
  const peers: PeerDraft[] = []
  for (const line of lines) {
    const at = line.indexOf('=')
    if (at <= 0) throw bad('a line is not of the form key=value')
    const [key, value] = [line.slice(0, at), line.slice(at + 1)]
    const peer = peers.at(-1)
    if (key === 'public_key') peers.push(newPeer(formatWireGuardKey(parseHexKey(value))))
    else if (peer !== undefined) readPeerLine(peer, key, value)
    else if (key === 'private_key') publicKey = wireGuardPublicKey(parseHexKey(value))
    else if (key === 'listen_port') listenPort = parseCount(value, 65_535)
    else if (key === 'errno') throw bad('errno stands twice')
  }
  if (new Set(peers.map((peer) => peer.publicKey)).size !== peers.length) throw bad('a peer stands twice')
  return { errno: Number(refused), status: { publicKey, listenPort, peers: peers.map(finishPeer) } }
}

interface PeerDraft {
  readonly publicKey: WireGuardKey
  readonly allowedIps: string[]
  endpoint: NetworkAddress | undefined
  keepaliveSecs: number
  receivedBytes: number
  sentBytes: number
  handshakeSecs: number
  handshakeNanos: number
}

const newPeer = (publicKey: WireGuardKey): PeerDraft => ({
  publicKey,
  allowedIps: [],
  endpoint: undefined,
  keepaliveSecs: 0,
  receivedBytes: 0,
  sentBytes: 0,
  handshakeSecs: 0,
  handshakeNanos: 0,
})

function finishPeer({ handshakeSecs, handshakeNanos, ...peer }: PeerDraft): TunnelPeer {
  const atMs = handshakeSecs * 1000 + Math.floor(handshakeNanos / 1_000_000)
  return { ...peer, lastHandshakeMs: atMs === 0 ? undefined : atMs }
}

/** About the year 10,000. */
const MAX_SECONDS = 253_402_300_799

function readPeerLine(peer: PeerDraft, key: string, value: string): void {
  switch (key) {
    case 'endpoint':
      peer.endpoint = parseEndpoint(value)
      break
    case 'allowed_ip':
      if (!isNetwork(value)) throw bad('an allowed_ip is no network')
      peer.allowedIps.push(value)
      break
    case 'persistent_keepalive_interval':
      peer.keepaliveSecs = parseCount(value, 65_535)
      break
    case 'last_handshake_time_sec':
      peer.handshakeSecs = parseCount(value, MAX_SECONDS)
      break
    case 'last_handshake_time_nsec':
      peer.handshakeNanos = parseCount(value, 999_999_999)
      break
    case 'rx_bytes':
      peer.receivedBytes = parseCount(value, Number.MAX_SAFE_INTEGER)
      break
    case 'tx_bytes':
      peer.sentBytes = parseCount(value, Number.MAX_SAFE_INTEGER)
      break
    case 'errno':
    case 'private_key':
    case 'listen_port':
      throw bad(`${key} stands among the peers`)
    default:
    // preshared_key, protocol_version, and what later programs say.
  }
}

function parseHexKey(text: string): Uint8Array {
  // Never quoted: it may be the private one.
  if (!/^[0-9a-f]{64}$/i.test(text)) throw bad('a key has no 64 hexadecimal digits')
  return new Uint8Array(Buffer.from(text, 'hex'))
}

function parseCount(text: string, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= max)) throw bad('a number is none, or too large')
  return value
}

function parseEndpoint(text: string): NetworkAddress {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain ?? ''
  const port = Number(digits)
  if (isIP(host) !== (bracketed === undefined ? 4 : 6) || !isPort(port)) throw bad('an endpoint is no address')
  return { host, port }
}

const bad = (what: string) =>
  new MakiError('MAKI_PROTOCOL', `the WireGuard program answered what is no answer: ${what}`)
