import { createHash } from 'node:crypto'
import { lstat, mkdir, open, readFile, readlink, rename, rm, symlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as v from 'valibot'
import { syncDirectory } from '../../replication/local/index.ts'

/** What lies at a path, so that it can be put back. */
export const snapshot = v.variant('is', [
  v.object({ is: v.literal('absent') }),
  v.object({
    is: v.literal('file'),
    mode: v.number(),
    uid: v.number(),
    gid: v.number(),
    /** Base64. */
    content: v.string(),
  }),
  v.object({ is: v.literal('link'), target: v.string() }),
  /** Nothing that we could put back, nor replace. */
  v.object({ is: v.literal('other') }),
])
export type Snapshot = v.InferOutput<typeof snapshot>

export const ABSENT: Snapshot = { is: 'absent' }

/** Follows no symbolic link. */
export async function readSnapshot(path: string): Promise<Snapshot> {
  try {
    const { mode, uid, gid, ...entry } = await lstat(path)
    const isLink = (mode & 0o170000) === 0o120000
    const isFile = (mode & 0o170000) === 0o100000
    if (isLink) return { is: 'link', target: await readlink(path) }
    if (!isFile || entry.size > MAX_BYTES) return { is: 'other' }
    return { is: 'file', mode: mode & 0o7777, uid, gid, content: (await readFile(path)).toString('base64') }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return ABSENT
    throw error
  }
}

/** Nothing that we replace is larger. */
const MAX_BYTES = 1024 * 1024

/** Makes a path be as the snapshot says, in one step: whoever looks, also after a power cut, finds the one or the other. */
export async function writeSnapshot(path: string, wanted: Snapshot): Promise<void> {
  const next = draftOf(path)
  await rm(next, { force: true })
  switch (wanted.is) {
    case 'absent':
      await rm(path, { force: true })
      break
    case 'file': {
      await mkdir(dirname(path), { recursive: true })
      const file = await open(next, 'wx', wanted.mode & 0o777)
      try {
        await file.chown(wanted.uid, wanted.gid)
        await file.chmod(wanted.mode)
        await file.writeFile(Buffer.from(wanted.content, 'base64'))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(next, path)
      break
    }
    case 'link':
      await mkdir(dirname(path), { recursive: true })
      await symlink(wanted.target, next)
      await rename(next, path)
      break
    case 'other':
      throw new Error(`${path} is neither a file nor a symbolic link`)
    default:
      wanted satisfies never
  }
  await syncDirectory(dirname(path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

/** Where the next content of a path is written first; left over where the power went in between. */
export const draftOf = (path: string): string => `${path}.makiatto-next`

/** Equal for what looks the same. */
export function digestSnapshot(one: Snapshot): string {
  switch (one.is) {
    case 'file':
      return `file ${one.mode} ${one.uid}:${one.gid} ${createHash('sha256').update(one.content).digest('hex')}`
    case 'link':
      return `link ${one.target}`
    default:
      return one.is
  }
}
