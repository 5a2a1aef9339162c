import { createHash } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { MakiError } from '../../core/index.ts'
import type { Environment } from '../config/index.ts'
import type { NodeLayout } from './layout.ts'

/** `sun_path` holds 104 bytes on macOS and 108 on Linux, with a final zero. */
const MAX_SOCKET_PATH_BYTES = 100
const OTHERS_WRITE = 0o022

/**
 * The path of a node's control socket: in its folder, or where that is too long for a socket in a short folder of this
 * user, named by the hash of the long path. Always the same for the same folder.
 */
export function controlSocketPath({ folder, name }: Pick<NodeLayout, 'folder' | 'name'>, env: Environment): string {
  const own = join(folder, 'control.sock')
  if (Buffer.byteLength(own) <= MAX_SOCKET_PATH_BYTES) return own
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 12)
  return join(env.XDG_RUNTIME_DIR || tmpdir(), `makiatto-${hash}`, `${name}.sock`)
}

/**
 * Makes the socket's folder, its owner's alone: who opens the socket commands the node. Throws MAKI_USAGE where another
 * user made it first, as anybody can in a shared temporary folder.
 */
export async function makeSocketFolder(socketPath: string): Promise<void> {
  const folder = dirname(socketPath)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { uid, mode } = await stat(folder)
  if (uid === process.getuid?.() && (mode & OTHERS_WRITE) === 0) return
  throw new MakiError('MAKI_USAGE', `the folder ${folder} for control sockets is not yours alone`, {
    hint: 'Set XDG_RUNTIME_DIR to a folder of yours, or give a shorter path with --data.',
  })
}
