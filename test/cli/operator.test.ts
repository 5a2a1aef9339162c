import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { writeKeyFile } from '../../cli/client/identity.ts'
import { formatAuthorizedKey } from '../../cli/member/authorized-key.ts'
import { createOperation, type Hostname, idBytes, type MemberKey, type OwnerName, SCHEMA } from '../../core/index.ts'
import {
  domainSet,
  example,
  runInProcess,
  startTestCluster,
  type TestCluster,
  testKey,
} from './support/test-cluster.ts'

interface Row {
  key: string
  name: string
  role: string
  domains: string[] | null
  rank: number | null
  added: { by: { name: string } }
  removed: { how: string; by: { name: string } } | null
}

const ann = testKey(5)
const bob = testKey(6)
const ci = testKey(7)

const answering = (cluster: TestCluster, answer: string, ...argv: string[]) =>
  runInProcess(argv, { env: cluster.env, cwd: cluster.directory, answer })

t.test('operator key makes a key file where there is none, and never over another', async (t) => {
  await using cluster = await startTestCluster()
  const file = join(cluster.directory, 'ci.key')
  const { key } = await cluster.json<{ key: string }>('operator', 'key', '--key', file)
  t.equal(statSync(file).mode & 0o777, 0o600)
  const text = readFileSync(file, 'utf8')
  t.match(await cluster.maki('operator', 'key', '--key', file), { code: 0, stdout: `${key}\n` })
  t.equal(readFileSync(file, 'utf8'), text)
  t.not(key, cluster.created.operator.key, 'it is not the key of the profile')
  const env = { ...cluster.env, MAKIATTO_KEY: join(cluster.directory, 'gone.key') }
  const variable = await runInProcess(['operator', 'key'], { env, cwd: cluster.directory })
  t.match(variable, { code: 4, stderr: /there is no key file/ }, 'a variable makes none')
})

t.test('operator add and list', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const added = await cluster.maki('operator', 'add', 'ann', ann.key)
  t.match(added, {
    code: 0,
    stdout: /^Added the operator ann \(\w{10}\) at one\.\n\nFor authorized_keys on the machines:\nrestrict,/,
  })
  t.ok(node!.replica.isMember(ann.key))
  t.match(await cluster.maki('operator', 'add', 'ann', ann.key), {
    code: 0,
    stdout: /is a member already; nothing was written/,
  })
  const deployer = ['operator', 'add', 'ci', ci.key, '--role', 'deployer']
  t.match(await cluster.maki(...deployer), { code: 2, stderr: /--role deployer --domain example\.com\n$/ })
  t.match(await cluster.json(...deployer, '--domain', 'Example.com'), { changed: true, domains: ['example.com'] })
  const more = await cluster.maki(...deployer, '--domain', 'example.org')
  t.match(more, { code: 0, stdout: /for example\.com, example\.org/, stderr: /there is no domain example\.org yet/ })
  t.match(await cluster.json(...deployer, '--domain', 'example.org'), { changed: false })
  t.match(await cluster.maki('operator', 'add', 'Ann', bob.key), {
    code: 0,
    stderr: /another member is called Ann too/,
  })

  const cases: [string[], number, RegExp][] = [
    [['x', 'abc'], 2, /is not a public key/],
    [[' ', ann.key], 2, /not a name for a member/],
    [['a\nb', ann.key], 2, /cannot be seen/],
    [['x', ann.key, '--domain', 'example.com'], 2, /not bound to domains/],
    [['ann', ann.key, '--role', 'deployer', '--domain', 'example.com'], 4, /would take nothing away/],
    [['x', testKey(100).key], 4, /the key of the node one/],
  ]
  for (const [args, code, text] of cases)
    t.match(await cluster.maki('operator', 'add', ...args), { code, stderr: text })
  const rows = await cluster.json<Row[]>('operator', 'list')
  t.same(
    rows.map(({ name, role, rank }) => [name, role, rank]),
    [
      ['recovery', 'recovery', 1],
      ['owner', 'operator', 2],
      ['ann', 'operator', 3],
      ['Ann', 'operator', 4],
      // The node joined before.
      ['ci', 'deployer', 6],
    ],
  )
  t.same(rows.at(-1)?.domains, ['example.com', 'example.org'])
  const recovery = rows[0]!.key
  t.match(await cluster.maki('operator', 'add', 'x', recovery), { code: 4, stderr: /this is the recovery key/ })
  t.match(
    (await cluster.maki('operator', 'list')).stdout,
    /3 +ann +\w{10} +operator +all +by owner just now|seconds? ago/,
  )
  // Promoted: added again.
  t.match(await cluster.json('operator', 'add', 'ci', ci.key), { changed: true, role: 'operator' })
  t.match(
    (await cluster.json<Row[]>('operator', 'list')).find(({ name }) => name === 'ci'),
    { role: 'operator' },
  )
})

