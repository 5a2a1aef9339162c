import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runSetup, type SetupFailure, type StepEvent } from '../../../cli/provision/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { ShellHost } from './support/shell-host.ts'

const ROOT = { kind: 'root' } as const
const SHA = 'ab'.repeat(32)
const REQUEST = { do: 'remove' } as const

/** A server whose program is this shell script; `$1` is `setup`. */
function serverWith(t: Tap, script: string): ShellHost {
  const host = new ShellHost(t.testdir())
  const bin = join(host.root, 'versions', SHA, 'bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, 'makiatto'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return host
}
type Tap = Pick<typeof t, 'testdir'>

const say = (...events: readonly object[]): string =>
  events.map((event) => `cat <<'END'\n${JSON.stringify(event)}\nEND`).join('\n')

t.test('steps are told as they come, and the result is given as it is', async (t) => {
  const host = serverWith(
    t,
    `read -r line; [ "$1" = setup ] || exit 9
echo "$line" > "$0.request"
${say(
  { event: 'step', step: 'User', state: 'begun' },
  { event: 'step', step: 'User', state: 'done', detail: 'makiatto \u001b[31m' },
  { event: 'result', result: { left: [] } },
)}`,
  )
  const steps: StepEvent[] = []
  t.strictSame(await runSetup(host, ROOT, SHA, REQUEST, (step) => steps.push(step)), { left: [] })
  t.strictSame(
    steps.map(({ step, state, detail }) => [step, state, detail]),
    [
      ['User', 'begun', undefined],
      ['User', 'done', 'makiatto \\x1b[31m'],
    ],
  )
})

t.test('the server’s own error comes with its code, and what it says of what is left', async (t) => {
  const error = { event: 'error', code: 'MAKI_LOCKED', message: 'busy', hint: 'wait', undone: true }
  const host = serverWith(t, `read -r line; ${say({ event: 'step', step: 'User', state: 'begun' }, error)}; exit 4`)
  const steps: StepEvent[] = []
  await t.rejects(
    runSetup(host, ROOT, SHA, REQUEST, (step) => steps.push(step)),
    { code: 'MAKI_LOCKED', message: 'busy', hint: 'wait', undone: true },
  )
  t.match(steps.at(-1), { step: 'User', state: 'failed' }, 'a step that was open has failed')
  const strange = serverWith(t, `read -r line; ${say({ ...error, code: 'toString' })}`)
  await t.rejects(
    runSetup(strange, ROOT, SHA, REQUEST, () => {}),
    { code: 'MAKI_INTERNAL' },
  )
})

t.test('a program that is gone, dies, or is something else is told apart', async (t) => {
  const run = (host: ShellHost, sha = SHA) => runSetup(host, ROOT, sha, REQUEST, () => {})
  await t.rejects(run(serverWith(t, ''), 'cd'.repeat(32)), { code: 'MAKI_CONFLICT', undone: undefined })
  await t.rejects(run(serverWith(t, 'echo "no such library" >&2; exit 127')), {
    message: /code 127(.|\n)*no such library/,
  })
  await t.rejects(run(serverWith(t, 'kill -9 $$')), { message: /by SIGKILL/ })
  await t.rejects(run(serverWith(t, 'echo Welcome; cat')), { code: 'MAKI_PROTOCOL', message: /do.*remove/ })
  await t.rejects(run(serverWith(t, 'yes Welcome')), { code: 'MAKI_PROTOCOL', message: /Welcome/, hint: /greeting/ })
  t.equal(await run(serverWith(t, `read -r line; echo Welcome!; echo; ${say({ event: 'result', result: 7 })}`)), 7)
  await t.rejects(run(serverWith(t, `echo Welcome!; ${say({ event: 'step' })}`)), { code: 'MAKI_PROTOCOL' })
  await t.rejects(run(serverWith(t, 'exec tr "\\0" a < /dev/zero')), { code: 'MAKI_PROTOCOL', message: /line of more/ })
  const step = JSON.stringify({ event: 'step', step: 'x', state: 'done' })
  await t.rejects(run(serverWith(t, `exec yes '${step}'`)), { code: 'MAKI_PROTOCOL', message: /more than 1000 steps/ })
})

t.test('who interrupts ends standard input, and hears what the server took back', async (t) => {
  const host = serverWith(
    t,
    `read -r line
${say({ event: 'step', step: 'User', state: 'begun' })}
cat >/dev/null
${say({ event: 'error', code: 'MAKI_UNREACHABLE', message: 'the laptop is gone', undone: true })}`,
  )
  const interruption = new AbortController()
  const failure = await runSetup(host, ROOT, SHA, REQUEST, () => interruption.abort(), interruption.signal).catch(
    (error: SetupFailure) => error,
  )
  t.match(failure, { undone: true, message: 'the laptop is gone' })
})

for (const seed of seeds(40))
  t.test(`no output makes it hang or throw anything else than a failure (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const pieces = [
      '{"event":"step","step":"a","state":"begun"}\n',
      '{"event":"step","step":1}\n',
      '{"event":"result"',
      '{"event":"result","result":1}\n',
      '\n',
      'null\n',
      '{"event":"error"}\n',
      '[[[[',
      Buffer.from(random.bytes(20)).toString('latin1'),
    ]
    const output = Array.from({ length: 1 + random.integer(6) }, () => random.pick(pieces)).join('')
    const host = serverWith(t, `read -r line; cat "$0.out"; exit ${random.integer(3)}`)
    writeFileSync(join(host.root, 'versions', SHA, 'bin', 'makiatto.out'), output, 'latin1')
    const outcome = await runSetup(host, ROOT, SHA, REQUEST, () => {}).then(
      () => 'done',
      (error: Error) => error.constructor.name,
    )
    t.ok(['done', 'SetupFailure'].includes(outcome), `${outcome} of ${JSON.stringify(output)}`)
  })
