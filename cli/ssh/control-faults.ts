import { MakiError } from '../../core/index.ts'
import { quoteServer } from './ssh-faults.ts'

/** Why `makiatto stdio` did not reach the daemon, by what it said. */
export function buildControlFault(what: {
  readonly name: string
  readonly user: string
  readonly said: string
  readonly code: number | null
}): MakiError {
  const { name, user, said, code } = what
  const unreachable = (why: string, hint: string): MakiError =>
    new MakiError('MAKI_UNREACHABLE', `${name} cannot be reached: ${why}`, { hint })
  if (/EACCES|EPERM|may not/.test(said))
    return unreachable(
      `${user} may not use the control socket there`,
      `On the server: sudo usermod -aG makiatto ${user}`,
    )
  if (/ENOENT|ECONNREFUSED/.test(said) && /control socket/.test(said))
    return unreachable('its daemon does not run', 'On the server: systemctl status makiatto')
  if (code === 127 || /not found|No such file/i.test(said))
    return unreachable('there is no makiatto on it', `Set it up with: maki machine init NAME ${user}@HOST`)
  const end = code === null ? 'was ended by a signal' : `ended with ${code}`
  return unreachable(
    `makiatto stdio ${end} there${said.trim() === '' ? '' : `: ${quoteServer(said)}`}`,
    'On the server: makiatto stdio',
  )
}
