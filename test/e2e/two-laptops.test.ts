import { globSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { eventually } from '../support/eventually.ts'
import { encodePath, Visitor } from './support/http.ts'
import type { Laptop } from './support/laptop.ts'
import { ask, Office } from './support/office.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** Two people, each with a laptop, and three nodes: what they do at the same time, take back, and take back for good. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)

type Files = Readonly<Record<string, string>>
interface Side {
  readonly operation: string
  readonly author: { readonly name: string }
}
interface Conflict {
  readonly key: string
  readonly winner: Side
  readonly losers: readonly Side[]
}
interface Row {
  readonly key: string
  readonly value: unknown
  readonly operation: string
}

const BASE: Files = { 'index.html': 'base', 'a.html': 'base a', 'b.html': 'base b', 'old.html': 'old' }
const OURS: Files = {
  'index.html': 'ours',
  'a.html': 'our a',
  'b.html': 'base b',
  'old.html': 'old',
  'o.html': 'our o',
}
/** Without the old file. */
const THEIRS: Files = { 'index.html': 'theirs', 'a.html': 'base a', 'b.html': 'their b', 't.html': 'their t' }
const PATHS = [...new Set([BASE, OURS, THEIRS].flatMap((files) => Object.keys(files)))]

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const office = await Office.open(scene)
t.teardown(() => office[Symbol.asyncDispose]())
const { cluster, owner } = office
const ann = await office.admit('ann')
const visitor = new Visitor()
t.teardown(() => visitor[Symbol.dispose]())

/** Writes the project of a domain anew on a laptop; its folder. */
function write(laptop: Laptop, domain: string, files: Files, more = ''): string {
  const folder = laptop.path(domain)
  rmSync(folder, { recursive: true, force: true })
  return writeProject(folder, { domain, files, more })
}

/** Publishes, and resolves with the release. */
async function sync(laptop: Laptop, domain: string, files: Files, more = '', ...flags: string[]): Promise<string> {
  const cwd = write(laptop, domain, files, more)
  const report = await ask<{ domains: { operation: string }[] }>(laptop, ['sync', ...flags], { cwd })
  return report.domains[0]?.operation ?? ''
}

/** Resolves when every node serves just that; rejects with what it met. */
async function served(domain: string, files: Files): Promise<void> {
  const wanted = JSON.stringify(PATHS.map((path) => files[path] ?? null))
  for (const { name, http } of cluster.daemons)
    await eventually(`${domain} at ${name}`, async () => {
      const answers = await Promise.all(PATHS.map((path) => visitor.get(http, domain, encodePath(path))))
      const met = JSON.stringify(answers.map(({ status, body }) => (status === 200 ? String(body) : null)))
      if (met !== wanted) throw new Error(`${met} instead of ${wanted}`)
      return true
    })
}

/** Both publish without knowing of each other, and hand it over at the same time, to different nodes. */
async function syncAtOnce(t: Test, domain: string, more: string): Promise<Conflict> {
  await sync(owner, domain, BASE, more)
  await served(domain, BASE)
  await ask(ann, ['pull'])
  await sync(owner, domain, OURS, more, '--offline')
  await sync(ann, domain, THEIRS, more, '--offline')
  await Promise.all([ask(owner, ['push', '--node', 'node1']), ask(ann, ['push', '--node', 'node3'])])
  await cluster.agreement()
  const conflicts = await ask<Conflict[]>(owner, ['conflicts', '--node', 'node2'])
  t.strictSame(
    conflicts.map(({ key, losers }) => [key, losers.length]),
    [[`domain/${domain}/release`, 1]],
  )
  return conflicts[0] as Conflict
}

t.test('two syncs at once of a domain that is merged', async (t) => {
  const domain = 'merge.test'
  const conflict = await syncAtOnce(t, domain, 'on_concurrent = "merge"')
  const isOurs = conflict.winner.author.name === 'developer'
  const merged: Files = {
    'index.html': isOurs ? 'ours' : 'theirs',
    'a.html': 'our a',
    'b.html': 'their b',
    'o.html': 'our o',
    't.html': 'their t',
  }
  await served(domain, merged)
  t.pass('every node serves the merge, file by file')
  t.equal((await owner.maki(['conflicts'])).code, 1)
  const cwd = write(owner, domain, { ...OURS, 'index.html': 'ours again' }, 'on_concurrent = "merge"')
  const over = await owner.maki(['sync'], { cwd })
  t.equal(over.code, 4, 'what only the other has is not dropped without a word')
  t.match(over.stderr, `maki release merge ${domain}`)
  await served(domain, merged)
  const closed = await owner.maki(['release', 'merge', domain])
  t.equal(closed.code, 0, closed.stderr)
  await served(domain, merged)
  t.strictSame(await ask(ann, ['conflicts']), [], 'release merge closes the conflict')
})

t.test('two syncs at once of a domain that serves the latest', async (t) => {
  const domain = 'latest.test'
  const { winner, losers } = await syncAtOnce(t, domain, '')
  await served(domain, winner.author.name === 'developer' ? OURS : THEIRS)
  t.pass('every node serves the greatest, whole')
  const rows = await ask<{ id: string; served: boolean; side: boolean }[]>(ann, ['release', 'list', domain])
  t.match(
    rows.filter(({ side }) => side).map(({ id, served }) => [id, served]),
    [
      [winner.operation, true],
      [losers[0]?.operation, false],
    ],
  )
  const taken = await ask<unknown>(ann, ['conflicts', 'resolve', domain, '--take', losers[0]?.operation ?? ''])
  t.ok(taken)
  await served(domain, winner.author.name === 'developer' ? THEIRS : OURS)
  t.strictSame(await ask(owner, ['conflicts']), [])
})

t.test('a rollback that is held keeps every sync away until it is resumed', async (t) => {
  const domain = 'held.test'
  await sync(owner, domain, BASE)
  await sync(owner, domain, OURS)
  const back = await owner.maki(['rollback', domain, '--hold', '-m', 'the menu is broken'])
  t.equal(back.code, 0, back.stderr)
  await served(domain, BASE)
  const before = (await ask<unknown[]>(owner, ['history', '--domain', domain])).length
  for (const laptop of [owner, ann]) {
    const refused = await laptop.maki(['sync', '--node', 'node2'], { cwd: write(laptop, domain, THEIRS) })
    t.match(refused, { code: 4, stderr: /held by developer since .*the menu is broken/ }, 'sync says who, when and why')
  }
  t.equal((await ask<unknown[]>(owner, ['history', '--domain', domain])).length, before, 'nothing was written')
  t.equal((await ann.maki(['release', 'resume', domain])).code, 0)
  await sync(owner, domain, THEIRS)
  await served(domain, THEIRS)
})

t.test('a file that was purged is gone from every disk', async (t) => {
  const domain = 'leak.test'
  const secret = 'the marker of a leaked file, 6b1f0c'
  const leaky = { ...BASE, 'a.html': secret }
  const onDisk = (): string[] =>
    cluster.daemons.flatMap(({ name, layout }) =>
      globSync('**/*', { cwd: layout.dataDirectory, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((file) => readFileSync(file).includes(secret))
        .map(() => name),
    )
  await sync(owner, domain, leaky, '', '--wait', 'all')
  await served(domain, leaky)
  t.strictSame(onDisk(), ['node1', 'node2', 'node3'], 'it is found where it is')
  await sync(owner, domain, BASE, '', '--wait', 'all')
  await served(domain, BASE)
  t.strictSame(onDisk(), ['node1', 'node2', 'node3'], 'a release that one can go back to is kept')
  const purged = await ann.maki(['release', 'purge', domain, '--yes', '-m', 'a secret'])
  t.equal(purged.code, 0, purged.stderr)
  await eventually('the end of the leaked file', () => {
    const left = onDisk()
    if (left.length > 0) throw new Error(left.join())
    return true
  })
  await served(domain, BASE)
  t.not((await owner.maki(['rollback', domain])).code, 0, 'nobody can go back to it')
})

t.test('undo, blame and the state as it was', async (t) => {
  const domain = 'undo.test'
  const first = await sync(owner, domain, BASE)
  const before = await ask<Row[]>(owner, ['state', '--key', domain])
  const atFirst = await ask<Row[]>(owner, ['state', '--at', first])
  const second = await sync(ann, domain, OURS, '', '--take-over')
  await ask(ann, ['record', 'set', domain, 'shop', 'A', '192.0.2.1'])
  const set = (await ask<Row[]>(owner, ['blame', `shop.${domain}`])).at(0)?.operation ?? ''
  await ask(owner, ['record', 'set', domain, 'shop', 'A', '192.0.2.2'])
  t.match(await ask(ann, ['blame', `shop.${domain}`]), [
    { value: { values: ['192.0.2.2'] }, author: { name: 'developer' } },
  ])
  t.match(await owner.maki(['undo', set, '--json']), { code: 1 }, 'nothing of it is left to take back')
  const { operation } = await ask<{ operation: string }>(ann, [
    'undo',
    (await ask<Row[]>(ann, ['blame', `shop.${domain}`])).at(0)?.operation ?? '',
  ])
  t.match(await ask(owner, ['blame', `shop.${domain}`]), [
    { operation, value: { values: ['192.0.2.1'] }, author: { name: 'ann' } },
  ])
  await ask(owner, ['undo', second])
  await served(domain, BASE)
  t.pass('a sync is taken back on every node')
  t.strictSame(await ask(ann, ['state', '--at', first]), atFirst, 'what was then is now as it was then, on any laptop')
  t.strictSame(
    atFirst.filter(({ key }) => key.includes(domain)),
    before,
  )
})

t.test('a push is what its dry run says', async (t) => {
  const domain = 'train.test'
  await sync(owner, domain, BASE)
  await ask(ann, ['pull'])
  const set = (laptop: Laptop, name: string, value: string, ...flags: string[]) =>
    ask(laptop, ['record', 'set', domain, name, 'A', value, ...flags])
  await set(ann, 'shop', '192.0.2.1', '--offline')
  await set(owner, 'shop', '192.0.2.2', '--offline')
  await set(ann, 'cafe', '192.0.2.3', '--offline')
  await set(owner, 'bar', '192.0.2.4', '--offline')
  await set(ann, 'bar', '192.0.2.5', '--offline')
  await ask(owner, ['push'])

  interface Push {
    readonly operations: unknown[]
    readonly waiting: string[]
    readonly changed: { key: string; before: unknown; after: unknown }[]
  }
  const dry = await ask<Push>(ann, ['push', '--dry-run'])
  t.equal(dry.waiting.length, 3)
  const key = (name: string) => `domain/${domain}/rrset/${name}/A`
  t.strictSame(dry.changed.map((each) => each.key).sort(), [key('bar'), key('cafe')], 'the older edit of shop loses')
  const was = await ask<Row[]>(owner, ['state'])
  const done = await ask<Push>(ann, ['push'])
  t.strictSame(done.operations, dry.operations, 'each wins and loses as it was told')
  const now = await ask<Row[]>(owner, ['state'])
  const values = (rows: Row[]) => new Map(rows.map((row) => [row.key, JSON.stringify(row.value)]))
  const [old, fresh] = [values(was), values(now)]
  const changed = [...fresh.keys()].filter((one) => old.get(one) !== fresh.get(one)).sort()
  t.strictSame(changed, dry.changed.map((each) => each.key).sort(), 'no other key changed')
  for (const { key, before, after } of dry.changed) {
    t.equal(old.get(key), before === null ? undefined : JSON.stringify(before), `${key} before`)
    t.equal(fresh.get(key), JSON.stringify(after), `${key} after`)
  }
  t.strictSame((await ask<Conflict[]>(ann, ['conflicts'])).map((each) => each.key).sort(), [key('bar'), key('shop')])
  for (const name of ['bar', 'shop']) await set(owner, name, '192.0.2.9')
  t.strictSame(await ask(ann, ['conflicts']), [], 'one write that has seen both sides settles it')
})

t.test('in the end all agree, and everything counts', async (t) => {
  const all = await cluster.agreement()
  for (const status of all) {
    const { held, pending, unknown, conflicts } = status
    t.strictSame([status.void, held, pending, unknown, conflicts], [[], [], [], [], []])
  }
  for (const laptop of [owner, ann]) t.equal((await laptop.maki(['status'])).code, 0)
  for (const daemon of cluster.daemons) await daemon.stop()
  t.strictSame(await scene.leftovers(), [])
})
