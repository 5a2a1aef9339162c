import { type Key, type OperationId, shortId } from '../../core/index.ts'
import { formatOperation, type OperationView, viewOperation } from '../output/operation-view.ts'
import type { Style } from '../output/style.ts'
import { count, plainLine } from '../output/text.ts'
import { countWaiting, MakiCommand } from '../program/base.ts'

interface PullResult {
  readonly node: string
  /** How many operations came. */
  readonly pulled: number
  /** The newest of them, newest first. */
  readonly operations: readonly OperationView[]
  /** Keys at which conflicts came by it. */
  readonly conflicts: readonly Key[]
  /** Operations that were here and count no more, since somebody was removed. */
  readonly void: readonly { readonly operation: OperationId; readonly reason: string }[]
  /** Own operations that no node has yet. */
  readonly waiting: number
}

/** More are only counted: a first pull brings the whole history. */
const MAX_SHOWN = 20

export default class Pull extends MakiCommand<PullResult> {
  static override summary = 'Bring what other operators and the nodes have written to this computer.'
  static override examples = ['maki pull', 'maki pull --node berlin']

  override async run(): Promise<PullResult> {
    const { flags } = await this.parse(Pull)
    await using client = await this.openClient(flags)
    const { machine } = await client.requireReach()
    const { replica } = client.local
    const contested = new Set(replica.conflicts().map(({ key }) => key))
    const wasVoid = new Set(replica.voids().map(({ operation }) => operation))
    const pulled = new Set(await client.pull())
    const operations: OperationView[] = []
    for await (const operation of replica.history()) {
      if (operations.length >= Math.min(MAX_SHOWN, pulled.size)) break
      if (pulled.has(operation.id)) operations.push(viewOperation(operation, replica, new Set()))
    }
    return {
      node: machine.name,
      pulled: pulled.size,
      operations,
      conflicts: replica.conflicts().flatMap(({ key }) => (contested.has(key) ? [] : [key])),
      void: replica.voids().filter(({ operation }) => !wasVoid.has(operation) && !pulled.has(operation)),
      waiting: (await client.listWaiting()).length,
    }
  }

  protected format(result: PullResult, style: Style): string {
    const { node, pulled, operations, waiting } = result
    const waits = waiting === 0 ? '' : `\n${countWaiting(waiting)} here: maki push`
    if (pulled === 0) return `Nothing new at ${node}.${waits}`
    const now = this.host.runtime.now()
    const shown = operations.map((view) => formatOperation(view, now, style)).join('\n\n')
    const more = pulled > operations.length ? `\n\n… and ${pulled - operations.length} older` : ''
    return `${style.good('Pulled')} ${count(pulled, 'operation')} from ${node}:\n\n${shown}${more}${listNews(result, style)}${waits}`
  }
}

/** What became of things by what came. */
function listNews({ conflicts, void: voids }: PullResult, style: Style): string {
  const lines = [
    ...conflicts.map((key) => `${style.warn('conflict')} at ${plainLine(key)}: maki conflicts`),
    ...voids.map(
      ({ operation, reason }) => `${style.warn('counts no more')}: ${shortId(operation)}, ${plainLine(reason)}`,
    ),
  ]
  return lines.length === 0 ? '' : `\n\n${lines.join('\n')}`
}
