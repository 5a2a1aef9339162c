import t from 'tap'
import type { Connect } from '../../../cli/client/connect.ts'
import type { ControlClient } from '../../../cli/client/control-client.ts'
import { MachineFinder } from '../../../cli/client/machine-finder.ts'
import { MakiError, parseClusterId, parseNodeName, type Runtime } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster = parseClusterId('a'.repeat(52))

/** What a machine does when it is asked. */
type Manner = 'answers' | 'refuses' | 'hangs' | 'is another cluster'

/** Timers that fire when nothing else goes on, the earliest first. */
function createTimers(): Pick<Runtime, 'after'> & { next(): boolean } {
  const waiting = new Map<() => void, number>()
  return {
    after(ms, call) {
      waiting.set(call, ms)
      return () => void waiting.delete(call)
    },
    next() {
      const [first] = waiting.keys()
      if (first === undefined) return false
      waiting.delete(first)
      first()
      return true
    },
  }
}

for (const seed of seeds(60)) {
  t.test(`the first that answers is reached, and none is left open (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const manners = Array.from({ length: 1 + random.integer(5) }, () =>
      random.pick<Manner>(['answers', 'refuses', 'hangs', 'is another cluster']),
    )
    const open = new Set<string>()
    const timers = createTimers()
    const connect: Connect = async ({ name }, signal) => {
      const manner = manners[Number(name.slice(1))] as Manner
      if (manner === 'refuses') throw new MakiError('MAKI_UNREACHABLE', `${name} refuses`)
      if (manner === 'hangs')
        return await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
      open.add(name)
      const id = manner === 'answers' ? cluster : 'another'
      return {
        status: async () => ({ cluster: { id } }),
        [Symbol.dispose]: () => open.delete(name),
      } as unknown as ControlClient
    }
    const machines = manners.map((_, i) => ({ name: parseNodeName(`m${i}`), isNameserver: true, control: '/x' }))
    const finder = new MachineFinder({
      profile: { file: 'profile.toml', machines, cluster },
      connect,
      node: undefined,
      offline: false,
      signal: new AbortController().signal,
      runtime: timers,
    })
    const expected = manners.indexOf('answers')
    const reaching = finder.reach()
    let isDone = false
    void reaching.then(() => {
      isDone = true
    })
    // Whoever hangs is passed over by time alone.
    const hangs = manners.includes('hangs')
    for (let i = 0; i < 200 && !isDone; i++) {
      await new Promise((done) => setImmediate(done))
      if (!isDone && hangs) timers.next()
    }
    if (expected === -1 && hangs) {
      t.notOk(isDone, 'it is waited for, as long as connecting takes')
      return
    }
    const reached = await reaching
    t.equal(reached?.machine.name, expected === -1 ? undefined : `m${expected}`)
    t.strictSame([...open], expected === -1 ? [] : [`m${expected}`])
    t.equal(
      finder.faults.length,
      expected === -1 ? manners.length : manners.slice(0, expected).filter((manner) => manner !== 'hangs').length,
    )
    await finder[Symbol.asyncDispose]()
    t.equal(open.size, 0)
  })
}
