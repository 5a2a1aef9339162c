import t from 'tap'
import { listMissing } from '../../../cli/project/wait.ts'
import type { Hostname, MemberKey, OperationId } from '../../../core/index.ts'
import type { NodeStatus } from '../../../edge/index.ts'

const [mine, theirs, merged] = ['a', 'b', 'c'].map((letter) => letter.repeat(52)) as OperationId[]
const domain = 'a.org' as Hostname

const node = (active: OperationId | undefined, sides: readonly (OperationId | undefined)[] = []): NodeStatus => ({
  key: 'k'.repeat(52) as MemberKey,
  name: 'one',
  up: true,
  digest: null,
  heads: [],
  lagMs: 0,
  version: null,
  active: active === undefined ? {} : { [domain]: active },
  merged: sides.length === 0 ? {} : { [domain]: sides as OperationId[] },
  unservable: [],
  damagedBlobs: 0,
})

t.test('a node that serves a release, or a merge of it with another, is not waited for', async (t) => {
  const releases = [{ domain, operation: mine as OperationId }]
  const missing = (status: NodeStatus) => listMissing([status], releases, {}, 'all')
  t.same(missing(node(mine)), [])
  t.same(missing(node(merged, [theirs, mine])), [])
  t.same(missing(node(merged, [theirs])), [{ domain, nodes: ['one'] }])
  t.same(missing(node(theirs)), [{ domain, nodes: ['one'] }])
  t.same(missing(node(undefined)), [{ domain, nodes: ['one'] }])
})
