import { announcedSchema, type NodeMesh, type WireGuardKey } from '../../core/index.ts'
import { type AnnouncementOptions, SelfAnnouncement } from './announce-self.ts'

/** Since when operations can say how a node takes part in the mesh. */
const MESH_SCHEMA = 4

/**
 * Says in the cluster's state which key of WireGuard this node has and at which port it listens, where the state says otherwise:
 * its key file was lost, its port changed, it comes from a version without a mesh. Where others send to is left as it was
 * said. Nothing is said before every node reads it.
 */
export class MeshAnnouncement extends SelfAnnouncement {
  constructor(options: AnnouncementOptions, own: { readonly publicKey: WireGuardKey; readonly port: number }) {
    super(options, {
      word: 'mesh',
      find: ({ mesh }, state) => {
        if (announcedSchema(state) < MESH_SCHEMA || isSame(mesh, own)) return undefined
        const { publicKey, port } = own
        return { mesh: { ...(mesh?.endpoint === undefined ? {} : { endpoint: mesh.endpoint }), publicKey, port } }
      },
    })
  }
}

const isSame = (mesh: NodeMesh | null, own: { publicKey: WireGuardKey; port: number }): boolean =>
  mesh?.publicKey === own.publicKey && mesh.port === own.port
