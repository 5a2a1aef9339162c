import { writeFileSync } from 'node:fs'
import t from 'tap'
import { readKeyFile } from '../../cli/client/identity.ts'
import { systemRuntime } from '../../cli/system.ts'
import {
  type Change,
  createOperation,
  decodeOperation,
  type Hostname,
  nextStamp,
  type Operation,
  type OwnerName,
  type Signer,
} from '../../core/index.ts'
import { eventually } from '../support/eventually.ts'
import { type Daemon, listOperations } from './support/daemons.ts'
import type { Laptop } from './support/laptop.ts'
import { ask, Office } from './support/office.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/** Who may do what, and whose clock is believed, on three real nodes: also by clients that sign what `maki` refuses. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const DOMAIN = 'shop.test' as Hostname
const OTHER = 'other.test'
/** Twice what a node lets pass. */
const AHEAD_MS = 10 * 60_000

interface Void {
  readonly operation: string
  readonly reason: string
}
interface Standing {
  readonly held: readonly string[]
  readonly void: readonly Void[]
  readonly due?: Readonly<Record<string, string>>
}

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const office = await Office.open(scene)
t.teardown(() => office[Symbol.asyncDispose]())
const { cluster, owner } = office
const [node1, node2, node3] = cluster.daemons as [Daemon, Daemon, Daemon]

const record = (value: string): Change => ({
  kind: 'record.set',
  domain: DOMAIN,
  name: 'raw' as OwnerName,
  type: 'A',
  ttl: 300,
  values: [value],
})

/** An operation as somebody signs it who asks nobody: it follows all that the node has. */
async function sign(signer: Signer, changes: readonly Change[], aheadMs = 0): Promise<Operation> {
  const all = (await listOperations(node1.client)).map((bytes) => decodeOperation(bytes, cluster.id))
  const followed = new Set(all.flatMap(({ heads }) => heads))
  const heads = all.filter(({ id }) => !followed.has(id))
  const stamps = aheadMs < 0 ? [] : heads.map(({ stamp }) => stamp)
  return createOperation(signer, cluster.id, {
    stamp: nextStamp(systemRuntime.now() + aheadMs, stamps),
    heads: aheadMs < 0 ? [] : heads.map(({ id }) => id),
    changes,
  })
}

const set = (laptop: Laptop, name: string, value: string, ...flags: string[]) =>
  laptop.maki(['record', 'set', DOMAIN, name, 'A', value, ...flags])
const standing = (laptop: Laptop, node: string) => ask<Standing>(laptop, ['status', '--node', node])

async function addressOf(laptop: Laptop, name: string): Promise<unknown> {
  const rows = await ask<{ value: { values: string[] } }[]>(laptop, ['state', '--key', `${name}.${DOMAIN}`])
  return rows[0]?.value.values
}

/** A node, or a command, whose clock is so far ahead. */
const clock = scene.path('clock.mjs')
writeFileSync(clock, `const now = Date.now\nDate.now = () => now() + ${AHEAD_MS}\n`)
const FAST = { NODE_OPTIONS: `--import=${clock}` }

let ann: Laptop
let ci: Laptop

t.test('a second laptop by an exchange of keys', async (t) => {
  const cwd = writeProject(owner.path('site'), { domain: DOMAIN, files: { 'index.html': 'one' } })
  await ask(owner, ['sync'], { cwd })
  const stranger = await set(office.buyLaptop('stranger'), 'www', '192.0.2.1')
  t.match(stranger, { code: 4, stderr: /maki operator add NAME \w{52}/ }, 'a key that nobody added signs nothing')
  ann = await office.admit('ann')
  t.match(await set(ann, 'www', '192.0.2.1', '--node', 'node3'), { code: 0 })
  await cluster.agreement()
  t.strictSame(await addressOf(owner, 'www'), ['192.0.2.1'])
})

t.test('a deployer is refused before it signs, and its raw operation is void', async (t) => {
  await ask(owner, ['sync'], { cwd: writeProject(owner.path(OTHER), { domain: OTHER, files: { 'index.html': 'x' } }) })
  ci = await office.admit('ci', '--role', 'deployer', '--domain', DOMAIN)
  const mine = writeProject(ci.path('site'), { domain: DOMAIN, files: { 'index.html': 'two' } })
  t.match(await ci.maki(['sync', '--take-over'], { cwd: mine }), { code: 0 })
  const theirs = writeProject(ci.path(OTHER), { domain: OTHER, files: { 'index.html': 'y' } })
  const count = async () => (await listOperations(node1.client)).length
  const before = await count()
  t.match(await ci.maki(['sync', '--take-over'], { cwd: theirs }), { code: 4 }, 'not its domain')
  t.match(await set(ci, 'www', '192.0.2.66'), { code: 4, stderr: /a deployer may only publish releases/ })
  t.equal(await count(), before, 'nothing was signed')
  t.strictSame((await standing(owner, 'node2')).void, [], 'and nothing is void')

  const signer = await readKeyFile(`${ci.home}/.local/share/makiatto/${cluster.id}/operator.key`)
  const { id, bytes } = await sign(signer, [record('192.0.2.66')])
  await node3.client.accept([bytes])
  await cluster.agreement()
  for (const { name } of cluster.daemons)
    t.match((await standing(owner, name)).void, [{ operation: id, reason: /deployer/ }], `void at ${name}`)
  t.match(await owner.maki(['history', '--author', 'ci']), { code: 0, stdout: /does not count: .*deployer/ })
  t.equal(await addressOf(owner, 'raw').catch(() => undefined), undefined, 'it changes nothing')
})

