import { MakiError } from '../errors.ts'
import { shortId } from '../ids.ts'
import type { Change, Operation } from '../operation/index.ts'

/** Throws MAKI_OPERATION_REFUSED, with the command that does it, for an operation that is not taken back by writing values. */
export function requireUndoable(operation: Pick<Operation, 'id' | 'changes' | 'defect'>): void {
  const id = shortId(operation.id)
  if (operation.defect !== undefined) {
    throw new MakiError('MAKI_OPERATION_REFUSED', `${id} cannot be taken back here: this version cannot read it`, {
      hint: 'Do it with the newest version of maki.',
    })
  }
  for (const change of operation.changes) {
    const refusal = findRefusal(change)
    if (refusal === undefined) continue
    const [why, hint] = refusal
    throw new MakiError('MAKI_OPERATION_REFUSED', `${id} is not taken back by undo: ${why}`, { hint })
  }
}

/** Why, and what to type instead. */
function findRefusal(change: Change): readonly [why: string, hint: string] | undefined {
  switch (change.kind) {
    case 'cluster.create':
      return ['it created the cluster', 'A new cluster begins with another profile.']
    case 'operator.add':
      return [`it admitted the ${change.role} ${change.name}`, `maki operator remove ${change.name}`]
    case 'operator.remove':
      return [
        'it removed an operator, and a removed key never returns',
        'maki operator add NAME PUBKEY, with a new key (maki operator key on that computer)',
      ]
    case 'node.join':
      return [`it let the node ${change.name} join`, `maki machine remove ${change.name}`]
    case 'node.remove':
      return ['it removed a node, and a removed key never returns', 'maki machine init NAME USER@HOST']
    case 'release.purge':
      return ['what was purged is gone', 'maki sync publishes the files anew.']
    case 'seal.epoch':
    case 'seal.grant':
      return ['it is about who can open secrets, which the nodes look after themselves', 'maki status']
    case 'certificate.set':
    case 'certificate.remove':
      return ['it is about a certificate', 'maki cert import puts another in its place.']
    case 'certificate.account':
      return ['it is about the account at a certificate authority', 'The nodes look after it themselves.']
    case 'certificate.order':
    case 'certificate.revoke':
    case 'challenge.set':
    case 'challenge.remove':
      return ['it is about getting certificates, which the nodes look after themselves', 'maki cert list']
    case 'node.update':
      if (change.set.schema !== undefined)
        return ['the node said which operations its program reads', 'It says so again by itself.']
      // With a key that it does not have any more nobody would reach it.
      if (change.set.mesh !== undefined)
        return [
          'it says how a node is reached in the mesh',
          'maki machine set NAME --endpoint HOST[:PORT]|none|default',
        ]
      return undefined
    case 'peer.set':
    case 'peer.remove':
    case 'domain.set':
    case 'domain.remove':
    case 'alias.set':
    case 'alias.remove':
    case 'record.set':
    case 'record.remove':
    case 'release.publish':
    case 'release.hold':
      return undefined
    default:
      return change satisfies never
  }
}
