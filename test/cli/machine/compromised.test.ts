import { readFileSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Interrupted } from '../../../cli/program/host.ts'
import { type CertificateName, findNode, type MemberKey } from '../../../core/index.ts'
import { CertificateMaker } from '../../support/certificate-maker.ts'
import * as pem from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { findFreePorts } from '../../support/free-ports.ts'
import { announceSchema, runInProcess, startTestCluster, type TestCluster, testKey } from '../support/test-cluster.ts'

t.setTimeout(0)
const keyOf = (i: number): MemberKey => testKey(100 + i).key
const REMOVE = ['machine', 'remove', 'two', '--compromised', '--yes']

/** Three machines, of which nobody reaches `two`, with a certificate whose key all of them know. */
async function startCluster(t: Test): Promise<TestCluster> {
  const cluster = await startTestCluster({ nodes: ['one', 'two', 'three'] })
  t.teardown(() => cluster[Symbol.asyncDispose]())
  await announceSchema(cluster)
  for (const [name, text] of Object.entries(pem)) await writeFile(join(cluster.directory, name), text)
  const imported = await cluster.maki('cert', 'import', 'LEAF', 'INTERMEDIATE', '--private-key', 'LEAF_KEY')
  t.equal(imported.code, 0, imported.stderr)
  const port = await findFreePorts([0])
  const text = readFileSync(cluster.profile, 'utf8')
  const entry = /name = "two"\ncontrol = "[^"]*"\n/
  writeFileSync(cluster.profile, text.replace(entry, `name = "two"\nssh_target = "root@127.0.0.1"\nport = ${port}\n`))
  return cluster
}

/** The nodes get certificates by themselves, and say this of the one that there is. */
function order(cluster: TestCluster, reason: string): void {
  for (const node of cluster.nodes)
    node.certificates = { uncovered: [], waiting: [{ name: 'example.com', code: 'back-off', reason, next: null }] }
}

t.test('it is not done until all is new: when the time is over it says what is left, and why', async (t) => {
  const cluster = await startCluster(t)
  order(cluster, 'the authority does not \u001b[31manswer')
  const { code, stdout } = await cluster.maki(...REMOVE, '--timeout', '0')
  t.equal(code, 1)
  t.match(stdout, /It is not done yet; the nodes go on by themselves:/)
  t.match(stdout, 'the certificate example.com still has its old key: the authority does not \\x1b[31manswer')
  t.match(stdout, /to do the private key of the certificate example\.com/)
})

t.test('where no node gets certificates nothing is waited for, and all is listed', async (t) => {
  const cluster = await startCluster(t)
  const { code, stdout } = await cluster.maki(...REMOVE)
  t.equal(code, 0)
  t.match(
    stdout,
    /to do the private key of the certificate example\.com[\s\S]*No node gets certificates by itself here/,
  )
})

t.test('it ends when the last thing is replaced; other commands can be typed meanwhile', async (t) => {
  const cluster = await startCluster(t)
  const [one] = cluster.nodes
  order(cluster, 'it is ordered')
  const removing = cluster.json<{ rest: unknown; replace: { what: string; isDone: boolean }[] }>(...REMOVE)
  await eventually('the removal', async () => (one && findNode(one.replica.state, keyOf(1)) ? undefined : true))
  using maker = new CertificateMaker()
  const { chain, key } = maker.make(['example.com', '*.example.com'])
  await writeFile(join(cluster.directory, 'RENEWED'), chain)
  await writeFile(join(cluster.directory, 'RENEWED_KEY'), key)
  const replaced = await cluster.maki('cert', 'import', 'RENEWED', '--private-key', 'RENEWED_KEY')
  t.equal(replaced.code, 0, replaced.stderr)
  const removal = await removing
  t.match(removal.rest, { certificates: [], revocations: [], accounts: [], tickets: false, late: [] })
  t.match(
    removal.replace.find(({ what }) => what.includes('certificate example.com')),
    { isDone: true, todo: /replaced/ },
  )
})

t.test('without a certificate the keys of tickets are changed all the same', async (t) => {
  const cluster = await startCluster(t)
  for (const node of cluster.nodes) node.certificates = { uncovered: [], waiting: [] }
  const [one] = cluster.nodes
  const name = 'example.com' as CertificateName
  if (one !== undefined) await cluster.write(one, [{ kind: 'certificate.remove', name }])
  t.match(await cluster.json(...REMOVE), { rest: { certificates: [], tickets: false, late: [] } })
})

t.test('an interruption says that the nodes go on', async (t) => {
  const cluster = await startCluster(t)
  order(cluster, 'it is ordered')
  const ended = new AbortController()
  const removing = runInProcess(REMOVE, { env: cluster.env, cwd: cluster.directory, signal: ended.signal })
  const [one] = cluster.nodes
  await eventually('the removal', async () => (one && findNode(one.replica.state, keyOf(1)) ? undefined : true))
  await eventually('the profile to forget it', async () =>
    readFileSync(cluster.profile, 'utf8').includes('"two"') ? undefined : true,
  )
  ended.abort(new Interrupted(130))
  const { code, stderr } = await removing
  t.equal(code, 130)
  t.match(stderr, /It is removed, and the nodes go on.*maki status/)
})
