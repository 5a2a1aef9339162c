import t from 'tap'
import { decodeOperation, SCHEMA } from '../../core/index.ts'
import { buildRaise, raiseChanges, UPCASTERS } from '../../migrations/index.ts'
import { createTestCluster } from '../support/histories.ts'

t.test('every earlier schema has its upcaster', async (t) => {
  t.equal(UPCASTERS.length, SCHEMA - 1)
})

t.test('changes go through every step from their schema on, in order', async (t) => {
  const step = (name: string) => (changes: readonly unknown[]) => changes.map((change) => `${change}>${name}`)
  const raise = buildRaise([step('2'), step('3'), step('4')])
  t.strictSame(raise(1, ['a', 'b']), ['a>2>3>4', 'b>2>3>4'])
  t.strictSame(raise(3, ['a']), ['a>4'])
  t.strictSame(raise(4, ['a']), ['a'])
})

t.test('an operation of today is read as it was written', async (t) => {
  const { creation } = createTestCluster()
  t.strictSame(decodeOperation(creation.bytes, undefined, { raise: raiseChanges }), creation)
})
