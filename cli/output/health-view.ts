import type { HealthVerdict, NodeStatus } from '../../edge/index.ts'
import type { Style } from './style.ts'
import { plainLine } from './text.ts'

/** A verdict that is not up, in words; undefined when it is. */
export function tellVerdict(verdict: HealthVerdict): string | undefined {
  const { standing, service, address, reason = 'no reason given', votes, basis } = verdict
  const all = votes.up + votes.down
  const who = basis === 'majority' ? `${votes.down} of ${all} nodes that look at it say so` : 'seen by that node alone'
  switch (standing) {
    case 'up':
      return undefined
    case 'held':
      return `${service} at ${address} answers again, and waits until that has lasted (${reason} before)`
    case 'down':
      return `${service} at ${address} is down: ${reason} (${who})`
    default:
      return standing satisfies never
  }
}

/** False for a node that visitors are kept from, or that does not answer for names. */
export const isWell = ({ health = [], behind }: Pick<NodeStatus, 'health' | 'behind'>): boolean =>
  behind !== true && health.every(({ standing }) => standing !== 'down')

/** Lines about nodes that are not well, and why. */
export function listVerdicts(nodes: readonly NodeStatus[], style: Style): string[] {
  return nodes.flatMap(({ name: said, health = [], behind }) => {
    const name = plainLine(said)
    const lines = health.flatMap((verdict) => {
      const told = tellVerdict(verdict)
      const word = verdict.standing === 'down' ? style.bad('down') : style.warn('held back')
      return told === undefined ? [] : [`${word} ${name}: ${plainLine(told)}`]
    })
    const late = 'it lacks what was written more than ten minutes ago; no visitors are sent there'
    return behind === true ? [...lines, `${style.bad('behind')} ${name}: ${late}`] : lines
  })
}

/** `85 %`. */
export const formatShare = (fraction: number): string => `${Math.round(fraction * 100)} %`
