import { MakiError } from '../../core/index.ts'
import { quoteServer } from './ssh-faults.ts'
import type { Privilege, SshHost } from './ssh-host.ts'
import type { Ask } from './ssh-options.ts'
import { SudoRefused } from './sudo.ts'
import { formatSshTarget } from './target.ts'

/** Wrong passwords until it is given up, as sudo does. */
const TRIES = 3
/** Directories of users may be far away, and sudo waits after a wrong password. */
const ANSWER_MS = 90_000

/**
 * Finds out how commands run as root: as root, by `sudo` without a password, or with one that is asked for, tried, and asked
 * for again up to three times. Throws MAKI_USAGE with the reason where none of it works: no sudo, not in sudoers, a terminal
 * required, nobody to ask; MAKI_UNSUPPORTED where commands are not run at all.
 */
export async function requirePrivilege(host: SshHost, askSecret: Ask | undefined): Promise<Privilege> {
  const { stdout, stderr } = await host.run('id -u', { answerMs: ANSWER_MS })
  // What a shell greets with comes before.
  const uid = stdout.trim().split('\n').at(-1)?.trim() ?? ''
  if (uid === '0') return { kind: 'root' }
  if (!/^\d+$/.test(uid)) throw noShell(host, stderr.trim() === '' ? stdout : stderr)
  const refused = await attempt(host, { kind: 'sudo' })
  if (refused === undefined) return { kind: 'sudo' }
  if (refused.reason !== 'needs-password') throw explain(host, refused)
  const { user } = host.target
  const place = formatSshTarget(host.target)
  if (askSecret === undefined)
    throw new MakiError('MAKI_USAGE', `sudo on ${place} wants a password, and there is no terminal to ask for it`, {
      hint: `Run it on a terminal, log in as root, or let ${user} use sudo without a password there.`,
    })
  for (let tries = 0; tries < TRIES; tries++) {
    const again = tries === 0 ? '' : 'That was not it. '
    const password = await askSecret(`${again}Password of ${user} for sudo on ${host.target.host}: `)
    if (password === '') break
    const privilege: Privilege = { kind: 'sudo-password', password }
    const why = await attempt(host, privilege)
    if (why === undefined) return privilege
    if (why.reason !== 'wrong-password') throw explain(host, why)
  }
  throw new MakiError('MAKI_USAGE', `sudo on ${place} does not take the password of ${user}`, {
    hint: 'Run it again with the right one, or log in as root.',
  })
}

async function attempt(host: SshHost, privilege: Privilege): Promise<SudoRefused | undefined> {
  try {
    await host.run('true', { privilege, answerMs: ANSWER_MS })
    return undefined
  } catch (error) {
    if (error instanceof MakiError && error.cause instanceof SudoRefused) return error.cause
    throw error
  }
}

function noShell(host: SshHost, said: string): MakiError {
  const place = formatSshTarget(host.target)
  return new MakiError(
    'MAKI_UNSUPPORTED',
    `${place} does not run commands for us; to "id -u" it says: ${quoteServer(said, 200) || 'nothing'}`,
    { hint: `See what it does by hand: ssh ${place} id -u` },
  )
}

function explain(host: SshHost, { reason, said }: SudoRefused): MakiError {
  const { user } = host.target
  const place = formatSshTarget(host.target)
  const refuse = (message: string, hint: string): MakiError => new MakiError('MAKI_USAGE', message, { hint })
  switch (reason) {
    case 'missing':
      return refuse(
        `${place} is not root, and there is no sudo on the server`,
        'Log in as root, or install sudo there.',
      )
    case 'needs-terminal':
      return refuse(
        `sudo on ${place} runs on terminals alone (requiretty)`,
        `As root on the server, with visudo: Defaults:${user} !requiretty`,
      )
    case 'not-in-sudoers':
      return refuse(
        `${user} may not use sudo on ${host.target.host}`,
        `As root on the server: usermod -aG sudo ${user}`,
      )
    case 'not-allowed':
      return refuse(
        `sudo on ${place} allows some commands to ${user}, and not a shell as root`,
        'Log in as root, or as a user who may run everything.',
      )
    case 'needs-password':
    case 'wrong-password':
    case 'other':
      return refuse(`sudo on ${place} failed: ${quoteServer(said) || 'it said nothing'}`, 'Does sudo true work there?')
    default:
      return reason satisfies never
  }
}
