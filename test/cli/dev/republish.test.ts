import t from 'tap'
import { Republisher } from '../../../cli/dev/republish.ts'
import { ManualRuntime } from '../../sim/manual-runtime.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const QUIET_MS = 100
const PATIENCE_MS = 2000

/** A publication that ends when the test says so. */
function createPublisher(runtime: ManualRuntime) {
  const begun: number[] = []
  let finish: (() => void) | undefined
  const republisher = new Republisher({
    runtime,
    quietMs: QUIET_MS,
    patienceMs: PATIENCE_MS,
    publish: () => {
      if (finish !== undefined) throw new Error('two publications at once')
      begun.push(runtime.monotonic())
      return new Promise((done) => {
        finish = () => {
          finish = undefined
          done()
        }
      })
    },
  })
  return { republisher, begun, end: () => finish?.(), isRunning: () => finish !== undefined }
}

/** Lets settled promises run their reactions. */
const settle = () => new Promise<void>((done) => setImmediate(done))

t.test('many changes at once are one publication, after they came to rest', async (t) => {
  const runtime = new ManualRuntime(1)
  const { republisher, begun } = createPublisher(runtime)
  for (let i = 0; i < 5; i++) {
    republisher.touch()
    runtime.advance(QUIET_MS - 1)
    t.strictSame(begun, [])
  }
  runtime.advance(1)
  t.equal(begun.length, 1)
})

t.test('files that never rest are published in the end', async (t) => {
  const runtime = new ManualRuntime(1)
  const { republisher, begun } = createPublisher(runtime)
  for (let i = 0; i < 100 && begun.length === 0; i++) {
    republisher.touch()
    runtime.advance(QUIET_MS / 2)
  }
  t.strictSame(begun, [PATIENCE_MS])
})

t.test('a call while one is under way joins it', async (t) => {
  const { republisher, begun, end } = createPublisher(new ManualRuntime(1))
  const both = Promise.all([republisher.run(), republisher.run()])
  end()
  await both
  t.equal(begun.length, 1)
})

t.test('closing waits for the one under way, and nothing begins afterwards', async (t) => {
  const runtime = new ManualRuntime(1)
  const { republisher, begun, end } = createPublisher(runtime)
  void republisher.run()
  republisher.touch()
  let closed = false
  const closing = republisher[Symbol.asyncDispose]().then(() => {
    closed = true
  })
  await settle()
  t.equal(closed, false)
  end()
  await closing
  republisher.touch()
  await republisher.run()
  runtime.advance(PATIENCE_MS * 2)
  t.equal(begun.length, 1)
})

for (const seed of seeds(100)) {
  t.test(`never two at once, and after the last change one begins, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const runtime = new ManualRuntime(seed)
    const { republisher, begun, end, isRunning } = createPublisher(runtime)
    let lastChangeMs = 0
    for (let step = 0; step < 60; step++) {
      const choice = random.integer(4)
      if (choice === 0) {
        republisher.touch()
        lastChangeMs = runtime.monotonic()
      } else if (choice === 1) {
        end()
        await settle()
      } else runtime.advance(random.integer(QUIET_MS * 2))
    }
    republisher.touch()
    lastChangeMs = runtime.monotonic()
    for (let i = 0; i < 4; i++) {
      runtime.advance(PATIENCE_MS)
      end()
      await settle()
    }
    t.ok((begun.at(-1) ?? -1) >= lastChangeMs, 'the last change is published')
    t.equal(isRunning(), false)
    t.equal(runtime.timers, 0, 'nothing is left to do')
  })
}
