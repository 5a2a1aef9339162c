import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as shim from '@bytecodealliance/preview2-shim/filesystem'
import type {
  DescriptorFlags,
  OpenFlags,
  Descriptor as WasiDescriptor,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-filesystem-types'
import t from 'tap'
import type { Descriptor } from '../../../../edge/guest-host/wasi/descriptor.ts'
import { buildFilesystem } from '../../../../edge/guest-host/wasi/filesystem.ts'
import { GuestTrap, Instance, MAX_HANDLES } from '../../../../edge/guest-host/wasi/instance.ts'
import { IoError } from '../../../../edge/guest-host/wasi/io-error.ts'
import { FakeOwner } from '../../../support/fake-owner.ts'
import { createRandom, type Random, seeds } from '../../../support/seeds.ts'

const FILES = { 'a.txt': 'hello', 'sub/b.txt': 'B', 'sub/deep/c': '', 'sub-x': 'x', 'é/Ω🦊': 'u' }
const READ: DescriptorFlags = { read: true }
const FOLLOW = { symlinkFollow: true }

interface Built {
  'wasi:filesystem/preopens': { getDirectories(): [Descriptor, string][] }
  'wasi:filesystem/types': { filesystemErrorCode(error: IoError): string | undefined }
}

function open(owner: FakeOwner): { root: Descriptor; built: Built } {
  const built = buildFilesystem(new Instance(owner.ports)) as object as Built
  const [[root, name] = []] = built['wasi:filesystem/preopens'].getDirectories()
  if (root === undefined || name !== '/') throw new Error('no root')
  return { root, built }
}

/** What came out, so that outcomes can be compared: values, or the code that was thrown. */
function outcomeOf(act: () => unknown): unknown {
  try {
    return { value: act() }
  } catch (error) {
    if (error instanceof Error) throw error
    return { code: error }
  }
}

const codeOf = (act: () => unknown): unknown => {
  const outcome = outcomeOf(act)
  return outcome !== null && typeof outcome === 'object' && 'code' in outcome ? outcome.code : 'nothing was thrown'
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

t.test('files are read by ranges, and by streams', async (t) => {
  const owner = new FakeOwner({ ...FILES, big: Buffer.alloc(600_000, 'ab') })
  const { root } = open(owner)
  const file = root.openAt(FOLLOW, 'sub/../a.txt', {}, READ)
  t.equal(file.getType(), 'regular-file')
  t.strictSame(file.getFlags(), { read: true })
  const read = (length: bigint, offset: bigint) => {
    const [bytes, atEnd] = file.read(length, offset)
    return [text(bytes), atEnd]
  }
  t.strictSame(read(100n, 0n), ['hello', true])
  t.strictSame(read(2n, 1n), ['el', false])
  t.strictSame(read(0n, 0n), ['', false])
  t.strictSame(read(1n, 5n), ['', true])
  t.strictSame(read(2n ** 64n - 1n, 2n ** 64n - 1n), ['', true])
  t.equal(text(file.readViaStream(3n).blockingRead(100n)), 'lo')
  t.equal(codeOf(() => file.readViaStream(2n ** 64n - 1n).read(1n)) !== undefined, true)
  t.strictSame(root.openAt(FOLLOW, 'sub/deep/c', {}, READ).read(1n, 0n), [new Uint8Array(0), true])
  const big = root.openAt(FOLLOW, 'big', {}, READ)
  const [bytes, atEnd] = big.read(2n ** 64n - 1n, 0n)
  t.equal(bytes.length, 256 * 1024, 'a read of any length is bounded')
  t.equal(atEnd, false)
  const stream = big.readViaStream(0n)
  let total = 0
  try {
    for (;;) total += stream.blockingRead(2n ** 64n - 1n).length
  } catch (error) {
    t.strictSame(error, { tag: 'closed' })
  }
  t.equal(total, 600_000)
  t.ok(owner.asks.every((ask) => ask.ask !== 'read' || ask.length <= 256 * 1024))
})

t.test('folders are listed page by page', async (t) => {
  const owner = new FakeOwner({
    ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`d/${i}`, 'x'])),
    'd/s/x': '',
  })
  for (const pageNames of [1, 3, 100]) {
    owner.pageNames = pageNames
    const { root } = open(owner)
    const entries = [...list(root.openAt(FOLLOW, 'd', { directory: true }, READ))]
    t.equal(entries.length, 21)
    t.match(
      entries.find(({ name }) => name === 's'),
      { type: 'directory' },
    )
    t.strictSame([...list(root)], [{ name: 'd', type: 'directory' }])
  }
  t.strictSame([...list(open(new FakeOwner()).root)], [], 'a site without files')
})

