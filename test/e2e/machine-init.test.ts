import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { BareHosts, compareListings, listServer } from './support/bare-hosts.ts'
import { childrenOf } from './support/booted-hosts.ts'
import { Scene } from './support/scene.ts'
import { atRest, makeBundle } from './support/servers.ts'

/** One server's way in: interrupted, set up by a user with sudo, again, anew, and known to a second computer. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const hosts = await BareHosts.open(scene, ['solo'])
t.teardown(() => hosts[Symbol.asyncDispose]())
const { operator } = hosts
const host = hosts.host('solo')
await makeBundle(operator)
const target = `admin@${host.ipv4}`
const init = ['machine', 'init', 'solo', target, '--lat', '-33.9', '--lon', '151.2', '--yes']

interface Told {
  readonly key: string
  readonly recoveryKey: string | null
  readonly faults: readonly string[]
  readonly steps: readonly { readonly step: string; readonly state: string }[]
}

t.test('Ctrl-C in the middle takes back what was done, on both sides', async (t) => {
  // Sudo of Debian notes in the home folder that it was used.
  t.equal((await operator.ssh('admin', host, 'sudo -n true')).code, 0)
  const before = await listServer(host)
  for (const at of [/Upload: /, /Join: /]) {
    const child = operator.start(init)
    await child.waitForLine((line) => at.test(line))
    // To maki itself, in the same moment: what stands before it to bring it to the switch would end it by force.
    const [pid, ...others] = childrenOf(child.pid)
    t.strictSame(others, [])
    process.kill(pid as number, 'SIGINT')
    const { code } = await child.ended
    t.equal(code, 130, child.output)
    t.match(child.output, /interrupted: what was done was taken back/)
    await atRest(host)
    t.strictSame(compareListings(before, await listServer(host)), [], `after ${at}`)
    t.notOk(existsSync(operator.profile))
    t.notOk(existsSync(operator.path('makiatto-recovery.key')))
  }
})

let first: Told
t.test('a user with sudo sets it up, and everyday commands need no sudo', async (t) => {
  const { code, stdout, stderr } = await operator.maki([...init, '--json'])
  t.equal(code, 0, `${stdout}${stderr}`)
  first = JSON.parse(stdout) as Told
  t.strictSame(first.faults, [])
  t.match(readFileSync(first.recoveryKey as string, 'utf8'), /Recovery key/)
  t.match(readFileSync(operator.profile, 'utf8'), /latitude = -33\.9\nlongitude = 151\.2/)
  await host.run('rm', '/etc/sudoers.d/admin')
  const status = await operator.maki(['status', '--json'])
  t.equal(status.code, 0, status.stderr)
  await host.write('/etc/sudoers.d/admin', 'admin ALL=(ALL) NOPASSWD: ALL\n', '440')
})

t.test('typed again it does nothing; what the owner wrote stays', async (t) => {
  const profile = readFileSync(operator.profile, 'utf8')
  await host.run('sh', '-c', 'printf "[web]\\nworkers = 1\\n" >> /etc/makiatto/makiatto.toml')
  const before = await host.read('/etc/makiatto/makiatto.toml')
  const { code, stdout, stderr } = await operator.maki([...init, '--json'])
  t.equal(code, 0, `${stdout}${stderr}`)
  const again = JSON.parse(stdout) as Told
  t.equal(again.key, first.key)
  for (const step of ['Configuration', 'Node key', 'Join', 'Service'])
    t.match(
      again.steps.find((one) => one.step === step),
      { state: 'same' },
      step,
    )
  t.equal(await host.read('/etc/makiatto/makiatto.toml'), before)
  t.equal(readFileSync(operator.profile, 'utf8'), profile)
})

t.test('a second computer gets to know it, and its key to the cluster', async (t) => {
  const laptop = hosts.addOperator('second')
  const added = await laptop.maki(['machine', 'add', target, '--yes', '--json'])
  t.equal(added.code, 0, added.stderr)
  const { name, key, isMember, changed } = JSON.parse(added.stdout) as Record<string, unknown>
  t.match({ name, isMember, changed }, { name: 'solo', isMember: false, changed: true })
  t.match(readFileSync(laptop.profile, 'utf8'), /name = "solo"\nssh_target = "admin@.*"\nhost_key = "ssh-/)
  const refused = await laptop.maki(['machine', 'init', 'solo', target, '--yes'])
  t.equal(refused.code, 4)
  t.match(refused.stderr, /no member of this cluster|operator add/)
  const admitted = await operator.maki(['operator', 'add', 'second', key as string])
  t.equal(admitted.code, 0, admitted.stderr)
  const again = await laptop.maki(['machine', 'add', target, '--json'])
  t.match(JSON.parse(again.stdout), { isMember: true, changed: false }, again.stderr)
  const status = await laptop.maki(['status'])
  t.equal(status.code, 0, status.stderr)
})

t.test('--recreate sets it up anew, with another key, once it is asked for', async (t) => {
  const asked = await operator.maki([...init.filter((word) => word !== '--yes'), '--recreate'])
  t.not(asked.code, 0, 'nobody is there to say yes')
  const { code, stdout, stderr } = await operator.maki([...init, '--recreate', '--json'])
  t.equal(code, 0, `${stdout}${stderr}`)
  const anew = JSON.parse(stdout) as Told
  t.not(anew.key, first.key)
  t.notMatch(await host.read('/etc/makiatto/makiatto.toml'), /\[web\]/)
  t.match(JSON.parse((await operator.maki(['status', '--json'])).stdout), { nodes: [{ name: 'solo', up: true }] })
})
