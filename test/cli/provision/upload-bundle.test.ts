import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Bundle } from '../../../cli/bundle/index.ts'
import { runSetup, uploadBundle } from '../../../cli/provision/index.ts'
import { discardBundle } from '../../../cli/provision/upload-bundle.ts'
import { takeSetupLock } from '../../../cli/setup/setup-lock.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { ShellHost } from './support/shell-host.ts'

const ROOT = { kind: 'root' } as const

/** An archive with a program that says who it is, and something to carry. */
function makeBundle(folder: string, extra: Uint8Array = new Uint8Array(0)): Bundle {
  const content = join(folder, 'content')
  mkdirSync(join(content, 'bin'), { recursive: true })
  writeFileSync(join(content, 'bin', 'makiatto'), '#!/bin/sh\necho "makiatto $1"\ncat\n', { mode: 0o755 })
  writeFileSync(join(content, 'extra'), extra)
  const file = join(folder, 'bundle.tar.gz')
  execFileSync('tar', ['-czf', file, '-C', content, '.'])
  const bytes = readFileSync(file)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { file, arch: 'x64', version: '1.0.0', sha256, sizeBytes: bytes.length }
}

for (const shell of ['dash', 'bash'])
  t.test(`it lies there unpacked, and is sent once: ${shell}`, async (t) => {
    const folder = t.testdir()
    const bundle = makeBundle(folder, createRandom(1).bytes(3_000_000))
    const host = new ShellHost(folder, shell)
    let sentBytes = 0
    t.equal(await uploadBundle(host, ROOT, bundle, { onProgress: (sent) => (sentBytes = sent) }), 'sent')
    t.equal(sentBytes, bundle.sizeBytes)
    t.equal(await uploadBundle(host, ROOT, bundle), 'same')
    t.strictSame(readdirSync(join(host.root, 'versions')), [bundle.sha256])
    t.notOk(existsSync(join(host.root, 'incoming')))
    t.ok(existsSync(join(host.root, 'versions', bundle.sha256, 'bin', 'makiatto')))
    await discardBundle(host, ROOT, bundle.sha256)
    t.notOk(existsSync(host.root), 'nothing is left')
  })

t.test('what runs, or was set up, is not discarded', async (t) => {
  const folder = t.testdir()
  const bundle = makeBundle(folder)
  const host = new ShellHost(folder)
  await uploadBundle(host, ROOT, bundle)
  writeFileSync(join(host.root, 'journal.json'), '{}')
  await discardBundle(host, ROOT, bundle.sha256)
  t.ok(existsSync(join(host.root, 'versions', bundle.sha256)))
})

t.test('while somebody sets the server up, by what may be this very program, nothing is discarded', async (t) => {
  const folder = t.testdir()
  const bundle = makeBundle(folder)
  const host = new ShellHost(folder)
  await uploadBundle(host, ROOT, bundle)
  const lock = await takeSetupLock(host.lock)
  await discardBundle(host, ROOT, bundle.sha256)
  t.ok(existsSync(join(host.root, 'versions', bundle.sha256, 'bin', 'makiatto')))
  await lock[Symbol.asyncDispose]()
  // As one that was killed leaves it.
  writeFileSync(host.lock, '')
  await discardBundle(host, ROOT, bundle.sha256)
  t.notOk(existsSync(host.root), 'afterwards it is')
})

t.test('what is not the bundle is refused before it is unpacked', async (t) => {
  const folder = t.testdir()
  const bundle = makeBundle(folder)
  const host = new ShellHost(folder)
  host.program('tar', 'echo unpacked > "$0.ran"; exit 1')
  const damaged = { ...bundle, sha256: createHash('sha256').update('another').digest('hex') }
  await t.rejects(uploadBundle(host, ROOT, damaged), { code: 'MAKI_BLOB_MISMATCH' })
  await t.rejects(uploadBundle(host, ROOT, { ...bundle, sizeBytes: bundle.sizeBytes + 1 }), {
    code: 'MAKI_UNREACHABLE',
    message: /did not arrive whole/,
  })
  t.notOk(existsSync(join(host.bin, 'tar.ran')))
  t.notOk(existsSync(host.root), 'nothing is left')
})