t.test('the authorized_keys line holds the key as RFC 8709 writes it', async (t) => {
  const line = formatAuthorizedKey(ann.key, 'ann\nssh-rsa x')
  const [, blob] = /^restrict,command="makiatto stdio" ssh-ed25519 (\S+) ann\\x0assh-rsa x$/.exec(line) ?? []
  const bytes = Buffer.from(blob ?? '', 'base64')
  t.same(bytes.subarray(0, 19), Buffer.from('\0\0\0\x0bssh-ed25519\0\0\0\x20'))
  t.same(bytes.subarray(19), Buffer.from(idBytes(ann.key)))
})

t.test('operator remove asks, lists exactly what will be void, and removes for ever', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('operator', 'add', 'ann', ann.key)
  const work = await cluster.write(node!, [domainSet('example.org' as Hostname)], ann)
  const before = node!.replica.count
  const remove = ['operator', 'remove', 'ann']
  t.match(await cluster.maki(...remove), { code: 2, stderr: /no terminal.*\nTry: maki operator remove ann --yes\n$/s })
  t.match(await answering(cluster, 'n', ...remove), {
    code: 1,
    stderr: /Remove the operator ann\?.* \[y\/N\] .*nothing was written/s,
  })
  t.match(await answering(cluster, '', ...remove, '--json'), { code: 2 })
  t.equal(node!.replica.count, before)
  t.match(await cluster.maki('operator', 'remove', 'amm', '--yes'), {
    code: 4,
    stderr: /no member "amm"\nTry: maki operator list/,
  })

  const removed = await answering(cluster, 'yes', ...remove)
  t.match(removed, { code: 0, stdout: /^Removed ann at one; nothing that was known stopped counting\.\n$/ })
  t.notOk(node!.replica.isMember(ann.key))
  t.equal(node!.replica.explain(work.id).status, 'counted')
  t.match(await cluster.maki(...remove, '--yes'), { code: 4, stderr: /was removed already/ })
  t.match(await cluster.maki('operator', 'add', 'ann', ann.key), { code: 4, stderr: /a removed key never returns/ })
  t.match(
    (await cluster.json<Row[]>('operator', 'list')).find(({ name }) => name === 'ann'),
    {
      rank: null,
      removed: { how: 'retire', by: { name: 'owner' } },
    },
  )
  t.match((await cluster.maki('operator', 'list')).stdout, /- +ann .* retired by owner/)
})

t.test('revoking cuts what no operation here has seen, and the list is exact', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('operator', 'add', 'ann', ann.key)
  const replica = node!.replica
  const tip = replica.heads()
  // More forks than an operation can follow: the least of them are not seen by it.
  const record = { kind: 'record.set', domain: example, type: 'A', ttl: 300, values: ['203.0.113.1'] } as const
  const forks = Array.from({ length: 20 }, (_, i) =>
    createOperation(ann, cluster.cluster, {
      stamp: { wallMs: tip[0]!.stamp.wallMs + 1, counter: i },
      heads: tip.map(({ id }) => id),
      changes: [{ ...record, name: `n${i}` as OwnerName }],
    }),
  )
  await replica.submit(forks.map(({ bytes }) => bytes))
  const result = await cluster.json<{ voids: { id: string }[] }>('operator', 'remove', 'ann', '--revoke', '--yes')
  const voids = new Set(replica.voids().map(({ operation }) => operation as string))
  t.same(new Set(result.voids.map(({ id }) => id)), voids)
  t.equal(voids.size, 20 - 16)
  t.match(await cluster.maki('status'), { stdout: /void \w{10}: its author’s key was revoked/ })
})

