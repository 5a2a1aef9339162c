import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { inTime } from '../../support/in-time.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const MODULE = join(import.meta.dirname, '..', '..', '..', 'cli', 'setup', 'event-output.ts')
const EVENT = { event: 'step', step: 'x', state: 'done' }
/** Does as it is told, a letter each, once its reader is gone, and ends; nothing but an end ends it. */
const PROGRAM = `
import { MessageChannel } from 'node:worker_threads'
import { setTimeout as pause } from 'node:timers/promises'
const { openEventOutput } = await import(${JSON.stringify(MODULE)})
new MessageChannel().port1.on('message', () => {})
const output = openEventOutput(() => process.stderr.write('gone '))
const [letters, waits] = process.argv.slice(-2)
output.tell(${JSON.stringify(EVENT)})
if (waits === 'waits') await new Promise((done) => process.stdin.once('end', done).resume())
for (const letter of letters) {
  if (letter === 't') output.tell(${JSON.stringify(EVENT)})
  else if (letter === 'p') await pause(10)
  else await new Promise((done) => setImmediate(done))
}
output.end(7)
`
const LETTERS = ['t', 'p', 'i']

function start(letters: string, waits: 'waits' | 'goes on') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, '--', letters, waits], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

for (const seed of seeds(2)) {
  t.test(`a reader that is gone keeps no program from its end, whatever is told to it (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const more = Array.from({ length: 3 }, () =>
      Array.from({ length: 1 + random.integer(6) }, () => random.pick(LETTERS)).join(''),
    )
    await Promise.all(
      ['', 't', 'tp', 'ti', 'tpt', ...more].map(async (letters) => {
        const child = start(letters, 'waits')
        let stderr = ''
        child.stderr.setEncoding('utf8').on('data', (piece: string) => {
          stderr += piece
        })
        await once(child.stdout, 'data')
        child.stdout.destroy()
        child.stdin.end()
        const [code] = await inTime(`the end after "${letters}"`, once(child, 'close'), () => stderr)
        t.equal(code, 7, `"${letters}": ${stderr}`)
      }),
    )
  })
}

t.test('what was told is read to the end', async (t) => {
  const events = 5_000
  const child = start('t'.repeat(events - 1), 'goes on')
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  const [code] = await once(child, 'close')
  t.equal(code, 7)
  const lines = text.trimEnd().split('\n')
  t.equal(lines.length, events)
  t.strictSame(JSON.parse(lines.at(-1) as string), EVENT)
})
