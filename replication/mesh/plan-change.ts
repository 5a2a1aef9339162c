import type { ChoiceOutput } from './endpoint-choice.ts'
import type { MeshPlan } from './mesh-plan.ts'
import { diffTunnel, type WantedTunnel } from './plan-difference.ts'
import type { TunnelChange, TunnelStatus } from './ports.ts'

/** What the device is to be, by the plan and what was chosen for each peer. Pure. */
export function buildWanted(
  { peers }: Pick<MeshPlan, 'peers'>,
  choice: ChoiceOutput,
  own: Omit<WantedTunnel, 'peers'>,
): WantedTunnel {
  const chosen = new Map(choice.peers.map((peer) => [peer.publicKey, peer]))
  return {
    ...own,
    peers: peers.map(({ publicKey, address }) => ({
      publicKey,
      allowedIps: [`${address}/128`],
      keepaliveSecs: chosen.get(publicKey)?.keepaliveSecs ?? 0,
      endpoint: chosen.get(publicKey)?.endpoint,
    })),
  }
}

/**
 * What to say to a device, in two steps. A peer whose keepalive is switched on anew is spoken to at once; one that waits for its
 * next try would wait for seconds: so it is put to sleep first where a new endpoint is to be tried. Pure.
 */
export function planChange(
  status: TunnelStatus,
  wanted: WantedTunnel,
  choice: ChoiceOutput,
): { readonly asleep: TunnelChange; readonly change: TunnelChange } {
  const nudged = new Set(choice.peers.filter(({ isNudged }) => isNudged).map(({ publicKey }) => publicKey))
  const isAwake = ({ publicKey, keepaliveSecs }: TunnelStatus['peers'][number]) =>
    keepaliveSecs > 0 && nudged.has(publicKey)
  const asleep = status.peers.filter(isAwake).map(({ publicKey }) => ({ publicKey, keepaliveSecs: 0 }))
  const peers = status.peers.map((peer) => (isAwake(peer) ? { ...peer, keepaliveSecs: 0 } : peer))
  return {
    asleep: asleep.length === 0 ? {} : { peers: asleep },
    change: diffTunnel({ ...status, peers }, wanted),
  }
}

/** How many peers a change brings, and takes away. */
export function countPeers(status: TunnelStatus, { peers = [] }: TunnelChange): { added: number; removed: number } {
  const before = new Set(status.peers.map(({ publicKey }) => publicKey))
  return {
    added: peers.filter(({ publicKey }) => !before.has(publicKey)).length,
    removed: peers.filter(({ remove }) => remove === true).length,
  }
}
