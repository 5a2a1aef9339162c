import type { RemovalReach } from '../../core/index.ts'
import type { OperationView } from '../output/operation-view.ts'
import type { Style } from '../output/style.ts'
import { tellMissed } from '../output/tell-missed.ts'
import { plainLine } from '../output/text.ts'
import type { Replacement } from './exposed-by.ts'
import { formatGlue, type GlueChange } from './glue.ts'
import type { Delivery } from './machine-command.ts'
import { type ReplacementRest, tellRest } from './replacement-rest.ts'

/** What `maki machine remove` did. */
export interface MachineRemoval {
  readonly machine: string
  /** Null where the cluster had no such node any more. */
  readonly removed: (Delivery & { readonly how: RemovalReach }) | null
  /** Operations of it that do not count any more; with --compromised. */
  readonly voids: readonly OperationView[]
  /** `left`: what could not be put back; all of it where the server was not cleaned, and `why` says why. */
  readonly server: { readonly cleaned: boolean; readonly left: readonly string[]; readonly why: string | null }
  readonly profile: 'removed' | 'kept' | 'absent'
  readonly glue: readonly GlueChange[]
  /** What else has to be replaced; with --compromised. */
  readonly replace: readonly Replacement[]
  /** What the nodes have not replaced yet; null where they replace nothing by themselves. */
  readonly rest: ReplacementRest | null
}

/** What was removed, what is left, and what is still to be done. */
export function formatDeparture(
  { machine, removed, server, profile, glue, replace, rest }: MachineRemoval,
  style: Style,
): string {
  const name = plainLine(machine)
  const parts: string[] = []
  if (removed === null) parts.push(`${name} was no node of the cluster any more.`)
  else {
    const word = removed.how === 'revoke' ? 'Revoked' : 'Removed'
    parts.push(`${style.good(word)} ${name}${removed.node === null ? '' : ` at ${plainLine(removed.node)}`}.`)
    parts.push(...tellMissed(removed.missed ?? []))
    if ((removed.missed ?? []).length > 0) parts.push(`Until then ${name} reaches them in the mesh as before.`)
  }
  if (server.cleaned) {
    parts.push('Its server is as it was before.')
    if (server.left.length > 0) parts.push(['But for this:', ...server.left.map((line) => `  ${line}`)].join('\n'))
  } else parts.push(`${style.warn('Its server was not cleaned')}: ${plainLine(server.why ?? 'it was not asked')}.`)
  if (profile === 'kept')
    parts.push(
      `There a daemon without rights, its data and its keys are left. When the server is back: maki machine remove ${name} cleans it. When it is gone for good: maki machine remove ${name} --force`,
    )
  else if (!server.cleaned && removed?.how === 'revoke')
    parts.push(
      'Wipe it from outside, by what its provider offers; do not log in with a password that you use elsewhere.',
    )
  else if (!server.cleaned && profile === 'removed') parts.push('The profile has forgotten it.')
  if (glue.length > 0) parts.push(formatGlue(glue))
  if (replace.length > 0)
    parts.push(
      [
        'What whoever had it may know or have:',
        ...replace.map(
          ({ what, todo, isDone }) =>
            `  ${isDone ? style.good('done') : style.bad('to do')} ${plainLine(what)}: ${plainLine(todo)}`,
        ),
        ...(rest === null ? ['No node gets certificates by itself here, so none of them is replaced by itself.'] : []),
      ].join('\n'),
    )
  const left = rest === null ? [] : tellRest(rest)
  if (left.length > 0)
    parts.push(
      [
        style.bad('It is not done yet; the nodes go on by themselves:'),
        ...left.map((line) => `  ${plainLine(line)}`),
        'maki cert list, maki status and maki health tell when it is.',
      ].join('\n'),
    )
  return parts.join('\n')
}
