import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { install, SetupError } from '../../../cli/setup/install.ts'
import type { UndoRecord } from '../../../cli/setup/journal.ts'
import type { InstallResult, RemoveResult, SetupRequestOf } from '../../../cli/setup/protocol.ts'
import { remove } from '../../../cli/setup/remove.ts'
import type { Work } from '../../../cli/setup/server.ts'
import { draftOf } from '../../../cli/setup/snapshot.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { FakeServer, VERSION } from './fake-server.ts'

/** Servers below a folder: what is installed, cut and removed leaves them as they were. */

const REQUEST: SetupRequestOf<'install'> = {
  do: 'install',
  version: VERSION,
  config: '[node]\nname = "one"\n',
  users: ['ann'],
  freePort53: true,
}

/** What a run passes by: it counts, and cuts or fails at one number of them. */
class Power {
  readonly passed: string[] = []
  readonly gone: Promise<'cut'>
  #cut: (word: 'cut') => void
  readonly #at: number
  readonly #how: 'cut' | 'fail'

  constructor(at = Number.POSITIVE_INFINITY, how: 'cut' | 'fail' = 'cut') {
    const { promise, resolve } = Promise.withResolvers<'cut'>()
    this.gone = promise
    this.#cut = resolve
    this.#at = at
    this.#how = how
  }

