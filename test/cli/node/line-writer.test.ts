import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import t from 'tap'
import { LineWriter } from '../../../cli/node/line-writer.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const MODULE = new URL('../../../cli/node/line-writer.ts', import.meta.url).href
const SYSTEM = new URL('../../../cli/system.ts', import.meta.url).href
const START = `import { LineWriter } from ${JSON.stringify(MODULE)}
import { systemRuntime } from ${JSON.stringify(SYSTEM)}
const writer = new LineWriter(1, systemRuntime)
`

for (const seed of seeds(30)) {
  t.test(`what is taken is written once, in order, whatever the system does, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    let out = ''
    const timers: (() => void)[] = []
    const pending: (() => void)[] = []
    const fail = (code: string) => Object.assign(new Error(code), { code })
    const writer = new LineWriter(
      1,
      {
        after: (_delayMs, call) => {
          timers.push(call)
          return () => {}
        },
      },
      (_fd, bytes, done) => {
        t.equal(pending.length, 0, 'one at a time')
        pending.push(() => {
          if (random.chance(0.2)) return done(fail('EAGAIN'), 0)
          const count = random.chance(0.3) ? 1 + random.integer(bytes.length) : bytes.length
          out += Buffer.from(bytes.subarray(0, count)).toString()
          done(null, count)
        })
      },
    )
    const turn = () => {
      const next = pending.shift() ?? timers.shift()
      next?.()
      return next !== undefined
    }
    let taken = ''
    let refused = 0
    for (let i = 0; i < 300; i++) {
      const line = `${i} ${'x'.repeat(random.integer(random.chance(0.05) ? 9000 : 900))}\n`
      if (random.chance(0.2) ? writer.put(line) : writer.offer(line)) taken += line
      else refused++
      while (random.chance(0.4) && turn());
    }
    const drained = writer.drained()
    while (turn());
    await drained
    t.equal(out, taken)
    t.ok(refused < 300, `${refused} refused`)
  })
}

t.test('a reader that does not read stops nobody, and costs a bound', async (t) => {
  const script = `${START}
    let kept = 0
    for (let i = 0; i < 100000; i++) if (writer.offer('x'.repeat(99) + '\\n')) kept++
    setImmediate(() => process.stderr.write(String(kept)))
    setTimeout(() => {}, 1e6)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [said] = (await once(child.stderr, 'data')) as [Buffer]
  t.ok(Number(said) > 0 && Number(said) < 2000, `${said} lines were kept`)
})

t.test('a reader that is gone ends nobody', async (t) => {
  const script = `${START}
    process.stdin.on('data', () => {}).on('end', async () => {
      for (let i = 0; i < 1000; i++) { writer.put('x\\n'); await writer.drained() }
      process.stderr.write('alive')
    })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  child.stdout.destroy()
  child.stdin.end()
  const [said] = (await once(child.stderr, 'data')) as [Buffer]
  t.equal(said.toString(), 'alive')
})

t.test('lines of several processes do not run into each other', async (t) => {
  const one = `${START}
    for (let i = 0; i < 3000; i++) { writer.put(process.argv[1].repeat(200) + '\\n'); if (i % 50 === 0) await writer.drained() }
    await writer.drained()`
  const shell = `for c in a b c; do "$0" --input-type=module -e "$1" $c & done; wait`
  const { stdout } = await promisify(execFile)('sh', ['-c', shell, process.execPath, one], { maxBuffer: 1 << 26 })
  const lines = stdout.split('\n').slice(0, -1)
  t.equal(lines.length, 9000)
  t.strictSame(
    lines.filter((line) => !/^(a{200}|b{200}|c{200})$/.test(line)),
    [],
  )
})