function* list(folder: Pick<WasiDescriptor, 'readDirectory'>) {
  const stream = folder.readDirectory()
  for (let entry = stream.readDirectoryEntry(); entry !== undefined; entry = stream.readDirectoryEntry()) yield entry
}

t.test('nothing is written, in any way there is', async (t) => {
  const owner = new FakeOwner(FILES)
  const { root } = open(owner)
  const file = root.openAt(FOLLOW, 'a.txt', {}, READ)
  const before = owner.asks.length
  const open1 = (path: string, how: OpenFlags, flags: DescriptorFlags) => () => root.openAt(FOLLOW, path, how, flags)
  const tried: Record<string, () => unknown> = {
    create: open1('new.txt', { create: true }, { write: true }),
    'create, to read': open1('new2.txt', { create: true }, READ),
    'create what is there': open1('a.txt', { create: true }, READ),
    truncate: open1('a.txt', { truncate: true }, READ),
    exclusive: open1('a.txt', { create: true, exclusive: true }, READ),
    'open to write': open1('a.txt', {}, { write: true }),
    'open to read and write': open1('a.txt', {}, { read: true, write: true }),
    'open to change a folder': open1('sub', { directory: true }, { read: true, mutateDirectory: true }),
    'outside, to write': open1('../x', { create: true }, { write: true }),
    write: () => file.write(),
    writeViaStream: () => file.writeViaStream(),
    appendViaStream: () => file.appendViaStream(),
    setSize: () => file.setSize(),
    setTimes: () => file.setTimes(),
    setTimesAt: () => root.setTimesAt(),
    createDirectoryAt: () => root.createDirectoryAt(),
    removeDirectoryAt: () => root.removeDirectoryAt(),
    symlinkAt: () => root.symlinkAt(),
    linkAt: () => root.linkAt(),
    renameAt: () => root.renameAt(),
    unlinkFileAt: () => root.unlinkFileAt(),
  }
  for (const [name, act] of Object.entries(tried)) t.equal(codeOf(act), 'read-only', name)
  t.equal(owner.asks.length, before, 'the owner hears of none')
})

