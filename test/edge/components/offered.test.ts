import t from 'tap'
import { OFFERED } from '../../../edge/components/index.ts'
import { buildWasi } from '../../../edge/guest-host/wasi/index.ts'

const camel = (name: string) => name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
const pascal = (name: string) => camel(`-${name}`)
/** No guest ever has one of these, so that none of their functions is ever called. */
const NEVER_MADE = /^wasi:sockets\/udp |^wasi:http\/types (?:incoming-request|response-outparam)$/

t.test('what a component may import is what a guest gets', async (t) => {
  const unused = () => {
    throw new Error('nothing is asked when it is made')
  }
  const wasi = buildWasi({
    channel: { ask: unused, tell: unused },
    runtime: { now: unused, monotonic: () => 0, randomBytes: unused },
    env: {},
    siteTimeMs: 0,
  })
  t.strictSame(Object.keys(wasi).sort(), [...OFFERED.keys()].sort(), 'the same interfaces')
  for (const [path, functions] of OFFERED) {
    const given = wasi[path] as Readonly<Record<string, unknown>>
    for (const name of functions) {
      const [, kind, resource, member] = /^\[(\w+)\]([^.]+)(?:\.(.*))?$/.exec(name) ?? []
      if (resource === undefined) {
        t.type(given[camel(name)], 'function', `${path} ${name}`)
        continue
      }
      const made = given[pascal(resource)] as { readonly prototype: object } | undefined
      if (made === undefined) {
        t.fail(`${path} has no ${resource}`)
        continue
      }
      if (kind === 'constructor' || NEVER_MADE.test(`${path} ${resource}`)) continue
      const from: unknown = kind === 'static' ? made : made.prototype
      t.type(Reflect.get(from as object, camel(member as string)), 'function', `${path} ${name}`)
    }
  }
})
