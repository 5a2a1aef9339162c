import { once } from 'node:events'
import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { MakiError } from '../../core/index.ts'

/** `sun_path` has 104 bytes with its NUL on macOS and 108 on Linux; some systems cut a longer one without a word. */
const MAX_SOCKET_PATH_BYTES = 103

/**
 * Makes way for a new socket at `path`: removes one that a dead process left. Throws MAKI_LOCKED when a process
 * listens there, and MAKI_CONFIG when the path is too long or holds something else. Two daemons that start at the same
 * moment are kept apart by the lock of their store, not by this.
 */
export async function claimSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new MakiError('MAKI_CONFIG', `the socket path ${path} has more than ${MAX_SOCKET_PATH_BYTES} bytes`, {
      hint: 'Choose a data folder with a shorter path.',
    })
  }
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new MakiError('MAKI_CONFIG', `${path} exists and is not a socket`, {
      hint: 'Move it away, or choose another data folder.',
    })
  }
  if (await isAnswered(path)) {
    throw new MakiError('MAKI_LOCKED', `a daemon is already running at ${path}`, {
      hint: 'Stop it first, or choose another data folder.',
    })
  }
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Anything but a refusal (no permission, a full backlog) speaks for a live one.
    return code !== 'ECONNREFUSED' && code !== 'ENOENT'
  } finally {
    socket.destroy()
  }
}
