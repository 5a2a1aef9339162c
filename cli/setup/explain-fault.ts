import { asMakiError, MakiError } from '../../core/index.ts'

/** Where else to look when the superuser may not do something. */
export const FORBIDDEN_HINT =
  'Something beside file permissions forbids it. A flag of the file or its folder: lsattr -d; a mount: findmnt -T; SELinux: ausearch -m avc -ts recent; AppArmor: journalctl -k --grep=apparmor'

/** Of what a program of the system said on standard error: it was not let do its work. */
export const isForbidden = (stderr: string): boolean =>
  /permission denied|not permitted|read-only file system|cannot (open|lock) \//i.test(stderr)

/**
 * Why the superuser could not change something, in words and with what to look at: a system beside file permissions forbids
 * it, or the disk takes no more. Whatever else was thrown is only made an error of ours. Pure.
 */
export function explainFault(thrown: unknown): MakiError {
  if (thrown instanceof MakiError || !(thrown instanceof Error)) return asMakiError(thrown)
  const { code, path, dest, message } = thrown as NodeJS.ErrnoException & { readonly dest?: string }
  // Of a link and of a move it is the new name that is refused.
  const what = dest ?? path ?? 'a file'
  const refuse = (why: string, hint: string): MakiError =>
    new MakiError('MAKI_UNSUPPORTED', `${why} (${message})`, { cause: thrown, hint })
  switch (code) {
    case 'EPERM':
    case 'EACCES':
      return refuse(`this server does not let its superuser change ${what}`, FORBIDDEN_HINT)
    case 'EROFS':
      return refuse(`${what} can only be read`, 'See why with: findmnt -T, dmesg; then mount it for writing, too.')
    case 'ENOSPC':
    case 'EDQUOT':
      return refuse(`there is no room for ${what}`, 'See what takes the room with: df -h, df -i, du -xhd1 /')
    default:
      return asMakiError(thrown)
  }
}
