import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { endGently } from '../../../edge/transport/index.ts'
import { FakeRuntime } from '../fixtures.ts'

const pause = () => new Promise((resolve) => setImmediate(resolve))

/** Both ends of a connection; what the server's end reads is dropped. */
async function pair(t: Test): Promise<{ ours: Socket; theirs: Socket }> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const theirs = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [ours] = (await once(server, 'connection')) as [Socket]
  for (const socket of [ours, theirs]) socket.on('error', () => {})
  ours.resume()
  t.teardown(() => {
    theirs.destroy()
    ours.destroy()
    server.close()
  })
  return { ours, theirs }
}

/** Until the system takes nothing more. */
async function settle(socket: Socket): Promise<void> {
  for (let before = -1; before !== socket.writableLength; ) {
    before = socket.writableLength
    for (let i = 0; i < 100; i++) await pause()
  }
}

t.test('what was sent is read although more comes in, and then it ends', async (t) => {
  const { ours, theirs } = await pair(t)
  const runtime = new FakeRuntime()
  let heard = ''
  theirs.on('data', (chunk: Buffer) => {
    heard += chunk.toString()
  })
  theirs.write('x'.repeat(100_000))
  ours.write('the last word')
  const ended = once(theirs, 'end')
  endGently(ours, runtime)
  theirs.write('y'.repeat(100_000))
  await ended
  t.equal(heard, 'the last word')
  await settle(ours)
  t.equal(ours.destroyed, false, 'who may still read is waited for')
  const closed = once(ours, 'close')
  runtime.advance(2_000)
  await closed
  t.equal(runtime.pending, 0)
})

t.test('who takes nothing is cut', async (t) => {
  const { ours, theirs } = await pair(t)
  const runtime = new FakeRuntime()
  theirs.pause()
  ours.write(Buffer.alloc(32 * 1024 * 1024))
  endGently(ours, runtime)
  await settle(ours)
  t.ok(ours.writableLength > 0, 'some of it waits')
  runtime.advance(59_999)
  t.equal(ours.destroyed, false)
  runtime.advance(1)
  t.equal(ours.destroyed, true)
  await once(ours, 'close')
  t.equal(runtime.pending, 0)
})

t.test('one that is closed already', async (t) => {
  const { ours } = await pair(t)
  const runtime = new FakeRuntime()
  const closed = once(ours, 'close')
  ours.destroy()
  await closed
  endGently(ours, runtime)
  t.equal(runtime.pending, 0)
})
