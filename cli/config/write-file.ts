import { mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Runtime } from '../../core/index.ts'

/**
 * Replaces a file in one step: a reader sees the old or the new content, also after a crash. Keeps the mode of a file
 * that is there and follows a symbolic link to it; makes missing folders. `mode` is for a new file. With `durable: false`,
 * for what can be made again, a power cut may leave an empty file.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  options: { mode: number; runtime: Pick<Runtime, 'randomBytes'>; durable?: boolean },
): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const target = await realpath(path).catch(() => path)
  const present = await stat(target).catch(() => undefined)
  const mode = present === undefined ? options.mode : present.mode & 0o7777
  const suffix = Buffer.from(options.runtime.randomBytes(6)).toString('hex')
  const temporary = join(dirname(target), `.makiatto-${suffix}.tmp`)
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(content)
      // What open gave is cut by the umask.
      await file.chmod(mode)
      if (options.durable !== false) await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (thrown) {
    await rm(temporary, { force: true })
    throw thrown
  }
}
