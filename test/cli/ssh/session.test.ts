import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { connectSsh, type SshConnection } from '../../../cli/ssh/index.ts'
import type { Patience } from '../../../cli/ssh/ssh-options.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { makeKey, Sshd, type SshdOptions, signal } from '../../support/sshd.ts'

/** What goes over a connection that stands: commands, their streams, the control API; and how it ends. */

const home = t.testdir()
const keyFile = join(home, 'key')
const line = makeKey(keyFile)

async function open(sshd: Sshd, patience: Partial<Patience> = {}): Promise<SshConnection> {
  return await connectSsh({
    target: { user: 'root', host: '127.0.0.1', port: sshd.port },
    name: 'berlin',
    hostKey: sshd.hostKey(),
    firstUse: 'require',
    keyFile,
    env: { HOME: home },
    runtime: systemRuntime,
    signal: new AbortController().signal,
    onNote: () => {},
    patience,
  })
}

/** A server, and what is allowed to the key. */
async function serve(options: SshdOptions = {}, restriction = ''): Promise<Sshd> {
  const sshd = await Sshd.start(options)
  sshd.allow(`${restriction}${line}`)
  return sshd
}

const sshd = await serve()
t.teardown(() => sshd[Symbol.asyncDispose]())

t.test('a command: its streams, how it ends, and input that it does not read', async (t) => {
  await using host = await open(sshd)
  t.strictSame(await host.run('cat; echo err >&2; exit 3', { input: 'fed' }), {
    stdout: 'fed',
    stderr: 'err\n',
    code: 3,
    signal: undefined,
  })
  t.match(await host.run('kill -TERM $$'), { code: null, signal: 'SIGTERM' })
  t.match(await host.run('no-such-command'), { code: 127 })
  t.equal((await host.run('exit 7', { input: new Uint8Array(20_000_000) })).code, 7)
  await t.rejects(host.run('head -c 70000000 /dev/zero'), { code: 'MAKI_TOO_LARGE' })
  await t.rejects(host.run('sleep 1000', { answerMs: 50 }), { code: 'MAKI_TIMEOUT', message: /berlin/ })
  t.equal(
    (await host.run('echo still there', { answerMs: 60_000 })).stdout,
    'still there\n',
    'what was cut off is cut off alone',
  )
  const broken = async function* () {
    yield Buffer.from('some')
    throw new Error('the file cannot be read')
  }
  await t.rejects(host.run('cat', { input: broken() }), /the file cannot be read/)
  const controller = new AbortController()
  const running = host.run('sleep 1000', { signal: controller.signal })
  controller.abort(new Error('interrupted'))
  await t.rejects(running, /interrupted/)
  await t.rejects(host.run('true', { signal: controller.signal }), /interrupted/)
})

for (const seed of seeds(4)) {
  t.test(`bytes arrive as they are, both ways at once, in pieces of any size (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    await using host = await open(sshd)
    await Promise.all(
      Array.from({ length: 3 }, async () => {
        const pieces = Array.from({ length: 20 }, () => randomBytes(random.integer(random.pick([10, 40_000, 400_000]))))
        const process = await host.start('cat')
        const hash = createHash('sha256')
        const read = (async () => {
          for await (const chunk of process.stdio as AsyncIterable<Buffer>) hash.update(chunk)
        })()
        for (const piece of pieces) if (!process.stdio.write(piece)) await once(process.stdio, 'drain')
        process.stdio.end()
        process.stderr.resume()
        await read
        t.equal((await process.ended).code, 0)
        t.equal(hash.digest('hex'), createHash('sha256').update(Buffer.concat(pieces)).digest('hex'))
      }),
    )
  })
}

t.test('who does not read stops the server, and who reads again goes on', async (t) => {
  await using host = await open(sshd)
  const process = await host.start('head -c 50000000 /dev/zero; echo end >&2')
  let hasEnded = false
  process.stderr.on('data', () => {
    hasEnded = true
  })
  // Another command beside it is not held up.
  t.equal((await host.run('cat', { input: 'x'.repeat(1_000_000) })).stdout.length, 1_000_000)
  t.notOk(hasEnded, 'it stands still')
  let bytes = 0
  for await (const chunk of process.stdio as AsyncIterable<Buffer>) bytes += chunk.length
  t.equal(bytes, 50_000_000)
  await process.ended
})

t.test('a connection that is cut at any moment ends all that is open on it, in words', async (t) => {
  const cuts = [
    (host: SshConnection) => host.run('sleep 1000'),
    (host: SshConnection) => host.run('cat > /dev/null', { input: endless() }),
    async (host: SshConnection) => {
      const { stdio } = await host.start('cat /dev/zero')
      for await (const _ of stdio);
    },
    async (host: SshConnection) => (await host.start('sleep 1000')).ended,
  ]
  for (const [at, work] of cuts.entries()) {
    const host = await open(sshd)
    const working = work(host)
    working.catch(() => {})
    await host.run('true')
    sshd.cut()
    await t.rejects(
      Promise.all([working]),
      { code: 'MAKI_UNREACHABLE', message: /connection to berlin was lost/ },
      `${at}`,
    )
    await host.lost
    await t.rejects(host.run('true'), { code: 'MAKI_UNREACHABLE' })
    await t.rejects(host.openControl(), { code: 'MAKI_UNREACHABLE' })
    await host[Symbol.asyncDispose]()
  }
})

t.test('a server that says nothing any more is noticed; one that only has nothing to say is not', async (t) => {
  const host = await open(sshd, { silenceMs: 1000 })
  const working = host.run('sleep 1000')
  working.catch(() => {})
  const quiet = await host.run('sleep 2')
  t.equal(quiet.code, 0, 'it answers pings')
  const stopped = sshd.sessions()
  for (const pid of stopped) signal(pid, 'SIGSTOP')
  await t.rejects(working, { code: 'MAKI_UNREACHABLE', message: /nothing came from it for 1 s/ })
  for (const pid of stopped) signal(pid, 'SIGCONT')
  await host[Symbol.asyncDispose]()
})

t.test('where one session is allowed, commands wait for each other', async (t) => {
  await using narrow = await serve({ config: ['MaxSessions 1'] })
  await using host = await open(narrow)
  const all = await Promise.all([1, 2, 3].map((i) => host.run('cat', { input: `${i}` })))
  t.strictSame(
    all.map(({ stdout }) => stdout),
    ['1', '2', '3'],
  )
  await using impatient = await open(narrow, { sessionMs: 100 })
  const long = impatient.run('sleep 1000')
  long.catch(() => {})
  await t.rejects(impatient.run('true'), { code: 'MAKI_UNREACHABLE', message: /MaxSessions/ })
})

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) {
    yield new Uint8Array(65_536)
    await new Promise((done) => setImmediate(done))
  }
}
