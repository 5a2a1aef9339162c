import t, { type Test } from 'tap'
import { SPEC_CASES, type SpecCase } from './h2spec-cases.ts'
import { startSite } from './support/https-site.ts'
import { type Frame, nameCode, RawHttp2, TYPE } from './support/raw-http2.ts'

// The cases of h2spec (github.com/summerwind/h2spec), which is written in Go, and some more.

const ROUNDS = 3
/** What an answer or an error may take, beyond which it does not come. */
const MANY_ROUNDS = 50

/** Errors as they came, stream 0 being the connection; lengths of the DATA of stream 1; who was answered. */
function describe(frames: readonly Frame[]) {
  return {
    errors: frames.flatMap(({ type, payload }) => {
      if (type === TYPE.reset) return [`stream ${nameCode(payload.readUInt32BE(0))}`]
      return type === TYPE.goaway ? [`connection ${nameCode(payload.readUInt32BE(4))}`] : []
    }),
    lengths: frames.flatMap(({ type, stream, payload }) =>
      type === TYPE.data && stream === 1 ? [payload.length] : [],
    ),
    answered: frames.some(({ type, stream }) => type === TYPE.headers && stream === 1),
  }
}

/** Whether the outcome is there; undefined as long as it may still come. */
function judge({ outcome }: SpecCase, client: RawHttp2): true | undefined {
  const { errors, lengths, answered } = describe(client.frames)
  if (outcome === 'answers') return answered || undefined
  if (outcome === 'acknowledges')
    return client.frames.some(({ type, flags }) => type === TYPE.settings && flags === 1) || undefined
  if (outcome === 'goes-on' || outcome === 'goes-on-or-ends') return undefined
  if ('lengths' in outcome) return lengths.length >= outcome.lengths.length || undefined
  const [level, codes] = 'connection' in outcome ? ['connection', outcome.connection] : ['stream', outcome.stream]
  const wanted = codes.flatMap((code) => [`connection ${code}`, ...(level === 'stream' ? [`stream ${code}`] : [])])
  return errors.some((error) => wanted.includes(error)) || undefined
}

t.test('what h2spec tries', (t) => tryAll(t, SPEC_CASES, {}))

t.test('what node:http2 does otherwise, where it speaks', (t) =>
  tryAll(
    t,
    SPEC_CASES.flatMap((one) => (one.byNode === undefined ? [] : [{ ...one, outcome: one.byNode }])),
    { fast: false },
  ),
)

async function tryAll(t: Test, cases: readonly SpecCase[], options: { fast?: boolean }): Promise<void> {
  const { port, server } = await startSite(t, options)
  for (const one of cases) {
    using client = await RawHttp2.connect(port, { silent: one.silent ?? false })
    for (const [i, part] of one.send.entries()) {
      if (i > 0 && !client.isClosed && !(await isWithinBlock(one, i, client))) break
      client.send(part)
    }
    const title = `${one.section} ${one.name}${options.fast === false ? ` (${one.deviates})` : ''}`
    if (one.outcome === 'goes-on' || one.outcome === 'goes-on-or-ends') {
      let alive = true
      for (let i = 0; i < ROUNDS && alive; i++) alive = await client.pong(`round..${i}`)
      if (one.outcome === 'goes-on-or-ends') continue
      t.ok(alive, `${title}: goes on`)
      t.strictSame(describe(client.frames).errors, [], title)
      continue
    }
    const met = await settle(one, client)
    t.ok(
      met || client.isClosed,
      `${title}: ${JSON.stringify(one.outcome)}, got ${JSON.stringify(describe(client.frames))}`,
    )
    if (typeof one.outcome === 'object' && 'lengths' in one.outcome)
      t.strictSame(describe(client.frames).lengths, one.outcome.lengths, title)
  }
  t.equal(server.counters.http2Calmed, 0, 'mistakes are no flood')
}
async function settle(one: SpecCase, client: RawHttp2): Promise<boolean> {
  if (one.silent === true) return (await client.until(one.name, () => judge(one, client))) === true
  for (let i = 0; i < MANY_ROUNDS && !client.isClosed; i++) {
    if (judge(one, client) === true) return true
    await client.pong(`round.${String(i).padStart(2, '0')}`)
  }
  return judge(one, client) === true
}

/** A ping within a block of header fields would be the mistake itself. */
async function isWithinBlock(one: SpecCase, next: number, client: RawHttp2): Promise<boolean> {
  const before = one.send[next - 1] as Buffer
  const open = (before[3] === TYPE.headers || before[3] === TYPE.continuation) && ((before[4] as number) & 4) === 0
  return open || one.silent === true || (await client.pong(`before.${next}`))
}
