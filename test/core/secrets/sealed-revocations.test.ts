import t from 'tap'
import {
  type Change,
  listExposed,
  listNeededEpochs,
  listSealed,
  type Members,
  type OperationId,
  type SealEpochKey,
  type SealView,
  sealPurpose,
} from '../../../core/index.ts'
import { cert, certificateId, MAIN, NOW, nodeKey, TestState } from '../certificates/fixture.ts'

const OLD = nodeKey(50) as string as SealEpochKey
const NEW = nodeKey(51) as string as SealEpochKey
const ID = certificateId(5)

const revoke = (phase: 'due' | 'done' | 'given-up'): Change => ({
  kind: 'certificate.revoke',
  id: ID,
  name: cert('shop.com'),
  certificate: '',
  key: { epoch: OLD, box: 'AA' },
  directory: MAIN,
  reason: 1,
  phase,
})

/** Two nodes; the old epoch was given to the second too, which may be gone by now. */
function viewAfter(removed: boolean, changes: readonly Change[]): SealView {
  const state = new TestState().node(1).node(2)
  state.say(
    [
      { kind: 'seal.epoch', epoch: OLD },
      { kind: 'seal.grant', epoch: OLD, node: nodeKey(1), box: 'AA' },
      { kind: 'seal.grant', epoch: OLD, node: nodeKey(2), box: 'AA' },
    ],
    nodeKey(1),
    NOW - 10,
  )
  state.say([{ kind: 'seal.epoch', epoch: NEW }], nodeKey(1), NOW + 1)
  state.say(changes)
  const cuts = [{ operation: certificateId(9) }]
  const members = new Map(
    [1, 2].map((n) => [nodeKey(n), { grants: [{ role: 'node' }], cuts: n === 2 && removed ? cuts : [] }]),
  )
  return { state, members: members as unknown as Members, isAncestor: (_: OperationId, _b: OperationId) => true }
}

t.test('the key of a revocation that is due is a sealed value like others', async (t) => {
  const { state } = viewAfter(false, [revoke('due')])
  t.match(listSealed(state), [
    {
      purpose: sealPurpose.certificate('shop.com'),
      what: { kind: 'revocation', name: 'shop.com', id: ID },
      sealed: { epoch: OLD },
    },
  ])
  for (const phase of ['done', 'given-up'] as const)
    t.same(listSealed(viewAfter(false, [revoke(phase)]).state), [], `${phase}: nobody needs the key`)
})

t.test('nodes keep the epoch that it was sealed to until it is over', async (t) => {
  const needed = (view: SealView) => listNeededEpochs(view).map(({ key }) => key)
  t.same(needed(viewAfter(true, [])), [NEW])
  t.same(needed(viewAfter(true, [revoke('due')])), [NEW, OLD])
  t.same(needed(viewAfter(true, [revoke('done')])), [NEW])
})

t.test('it counts as exposed once a node that had the epoch is gone', async (t) => {
  t.same(listExposed(viewAfter(false, [revoke('due')])), [])
  t.match(listExposed(viewAfter(true, [revoke('due')])), [{ what: { kind: 'revocation', id: ID } }])
})
