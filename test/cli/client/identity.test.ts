import { chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createCluster } from '../../../cli/client/create-cluster.ts'
import { dataFolderAt, exists } from '../../../cli/client/data-folder.ts'
import { findKeyFile, generateKey, readKeyFile, writeKeyFile } from '../../../cli/client/identity.ts'
import { LocalReplica } from '../../../cli/client/local-replica.ts'
import { ensureProfileKey } from '../../../cli/client/profile-key.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type ClusterId, findCluster, silentLog } from '../../../core/index.ts'

const mode = async (path: string) => (await stat(path)).mode & 0o777

t.test('a key file is read back, is its owner’s alone, and is never written over', async (t) => {
  const path = join(t.testdir(), 'operator.key')
  const { signer, seed } = generateKey(systemRuntime)
  await writeKeyFile(path, seed, 'for a test')
  t.equal(await mode(path), 0o600)
  t.match(await readFile(path, 'utf8'), /^# for a test\n[a-z2-7]{52}\n$/)
  t.equal((await readKeyFile(path)).key, signer.key)
  const before = await readFile(path, 'utf8')
  await t.rejects(writeKeyFile(path, generateKey(systemRuntime).seed, 'other'), { code: 'MAKI_CONFLICT' })
  t.equal(await readFile(path, 'utf8'), before)
})

t.test('a key file that others may read is refused, with the command that mends it', async (t) => {
  const path = join(t.testdir(), 'my key')
  await writeKeyFile(path, generateKey(systemRuntime).seed, 'x')
  for (const loose of [0o640, 0o604, 0o660, 0o666]) {
    await chmod(path, loose)
    await t.rejects(readKeyFile(path), { code: 'MAKI_USAGE', hint: `chmod 600 '${path}'` }, loose.toString(8))
  }
  await chmod(path, 0o400)
  t.ok(await findKeyFile(path))
})

t.test('what is no key file is refused without a word of its content', async (t) => {
  const dir = t.testdir()
  t.equal(await findKeyFile(join(dir, 'none')), undefined)
  await t.rejects(readKeyFile(join(dir, 'none')), { code: 'MAKI_NOT_FOUND' })
  await t.rejects(readKeyFile(dir), { code: 'MAKI_USAGE' })
  const tls = join(dir, 'privkey.pem')
  await writeFile(tls, '-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----\n', { mode: 0o600 })
  await t.rejects(readKeyFile(tls), { code: 'MAKI_USAGE', hint: /--private-key, .*--ssh-priv-key/ })
  const texts = [
    '',
    '# only a comment\n',
    'SECRETSECRET',
    `${'a'.repeat(52)}\n${'a'.repeat(52)}`,
    'b'.repeat(52),
    '\0\0',
    'a'.repeat(5000),
  ]
  for (const [i, text] of texts.entries()) {
    const path = join(dir, `key-${i}`)
    await writeFile(path, text, { mode: 0o600 })
    const error = await readKeyFile(path).then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    t.match(error, { code: 'MAKI_USAGE' }, JSON.stringify(text.slice(0, 20)))
    t.notMatch(JSON.stringify(error) + String(error?.cause), 'SECRET')
  }
})

t.test('creating a cluster leaves keys, replica and an outbox with the creation', async (t) => {
  const dir = t.testdir()
  const recoveryKeyPath = join(dir, 'recovery.key')
  const options = {
    name: 'mine',
    operatorName: 'me',
    dataDir: (id: string) => join(dir, id),
    recoveryKeyPath,
    runtime: systemRuntime,
  }
  const { cluster, folder, operator, creation } = await createCluster(options)
  t.equal(folder.path, join(dir, cluster))
  t.equal(await mode(folder.path), 0o700)
  t.equal(await mode(folder.keyFile), 0o600)
  t.equal(await mode(recoveryKeyPath), 0o600)
  const recovery = await readKeyFile(recoveryKeyPath)
  t.equal((await readKeyFile(folder.keyFile)).key, operator.key)
  await using local = await LocalReplica.open({ cluster, folder, runtime: systemRuntime, log: silentLog })
  t.match(findCluster(local.replica.state), { name: 'mine', recovery: recovery.key })
  t.ok(local.isMember(operator.key))
  const { operations } = await local.listOutbox(new Set([operator.key]))
  t.same(
    operations.map(({ id }) => id),
    [creation.id],
  )
})

t.test('creating a cluster refuses before it writes, and takes back what it began', async (t) => {
  const dir = t.testdir({ 'recovery.key': 'precious' })
  const base = { name: 'mine', operatorName: 'me', runtime: systemRuntime }
  const taken = { ...base, dataDir: join(dir, 'data'), recoveryKeyPath: join(dir, 'recovery.key') }
  await t.rejects(createCluster(taken), { code: 'MAKI_CONFLICT' })
  t.equal(await exists(join(dir, 'data')), false)
  t.equal(await readFile(join(dir, 'recovery.key'), 'utf8'), 'precious')

  // A link to nowhere shows only when the file is made, which comes last.
  await symlink(join(dir, 'nowhere', 'deep'), join(dir, 'link'))
  await t.rejects(createCluster({ ...taken, recoveryKeyPath: join(dir, 'link') }), { code: 'MAKI_CONFLICT' })
  const folder = dataFolderAt(join(dir, 'data'))
  t.equal(await exists(folder.keyFile), false)
  t.equal(await exists(folder.replica), false)

  await createCluster({ ...taken, recoveryKeyPath: join(dir, 'new.key') })
  await t.rejects(createCluster({ ...taken, recoveryKeyPath: join(dir, 'newer.key') }), { code: 'MAKI_CONFLICT' })
  t.equal(await exists(join(dir, 'newer.key')), false)
})

t.test('a profile gets one key, however many ask at once', async (t) => {
  const profile = { dataFolder: join(t.testdir(), 'data'), cluster: 'a'.repeat(52) as ClusterId }
  const made = await Promise.all(Array.from({ length: 5 }, () => ensureProfileKey(profile, systemRuntime)))
  t.equal(new Set(made.map(({ signer }) => signer.key)).size, 1)
  t.equal(made.filter(({ isNew }) => isNew).length, 1)
  t.equal(await mode(profile.dataFolder), 0o700)
})
