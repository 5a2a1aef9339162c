import { Args, Flags } from '@oclif/core'
import { type Conflict, findKeyParts, type Key, MakiError, type OperationId, shortId } from '../../../core/index.ts'
import type { Replica } from '../../../replication/index.ts'
import { findKeys } from '../../operations/find-keys.ts'
import { planResolution } from '../../operations/plan-resolution.ts'
import { resolvePrefix } from '../../operations/resolve-prefix.ts'
import { chooseSides } from '../../output/conflict-view.ts'
import { describeChange } from '../../output/describe-change.ts'
import type { Style } from '../../output/style.ts'
import { messageFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { requireBlobs } from '../../release/require-blobs.ts'

interface ResolveResult {
  readonly key: Key
  /** The side that was taken. */
  readonly taken: OperationId
  readonly operation: OperationId
  /** What was written, in words. */
  readonly words: readonly string[]
  readonly node: string | null
}

export default class ConflictsResolve extends MakiCommand<ResolveResult> {
  static override summary = 'Settle a conflict with the value of one side.'
  static override description = 'Taking the side that stands already closes the conflict too.'
  static override examples = ['maki conflicts resolve domain/example.com/rrset/www/A --take k3v7q2mdda']
  static override args = {
    key: Args.string({
      required: true,
      ignoreStdin: true,
      description: 'As maki conflicts shows it; a host name will do where it has one conflict.',
    }),
  }
  static override flags = {
    take: Flags.string({
      required: true,
      summary: 'The operation whose value is taken, or the beginning of its id.',
      helpValue: 'OP',
    }),
    message: messageFlag,
  }

  override async run(): Promise<ResolveResult> {
    const { args, flags } = await this.parse(ConflictsResolve)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const signer = await client.requireSigner()
    const { replica } = client.local
    const { key, winner, losers } = findConflict(replica, args.key)
    const sides = await chooseSides(replica, key, [winner, ...losers])
    const taken = resolvePrefix(
      flags.take,
      sides.map(({ operation }) => operation),
      'operation of this conflict',
      'maki conflicts',
    )
    const side = sides.find(({ operation }) => operation === taken)
    if (side === undefined) throw new Error(`${taken} is no side of ${key}`)
    const changes = planResolution(client.state, key, side)
    await requireBlobs(client, changes)
    const removal = sides.find(({ value }) => value === undefined)
    if (findKeyParts(key)?.kind === 'domain' && side.value !== undefined && removal !== undefined)
      this.note(`What else the removal took stays away; maki undo ${shortId(removal.operation)} brings it back.`)
    const message = flags.message ?? `take ${shortId(taken)} at ${key}`
    const operation = await client.commit(changes, { signer, message: message.slice(0, 2000) })
    const { machine } = await this.send(client, operation.id)
    return { key, taken, operation: operation.id, words: changes.map(describeChange), node: machine ?? null }
  }

  protected format({ key, taken, words, node }: ResolveResult, style: Style): string {
    const head = `${style.good('Settled')} ${key} with ${shortId(taken)}${node === null ? '' : ` (at ${node})`}:`
    return [head, ...words.map((line) => `  ${line}`)].join('\n')
  }
}

function findConflict(replica: Pick<Replica, 'fold' | 'conflicts'>, typed: string): Conflict {
  const conflicts = replica.conflicts()
  const exact = conflicts.find(({ key }) => key === typed)
  if (exact !== undefined) return exact
  const meant = new Set(findKeys(replica.fold, typed))
  const found = conflicts.filter(({ key }) => meant.has(key))
  const [only, another] = found
  if (only !== undefined && another === undefined) return only
  if (only === undefined) {
    throw new MakiError('MAKI_NOT_FOUND', `there is no conflict at ${typed}`, { hint: 'maki conflicts lists them.' })
  }
  throw new MakiError('MAKI_USAGE', `${typed} has ${found.length} conflicts`, {
    hint: `Name one: ${found
      .slice(0, 5)
      .map(({ key }) => key)
      .join(', ')}`,
  })
}
