import { listNodes, type State } from '../../core/index.ts'
import type { NodeContext } from '../../edge/index.ts'

/** What components are told of the node of this name. */
export function buildNodeContext(state: State, name: string): NodeContext {
  const place = listNodes(state).find((node) => node.name === name)?.place
  return { name, latitude: place?.latitude ?? 0, longitude: place?.longitude ?? 0 }
}

/** Where others reach the node of this name. */
export function listNodeAddresses(state: State, name: string): readonly string[] {
  const node = listNodes(state).find((each) => each.name === name)
  return [node?.ipv4, node?.ipv6].filter((address) => address != null)
}
