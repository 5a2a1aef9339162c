import type { HealthVerdict, NodeStatus } from '../../edge/index.ts'
import type { Style } from './style.ts'
import { plainLine } from './text.ts'

/** A verdict that is not up, in words; undefined when it is. */
export function tellVerdict(verdict: HealthVerdict): string | undefined {
  const { standing, service, address, reason = 'no reason given' } = verdict
  switch (standing) {
    case 'up':
      return undefined
    case 'held':
      return `${service} at ${address} answers again, and waits until that has lasted (${reason} before)`
    case 'down':
      return `${service} at ${address} is down: ${reason}${tellBasis(verdict)}`
    default:
      return standing satisfies never
  }
}

function tellBasis({ basis, votes }: HealthVerdict): string {
  switch (basis) {
    case 'majority':
      return ` (${votes.down} of ${votes.up + votes.down} nodes that look at it say so)`
    case 'own eyes':
      return ' (seen by that node alone)'
    case 'nobody':
      return ''
    default:
      basis satisfies never
      return ''
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
