import { formatOperation, type OperationView, viewOperation } from '../output/operation-view.ts'
import { count, type Style } from '../output/output.ts'
import { countWaiting, MakiCommand } from '../program/base.ts'

interface PullResult {
  readonly node: string
  /** How many operations came. */
  readonly pulled: number
  /** The newest of them, newest first. */
  readonly operations: readonly OperationView[]
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
    const pulled = new Set(await client.pull())
    const operations: OperationView[] = []
    const { replica } = client.local
    for await (const operation of replica.history()) {
      if (operations.length >= Math.min(MAX_SHOWN, pulled.size)) break
      if (pulled.has(operation.id)) operations.push(viewOperation(operation, replica, new Set()))
    }
    return { node: machine.name, pulled: pulled.size, operations, waiting: (await client.listWaiting()).length }
  }

  protected format({ node, pulled, operations, waiting }: PullResult, style: Style): string {
    const waits = waiting === 0 ? '' : `\n${countWaiting(waiting)} here: maki push`
    if (pulled === 0) return `Nothing new at ${node}.${waits}`
    const now = this.host.runtime.now()
    const shown = operations.map((view) => formatOperation(view, now, style)).join('\n\n')
    const more = pulled > operations.length ? `\n\n… and ${pulled - operations.length} older` : ''
    return `${style.good('Pulled')} ${count(pulled, 'operation')} from ${node}:\n\n${shown}${more}${waits}`
  }
}
