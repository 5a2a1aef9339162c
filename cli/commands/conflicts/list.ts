import { type ConflictView, formatConflict, viewConflicts } from '../../output/conflict-view.ts'
import type { Style } from '../../output/style.ts'
import { MakiCommand } from '../../program/base.ts'

export default class Conflicts extends MakiCommand<readonly ConflictView[]> {
  static override summary = 'List edits that were made side by side: what stands, and what it stands against.'
  static override description =
    'The later edit stands, the same on every node, until somebody who has seen all sides writes there again. Ends with 1 when there are any.'
  static override examples = ['maki conflicts', 'maki conflicts --json']

  override async run(): Promise<readonly ConflictView[]> {
    const { flags } = await this.parse(Conflicts)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { replica } = client.local
    const views = await viewConflicts(replica, replica.conflicts())
    if (views.length > 0) this.exitCode = 1
    return views
  }

  protected format(views: readonly ConflictView[], style: Style): string {
    if (views.length === 0) return 'There is no conflict.'
    const now = this.host.runtime.now()
    return views.map((view) => formatConflict(view, now, style)).join('\n\n')
  }
}
