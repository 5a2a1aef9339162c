import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { findProfilePath, loadProfile, type Machine, type Profile, writeProfile } from '../../../cli/config/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import type { ClusterId, NodeName } from '../../../core/index.ts'
import { createTestCluster } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster: ClusterId = createTestCluster().id
/** Members that are undefined and members that are not there mean the same. */
const plain = (profile: Profile): unknown => JSON.parse(JSON.stringify(profile))
const env = { HOME: '/home/ada' }

t.test('the flag wins over the variable, the variable over the default', async (t) => {
  const variable = { ...env, MAKIATTO_PROFILE: '/v.toml' }
  t.equal(findProfilePath('/f.toml', variable), '/f.toml')
  t.equal(findProfilePath(undefined, variable), '/v.toml')
  t.equal(findProfilePath(undefined, { ...env, MAKIATTO_PROFILE: '' }), '/home/ada/.config/makiatto/default.toml')
  t.equal(findProfilePath(undefined, { ...env, XDG_CONFIG_HOME: '/c' }), '/c/makiatto/default.toml')
  t.throws(() => findProfilePath(undefined, {}), { code: 'MAKI_USAGE' })
})

t.test('every key is read', async (t) => {
  const folder = t.testdir({
    'p.toml': `cluster = "${cluster}"
data = "data"
[[machines]]
name = "Vector"
ssh_target = "root@203.0.113.1"
port = 2222
host_key = "ssh-ed25519 AAAA"
is_nameserver = true
wg_public_key = "key="
wg_address = "fd00::1"
latitude = 52
longitude = -0.5
ipv4 = "203.0.113.1"
ipv6 = "2001:db8::1"
sync_target = true
[[machines]]
name = "here"
control = "run/control.sock"
`,
  })
  const profile = await loadProfile(join(folder, 'p.toml'), env)
  t.equal(profile.cluster, cluster)
  t.equal(profile.dataFolder, join(folder, 'data'))
  t.same(profile.machines[0], {
    name: 'vector',
    sshTarget: 'root@203.0.113.1',
    port: 2222,
    hostKey: 'ssh-ed25519 AAAA',
    isNameserver: true,
    wgPublicKey: 'key=',
    wgAddress: 'fd00::1',
    latitude: 52,
    longitude: -0.5,
    ipv4: '203.0.113.1',
    ipv6: '2001:db8::1',
    syncTarget: true,
    control: undefined,
  })
  t.equal(profile.machines[1]?.control, join(folder, 'run/control.sock'))
})

t.test('the data folder is the cluster’s own unless the profile names one', async (t) => {
  const folder = t.testdir({ 'p.toml': `cluster = "${cluster}"\n` })
  const file = join(folder, 'p.toml')
  t.equal((await loadProfile(file, env)).dataFolder, `/home/ada/.local/share/makiatto/${cluster}`)
  t.equal((await loadProfile(file, { ...env, XDG_DATA_HOME: '/d' })).dataFolder, `/d/makiatto/${cluster}`)
})

t.test('all faults of a profile are told together', async (t) => {
  const folder = t.testdir({
    'p.toml': `cluster = "short"
[[machines]]
name = "a"
latitude = 91
ipv4 = "::1"
[[machines]]
name = "b"
[[machines]]
name = "B"
control = "x"
longitude = 1
`,
  })
  const file = join(folder, 'p.toml')
  const error = await loadProfile(file, env).catch((thrown: Error) => thrown)
  t.equal(
    (error as Error).message.replaceAll(file, 'p.toml'),
    `p.toml has 6 faults:
  p.toml:1:11: cluster: "short" is not a cluster id: 52 characters a-z and 2-7 are expected
  p.toml:4:12: machines[0].latitude: a number from -90 to 90 is expected
  p.toml:5:8: machines[0].ipv4: an IPv4 address is expected, like 203.0.113.7
  p.toml:6:1: machines[1]: b has neither ssh_target nor control, so nothing can reach it
  p.toml:8:1: machines[2]: b has only one of latitude and longitude
  p.toml:9:8: machines[2].name: b stands on line 7 already`,
  )
})

t.test('where there is none, the two ways to get one are named', async (t) => {
  await t.rejects(loadProfile(join(t.testdir({}), 'none.toml'), env), {
    code: 'MAKI_CONFIG',
    hint: /maki dev[\s\S]*export MAKIATTO_PROFILE=/,
  })
})

for (const seed of seeds(20)) {
  t.test(`what is written reads back the same (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const folder = t.testdir({})
    const file = join(folder, 'deep', 'p.toml')
    const maybe = <T>(value: T): T | undefined => (random.chance(0.5) ? value : undefined)
    const machines = Array.from({ length: random.integer(4) }, (_, i): Machine => {
      const isPlaced = random.chance(0.5)
      return {
        name: `node-${i}` as NodeName,
        sshTarget: `ro"ot\\@h${i}`,
        port: maybe(1 + random.integer(65535)),
        hostKey: maybe('ssh-ed25519 é"\n'),
        isNameserver: random.chance(0.5),
        wgPublicKey: maybe('a+/='),
        wgAddress: maybe('fd00::1'),
        latitude: isPlaced ? random.next() * 180 - 90 : undefined,
        longitude: isPlaced ? random.integer(360) - 180 : undefined,
        ipv4: maybe('192.0.2.1'),
        ipv6: maybe('2001:db8::1'),
        syncTarget: maybe(random.chance(0.5)),
        control: maybe(
          random.pick([join(folder, 'deep', 'c.sock'), join(folder, 'deep', 'n', 'c.sock'), '/run/c.sock']),
        ),
      }
    })
    const dataFolder = random.pick([
      join(folder, 'deep', 'data'),
      '/elsewhere',
      `/home/ada/.local/share/makiatto/${cluster}`,
    ])
    const profile: Profile = { file, cluster, machines, dataFolder, warnings: [] }
    await writeProfile(profile, env, systemRuntime)
    t.same(plain(await loadProfile(file, env)), plain(profile))
    await writeProfile(await loadProfile(file, env), env, systemRuntime)
    t.same(plain(await loadProfile(file, env)), plain(profile))
    t.same(await readdir(join(folder, 'deep')), ['p.toml'], 'nothing temporary is left')
  })
}

t.test('writing keeps the mode of the file and the link to it', async (t) => {
  const folder = t.testdir({})
  const file = join(folder, 'p.toml')
  const profile = { file, cluster, machines: [], dataFolder: '/data' }
  await writeProfile(profile, env, systemRuntime)
  t.equal((await stat(file)).mode & 0o777, 0o644)
  await chmod(file, 0o600)
  const link = join(folder, 'link.toml')
  await symlink(file, link)
  await writeProfile({ ...profile, file: link, dataFolder: '/other' }, env, systemRuntime)
  t.equal((await stat(file)).mode & 0o777, 0o600)
  t.match(await readFile(file, 'utf8'), 'data = "/other"')
})

t.test('a write that fails leaves the old file', async (t) => {
  const folder = t.testdir({ 'p.toml': 'old' })
  const file = join(folder, 'p.toml')
  await writeFile(join(folder, '.makiatto-000000000000.tmp'), 'in the way')
  const runtime = { randomBytes: (length: number) => new Uint8Array(length) }
  await t.rejects(writeProfile({ file, cluster, machines: [], dataFolder: '/d' }, env, runtime))
  t.equal(await readFile(file, 'utf8'), 'old')
})