t.test('a disk that is full, a root that is a link and a bundle without a program are told apart', async (t) => {
  const folder = t.testdir()
  const bundle = makeBundle(folder)
  const full = new ShellHost(folder)
  full.program('tar', 'echo "tar: write error: No space left on device" >&2; exit 2')
  await t.rejects(uploadBundle(full, ROOT, bundle), { code: 'MAKI_DISK_FULL', message: /No space left/, hint: /room/ })
  t.notOk(existsSync(full.root))
  full.program('tar', 'exit 0')
  await t.rejects(uploadBundle(full, ROOT, bundle), { code: 'MAKI_INVALID', message: /bin\/makiatto/ })
  execFileSync('ln', ['-s', '/tmp', full.root])
  await t.rejects(uploadBundle(full, ROOT, bundle), { code: 'MAKI_CONFLICT', message: /symbolic link/ })
})

for (const where of ['', 'versions', 'version'] as const)
  t.test(`nothing runs out of a folder that somebody else may write to: ${where || 'all of it'}`, async (t) => {
    const folder = t.testdir()
    const bundle = makeBundle(folder)
    const host = new ShellHost(folder)
    await uploadBundle(host, ROOT, bundle)
    const path = join(host.root, where === '' ? '' : 'versions', where === 'version' ? bundle.sha256 : '')
    const planted = { code: 'MAKI_CONFLICT', message: /is not ours/ }
    for (const mode of [0o775, 0o757]) {
      chmodSync(path, mode)
      await t.rejects(uploadBundle(host, ROOT, bundle), planted)
      await t.rejects(
        runSetup(host, ROOT, bundle.sha256, { do: 'remove' }, () => {}),
        planted,
      )
      chmodSync(path, 0o755)
    }
    if (process.getuid?.() !== 0) return
    chownSync(path, 65534, 65534)
    await t.rejects(uploadBundle(host, ROOT, bundle), planted)
    chownSync(path, 0, 0)
    t.equal(await uploadBundle(host, ROOT, bundle), 'same')
  })

for (const seed of seeds(6))
  t.test(`a way that is cut anywhere leaves what the next upload sweeps (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const folder = t.testdir()
    const bundle = makeBundle(folder, random.bytes(1_000_000))
    const host = new ShellHost(folder)
    const cut = new AbortController()
    const at = random.integer(bundle.sizeBytes)
    const upload = uploadBundle(host, ROOT, bundle, {
      signal: cut.signal,
      onProgress: (sent) => {
        if (sent >= at) cut.abort(new Error('cut'))
      },
    })
    await upload.catch(() => {})
    // What a process that was killed leaves, too: its number is nobody's.
    if (random.chance(0.5)) {
      mkdirSync(join(host.root, 'incoming'), { recursive: true })
      writeFileSync(join(host.root, 'incoming', `${bundle.sha256}.part.4194303`), 'half')
    }
    await uploadBundle(host, ROOT, bundle)
    t.strictSame(readdirSync(join(host.root, 'versions')), [bundle.sha256])
    const left = existsSync(join(host.root, 'incoming')) ? readdirSync(join(host.root, 'incoming')) : []
    t.notOk(left.some((name) => name.endsWith('4194303')))
    t.equal(readFileSync(join(host.root, 'versions', bundle.sha256, 'extra')).length, 1_000_000)
  })

t.test('no word of a command is from outside, and none has what shells of people take for themselves', async (t) => {
  const { DISCARD_COMMAND, LOOK_COMMAND, SETUP_COMMAND, UPLOAD_COMMAND } = await import(
    '../../../cli/provision/remote-commands.ts'
  )
  for (const command of [DISCARD_COMMAND, LOOK_COMMAND, SETUP_COMMAND, UPLOAD_COMMAND]) t.notMatch(command, /['!\n]/)
  const folder = t.testdir()
  const host = new ShellHost(folder)
  for (const version of ['', '../../etc', `${'a'.repeat(63)};`, '$(touch /tmp/x)', 'A'.repeat(64), 'a'.repeat(65)]) {
    for (const command of [DISCARD_COMMAND, LOOK_COMMAND, SETUP_COMMAND, UPLOAD_COMMAND]) {
      const { code, stdout } = await host.run(command, { input: `${version}\n5\nhello` })
      t.equal(code, 64, `${JSON.stringify(version)}: ${stdout}`)
    }
  }
  t.notOk(existsSync(host.root))
})
