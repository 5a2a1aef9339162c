import t from 'tap'
import type { Connect } from '../../../cli/client/connect.ts'
import type { ControlClient } from '../../../cli/client/control-client.ts'
import type { Machine } from '../../../cli/config/index.ts'
import { askOthers, summarizeOpinions } from '../../../cli/provision/ask-others.ts'
import { MakiError, type MemberKey, parseClusterId, parseNodeName } from '../../../core/index.ts'

const cluster = parseClusterId('a'.repeat(52))
const KEY = 'k'.repeat(52) as MemberKey
const named = (name: string): Machine => ({ name: parseNodeName(name), isNameserver: true })

/** What each says; a machine that is not here is off. */
const WORDS: Readonly<Record<string, object>> = {
  paris: { cluster: { id: cluster }, nodes: [{ key: KEY, health: [] }] },
  lima: {
    cluster: { id: cluster },
    nodes: [
      {
        key: KEY,
        health: [
          { service: 'dns', address: '203.0.113.7', standing: 'down', reason: 'no answer' },
          { service: 'web', address: '203.0.113.7', standing: 'up' },
        ],
      },
    ],
  },
  oslo: { cluster: { id: cluster }, nodes: [] },
  rome: { cluster: { id: 'b'.repeat(52) }, nodes: [] },
}

t.test('every one that can be reached is asked, and what one sees is said of that one', async (t) => {
  const asked: string[] = []
  let open = 0
  const connect: Connect = async ({ name }) => {
    asked.push(name)
    const status = WORDS[name]
    if (status === undefined) throw new MakiError('MAKI_UNREACHABLE', `${name} is off`)
    open++
    return { status: async () => status, [Symbol.dispose]: () => void open-- } as unknown as ControlClient
  }
  const machines = ['new', 'paris', 'lima', 'oslo', 'rome', 'kiev'].map(named)
  const profile = { file: '/p.toml', cluster, machines, dataFolder: '/d', warnings: [] }
  const client = { profile, connect, signal: new AbortController().signal }
  const opinions = await askOthers(client, KEY, parseNodeName('new'))
  t.strictSame(asked.sort(), ['kiev', 'lima', 'oslo', 'paris', 'rome'], 'the new one is not asked of itself')
  t.equal(open, 0)
  t.strictSame(
    opinions.map(({ machine, kind }) => [machine, kind]),
    [
      ['paris', 'knows'],
      ['lima', 'knows'],
      ['oslo', 'unknown'],
      ['rome', 'missed'],
      ['kiev', 'missed'],
    ],
  )
  t.strictSame(summarizeOpinions(opinions), {
    faults: ['lima sees no DNS at 203.0.113.7: no answer'],
    line: 'paris, lima know it; oslo not yet; rome, kiev did not answer; lima sees no DNS at 203.0.113.7: no answer',
  })
})

t.test('an interruption ends it', async (t) => {
  const stop = new AbortController()
  const connect: Connect = () => {
    stop.abort(new Error('stop'))
    return Promise.reject(new Error('cut'))
  }
  const profile = { file: '/p.toml', cluster, machines: [named('paris')], dataFolder: '/d', warnings: [] }
  await t.rejects(askOthers({ profile, connect, signal: stop.signal }, KEY, parseNodeName('new')), /stop/)
})
