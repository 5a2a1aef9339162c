import { isIP } from 'node:net'
import { isWireGuardKey, MakiError } from '../../core/index.ts'
import type { TunnelChange, TunnelPeerChange } from './ports.ts'

const KEY_BYTES = 32
const MAX_KEEPALIVE_SECS = 65_535

/** Throws MAKI_INVALID, before anything is done, for a change that no device could take: names, lines in addresses, short keys. */
export function checkTunnelChange({ privateKey, listenPort, peers = [] }: TunnelChange): void {
  if (privateKey !== undefined && privateKey.length !== KEY_BYTES) throw invalid('a private key has 32 bytes')
  if (listenPort !== undefined && !isPort(listenPort)) throw invalid(`${listenPort} is no port to listen on`)
  const seen = new Set<string>()
  for (const peer of peers) {
    checkPeer(peer)
    if (seen.has(peer.publicKey)) throw invalid(`the peer ${peer.publicKey} is changed twice`)
    seen.add(peer.publicKey)
  }
}

function checkPeer({ publicKey, endpoint, keepaliveSecs, allowedIps = [] }: TunnelPeerChange): void {
  if (!isWireGuardKey(publicKey)) throw invalid(`${JSON.stringify(publicKey)} is no public key`)
  if (endpoint !== undefined && !(isAddress(endpoint.host) && isPort(endpoint.port))) {
    throw invalid(`${JSON.stringify(`${endpoint.host} port ${endpoint.port}`)} is no address of an endpoint`)
  }
  if (keepaliveSecs !== undefined && !isWithin(keepaliveSecs, 0, MAX_KEEPALIVE_SECS)) {
    throw invalid(`a keepalive has 0 to ${MAX_KEEPALIVE_SECS} seconds, not ${keepaliveSecs}`)
  }
  for (const network of allowedIps) {
    if (!isNetwork(network)) throw invalid(`${JSON.stringify(network)} is no network that a peer may send from`)
  }
}

/** True for a port that something can be sent to. */
export const isPort = (port: number): boolean => isWithin(port, 1, 65_535)

/** True for CIDR notation of either family. */
export function isNetwork(text: string): boolean {
  const [, address, bits] = /^([0-9a-fA-F:.]{2,45})\/(\d{1,3})$/.exec(text) ?? []
  const family = isIP(address ?? '')
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128)
}

/** Without a zone: an address that means something on one cable alone is none to tell others. */
const isAddress = (host: string): boolean => isIP(host) !== 0 && !host.includes('%')

const isWithin = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most

const invalid = (what: string) =>
  new MakiError('MAKI_INVALID', `the change of the tunnel is refused, nothing of it is made: ${what}`)
