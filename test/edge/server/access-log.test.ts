import t from 'tap'
import type { Hostname, OperationId } from '../../../core/index.ts'
import type { Plan, SiteRequest } from '../../../edge/respond/index.ts'
import { AccessLog, type AccessLogOptions, formatAccess } from '../../../edge/server/access-log.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const planOf = (status: number): Plan => ({
  status,
  headers: {},
  body: { kind: 'none' },
  of: { domain: 'a.test' as Hostname, release: 'r' as OperationId },
})
const answered = { protocol: 'http/1.1', bytes: 5, durationMs: 1.23456, complete: true } as const

function requestOf(parts: {
  method?: string
  target?: string
  host?: string
  fields?: Record<string, string>
  address?: string
}): SiteRequest {
  return {
    method: parts.method ?? 'GET',
    target: parts.target ?? '/',
    host: parts.host ?? 'a.test',
    secure: false,
    field: (name) => parts.fields?.[name],
    client: () => ({ address: parts.address ?? '::ffff:192.0.2.7', country: 'NL' }),
    fields: () => Object.entries(parts.fields ?? {}),
    content: undefined,
  }
}

const show = (request: SiteRequest, addresses: AccessLogOptions['addresses'] = 'prefix') =>
  JSON.parse(formatAccess(request, planOf(200), answered, addresses, 0)) as Record<string, unknown>

t.test('a line says who asked what and what came of it', async (t) => {
  const fields = { 'user-agent': 'curl/8', referer: 'https://u:p@b.test/x?token=1#y', cookie: 'secret' }
  t.strictSame(show(requestOf({ target: '/a?token=2', fields })), {
    time: '1970-01-01T00:00:00.000Z',
    level: 'info',
    event: 'http.request',
    host: 'a.test',
    domain: 'a.test',
    method: 'GET',
    path: '/a',
    status: 200,
    bytes: 5,
    ms: 1.235,
    protocol: 'http/1.1',
    secure: false,
    release: 'r',
    country: 'NL',
    client: '192.0.2.0/24',
    agent: 'curl/8',
    referer: 'https://b.test/x',
  })
  t.equal(show(requestOf({}), 'full').client, '192.0.2.7')
  t.notOk('client' in show(requestOf({}), 'none'))
  t.equal(show(requestOf({ target: 'http://u:p@a.test/b?c' })).path, '/b')
  t.equal(show(requestOf({ target: '*', method: 'OPTIONS' })).path, '*')
})

for (const seed of seeds(30)) {
  t.test(`whatever is sent, a line is one line of ASCII and holds no secret, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const noise = (length: number) => Buffer.from(random.bytes(random.integer(length))).toString('latin1')
    for (let i = 0; i < 40; i++) {
      const secret = `s3cr3t${i}`
      const request = requestOf({
        method: noise(20),
        target: `/${noise(3000)}?${noise(20)}${secret}${noise(20)}`,
        host: noise(400),
        address: noise(40),
        fields: { 'user-agent': noise(2000), referer: `http://x/${noise(500)}?${secret}`, authorization: secret },
      })
      const line = formatAccess(request, planOf(500), answered, random.pick(['full', 'prefix', 'none']), 0)
      t.match(line, /^[\x20-\x7e]*\n$/, 'printable')
      t.ok(line.length < 20_000, `${line.length} characters`)
      t.notOk(line.includes(secret))
      t.equal((JSON.parse(line) as { status: number }).status, 500)
    }
  })
}

function setUp(options: Partial<AccessLogOptions>, draws: () => number = Math.random) {
  const clock = { nowMs: 0, hasRoom: true }
  const lines: string[] = []
  const log = new AccessLog(
    { share: 1, linesPerSecond: 10, addresses: 'prefix', ...options },
    {
      runtime: { now: () => 0, monotonic: () => clock.nowMs, random: draws },
      write: (line) => {
        if (clock.hasRoom) lines.push(line)
        return clock.hasRoom
      },
    },
  )
  return { clock, lines, log }
}

for (const seed of seeds(10)) {
  t.test(`the share that is asked for is told, and every fault, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const share = random.next()
    const { log } = setUp({ share, linesPerSecond: 1_000_000 }, random.next)
    const count = 5000
    let told = 0
    for (let i = 0; i < count; i++) if (log.wants(200)) told++
    t.ok(Math.abs(told / count - share) < 0.05, `${told} of ${count} for ${share}`)
    for (let i = 0; i < 100; i++) t.ok(log.wants(500 + random.integer(100)))
    const silent = setUp({ share: 0 }, random.next).log
    t.notOk(silent.wants(200) || silent.wants(503))
    t.equal(silent.dropped, 0)
  })
  t.test(`no more lines a second than allowed, and room for faults, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const { clock, log } = setUp({}, random.next)
    let told = 0
    let asked = 0
    for (let i = 0; i < 2000; i++) {
      clock.nowMs += random.integer(5)
      asked++
      if (log.wants(200)) told++
    }
    t.ok(told <= 20 + clock.nowMs / 100, `${told} in ${clock.nowMs} ms`)
    t.equal(log.dropped, asked - told)
    t.ok(log.wants(503), 'others have not used up what faults have')
  })
}

t.test('a line that nobody takes is counted', async (t) => {
  const { clock, lines, log } = setUp({})
  clock.hasRoom = false
  t.ok(log.wants(200))
  log.tell(requestOf({}), planOf(200), answered)
  t.strictSame([lines.length, log.dropped], [0, 1])
})
