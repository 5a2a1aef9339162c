import { listExposed, type SealedThing } from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'

/** Something that a stolen machine may know or have, and what to do about it. */
export interface Replacement {
  readonly what: string
  readonly todo: string
  /** Done by the command itself. */
  readonly isDone: boolean
}

/** Everything that has to be replaced when a machine was in a stranger's hands, its key revoked already. Pure. */
export function listReplacements(
  replica: Pick<Replica, 'state' | 'members' | 'isAncestor'>,
  machine: {
    readonly name: string
    readonly hasEntry: boolean
    /** Whether it took part in the mesh. */
    readonly inMesh: boolean
    /** Machines that have not heard of its removal. */
    readonly missed: readonly string[]
  },
): readonly Replacement[] {
  const exposed = listExposed(replica).map(({ what }) => describe(what))
  return [
    {
      what: `the node key of ${machine.name}`,
      todo: 'revoked: nothing counts of it that is not known here',
      isDone: true,
    },
    ...(machine.inMesh ? [describeTunnel(machine)] : []),
    ...(machine.hasEntry
      ? [{ what: `the SSH host key of ${machine.name}`, todo: 'no longer in the profile', isDone: true }]
      : []),
    ...exposed,
    {
      what: 'the files of all sites and releases, and the history',
      todo: 'whoever has the machine can read them: nothing can be done about that',
      isDone: false,
    },
    {
      what: 'passwords that you typed for sudo there',
      todo: 'change them wherever else you use them',
      isDone: false,
    },
  ]
}

/** A removed node reaches in the mesh whoever has not heard of its removal. */
function describeTunnel({ name, missed }: { readonly name: string; readonly missed: readonly string[] }): Replacement {
  const what = `the WireGuard key of ${name}`
  if (missed.length === 0) return { what, todo: 'no machine lets it into the mesh any more', isDone: true }
  const todo = `${missed.join(', ')} did not hear of this and may let it in until then: maki push, when they can be reached, or the others tell them`
  return { what, todo, isDone: false }
}

function describe(what: SealedThing): Replacement {
  switch (what.kind) {
    case 'certificate':
      return {
        what: `the private key of the certificate ${what.name}`,
        todo: 'have a new certificate issued for a new key, revoke the old one where it came from, then: maki cert import',
        isDone: false,
      }
    case 'revocation':
      return {
        what: `the private key of a certificate that ${what.name} had`,
        todo: 'replaced; the nodes have it revoked',
        isDone: false,
      }
    case 'account':
      return { what: `the account at ${what.directory}`, todo: 'replace its key there', isDone: false }
    case 'env':
      return {
        what: `${what.name} of ${what.component} at ${what.domain}`,
        todo: 'change it where it comes from, then: maki sync',
        isDone: false,
      }
    default:
      return what satisfies never
  }
}
