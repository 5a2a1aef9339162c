import { chmod, chown, lstat, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MakiError } from '../../core/index.ts'
import { FORBIDDEN_HINT, isForbidden } from './explain-fault.ts'
import type { Server, Work } from './server.ts'
import { digestSnapshot, readSnapshot, type Snapshot, writeSnapshot } from './snapshot.ts'
import { lastLines } from './versions.ts'

/** Makes a path be so, and the folders above it, noted first; false where it was so already. Throws MAKI_CONFLICT for what could not be put back. */
export async function placePath(
  { journal }: Pick<Work, 'journal'>,
  path: string,
  wanted: Snapshot,
  options: { readonly owned: boolean },
): Promise<boolean> {
  const before = await readSnapshot(path)
  const after = digestSnapshot(wanted)
  if (digestSnapshot(before) === after) return false
  if (before.is === 'other')
    throw new MakiError('MAKI_CONFLICT', `${path} is there, and is no plain file`, {
      hint: 'Look at it, and move it away.',
    })
  await placeAbove({ journal }, path)
  await journal.record({ kind: 'path', path, before, after: [after], owned: options.owned })
  await writeSnapshot(path, wanted)
  return true
}

/** The folders that a path needs; they go again when nothing of others has come into them. */
async function placeAbove(work: Pick<Work, 'journal'>, path: string): Promise<void> {
  const folder = dirname(path)
  // What is there may be a link to a folder: whoever set the server up wants it so.
  if ((await stat(folder).catch(() => undefined)) !== undefined) return
  await placeFolder(work, folder, { mode: 0o755, owned: false })
}

/** A file of text; it is the superuser's, and of a group that may read it where one is given. */
export function textFile(text: string, { mode = 0o644, gid }: { mode?: number; gid?: number } = {}): Snapshot {
  const [me, mine] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
  return { is: 'file', mode, uid: me, gid: gid ?? mine, content: Buffer.from(text).toString('base64') }
}

/** Makes a folder, noted first, and gives it its owner and mode; one that is there keeps its own. False where it was there. */
export async function placeFolder(
  { journal }: Pick<Work, 'journal'>,
  path: string,
  { mode, uid, gid, owned }: { mode: number; uid?: number | undefined; gid?: number | undefined; owned: boolean },
): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  if (found !== undefined && !found.isDirectory())
    throw new MakiError('MAKI_CONFLICT', `${path} is there, and is no folder`, {
      hint: 'Look at it, and move it away.',
    })
  if (found === undefined) {
    await placeAbove({ journal }, path)
    await journal.record({ kind: 'folder', path, owned })
    await mkdir(path, { mode })
    await chmod(path, mode)
  } else if (!journal.has({ kind: 'folder', path, owned })) return false
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
  return found === undefined
}

/** Runs a program of the server that has to work. Throws MAKI_INTERNAL with what it said. */
export async function requireProgram(
  server: Server,
  program: string,
  args: readonly string[],
  options: { readonly timeoutMs?: number; readonly hint?: string } = {},
): Promise<string> {
  const { code, stdout, stderr } = await server.run(program, args, options.timeoutMs)
  if (code === 0) return stdout
  const said = lastLines(stderr) || `it ended with ${code ?? 'a signal'}`
  const hint = options.hint ?? (isForbidden(stderr) ? FORBIDDEN_HINT : undefined)
  throw new MakiError(
    'MAKI_INTERNAL',
    `${program} ${args[0] ?? ''} failed: ${said}`,
    hint === undefined ? {} : { hint },
  )
}
