import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { placeFolder, placePath, textFile } from '../../../cli/setup/change-server.ts'
import { Journal } from '../../../cli/setup/journal.ts'
import { createServer, type Server } from '../../../cli/setup/server.ts'
import { draftOf } from '../../../cli/setup/snapshot.ts'
import { undoChanges } from '../../../cli/setup/undo.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const root = mkdtempSync(join(tmpdir(), 'maki-journal-'))
t.teardown(() => rmSync(root, { recursive: true, force: true }))
let next = 0

interface Place extends Disposable {
  readonly folder: string
  readonly server: Server
  openJournal(): Promise<Journal>
}

/** A server whose root is a folder, and whose journal lies beside it. */
function openPlace(): Place {
  const folder = join(root, String(next++))
  mkdirSync(folder)
  const server = createServer(systemRuntime, folder)
  const openJournal = (): Promise<Journal> => Journal.open(`${folder}.journal/journal.json`)
  return { folder, server, openJournal, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

/** All that lies there, a line each, with mode and content. */
function list(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).sort().map((name) => {
    const path = join(folder, name)
    const entry = lstatSync(path)
    const mode = (entry.mode & 0o7777).toString(8)
    if (entry.isSymbolicLink()) return `${name} -> ${readlinkSync(path)}`
    return entry.isDirectory() ? `${name}/ ${mode}` : `${name} ${mode} ${readFileSync(path, 'utf8')}`
  })
}

const NAMES = ['etc/a', 'etc/b', 'etc/deep/er/c', 'usr/d', 'new/folder/e', 'new/f'] as const
const FOLDERS = ['etc/deep', 'data', 'new'] as const

/** What somebody has there before. */
function fill(folder: string, random: Random): void {
  for (const name of NAMES) {
    const path = join(folder, name)
    if (!random.chance(0.5)) continue
    mkdirSync(dirname(path), { recursive: true })
    if (random.chance(0.3)) symlinkSync(random.pick(['nowhere', '/etc', '../b']), path)
    else {
      writeFileSync(path, `before ${random.integer(100)}`)
      chmodSync(path, random.pick([0o600, 0o644, 0o755]))
    }
  }
}

/** One change, as setup makes them. */
async function change(place: Place, journal: Journal, random: Random): Promise<void> {
  if (random.chance(0.25)) {
    const path = join(place.folder, random.pick(FOLDERS))
    await placeFolder({ journal }, path, { mode: random.pick([0o700, 0o755]), owned: false })
    return
  }
  const path = join(place.folder, random.pick(NAMES))
  const wanted = random.chance(0.3)
    ? ({ is: 'link', target: random.pick(['/opt/x', '../y']) } as const)
    : textFile(`ours ${random.integer(5)}`, { mode: random.pick([0o640, 0o644]) })
  await placePath({ journal }, path, wanted, { owned: random.chance(0.5) })
}

for (const seed of seeds(30)) {
  t.test(`whatever was changed, and wherever a run was cut, is put back (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    using place = openPlace()
    fill(place.folder, random)
    const before = list(place.folder)
    for (let runs = 1 + random.integer(3); runs > 0; runs--) {
      // Each run reads what the one before has left on the disk.
      const journal = await place.openJournal()
      for (let i = random.integer(8); i > 0; i--) await change(place, journal, random)
      if (random.chance(0.3)) await journal.finish()
      const [last] = journal.records.slice(-1)
      // The power went between the record and its change, with half of the content written beside it.
      if (last?.kind === 'path' && random.chance(0.3)) writeFileSync(draftOf(last.path), 'half')
    }
    const journal = await place.openJournal()
    t.strictSame(await undoChanges(place.server, journal), [])
    t.strictSame(list(place.folder), before)
    t.notOk((await place.openJournal()).isThere)
  })
}

t.test('a record is on the disk before its change is made', async (t) => {
  using place = openPlace()
  const journal = await place.openJournal()
  const path = join(place.folder, 'etc/x')
  const record = journal.record.bind(journal)
  const seen: boolean[] = []
  journal.record = async (one) => {
    await record(one)
    const known = (await place.openJournal()).records.at(-1)
    seen.push(known !== undefined && 'path' in known && lstatSync(known.path, { throwIfNoEntry: false }) === undefined)
  }
  await placePath({ journal }, path, textFile('x'), { owned: true })
  t.strictSame(seen, [true, true], 'the folder, then the file')
})

t.test('what somebody else has changed meanwhile is left, and told', async (t) => {
  using place = openPlace()
  const journal = await place.openJournal()
  const mine = join(place.folder, 'resolv.conf')
  const ours = join(place.folder, 'unit')
  await placePath({ journal }, mine, textFile('a'), { owned: false })
  await placePath({ journal }, ours, textFile('b'), { owned: true })
  await placePath({ journal }, join(place.folder, 'conf.d/own'), textFile('c'), { owned: true })
  for (const path of [mine, ours, join(place.folder, 'conf.d/theirs')]) writeFileSync(path, 'theirs')
  const left = await undoChanges(place.server, journal)
  t.match(left, [/conf\.d has files of others in it/, /resolv\.conf was changed by somebody else/])
  t.match(list(place.folder), [/^conf\.d\//, /^conf\.d\/theirs/, /^resolv\.conf .* theirs$/])
})

t.test('a later run undoes no more than what it did', async (t) => {
  using place = openPlace()
  const journal = await place.openJournal()
  await placePath({ journal }, join(place.folder, 'first'), textFile('1'), { owned: true })
  await journal.finish()
  const again = await place.openJournal()
  t.ok(again.isInstalled)
  const from = again.records.length
  await placePath({ journal: again }, join(place.folder, 'second'), textFile('2'), { owned: true })
  await undoChanges(place.server, again, from)
  t.match(list(place.folder), [/^first /])
  t.ok((await place.openJournal()).isInstalled)
})

t.test('a journal that cannot be read is refused, and stays', async (t) => {
  using place = openPlace()
  const path = `${place.folder}.journal/journal.json`
  mkdirSync(dirname(path))
  for (const text of [
    '',
    '{',
    '[]',
    '{"state":"installed"}',
    '{"state":"installed","records":[{"kind":"rm","path":"/"}]}',
  ]) {
    writeFileSync(path, text)
    await t.rejects(place.openJournal(), { code: 'MAKI_STORE_DAMAGED' }, text)
    t.equal(readFileSync(path, 'utf8'), text)
  }
  rmSync(path)
  symlinkSync('/etc/passwd', path)
  await t.rejects(place.openJournal(), { code: 'MAKI_STORE_DAMAGED' }, 'a link is not followed')
})

t.test('what can be put back by nobody is refused before it is changed', async (t) => {
  using place = openPlace()
  const journal = await place.openJournal()
  mkdirSync(join(place.folder, 'folder'))
  writeFileSync(join(place.folder, 'file'), '')
  const at = (name: string): string => join(place.folder, name)
  await t.rejects(placePath({ journal }, at('folder'), textFile('x'), { owned: true }), { code: 'MAKI_CONFLICT' })
  await t.rejects(placeFolder({ journal }, at('file'), { mode: 0o755, owned: true }), { code: 'MAKI_CONFLICT' })
  t.strictSame(journal.records, [])
  t.notOk(journal.isThere)
})
