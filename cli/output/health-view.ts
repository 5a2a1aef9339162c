import type { HealthVerdict, NodeStatus } from '../../edge/index.ts'
import type { Style } from './style.ts'
import { count, plainLine } from './text.ts'

/** One may be chance. */
const MANY_DEATHS = 3

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

/** Something that went wrong at a node; `wrong`, or only worth a note. */
export interface ToldTrouble {
  readonly level: 'wrong' | 'note'
  readonly message: string
  readonly hint: string
}

const CLONED: ToldTrouble = {
  level: 'wrong',
  message: 'two machines run with its key: one is a copy of the other',
  hint: 'On the copy: systemctl disable --now makiatto; then maki machine restart NAME. To keep it as a node of its own: maki machine init OTHER-NAME USER@HOST --recreate.',
}

/** What a node says that went wrong lately: with its visitors, and in its mesh. */
export function tellTrouble({
  up,
  trouble,
  mesh,
  cloned,
}: Pick<NodeStatus, 'up' | 'trouble' | 'mesh' | 'cloned'>): readonly ToldTrouble[] {
  const twins = cloned === true ? [CLONED] : []
  // How it was when it was last heard says little.
  if (!up) return twins
  return [...twins, ...(trouble == null ? [] : tellVisitors(trouble)), ...(mesh == null ? [] : tellMesh(mesh))]
}

/** Whom a node does not reach over the mesh, of those that are heard some other way: who is down says nothing of the mesh. */
function tellMesh({ kind, silent, troubles }: NonNullable<NodeStatus['mesh']>): readonly ToldTrouble[] {
  const unreached = silent.filter(({ up }) => up)
  return [
    ...troubles.map((trouble): ToldTrouble => {
      const hint = 'Its log says more: maki logs, events mesh.*; docs/mesh.md says what a server needs.'
      return { level: kind === null ? 'wrong' : 'note', message: `mesh: ${plainLine(trouble)}`, hint }
    }),
    ...unreached.map(({ name, minutes }): ToldTrouble => {
      const since = minutes < 1 ? 'no handshake yet' : `no handshake for ${count(minutes, 'minute')}`
      return {
        level: 'wrong',
        message: `it does not reach ${plainLine(name)} over the mesh (${since})`,
        hint: 'Is UDP 51880 open at both? One that is behind a NAT says so: maki machine set NAME --endpoint none.',
      }
    }),
  ]
}

function tellVisitors(trouble: NonNullable<NodeStatus['trouble']>): readonly ToldTrouble[] {
  const { refused, workersDied, certificates, components = [] } = trouble
  const told: ToldTrouble[] = []
  if (refused > 0)
    told.push({
      level: 'wrong',
      message: `it has refused ${refused < 10 ? '' : 'about '}${count(refused, 'request')} within five minutes: too many came at once`,
      hint: 'Add a node, or raise max_concurrent_requests where memory and processors have room.',
    })
  if (workersDied > 0)
    told.push({
      level: workersDied < MANY_DEATHS ? 'note' : 'wrong',
      message: `${count(workersDied, 'edge worker')} ended unasked within the hour, and ${workersDied === 1 ? 'was' : 'were'} replaced`,
      hint: 'Its log says how (worker.died): a lack of memory, or a fault of ours that we should hear of.',
    })
  if (certificates > 0)
    told.push({
      level: 'wrong',
      message: `${count(certificates, 'certificate')} cannot be served there`,
      hint: 'Its log says which and why (certificate.unusable); maki cert import brings a new one.',
    })
  for (const component of components)
    told.push({
      level: 'wrong',
      message: `it cannot run ${plainLine(component)}`,
      hint: 'maki wasm check FILE tells more of the component; visitors get 500 there until a release has another.',
    })
  return told
}

/** `85 %`. */
export const formatShare = (fraction: number): string => `${Math.round(fraction * 100)} %`
