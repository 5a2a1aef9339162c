import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { type DialOptions, dial } from '../../../cli/ssh/dial.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { findFreePorts } from '../../support/free-ports.ts'

const port = await findFreePorts([0])
const server = createServer((socket) => void socket.on('error', () => {})).listen(port, '127.0.0.1')
await once(server, 'listening')
t.teardown(() => server.close())

const NEVER = 1e9
const options = (more: Partial<DialOptions> & { addresses?: readonly string[] }): DialOptions => ({
  target: { user: 'root', host: 'web.test', port },
  name: 'berlin',
  runtime: systemRuntime,
  signal: new AbortController().signal,
  patience: { connectMs: NEVER, headStartMs: NEVER },
  lookUp: async () => more.addresses ?? [],
  ...more,
})

t.test('the addresses of a name are tried in turn', async (t) => {
  // Nothing listens on the other addresses of the loopback interface.
  const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.1', '127.0.0.4']
  const { socket, address } = await dial(options({ addresses }))
  t.equal(address, '127.0.0.1')
  socket.destroy()
})

t.test('with a head start, and not one after the other', async (t) => {
  const asked: number[] = []
  const runtime = {
    after: (ms: number, call: () => void) => {
      asked.push(ms)
      return ms === 7 ? systemRuntime.after(0, call) : () => {}
    },
  }
  const patience = { connectMs: 9, headStartMs: 7 }
  const { socket } = await dial(options({ addresses: ['127.0.0.2', '127.0.0.1'], runtime, patience }))
  t.ok(asked.includes(7) && asked.includes(9))
  socket.destroy()
})

t.test('where none takes the connection, the reason of each is told', async (t) => {
  await t.rejects(dial(options({ addresses: ['127.0.0.2', '127.0.0.3'] })), {
    code: 'MAKI_UNREACHABLE',
    message: /127\.0\.0\.2:\d+; nothing listens at 127\.0\.0\.3/,
    hint: /--port/,
  })
  const noName = async () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }))
  await t.rejects(dial(options({ lookUp: noName })), { message: /there is no host web\.test/ })
  const deaf = () => new Promise<string[]>(() => {})
  const runtime = { after: (_ms: number, call: () => void) => systemRuntime.after(0, call) }
  await t.rejects(dial(options({ lookUp: deaf, runtime })), { message: /cannot be looked up/ })
})

t.test('an interruption ends it, whatever is waited for', async (t) => {
  const controller = new AbortController()
  const { signal } = controller
  const reason = new Error('interrupted')
  const deaf = dial(options({ lookUp: () => new Promise<string[]>(() => {}), signal }))
  controller.abort(reason)
  await t.rejects(deaf, reason)
  await t.rejects(dial(options({ addresses: ['127.0.0.1'], signal })), reason)
})
