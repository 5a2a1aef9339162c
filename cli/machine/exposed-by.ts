import { listExposed, listRevocations, type SealedPlace, type SealedThing } from '../../core/index.ts'
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
    /** What was exposed when it was removed. */
    readonly exposed: readonly SealedPlace[]
  },
): readonly Replacement[] {
  const now = listExposed(replica)
  const open = new Set(now.map(({ key, purpose }) => `${key} ${purpose}`))
  const done = machine.exposed.filter(({ key, purpose }) => !open.has(`${key} ${purpose}`))
  const exposed = [...done.map(({ what }) => describeDone(what)), ...now.map(({ what }) => describe(what))]
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
    ...listRevocations(replica.state).flatMap(({ value: { name, phase, detail } }) =>
      phase === 'given-up' ? [describeGivenUp(name, detail)] : [],
    ),
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

/** What the nodes replaced meanwhile. */
function describeDone(what: SealedThing): Replacement {
  const { what: name } = describe(what)
  const todo = what.kind === 'account' ? 'rolled: the nodes have another' : 'replaced: what is served has a new key'
  return { what: name, todo: what.kind === 'revocation' ? 'replaced and revoked' : todo, isDone: true }
}

const describeGivenUp = (name: string, detail: string | undefined): Replacement => ({
  what: `the old certificate ${name}`,
  todo: `its authority did not take the revocation${detail === undefined ? '' : ` (${detail})`}: it counts until it expires`,
  isDone: false,
})

function describe(what: SealedThing): Replacement {
  switch (what.kind) {
    case 'certificate':
      return {
        what: `the private key of the certificate ${what.name}`,
        todo: 'the nodes get a new one where they may; else have one issued for a new key, revoke the old one where it came from, then: maki cert import',
        isDone: false,
      }
    case 'revocation':
      return {
        what: `the private key of a certificate that ${what.name} had`,
        todo: 'replaced; the nodes have it revoked by and by',
        isDone: false,
      }
    case 'account':
      return {
        what: `the account at ${what.directory}`,
        todo: 'the nodes begin another and end this one; where they do not, replace its key there',
        isDone: false,
      }
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
