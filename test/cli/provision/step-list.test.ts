import t from 'tap'
import type { Host } from '../../../cli/program/host.ts'
import { StepList } from '../../../cli/provision/index.ts'
import { systemRuntime } from '../../../cli/system.ts'

function createHost(isTerminal: boolean): { host: Host; said: () => string; tick: () => void; abort: AbortController } {
  let text = ''
  const timers: (() => void)[] = []
  const abort = new AbortController()
  const write = (piece: string): void => {
    text += piece
  }
  const sink = { write, isTerminal, columns: 40 }
  const runtime = {
    ...systemRuntime,
    after: (_ms: number, call: () => void) => {
      timers.push(call)
      return () => void timers.splice(timers.indexOf(call), 1)
    },
  }
  const host: Host = { stdout: sink, stderr: sink, env: { NO_COLOR: '1' }, cwd: '/', runtime, signal: abort.signal }
  return { host, said: () => text, tick: () => timers.shift()?.(), abort }
}

t.test('without a terminal each step that ended is a line, in plain characters', async (t) => {
  const { host, said } = createHost(false)
  using steps = new StepList(host, { quiet: false, prefix: 'tokyo' })
  t.equal(await steps.run('Look', async () => 7), 7)
  await steps.run('Upload', async (step) => step.same('it is there\u001b[2J'))
  await steps.run('Place', async (step) => step.warn('nobody knows'))
  await t.rejects(
    steps.run('Join', async (step) => {
      step.say('half')
      throw new Error('no\nand why: a list')
    }),
    { message: 'no\nand why: a list' },
  )
  t.equal(said(), '✓ tokyo: Look\n= tokyo: Upload: it is there\\x1b[2J\n! tokyo: Place: nobody knows\n✗ tokyo: Join\n')
  t.equal(steps.failed, 'Join')
  t.strictSame(
    steps.ended.map(({ state }) => state),
    ['done', 'same', 'warned', 'failed'],
  )
  t.match(steps.ended.at(-1), { detail: /^no/ }, 'the error itself is told once, at the end; with --json here, too')
})

t.test('with --json nothing is said, and all is kept', async (t) => {
  const { host, said } = createHost(true)
  using steps = new StepList(host, { quiet: true })
  await steps.run('Look', async (step) => step.say('Debian'))
  t.equal(said(), '')
  t.strictSame(steps.ended, [{ step: 'Look', state: 'done', detail: 'Debian' }])
})

t.test('on a terminal a line is redrawn, within its width, and is out of the way of a question', async (t) => {
  const { host, said, tick } = createHost(true)
  using steps = new StepList(host, { quiet: false })
  steps.report({ step: 'Upload', state: 'begun' })
  steps.report({ step: 'Upload', state: 'running', detail: 'x'.repeat(100) })
  tick()
  for (const line of said().split('\r\u001b[2K')) t.ok(line.length < 40, line)
  const before = said().length
  const ask = steps.asking(async (question) => {
    t.equal(said().slice(before), '\r\u001b[2K', question)
    tick()
    steps.report({ step: 'Other', state: 'begun' })
    t.equal(said().slice(before), '\r\u001b[2K', 'nothing is drawn over it')
    return 'yes'
  })
  t.equal(await ask?.('Sure? '), 'yes')
  t.match(said().slice(before), /Upload/, 'it is back')
  t.equal(steps.asking(undefined), undefined)
})

t.test('what was interrupted says so', async (t) => {
  const { host, said, abort } = createHost(false)
  using steps = new StepList(host, { quiet: false })
  await t.rejects(
    steps.run('Upload', async () => {
      abort.abort(new Error('stop'))
      abort.signal.throwIfAborted()
    }),
  )
  t.equal(said(), '✗ Upload: interrupted\n')
})
