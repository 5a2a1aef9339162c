import t from 'tap'
import { diffComponents } from '../../../cli/release/diff.ts'
import type { FunctionValue, Sealed, TransformValue } from '../../../core/index.ts'
import { hashOf } from '../node/components/made-components.ts'

const functionOf = (path: string, code = path, more: Partial<FunctionValue> = {}): FunctionValue => ({
  path,
  component: hashOf(code),
  ...more,
})
const transformOf = (path: string, files: string): TransformValue => ({ path, component: hashOf(path), files })
const box = (text: string) => ({ epoch: 'e', box: text }) as unknown as Sealed

t.test('functions come, go and change, and it is said in what', async (t) => {
  const from = {
    functions: [
      functionOf('same.wasm', 'same', { env: { KEY: box('a') } }),
      functionOf('code.wasm'),
      functionOf('env.wasm', 'env', { env: { KEY: box('a') } }),
      functionOf('all.wasm', 'all', { timeoutMs: 1 }),
      functionOf('gone.wasm'),
    ],
  }
  const to = {
    functions: [
      functionOf('new.wasm'),
      functionOf('all.wasm', 'other', { timeoutMs: 2, env: { KEY: box('b') } }),
      functionOf('env.wasm', 'env', { env: { KEY: box('b') } }),
      functionOf('code.wasm', 'other'),
      functionOf('same.wasm', 'same', { env: { KEY: box('a') } }),
    ],
  }
  t.strictSame(diffComponents(from, to), [
    { kind: 'changed', role: 'function', path: 'all.wasm', parts: ['code', 'environment', 'settings'] },
    { kind: 'changed', role: 'function', path: 'code.wasm', parts: ['code'] },
    { kind: 'changed', role: 'function', path: 'env.wasm', parts: ['environment'] },
    { kind: 'removed', role: 'function', path: 'gone.wasm', parts: [] },
    { kind: 'added', role: 'function', path: 'new.wasm', parts: [] },
  ])
  t.strictSame(diffComponents(from, from), [])
  t.strictSame(diffComponents({}, {}), [])
})

t.test('a transform may stand twice, and their order counts', async (t) => {
  const [a, b, again] = [
    transformOf('a.wasm', '**/*.html'),
    transformOf('b.wasm', '**'),
    transformOf('a.wasm', '**/*.css'),
  ]
  t.strictSame(diffComponents({ transforms: [a] }, { transforms: [a, again] }), [
    { kind: 'added', role: 'transform', path: 'a.wasm', parts: [] },
  ])
  t.strictSame(diffComponents({ transforms: [a, b] }, { transforms: [b, a] }), [
    { kind: 'changed', role: 'transform', path: 'b.wasm', parts: ['order'] },
    { kind: 'changed', role: 'transform', path: 'a.wasm', parts: ['order'] },
  ])
})