  async pass(what: string): Promise<void> {
    this.passed.push(what)
    if (this.passed.length - 1 !== this.#at) return
    if (this.#how === 'fail') throw new Error(`deliberate fault ${what}`)
    this.#cut('cut')
    // Goes on never: whatever it would have done is not done.
    await new Promise(() => {})
  }
}

async function attempt<Result>(
  server: FakeServer,
  act: (work: Work) => Promise<Result>,
  power = new Power(),
): Promise<Result | 'cut'> {
  return await Promise.race([server.work(power).then(act), power.gone])
}

const installing = (work: Work): Promise<InstallResult> => install(work, REQUEST)

function makeServer(random: Random): FakeServer {
  const hasStub = random.chance(0.5)
  const server = new FakeServer({ stub: hasStub, rmemDefault: random.pick(['212992', '4194304']) })
  if (random.chance(0.5)) server.write('/etc/sysctl.d/10-others.conf', 'a = 1\n')
  if (random.chance(0.3)) server.write('/etc/systemd/resolved.conf.d/others.conf', '[Resolve]\n')
  if (random.chance(0.3)) server.write('/etc/makiatto/notes.txt', 'of the owner')
  const resolvConf = join(server.root, 'etc/resolv.conf')
  if (hasStub || random.chance(0.3)) symlinkSync('../run/systemd/resolve/stub-resolv.conf', resolvConf)
  else server.write('/etc/resolv.conf', '# written by hand\n')
  return server
}

/** A run without a fault on the server of a seed: how many moments it has, and what is there afterwards. */
async function runWhole(
  seed: number,
  act: (work: Work) => Promise<unknown>,
  isInstalled: boolean,
): Promise<{ moments: number; after: string[] }> {
  using server = makeServer(createRandom(seed))
  server.place()
  if (isInstalled) await attempt(server, installing)
  const power = new Power()
  await attempt(server, act, power)
  return { moments: power.passed.length, after: withoutJournal(server) }
}

/** It names folders of this very server. */
const withoutJournal = (server: FakeServer): string[] =>
  server.list().filter((line) => !line.startsWith('/opt/makiatto/journal.json'))

/** What a cut in the middle of a write leaves: a draft beside the file. */
function leaveDrafts(server: FakeServer, where: string, random: Random): void {
  const journal = join(server.root, 'opt/makiatto/journal.json')
  const text = read(journal)
  if (text === '' || random.chance(0.5)) return
  if (where === 'before journal record') writeFileSync(draftOf(journal), '{"half')
  if (where !== 'after journal record') return
  const last = (JSON.parse(text) as { records: UndoRecord[] }).records.at(-1)
  if (last?.kind === 'path') writeFileSync(draftOf(last.path), 'half of it')
}

const isThere = ({ root }: FakeServer): boolean => read(join(root, 'opt/makiatto/journal.json')) !== ''

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

for (const seed of seeds(20)) {
  t.test(
    `an installation that is cut is finished by the next, and all of it can be removed (SEED=${seed})`,
    async (t) => {
      const { moments, after: whole } = await runWhole(seed, installing, false)
      const random = createRandom(seed)
      using server = makeServer(random)
      const bare = server.list()
      server.place()
      const placed = server.list()
      const power = new Power(random.integer(moments))
      t.equal(await attempt(server, installing, power), 'cut')
      const where = power.passed.at(-1) ?? ''
      leaveDrafts(server, where, random)
      if (random.chance(0.5)) server.reboot()
      if (random.chance(0.7)) {
        t.match(await attempt(server, installing), { key: /^k{52}$/ }, where)
        t.strictSame(withoutJournal(server), whole, `${where}: as without a cut`)
      }
      // Cut before anything was noted.
      if (!isThere(server)) return void t.strictSame(withoutJournal(server), placed, where)
      t.strictSame(await attempt(server, remove), { left: [] }, where)
      t.strictSame(server.list(), bare, `${where}: as before`)
    },
  )

  t.test(`an installation that fails leaves nothing (SEED=${seed})`, async (t) => {
    const { moments } = await runWhole(seed, installing, false)
    const random = createRandom(seed)
    using server = makeServer(random)
    const bare = server.list()
    server.place()
    const placed = server.list()
    const power = new Power(random.integer(moments), 'fail')
    const outcome = await attempt(server, installing, power).catch((fault: unknown) => fault)
    if (outcome instanceof SetupError) {
      t.equal(outcome.undone, true, outcome.message)
      t.strictSame(server.list(), placed, outcome.message)
    } else t.match(outcome, { key: /^k{52}$/ }, 'it went on without what failed')
    if (!isThere(server)) return
    await attempt(server, remove)
    t.strictSame(server.list(), bare)
  })

  t.test(`a removal that is cut is finished by the next (SEED=${seed})`, async (t) => {
    const { moments } = await runWhole(seed, remove, true)
    const random = createRandom(seed)
    using server = makeServer(random)
    const bare = server.list()
    server.place()
    await attempt(server, installing)
    const power = new Power(random.integer(moments))
    t.equal(await attempt(server, remove, power), 'cut')
    if (random.chance(0.5)) server.reboot()
    const again: RemoveResult | 'cut' = await attempt(server, remove)
    t.strictSame(again, { left: [] }, power.passed.at(-1) ?? '')
    t.strictSame(server.list(), bare, power.passed.at(-1) ?? '')
  })
}

t.test('installed twice is installed once, and the owner’s edits stay', async (t) => {
  using server = new FakeServer()
  const bare = server.list()
  server.place()
  t.match(await attempt(server, installing), { known: false, wireguardKey: /^A{42}E=$/ })
  server.write('/etc/makiatto/makiatto.toml', '[node]\nname = "one"\n# edited\n')
  const once = server.list()
  t.match(await attempt(server, installing), { known: true })
  t.strictSame(server.list(), once)
  await attempt(server, remove)
  t.strictSame(server.list(), bare)
})

t.test('a server that is another node by now is refused, and stays that one', async (t) => {
  const random = createRandom(1)
  using server = makeServer(random)
  server.place()
  await attempt(server, installing)
  const whole = server.list()
  const others = ['[node]\nname = "two"\n', `[node]\nname = "one"\ncluster = "${'b'.repeat(51)}a"\n`]
  for (const config of others) {
    const refused = attempt(server, (work) => install(work, { ...REQUEST, config }))
    await t.rejects(refused, { code: 'MAKI_CONFLICT', message: /somebody else.* it is one,/, undone: true }, config)
    t.strictSame(server.list(), whole, config)
  }
  t.match(await attempt(server, installing), { known: true }, 'its own run goes on')
})

t.test('what others changed meanwhile is left, and said', async (t) => {
  using server = new FakeServer({ stub: true })
  const resolvConf = join(server.root, 'etc/resolv.conf')
  symlinkSync('../run/systemd/resolve/stub-resolv.conf', resolvConf)
  server.place()
  await attempt(server, installing)
  rmSync(resolvConf)
  writeFileSync(resolvConf, '# by hand\n')
  t.match(await attempt(server, remove), { left: [/resolv\.conf was changed by somebody else/] })
  t.equal(read(resolvConf), '# by hand\n')
})

t.test('what stands in the way is told before anything is changed', async (t) => {
  const obstacles: readonly [what: string, place: (server: FakeServer) => void, message: RegExp][] = [
    ['a user of that name', ({ facts }) => facts.users.push('makiatto'), /user makiatto/],
    ['a group of that name', ({ facts }) => Object.assign(facts.groups, { makiatto: [] }), /group makiatto/],
    [
      'a unit of another Makiatto',
      (server) => server.write('/etc/systemd/system/makiatto.service', 'x'),
      /service is there/,
    ],
    ['a program of that name', (server) => server.write('/usr/local/bin/makiatto', 'x'), /bin\/makiatto is there/],
    [
      'a link to elsewhere',
      ({ root }) => symlinkSync('/bin/sh', join(root, 'usr/local/bin/makiatto')),
      /bin\/makiatto is there/,
    ],
  ]
  for (const [what, place, message] of obstacles) {
    using server = new FakeServer()
    place(server)
    server.place()
    const before = server.list()
    await t.rejects(attempt(server, installing), { code: 'MAKI_CONFLICT', message, undone: true }, what)
    t.strictSame(server.list(), before, what)
  }
  using server = new FakeServer()
  server.place()
  for (const config of ['[node]\nname = 7\n', 'no toml', ''])
    await t.rejects(
      attempt(server, (work) => install(work, { ...REQUEST, config })),
      { code: 'MAKI_CONFIG' },
    )
})
