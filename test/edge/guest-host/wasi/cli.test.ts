import t from 'tap'
import { buildWasi, GuestExit, GuestTrap } from '../../../../edge/guest-host/wasi/index.ts'
import type { InputStream } from '../../../../edge/guest-host/wasi/input-stream.ts'
import type { OutputStream } from '../../../../edge/guest-host/wasi/output-stream.ts'
import { FakeOwner } from '../../../support/fake-owner.ts'

/** What a guest calls, as far as this test does. */
interface Wasi {
  'wasi:cli/environment': { getEnvironment(): [string, string][]; getArguments(): string[]; initialCwd(): unknown }
  'wasi:cli/exit': { exit(status: { tag: 'ok' | 'err' }): void; exitWithCode(code: number): void }
  'wasi:cli/stdin': { getStdin(): InputStream }
  'wasi:cli/stdout': { getStdout(): OutputStream }
  'wasi:cli/stderr': { getStderr(): OutputStream }
  'wasi:random/random': { getRandomBytes(length: bigint): Uint8Array; getRandomU64(): bigint }
  'wasi:random/insecure': { getInsecureRandomBytes(length: bigint): Uint8Array }
  'wasi:random/insecure-seed': { insecureSeed(): [bigint, bigint] }
}

const build = (owner: FakeOwner) => buildWasi(owner.ports) as object as Wasi

t.test('a guest sees its own environment, and nothing else of where it runs', async (t) => {
  const wasi = build(new FakeOwner())
  t.strictSame(wasi['wasi:cli/environment'].getEnvironment(), [['GREETING', 'hello']])
  t.strictSame(wasi['wasi:cli/environment'].getArguments(), [])
  t.equal(wasi['wasi:cli/environment'].initialCwd(), undefined)
})

t.test('an exit ends the run, not the process', async (t) => {
  const { 'wasi:cli/exit': exit } = build(new FakeOwner())
  const ending = (act: () => void) => {
    try {
      act()
    } catch (error) {
      return error instanceof GuestExit ? error.succeeded : error
    }
    return 'went on'
  }
  t.equal(
    ending(() => exit.exit({ tag: 'ok' })),
    true,
  )
  t.equal(
    ending(() => exit.exit({ tag: 'err' })),
    false,
  )
  t.equal(
    ending(() => exit.exitWithCode(0)),
    true,
  )
  t.equal(
    ending(() => exit.exitWithCode(3)),
    false,
  )
})

t.test('what is printed reaches the owner, and there is nothing to read', async (t) => {
  const owner = new FakeOwner()
  const wasi = build(owner)
  const output = wasi['wasi:cli/stdout'].getStdout()
  output.checkWrite()
  output.write(Buffer.from('out'))
  wasi['wasi:cli/stderr'].getStderr().blockingWriteAndFlush(Buffer.from('err'))
  t.strictSame(owner.printed, [
    { stream: 'stdout', text: 'out' },
    { stream: 'stderr', text: 'err' },
  ])
  t.not(output, wasi['wasi:cli/stdout'].getStdout(), 'each handle can be dropped alone')
  const input = wasi['wasi:cli/stdin'].getStdin()
  t.ok(input.subscribe().ready())
  let ended: unknown
  try {
    input.blockingRead(1n)
  } catch (error) {
    ended = error
  }
  t.strictSame(ended, { tag: 'closed' })
})

t.test('chance comes from the node, and not by the gigabyte', async (t) => {
  const owner = new FakeOwner()
  let next = 0
  const ports = {
    ...owner.ports,
    runtime: { ...owner.ports.runtime, randomBytes: (length: number) => new Uint8Array(length).map(() => next++) },
  }
  const wasi = buildWasi(ports) as object as Wasi
  t.strictSame([...wasi['wasi:random/random'].getRandomBytes(3n)], [0, 1, 2])
  const drawn = new Set(Array.from({ length: 500 }, () => wasi['wasi:random/random'].getRandomU64()))
  t.ok(drawn.size > 30, 'a number is not drawn twice from one pool')
  const [low, high] = wasi['wasi:random/insecure-seed'].insecureSeed()
  t.not(low, high)
  t.equal(wasi['wasi:random/insecure'].getInsecureRandomBytes(1_048_576n).length, 1_048_576)
  t.throws(() => wasi['wasi:random/random'].getRandomBytes(2n ** 32n), GuestTrap)
  t.throws(() => wasi['wasi:random/insecure'].getInsecureRandomBytes(2n ** 64n - 1n), GuestTrap)
})
