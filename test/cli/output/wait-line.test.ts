import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { withWaitLine } from '../../../cli/output/wait-line.ts'
import type { Host } from '../../../cli/program/host.ts'
import { systemRuntime } from '../../../cli/system.ts'

const ERASE = '\r\u001b[2K'

/** A terminal of so many columns, and a clock that is moved by hand. */
function open(columns: number, answer = '') {
  let nowMs = 0
  const timers = new Map<object, { dueMs: number; call: () => void }>()
  const written: string[] = []
  const sink = { write: (text: string) => void written.push(text), isTerminal: true, columns }
  const host: Host = {
    stdout: sink,
    stderr: sink,
    env: {},
    cwd: '/',
    signal: new AbortController().signal,
    runtime: {
      ...systemRuntime,
      monotonic: () => nowMs,
      after(delayMs, call) {
        const id = {}
        timers.set(id, { dueMs: nowMs + delayMs, call })
        return () => void timers.delete(id)
      },
    },
    ask: async () => {
      advance(5000)
      return answer
    },
  }
  function advance(ms: number): void {
    for (const end = nowMs + ms; nowMs < end; ) {
      nowMs += 50
      for (const [id, { dueMs, call }] of [...timers]) if (dueMs <= nowMs && timers.delete(id)) call()
    }
  }
  return { host, advance, timers, take: () => written.splice(0) }
}

t.test('a silence is told of after half a second, and the line goes with the next word', async (t) => {
  const { host, advance, timers, take } = open(80)
  {
    using shown = withWaitLine(host, 'maki history')
    advance(450)
    t.strictSame(take(), [])
    advance(1600)
    const lines = take()
    t.equal(lines[0], `${ERASE}⠋ maki history (Ctrl-C ends it)`)
    t.match(lines.at(-1), /maki history, 2 s/)
    shown.stdout.write('result\n')
    t.strictSame(take(), [ERASE, 'result\n'])
    advance(600)
    t.match(take()[0], /maki history/, 'it comes again')
    shown.stderr.write('half a line')
    t.strictSame(take(), [ERASE, 'half a line'])
    advance(5000)
    t.strictSame(take(), [], 'a line of somebody else is left alone')
    shown.stderr.write(' and its end\n')
    await shown.ask?.('?')
    t.strictSame(take(), [' and its end\n'], 'so is a question')
    advance(600)
    t.equal(take().length, 2)
  }
  t.strictSame(take(), [ERASE])
  t.equal(timers.size, 0, 'nothing is left of it')
})

t.test('it never wraps', async (t) => {
  for (const columns of [1, 2, 10, 40]) {
    const { host, advance, take } = open(columns)
    using _shown = withWaitLine(host, 'maki dns nameserver-setup')
    advance(3000)
    const lines = take()
    t.ok(lines.length > 10)
    for (const line of lines) t.ok(stripVTControlCharacters(line).replace('\r', '').length < columns, line)
  }
})
