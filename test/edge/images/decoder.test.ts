import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { confinedArguments, type Frame, FrameReader } from '../../../edge/confined/index.ts'
import { Decoder, describeDecoder } from '../../../edge/images/decoder.ts'
import { DecoderQueue } from '../../../edge/images/decoder-queue.ts'
import type { ImageShape } from '../../../edge/images/image-job.ts'
import { eventually } from '../../support/eventually.ts'
import { createRandom } from '../../support/seeds.ts'
import { makePhoto } from './image-files.ts'
import { QUEUE } from './queue-options.ts'

/** The processes that decode: what they may do, how they end, and that nothing but an answer comes of it. */

const MIB = 1024 * 1024
const PORTS = { runtime: systemRuntime, log: silentLog }
const SMALL: ImageShape = { width: 64, height: 64, fit: 'max', format: 'webp', quality: 50 }
const isLinux = process.platform === 'linux'

t.test('a decoder reaches no file, socket, program or process, whatever code runs in it', async (t) => {
  const folder = t.testdir({ key: 'planted' })
  const key = join(folder, 'key')
  const main = join(import.meta.dirname, 'probe-main.ts')
  const probe = spawn(process.execPath, confinedArguments(describeDecoder(QUEUE, main)), {
    env: {},
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const reader = new FrameReader(1)
  const frames: Frame[] = []
  probe.stdout.on('data', (piece: Buffer) => frames.push(...reader.push(piece)))
  await once(probe, 'close')
  const report = frames[0]?.header as Record<string, Record<string, unknown>>
  t.strictSame(report?.environment, [])
  t.equal(report?.before, true, 'the probe can read a file until it gives that up')
  for (const [what, code] of Object.entries(report?.javascript ?? {}))
    if (what !== 'kill' || isLinux) t.match(String(code), /ERR_ACCESS_DENIED|EPERM/, what)
  if (isLinux) {
    t.equal(report?.confinement, 'kernel')
    for (const [what, result] of Object.entries(report?.native ?? {})) t.equal(result, -1, what)
  }
  t.equal(readFileSync(key, 'utf8'), 'planted')
  t.notOk(existsSync('/tmp/makiatto-probe'))
})

t.test('nothing of ours is open, set or inherited in a decoder', { skip: !isLinux && 'needs /proc' }, async (t) => {
  await using decoder = Object.assign(new Decoder(QUEUE, PORTS), {
    [Symbol.asyncDispose](this: Decoder) {
      return this.close()
    },
  })
  t.match(await decoder.decode(await makePhoto(100, 100), SMALL), { kind: 'done' })
  const status = readFileSync(`/proc/${decoder.pid}/status`, 'utf8')
  t.match(status, /^Seccomp:\s+2$/m)
  t.match(status, /^NoNewPrivs:\s+1$/m)
  t.equal(readFileSync(`/proc/${decoder.pid}/environ`, 'latin1'), '')
})

t.test('a decoder may not allocate more than it is given', async (t) => {
  const large = await sharp({ create: { width: 5000, height: 5000, channels: 4, background: '#1234' } })
    .withMetadata({ orientation: 6 })
    .png()
    .toBuffer()
  await using queue = new DecoderQueue({ ...QUEUE, maxMemoryBytes: 120 * MIB }, PORTS)
  const decoded = await queue.decode(async () => large, { ...SMALL, width: 5000, height: 5000, format: 'png' })
  const expected = [
    { kind: 'fault', fault: 'too-much-memory' },
    { kind: 'ended', why: 'memory' },
  ]
  t.ok(
    expected.some((one) => Object.entries(one).every(([key, value]) => Object(decoded)[key] === value)),
    JSON.stringify(decoded),
  )
  t.match(await queue.decode(() => makePhoto(64, 64), SMALL), { kind: 'done' }, 'the next image is made')
})

t.test('a decoder that holds more memory than it may is killed', { skip: !isLinux && 'needs /proc' }, async (t) => {
  // Less than Node itself takes.
  await using queue = new DecoderQueue({ ...QUEUE, maxMemoryBytes: 30 * MIB }, PORTS)
  t.match(await queue.decode(() => makePhoto(64, 64), SMALL), { kind: 'ended', why: 'memory' })
  t.strictSame(queue.pids, [], 'and is gone')
})

t.test('a decoder that takes too long is killed, and the next image is made', async (t) => {
  const large = await makePhoto(1600, 1200)
  await using queue = new DecoderQueue({ ...QUEUE, timeoutMs: 60 }, PORTS)
  const decoded = await queue.decode(async () => large, { ...SMALL, width: 1600, height: 1200, format: 'avif' })
  t.match(decoded, { kind: 'ended', why: 'timeout' })
  const next = await queue.decode(() => makePhoto(16, 16), { ...SMALL, width: 8 })
  t.match(next, { kind: /done|ended/ })
})

t.test('a decoder that is killed in the middle costs one more try', async (t) => {
  const large = await makePhoto(1600, 1200)
  await using queue = new DecoderQueue(QUEUE, PORTS)
  const shape: ImageShape = { ...SMALL, width: 1600, height: 1200, format: 'avif' }
  const once = queue.decode(async () => large, shape)
  const [first] = queue.pids.length > 0 ? queue.pids : [await firstPid(queue)]
  process.kill(first!, 'SIGKILL')
  t.match(await once, { kind: 'done' })
  // One that is killed each time is given up after the second.
  const doomed = queue.decode(async () => large, shape)
  let killed = 0
  let ended = false
  const killer = (async () => {
    while (!ended) {
      for (const pid of queue.pids) {
        try {
          process.kill(pid, 'SIGKILL')
          killed++
        } catch {
          // Gone already.
        }
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  t.match(await doomed, { kind: 'ended', why: 'died' })
  ended = true
  await killer
  t.ok(killed >= 2)
})

t.test('decoders are replaced after so many images', async (t) => {
  await using queue = new DecoderQueue({ ...QUEUE, imagesPerDecoder: 2 }, PORTS)
  const photo = await makePhoto(32, 32)
  const seen = new Set<number>()
  for (let i = 0; i < 4; i++) {
    const made = queue.decode(async () => photo, SMALL)
    seen.add(await firstPid(queue))
    t.match(await made, { kind: 'done' })
  }
  t.equal(seen.size, 2)
})

t.test(
  'a decoder ends with its owner, in the middle of its work too',
  { skip: !isLinux && 'needs /proc' },
  async (t) => {
    const main = join(import.meta.dirname, 'owner-main.ts')
    const owner = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(owner.stdout, 'data')) as [Buffer]
    const pid = Number(line)
    t.ok(existsSync(`/proc/${pid}`))
    owner.kill('SIGKILL')
    await eventually('the decoder has ended', async () => !isRunning(pid) || undefined)
  },
)

t.test('frames: any cut of the bytes gives the same frames, and what is none is an error', async (t) => {
  const { encodeHead } = await import('../../../edge/confined/frames.ts')
  const random = createRandom(7)
  const bodies = Array.from({ length: 20 }, () => Buffer.from(random.bytes(random.integer(300))))
  const wire = Buffer.concat(bodies.flatMap((body, i) => [encodeHead({ i }, body.length), body]))
  const reader = new FrameReader(300)
  const got: Frame[] = []
  for (let at = 0; at < wire.length; ) {
    const end = at + 1 + random.integer(40)
    got.push(...reader.push(wire.subarray(at, end)))
    at = end
  }
  t.strictSame(
    got.map(({ header }) => header),
    bodies.map((_, i) => ({ i })),
  )
  t.ok(got.every(({ body }, i) => body.equals(bodies[i]!)))
  t.throws(() => [...new FrameReader(10).push(encodeHead({}, 11))], RangeError)
  t.throws(() => [...new FrameReader(10).push(Buffer.from('\0\0\0\x02\0\0\0\0{]'))], SyntaxError)
})

/** Not even as a zombie that waits for its parent. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function firstPid(queue: DecoderQueue): Promise<number> {
  for (;;) {
    const [pid] = queue.pids
    if (pid !== undefined) return pid
    await new Promise((resolve) => setImmediate(resolve))
  }
}
