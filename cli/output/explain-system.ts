import { asMakiError, MakiError } from '../../core/index.ts'

/**
 * What the system refused to this computer's user, in words: it is nobody's fault but that of a disk, of a permission or of a path.
 * Whatever else was thrown is only made an error of ours. Pure.
 */
export function explainSystem(thrown: unknown): MakiError {
  if (thrown instanceof MakiError || !(thrown instanceof Error)) return asMakiError(thrown)
  const { code, path, dest } = thrown as NodeJS.ErrnoException & { readonly dest?: string }
  // Of a link and of a move it is the new name that is refused.
  const what = dest ?? path
  const said = what ?? 'a file'
  const refuse = (errorCode: 'MAKI_DISK_FULL' | 'MAKI_STORE_FAILED', why: string, hint: string): MakiError =>
    new MakiError(errorCode, why, { cause: thrown, hint })
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return refuse(
        'MAKI_DISK_FULL',
        `there is no room on the disk for ${said}`,
        'Make room (df -h says where), then type it again.',
      )
    case 'EACCES':
    case 'EPERM':
      return refuse(
        'MAKI_STORE_FAILED',
        `${said} may not be read or written by you`,
        what === undefined ? 'ls -l' : `ls -ld ${quote(what)}`,
      )
    case 'EROFS':
      return refuse(
        'MAKI_STORE_FAILED',
        `${said} is on a disk that may only be read`,
        'Take another folder, or mount the disk for writing.',
      )
    case 'EMFILE':
    case 'ENFILE':
      return refuse('MAKI_STORE_FAILED', 'too many files are open on this computer', 'ulimit -n 4096')
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
      return refuse('MAKI_STORE_FAILED', `${said} cannot be used as a path: ${thrown.message}`, 'Take another path.')
    default:
      return asMakiError(thrown)
  }
}

const quote = (path: string): string => `'${path.replaceAll("'", "'\\''")}'`