t.test('what is refused, and how', async (t) => {
  const { root, built } = open(new FakeOwner(FILES))
  const at = (path: string, how: OpenFlags = {}, flags: DescriptorFlags = READ) =>
    codeOf(() => root.openAt(FOLLOW, path, how, flags))
  t.equal(at('nothing'), 'no-entry')
  t.equal(at(''), 'no-entry')
  t.equal(at('a\0.txt'), 'invalid')
  t.equal(at('/etc/passwd'), 'not-permitted')
  t.equal(at('../a.txt'), 'not-permitted')
  t.equal(at('sub/../../a.txt'), 'not-permitted')
  t.equal(at('a.txt/'), 'not-directory')
  t.equal(at('a.txt/x'), 'not-directory')
  t.equal(at('a.txt', { directory: true }), 'not-directory')
  t.equal(at('a.txt', {}, { read: true, fileIntegritySync: true }), 'unsupported')
  const sub = root.openAt(FOLLOW, 'sub', {}, READ)
  t.equal(
    codeOf(() => sub.openAt(FOLLOW, '../a.txt', {}, READ)),
    'not-permitted',
    'out of a folder within the site',
  )
  const file = sub.openAt(FOLLOW, 'b.txt', {}, READ)
  t.equal(
    codeOf(() => file.openAt(FOLLOW, 'x', {}, READ)),
    'not-directory',
  )
  t.equal(
    codeOf(() => file.readDirectory()),
    'not-directory',
  )
  t.equal(
    codeOf(() => sub.read(1n, 0n)),
    'is-directory',
  )
  t.equal(
    codeOf(() => sub.readViaStream(0n)),
    'is-directory',
  )
  t.equal(
    codeOf(() => root.openAt(FOLLOW, 'a.txt', {}, {}).read(1n, 0n)),
    'bad-descriptor',
  )
  t.equal(
    codeOf(() => root.readlinkAt('a.txt')),
    'invalid',
    'no file is a link',
  )
  t.equal(
    codeOf(() => root.readlinkAt('nothing')),
    'no-entry',
  )
  t.strictSame([file.advise(), file.sync(), file.syncData()], [undefined, undefined, undefined])
  const failing = open(
    new FakeOwner(FILES, (ask) => (ask.ask === 'read' ? { error: 'a secret of the node' } : undefined)),
  )
  const unread = failing.root.openAt(FOLLOW, 'a.txt', {}, READ)
  t.equal(
    codeOf(() => unread.read(1n, 0n)),
    'io',
    'a code that is none of WASI',
  )
  const error = outcomeOf(() => unread.readViaStream(0n).read(1n)) as { code: { val: IoError } }
  t.ok(error.code.val instanceof IoError)
  t.equal(built['wasi:filesystem/types'].filesystemErrorCode(error.code.val), 'io')
})

t.test('an owner that makes no sense ends the run, and never goes on for ever', async (t) => {
  const lying = (ask: string, answer: object) =>
    open(new FakeOwner(FILES, (asked) => (asked.ask === ask ? (answer as { done: true }) : undefined))).root
  t.throws(() => lying('stat', { done: true }).openAt(FOLLOW, 'a.txt', {}, READ), GuestTrap)
  t.throws(() => [...list(lying('list', { done: true }))], GuestTrap)
  t.strictSame([...list(lying('list', { entries: [], more: true }))], [])
  const file = lying('read', { ended: false }).openAt(FOLLOW, 'a.txt', {}, READ)
  t.equal(
    codeOf(() => file.read(1n, 0n)),
    'io',
  )
  const generous = lying('read', { ended: false, bytes: new Uint8Array(1000) }).openAt(FOLLOW, 'a.txt', {}, READ)
  t.throws(() => generous.read(1n, 0n), GuestTrap)
})

t.test('what is told of files depends on the release alone', async (t) => {
  const { root } = open(new FakeOwner(FILES))
  const time = { seconds: 1_600_000_000n, nanoseconds: 123_000_000 }
  const times = { dataAccessTimestamp: time, dataModificationTimestamp: time, statusChangeTimestamp: time }
  t.strictSame(root.statAt(FOLLOW, 'a.txt'), { type: 'regular-file', linkCount: 1n, size: 5n, ...times })
  t.strictSame(root.stat(), { type: 'directory', linkCount: 1n, size: 0n, ...times })
  t.strictSame(root.statAt({}, 'sub/.'), root.stat())
  t.strictSame(root.getFlags(), { read: true })
  const hash = (path: string, files: Record<string, string> = FILES) =>
    open(new FakeOwner(files)).root.metadataHashAt({}, path)
  t.strictSame(hash('a.txt'), hash('./sub/../a.txt'))
  t.strictSame(root.openAt({}, 'a.txt', {}, READ).metadataHash(), hash('a.txt'))
  const same = { x: 'same', y: 'same' }
  t.notSame(hash('x', same), hash('y', same), 'equal content at another place is another file')
  t.notSame(hash('a.txt'), hash('a.txt', { 'a.txt': 'other' }))
  const one = root.openAt({}, 'sub', {}, READ)
  t.ok(one.isSameObject(root.openAt({}, 'sub/deep/..', {}, READ)))
  t.notOk(one.isSameObject(root))
})