t.test('a removal that would not count is refused with who could do it', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  t.match(await cluster.maki('operator', 'remove', 'owner', '--yes'), {
    code: 4,
    stderr: /you are the last operator.*\nTry: First admit another: maki operator add NAME PUBKEY/,
  })
  t.match(await cluster.maki('operator', 'remove', 'recovery', '--yes'), { code: 4, stderr: /cannot be removed/ })
  t.match(await cluster.maki('operator', 'remove', 'one', '--yes'), { code: 4, stderr: /is a node/ })
  // This laptop's operator is the first; another one that it admits is a junior of it.
  const key = join(cluster.directory, 'ann.key')
  await writeKeyFile(key, new Uint8Array(32).fill(5), 'ann')
  await cluster.maki('operator', 'add', 'ann', ann.key)
  await cluster.maki('operator', 'add', 'ci', ci.key, '--role', 'deployer', '--domain', 'example.com')
  t.match(await cluster.maki('operator', 'remove', 'owner', '--yes'), {
    code: 4,
    stderr: /nobody can remove themselves/,
  })
  const junior = await cluster.maki('operator', 'remove', 'owner', '--yes', '--key', key)
  t.match(junior, { code: 4, stderr: /owner ranks above you.*\nTry: Only the recovery key can: maki cluster recover/ })
  t.match(await cluster.maki('operator', 'remove', 'ann', '--yes', '--key', key), {
    code: 4,
    stderr: /nobody can remove themselves.*\nTry: These rank above and can: owner/,
  })
  const deployerKey = join(cluster.directory, 'ci.key')
  await writeKeyFile(deployerKey, new Uint8Array(32).fill(7), 'ci')
  t.match(await cluster.maki('operator', 'remove', 'ann', '--yes', '--key', deployerKey), {
    code: 4,
    stderr: /only operators may/,
  })
  t.ok(node!.replica.isMember(cluster.created.operator.key))
  // A junior may write what the state says of a senior, and locks nobody out with it.
  await cluster.write(node!, [{ kind: 'operator.remove', key: cluster.created.operator.key, how: 'revoke' }], ann)
  t.match(await cluster.json('operator', 'remove', 'ci', '--yes'), { name: 'ci', node: 'one' })
  t.match((await cluster.json<Row[]>('operator', 'list'))[1], { name: 'owner', removed: null, rank: 2 })
})

t.test('cluster show', async (t) => {
  await using cluster = await startTestCluster()
  const shown = await cluster.json<{ operators: Row[]; counts: object }>('cluster', 'show')
  t.match(shown, {
    id: cluster.cluster,
    name: 'test',
    nodes: [{ name: 'one', schema: 1 }],
    schema: { known: SCHEMA, written: 1 },
    counts: { operations: 2, void: 0, held: 0, conflicts: 0, domains: 1 },
  })
  t.same(
    shown.operators.map(({ name }) => name),
    ['recovery', 'owner'],
  )
  t.match((await cluster.maki('cluster', 'show')).stdout, /schema +1 is written, \d is known here: upgrade the nodes/)
})

const recoverWith = (file: string) => ['cluster', 'recover', '--recovery-key', file, '--name', 'laptop-2']

