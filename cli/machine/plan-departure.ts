import { MakiError, type NodeView } from '../../core/index.ts'
import { plainLine } from '../output/text.ts'
import type { LastCopies } from './last-copies.ts'

/** What is known before a machine is removed. */
export interface Departure {
  readonly name: string
  /** Undefined where the cluster has no such node any more. */
  readonly node: NodeView | undefined
  readonly others: readonly NodeView[]
  /** Files that would be gone; undefined where no other machine answers. */
  readonly lastCopies: readonly LastCopies[] | undefined
  /** Why its server is not cleaned; undefined where it is. */
  readonly left: string | undefined
  readonly isCompromised: boolean
}

/** Throws MAKI_CONFLICT for what takes a `--force`: the last node, and files that no other machine has. Pure. */
export function checkDeparture({ name, node, others, lastCopies, isCompromised }: Departure): void {
  if (node === undefined) return
  const line = `maki machine remove ${name}${isCompromised ? ' --compromised' : ''} --force`
  if (others.length === 0)
    throw new MakiError('MAKI_CONFLICT', `${name} is the last node of the cluster`, {
      hint: `Without a node no domain is answered for, and all files that were published are gone; the history stays on the computers of operators. If that is wanted: ${line}`,
    })
  if (isCompromised) return
  if (lastCopies === undefined)
    throw new MakiError(
      'MAKI_CONFLICT',
      `no other machine answers, so nobody knows whether they have all that ${name} has`,
      {
        hint: `See why with: maki machine list\nIf it has to go all the same: ${line}`,
      },
    )
  if (lastCopies.length > 0)
    throw new MakiError('MAKI_CONFLICT', `no other machine that answers has ${tellCopies(lastCopies)}`, {
      hint: `Wait until the others have them (maki status), or publish again with maki sync. If they may be lost: ${line}`,
    })
}

const tellCopies = (copies: readonly LastCopies[]): string =>
  copies.map(({ domain, files }) => `${files} ${files === 1 ? 'file' : 'files'} of ${domain}`).join(', ')

/** What will happen, a sentence each, for who is asked. Pure. */
export function describeDeparture(departure: Departure): readonly string[] {
  const { name, node, others, lastCopies, left, isCompromised } = departure
  const lines: string[] = []
  if (node === undefined) lines.push(`${name} is no node of the cluster any more.`)
  else if (isCompromised)
    lines.push(`The key of ${name} is revoked at once: nothing counts of it that is not known here now.`)
  else if (others.length === 0) lines.push(`The key of ${name} is retired; a removed key never returns.`)
  else lines.push(`Visitors are sent to the others, then the key of ${name} is retired; a removed key never returns.`)
  if (node !== undefined && others.length > 0)
    lines.push(
      'Each other machine that can be reached is told at once, and lets it into the mesh no more; those that cannot are named.',
    )
  if (node?.nameserver === true && others.length > 0)
    lines.push(`It is a name server: its glue has to be taken away at the registrar of each domain.`)
  if (node !== undefined && others.length === 0)
    lines.push('It is the last node: nothing is answered or served any more.')
  if (lastCopies !== undefined && lastCopies.length > 0) lines.push(`Lost with it: ${tellCopies(lastCopies)}.`)
  if (left === undefined)
    lines.push('Its server is put back as it was before makiatto: program, data and user are gone.')
  else lines.push(`Its server stays as it is: ${plainLine(left)}.`)
  return lines
}
