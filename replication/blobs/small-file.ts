import { open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncEach } from './blob-disk.ts'
import { isMissing } from './blob-folder.ts'

/** Replaces a small file as a whole: after a crash it is what it was, or what it becomes, never something between. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  const handle = await open(temporary, 'w')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
  await syncEach([dirname(path)])
}

/** A JSON object that was saved; undefined where there is none, or something else: who asks can do without it. */
export async function findJson(path: string): Promise<Record<string, unknown> | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