t.test('a guest cannot open without end', async (t) => {
  const { root } = open(new FakeOwner(FILES))
  const opened: Descriptor[] = []
  const code = codeOf(() => {
    for (let i = 0; i <= MAX_HANDLES; i++) opened.push(root.openAt({}, 'a.txt', {}, READ))
  })
  t.equal(code, 'insufficient-memory')
  t.equal(opened.length, MAX_HANDLES - 1)
  t.equal(
    codeOf(() => root.readDirectory()),
    'insufficient-memory',
  )
  opened.pop()?.[Symbol.dispose]()
  t.ok(root.openAt({}, 'a.txt', {}, READ))
})

const NAMES = ['a', 'b', 'a.txt', 'sub', 'é', 'nothing', '.', '..', '']

function randomPath(random: Random): string {
  return Array.from({ length: 1 + random.integer(4) }, () => random.pick(NAMES)).join('/')
}

/** Its types are those of the browser's. */
function openShim(folder: string): [WasiDescriptor, string][] {
  const createFilesystem = shim.createFilesystem as unknown as (config: { preopens: Record<string, string> }) => {
    preopens: { getDirectories(): [WasiDescriptor, string][] }
  }
  return createFilesystem({ preopens: { '/': folder } }).preopens.getDirectories()
}

for (const seed of seeds(30)) {
  t.test(`a site is read as preview2-shim reads a folder (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const files: Record<string, string> = {}
    const folders = new Set<string>()
    for (let i = 0; i < 12; i++) {
      const segments = Array.from({ length: 1 + random.integer(3) }, () => random.pick(NAMES.slice(0, 5)))
      const parents = segments.map((_, at) => segments.slice(0, at).join('/')).slice(1)
      const path = segments.join('/')
      if (folders.has(path) || parents.some((parent) => parent in files)) continue
      for (const parent of parents) folders.add(parent)
      files[path] = 'x'.repeat(random.integer(20))
    }
    const folder = t.testdir({})
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), content)
    }
    const [[theirs] = []] = openShim(folder)
    if (theirs === undefined) throw new Error('no root')
    const ours = open(new FakeOwner(files)).root
    const compare = (what: string, act: (root: Pick<WasiDescriptor, 'openAt' | 'statAt'>) => unknown) =>
      t.strictSame(
        outcomeOf(() => act(ours)),
        outcomeOf(() => act(theirs)),
        what,
      )
    for (let i = 0; i < 40; i++) {
      const path = randomPath(random)
      // The shim takes an empty path for the folder itself, where POSIX has no such path, and a file for its own `.`.
      if (path === '' || (/(^|\/)\.\.?$/.test(path) && codeOf(() => ours.statAt({}, path)) === 'not-directory'))
        continue
      compare(`the type and size of ${path}`, (root) => {
        const { type, size } = root.statAt(FOLLOW, path)
        return type === 'directory' ? type : { type, size }
      })
      const directory = random.chance(0.3)
      compare(`open ${path}`, (root) => {
        const opened = root.openAt(FOLLOW, path, directory ? { directory } : {}, READ)
        const type = opened.getType()
        if (type === 'directory') return [...list(opened)].sort((a, b) => (a.name < b.name ? -1 : 1))
        const [bytes] = opened.read(BigInt(random.integer(1) + 30), 2n)
        return {
          type,
          flags: opened.getFlags(),
          bytes: text(bytes),
          streamed: readAll(opened),
          size: opened.stat().size,
        }
      })
    }
  })
}

function readAll(file: Pick<WasiDescriptor, 'readViaStream'>): string {
  const stream = file.readViaStream(1n)
  const pieces: Uint8Array[] = []
  try {
    for (;;) pieces.push(stream.blockingRead(100n))
  } catch (error) {
    if (error instanceof Error) throw error
    return text(Buffer.concat(pieces))
  }
}
