import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { asMakiError, MakiError } from '../../core/index.ts'

/**
 * Writes files into a folder that does not exist or is empty. Throws MAKI_USAGE where it holds something, and then writes
 * nothing; a file that came there meanwhile is not replaced.
 */
export async function writeProject(
  folder: string,
  files: ReadonlyMap<string, string>,
  options: { readonly shownAs: string; readonly hint: string },
): Promise<void> {
  const refuse = (why: string, cause?: unknown): MakiError =>
    new MakiError('MAKI_USAGE', `nothing was written to ${options.shownAs}: ${why}`, { cause, hint: options.hint })
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw refuse(error.code === 'ENOTDIR' ? 'it is a file' : error.message, error)
  })
  if (found.length > 0) throw refuse('the folder exists and is not empty')
  try {
    for (const [path, text] of files) {
      const file = join(folder, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, text, { flag: 'wx' })
    }
  } catch (thrown) {
    throw new MakiError('MAKI_INTERNAL', `${options.shownAs} could not be written: ${asMakiError(thrown).message}`, {
      cause: thrown,
      hint: options.hint,
    })
  }
}
