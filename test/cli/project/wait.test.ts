import t from 'tap'
import type { SyncTarget } from '../../../cli/project/sync-target.ts'
import { listMissing, waitForNodes } from '../../../cli/project/wait.ts'
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

t.test('what was published before is waited for, and who serves it already is not told of', async (t) => {
  const told: string[] = []
  const looks = [
    [
      { ...node(mine), name: 'one', key: 'k1' as MemberKey },
      { ...node(theirs), name: 'two', key: 'k2' as MemberKey },
    ],
    [
      { ...node(mine), name: 'one', key: 'k1' as MemberKey },
      { ...node(mine), name: 'two', key: 'k2' as MemberKey },
    ],
  ]
  let looked = 0
  const target = {
    async *nodes() {
      for (const nodes of looks) {
        looked++
        yield nodes
      }
    },
  } as unknown as SyncTarget
  const release = { domain, operation: mine as OperationId, isOld: true }
  await waitForNodes([release], target, {
    waitFor: 'all',
    timeoutMs: 1000,
    runtime: { after: () => () => {} },
    onSwitched: (_, name) => told.push(name),
  })
  t.equal(looked, 2)
  t.same(told, ['two'])
})
