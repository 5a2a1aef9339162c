import { findMember, type MemberKey, type State } from '../core/index.ts'
import type { Explanation } from '../dns/index.ts'
import type { AliasStatus } from '../edge/index.ts'

/** An explanation with what only the node knows that gives it. */
export interface ExplainReport extends Explanation {
  /** The name of the node that answers so; others may know and have other things. */
  readonly node: string
  /** Names of the members that wrote what is in the answer, as far as they still belong. */
  readonly authors: Readonly<Record<MemberKey, string>>
  /** What is known of the targets that were resolved for it. */
  readonly aliases: readonly AliasStatus[]
}

/** Pure. */
export function buildExplainReport(
  explanation: Explanation,
  from: { readonly node: string; readonly state: State; readonly aliases: readonly AliasStatus[] },
): ExplainReport {
  const { steps } = explanation
  const authors = steps.flatMap((step) => ('written' in step && step.written !== null ? [step.written.author] : []))
  const targets = new Set(steps.flatMap((step) => (step.step === 'resolved' ? [step.target] : [])))
  return {
    ...explanation,
    node: from.node,
    authors: Object.fromEntries(
      authors.flatMap((key) => {
        const name = findMember(from.state, key)?.name
        return name === undefined ? [] : [[key, name]]
      }),
    ),
    aliases: from.aliases.filter(({ target }) => targets.has(target)),
  }
}
