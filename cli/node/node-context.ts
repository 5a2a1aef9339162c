import { listNodes, type State } from '../../core/index.ts'
import type { NodeContext } from '../../edge/index.ts'

/** What components are told of the node of this name. */
export function buildNodeContext(state: State, name: string): NodeContext {
  const place = listNodes(state).find((node) => node.name === name)?.place
  return { name, latitude: place?.latitude ?? 0, longitude: place?.longitude ?? 0 }
}
