import { MakiError } from '../../core/index.ts'
import { plainLine } from '../output/text.ts'
import { formatFingerprint, formatHostKey, type HostKey, type Verdict } from './host-key.ts'

/** What a server says is a stranger's: made visible, and cut. */
export function quoteServer(text: string, most = 400): string {
  const line = plainLine(text.trim().replaceAll(/\s*\n\s*/g, ' | '))
  return line.length > most ? `${line.slice(0, most)}…` : line
}

/** The connection ended under what was done. */
export function lostError(name: string, cause: unknown): MakiError {
  const why = cause instanceof Error ? `: ${quoteServer(cause.message)}` : ''
  return new MakiError('MAKI_UNREACHABLE', `the SSH connection to ${name} was lost${why}`, {
    cause,
    hint: 'Run the command again once the server is reached.',
  })
}

/** Why a connection that was open did not become a login. */
export function explainLogin(name: string, error: (Error & { level?: string; code?: unknown }) | undefined): MakiError {
  const unreachable = (why: string, hint: string): MakiError =>
    new MakiError('MAKI_UNREACHABLE', `${name} cannot be reached over SSH: ${why}`, { cause: error, hint })
  if (error === undefined || /Connection lost before handshake|ECONNRESET|EPIPE/.test(error.message))
    return unreachable(
      'the server closed the connection before it let anybody in',
      'It may have too many that wait (MaxStartups) or shut this address out (fail2ban): try again in a minute.',
    )
  if (/no matching|No matching|handshake failed/.test(error.message))
    return unreachable(
      `no way to speak that both sides know (${quoteServer(error.message)})`,
      'A server that is that old has to be updated first.',
    )
  if (error.level === 'protocol' || error.level === 'handshake')
    return unreachable(
      `what answers there does not speak SSH as it should (${quoteServer(error.message)})`,
      'Is it the right port? (--port)',
    )
  return unreachable(quoteServer(error.message), 'Does ssh get in with the same user, host and port?')
}

/** No key was let in. */
export function explainRefusal(
  name: string,
  user: string,
  outcomes: readonly string[],
  said: string | undefined,
): MakiError {
  const tried =
    outcomes.length === 0
      ? 'there was none to try'
      : `tried were\n  ${outcomes.map((line) => quoteServer(line)).join('\n  ')}`
  const more = said === undefined ? '' : `\nThe server said: ${quoteServer(said)}`
  return new MakiError('MAKI_UNREACHABLE', `${name} lets ${user} in with none of your SSH keys: ${tried}${more}`, {
    hint: `Put a public key into ~/.ssh/authorized_keys of ${user} on the server, and name its private half with --ssh-priv-key FILE; passwords are not offered.`,
  })
}

/** The key that a server proved is not taken; undefined where it is, or is not known yet. */
export function explainVerdict(
  name: string,
  offered: HostKey,
  verdict: Verdict,
  isPinned: boolean,
): MakiError | undefined {
  const shown = `${offered.type} ${formatFingerprint(offered)}`
  switch (verdict.kind) {
    case 'trusted':
    case 'unknown':
      return undefined
    case 'revoked':
      return new MakiError('MAKI_CONFLICT', `${name} shows the host key ${shown}, which ${verdict.where} revokes`, {
        hint: 'Do not log in there before you know why.',
      })
    case 'other': {
      const expected = verdict.expected.map((key) => `${key.type} ${formatFingerprint(key)}`).join(' or ')
      return new MakiError(
        'MAKI_CONFLICT',
        `${name} shows another host key than the one that is known, so nothing was sent to it.\n  known (${verdict.where}): ${expected}\n  shown: ${shown}\nSomebody may stand in between, or the server was set up anew.`,
        {
          hint: isPinned
            ? `Compare on the server's console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\nIf the new one is right, put it into the profile: host_key = "${formatHostKey(offered)}"`
            : `Compare on the server's console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\nIf the new one is right, take the old one out: ssh-keygen -R HOST`,
        },
      )
    }
    default:
      return verdict satisfies never
  }
}
