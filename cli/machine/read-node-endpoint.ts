import { asMakiError, type ClusterId, MakiError, type NodeMesh } from '../../core/index.ts'
import { readPeerEndpoint } from '../peer/read-endpoint.ts'

/** The word for a machine's public addresses, whatever they are. */
const DEFAULT = 'default'

/**
 * How a node takes part in the mesh when others are to reach it where somebody typed: `host:port`, an address or a name, at
 * its own port unless one is given; null for `none`; left to its public addresses for `default`. Throws MAKI_USAGE. Pure.
 */
export function readNodeEndpoint(text: string, { publicKey, port }: NodeMesh, cluster: ClusterId): NodeMesh {
  if (text.toLowerCase() === DEFAULT) return { publicKey, port }
  try {
    return { publicKey, port, endpoint: readPeerEndpoint(text, cluster, port) }
  } catch (cause) {
    const { code, message } = asMakiError(cause)
    throw new MakiError(code, message, {
      cause,
      hint: `Like --endpoint router.example.net, 203.0.113.7:${port} or [2001:db8::7]:${port}; --endpoint none where nobody can reach it first; --endpoint ${DEFAULT} for its public addresses.`,
    })
  }
}