t.test('a revoked key is void with any date, and what it wrote before stays', async (t) => {
  const signer = await readKeyFile(`${ann.home}/.local/share/makiatto/${cluster.id}/operator.key`)
  const concurrent = await sign(signer, [record('192.0.2.77')])
  const removed = await owner.maki(['operator', 'remove', 'ann', '--revoke', '--yes'])
  t.equal(removed.code, 0, removed.stderr)
  t.match(await set(ann, 'www', '192.0.2.99'), { code: 4, stderr: /was removed from this cluster/ })
  await node2.client.accept([concurrent.bytes])
  await node3.client.accept([(await sign(signer, [record('192.0.2.78')])).bytes])
  await cluster.agreement()
  const { void: list } = await standing(owner, 'node1')
  t.equal(list.length, 3)
  t.ok(list.some(({ operation }) => operation === concurrent.id))
  t.strictSame(await addressOf(owner, 'www'), ['192.0.2.1'], 'what was known before counts')
  t.equal(await addressOf(owner, 'raw').catch(() => undefined), undefined)
  const again = await owner.maki(['operator', 'add', 'ann', signer.key])
  t.match(again, { code: 4, stderr: /never returns/ })
})

t.test('a clock that is ahead is refused where it enters', async (t) => {
  const ahead = await sign(cluster.operator, [record('192.0.2.88')], AHEAD_MS)
  await t.rejects(node1.client.accept([ahead.bytes]), { code: 'MAKI_OPERATION_REFUSED' })
  const refused = await owner.maki(['record', 'set', DOMAIN, 'fast', 'A', '192.0.2.3'], { env: FAST })
  t.match(refused.stderr, /clock/, 'maki says so')
  t.match(await owner.maki(['status', '--json']), { stdout: /"waiting": \[\n/ }, 'what was refused waits')
})

t.test('what enters at a node whose clock is ahead is held by the others until it is due', async (t) => {
  await node3.stop()
  node3.env = FAST
  await node3.start()
  const handed = await owner.maki(['push', '--node', 'node3'], { env: FAST })
  t.equal(handed.code, 0, handed.stderr)
  for (const { name } of [node1, node2]) {
    const { held, due } = await eventually(`what ${name} holds`, async () => {
      const status = await standing(owner, name)
      return status.held.length === 1 ? status : undefined
    })
    t.strictSame(Object.keys(due ?? {}), held, `${name} says when it is due`)
  }
  const early = await ask<unknown[]>(owner, ['state', '--node', 'node1'])
  t.notMatch(JSON.stringify(early), /192\.0\.2\.3"/, 'it does not count yet')
  t.match(await owner.maki(['history', '--limit', '1']), { stdout: /held/ })

  for (const node of [node1, node2]) {
    await node.stop()
    node.env = FAST
    await node.start()
  }
  const all = await cluster.agreement()
  for (const { held } of all) t.strictSame(held, [], 'with the time it counts')
})

t.test('all operators are lost: the recovery key on a new laptop', async (t) => {
  const fresh = office.buyLaptop('fresh')
  const run = (args: readonly string[]) => fresh.maki(args, { env: FAST })
  const stick = fresh.path('stick', 'recovery.key')
  const recovered = await run([
    ...['cluster', 'recover', '--recovery-key', stick, '--name', 'dora', '--revoke', 'developer', '--yes'],
  ])
  t.equal(recovered.code, 0, recovered.stderr)
  t.match(await run(['record', 'set', DOMAIN, 'www', 'A', '192.0.2.200']), { code: 0 })
  const lost = await owner.maki(['record', 'set', DOMAIN, 'www', 'A', '192.0.2.201'], { env: FAST })
  t.match(lost, { code: 4, stderr: /was removed from this cluster/ })
  const all = await cluster.agreement()
  for (const status of all) t.strictSame([status.pending, status.held, status.void.length], [[], [], 3])
  t.match((await run(['record', 'list', DOMAIN, 'www'])).stdout, /192\.0\.2\.200/)
  t.equal((await run(['status'])).code, 0)
})

t.test('the end', async (t) => {
  for (const daemon of cluster.daemons) await daemon.stop()
  t.strictSame(await scene.leftovers(), [])
})