t.test('with all operators lost, a new laptop with the recovery key and a profile is an operator again', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('push')
  const file = join(cluster.directory, 'recovery.key')
  // Another computer: the same profile, nothing else.
  const profile = join(cluster.directory, 'new', 'profile.toml')
  await mkdir(join(cluster.directory, 'new'))
  await writeFile(profile, (await readFile(cluster.profile, 'utf8')).replace('data = "data"', 'data = "fresh"'))
  const env = { ...cluster.env, MAKIATTO_PROFILE: profile }
  const laptop = (argv: string[], answer?: string) =>
    runInProcess(argv, { env, cwd: cluster.directory, ...(answer === undefined ? {} : { answer }) })

  t.match(await laptop(recoverWith(join(cluster.directory, 'none.key'))), { code: 4, stderr: /no key file/ })
  t.match(await laptop(recoverWith(join(cluster.directory, 'data', 'operator.key'))), {
    code: 4,
    stderr: /does not hold the recovery key/,
  })
  for (const name of [' ', 'a\nb'])
    t.match(await laptop([...recoverWith(file).slice(0, -1), name, '--yes']), { code: 2, stderr: /not a name/ })
  t.notOk(existsSync(join(cluster.directory, 'new', 'fresh', 'operator.key')), 'what was refused has made no key')
  t.match(await laptop([...recoverWith(file), '--revoke', 'owner']), { code: 2, stderr: /--revoke owner --yes\n$/ })
  const done = await laptop([...recoverWith(file), '--revoke', 'owner'], 'y')
  t.match(done, {
    code: 0,
    stdout: /^Done at one: this computer is the operator laptop-2\.\nRevoked: owner\.\n\nNext:\n/,
    stderr: /Read the cluster from one\.\nRevokes the operator owner\.\nNo operation that counts will be void/,
  })
  t.notOk(node!.replica.isMember(cluster.created.operator.key))
  const set = ['record', 'set', 'example.com', 'www', 'A', '192.0.2.1']
  t.match(await laptop(set), { code: 0, stdout: /Set www\.example\.com A/ })
  t.match(await cluster.maki(...set), { code: 4, stderr: /was removed from this cluster/ })
  t.match(await laptop(recoverWith(file)), { code: 0, stdout: /is the operator laptop-2 already/ })

  // The removed computer gets a new key, not its old one back.
  t.match(await cluster.maki(...recoverWith(file), '--yes'), {
    code: 4,
    stderr: /the key of this computer was removed.*operator\.key away/s,
  })

  const lastLine = (path: string) => readFileSync(path, 'utf8').trim().split('\n').at(-1) as string
  const secret = lastLine(file)
  const own = lastLine(join(cluster.directory, 'data', 'operator.key'))
  const files = globSync('{data,new,one}/**/*', { cwd: cluster.directory })
    .map((path) => join(cluster.directory, path))
    .filter((path) => statSync(path).isFile())
  const holding = (text: string) => {
    const raw = Buffer.from(idBytes(text as MemberKey))
    return files.filter((path) => [raw, Buffer.from(text)].some((needle) => readFileSync(path).includes(needle)))
  }
  t.equal(holding(own).length, 1, 'the search finds a key that is there')
  t.ok(files.some((path) => path.includes('fresh')))
  t.same(holding(secret), [], 'the recovery key is nowhere')
})

t.test('a recovery made while no node answers waits, and is handed over', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  await cluster.maki('push')
  await node!.stop()
  await cluster.write(node!, [{ kind: 'operator.add', key: ann.key, name: 'ann', role: 'operator' }])
  const file = join(cluster.directory, 'recovery.key')
  await rename(join(cluster.directory, 'data', 'operator.key'), join(cluster.directory, 'lost.key'))
  const made = await cluster.maki(...recoverWith(file), '--yes')
  t.match(made, { code: 0, stderr: /Made a key.*from the copy on this computer.*1 operation of yours waits here/s })
  await node!.start()
  t.match(await cluster.json('push'), { waiting: [] })
  t.match(
    (await cluster.json<Row[]>('operator', 'list')).map(({ name }) => name),
    ['recovery', 'owner', 'laptop-2', 'ann'],
  )
})
