import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { copyFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { type Change, formatWireGuardKey, type Hostname, type OwnerName } from '../../core/index.ts'
import { eventually } from '../support/eventually.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { BareHosts } from './support/bare-hosts.ts'
import type { BootedHost } from './support/booted-hosts.ts'
import { MeshHistory } from './support/mesh-history.ts'
import { makeOlderBundle } from './support/other-bundles.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'
import { askDns, askHttp, initServer, makeBundle } from './support/servers.ts'
import { inNetworkOf, knock, lendWg, type PeerHost, Underlay } from './support/underlay.ts'

/**
 * The mesh of three servers that `maki machine init` set up, with nothing between them but what the documentation asks for: what
 * it carries, what a listener hears, what external peers reach, and what becomes of it when lines and nodes fail.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
// Mostly waits: for tunnels, and for servers that boot.
const INTERFACE = 'wawa0'
const DOMAIN = 'mesh.test' as Hostname
const NAMES = ['amsterdam', 'newyork', 'singapore'] as const
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const hosts = await BareHosts.open(scene, NAMES)
t.teardown(() => hosts[Symbol.asyncDispose]())
const { operator } = hosts
const servers = NAMES.map((name) => hosts.host(name)) as [BootedHost, BootedHost, BootedHost]
const [amsterdam, newyork, singapore] = servers
const underlay = await Underlay.open(hosts.hosts, NAMES)
const bundle = await makeBundle(operator)
let history: MeshHistory

const wg = async (host: BootedHost, ...what: string[]): Promise<string[][]> =>
  (await host.run('wg', 'show', INTERFACE, ...what))
    .trim()
    .split('\n')
    .map((line) => line.split('\t'))

/** Runs a command that has to succeed, and gives what it printed as JSON. */
async function json<T = never>(t: Test, words: readonly string[], cwd = operator.home): Promise<T> {
  const outcome = await operator.maki([...words, '--json'], { cwd })
  t.equal(outcome.code, 0, `${words.join(' ')}\n${outcome.stdout}${outcome.stderr}`)
  return JSON.parse(outcome.stdout) as T
}

let written = 0
const record = (name = `r${written++}`): Change => ({
  kind: 'record.set',
  domain: DOMAIN,
  name: name as OwnerName,
  type: 'TXT',
  ttl: 60,
  values: [`"${name}"`],
})

/** Resolves when each of them shook hands with each other one. */
async function allMet(): Promise<void> {
  await eventually('handshakes of all with all', async () => {
    for (const host of servers) {
      const times = (await wg(host, 'latest-handshakes')).filter(([, at]) => Number(at) > 0)
      if (times.length < servers.length - 1) throw new Error(`${host.name} has ${times.length}`)
    }
    return true
  })
}

async function answersEverywhere(name: string): Promise<void> {
  for (const { name: host, ipv4 } of servers)
    await eventually(`${name} at ${host}`, async () =>
      (await askDns(hosts, ipv4, `${name}.${DOMAIN}`, 'TXT')).includes(`"${name}"`) ? true : undefined,
    )
}

async function holdsAll(t: Test): Promise<void> {
  await history.agreement(servers)
  for (const host of servers) t.strictSame(await history.lost(host), [], `all acknowledged is folded at ${host.name}`)
}

t.test('three servers with four ports open form a network', async (t) => {
  for (const server of servers) {
    await lendWg(hosts.hosts, server)
    // One that was not upgraded yet takes part in all that follows.
    const older = server === singapore ? ['--binary-path', (await makeOlderBundle(scene, bundle)).file] : []
    const { code, stdout, stderr } = await initServer(operator, server, ...older)
    t.equal(code, 0, `${stdout}${stderr}`)
  }
  history = await MeshHistory.of(operator)
  await allMet()
  for (const host of servers) {
    const { mesh } = await history.status(host)
    t.match(mesh, { interface: INTERFACE, kind: 'userspace' })
    t.equal((await host.run('ss', '-ltnH')).match(/\S+:(8787|8282)\b/g)?.length, 2)
    t.match(await host.run('ss', '-ltnH'), new RegExp(`\\[${mesh?.address}\\]:8787`))
  }
  const site = writeProject(scene.path('site'), { domain: DOMAIN, files: { 'index.html': 'hello' } })
  await json(t, ['sync'], site)
  await history.write(newyork, record('first'))
  await answersEverywhere('first')
  await holdsAll(t)
})

const HEARD = 'marker-that-a-listener-would-find'
/** What compresses to nothing would travel in a form that nobody looks for. */
const markedBlob = (seed: number, bytes: number): Buffer => {
  const random = createRandom(seed)
  const pieces = Array.from({ length: Math.ceil(bytes / 1000) }, () => [HEARD, random.bytes(1000 - HEARD.length)])
  return Buffer.concat(pieces.flat().map((piece) => Buffer.from(piece)))
}

/** Status and size of what a node answers to a visitor on the server itself: nothing of it goes over a line. */
async function askAt(server: BootedHost, path: string): Promise<string> {
  const [program, ...args] = [...inNetworkOf(server), 'curl', '-s', '-o', '/dev/null', '-H', `Host: ${DOMAIN}`]
  const url = `http://${server.ipv4}/${path}`
  return execFileSync(program as string, [...args, '-w', '%{http_code} %{size_download}', url], { encoding: 'utf8' })
}

/** Publishes a marked file at a node and resolves when another one serves it. */
async function publish(t: Test, seed: number, bytes: number, from: BootedHost, to: BootedHost): Promise<void> {
  const path = `blob-${seed}.bin`
  const folder = writeProject(scene.path('site'), { domain: DOMAIN, files: { [path]: markedBlob(seed, bytes) } })
  await json(t, ['sync', '--node', from.name], folder)
  await eventually(`${path} at ${to.name}`, async () =>
    (await askAt(to, path)) === `200 ${markedBlob(seed, bytes).length}` ? true : undefined,
  )
}

t.test('who listens on the line hears nothing; a slow one delays and loses nothing', async (t) => {
  await using cable = await underlay.cable('singapore', scene.folder)
  await publish(t, 1, 200_000, amsterdam, singapore)
  await history.write(amsterdam, record(`${HEARD}-in-a-record`))
  await history.agreement(servers)
  const before = cable.heard()
  t.ok(before.length > 200_000, `${before.length} bytes went through`)
  t.notOk(before.includes(HEARD))

  await cable.set({ delayMs: 150, jitterMs: 5, lossPercent: 0.5, bitsPerSecond: 10_000_000 })
  const begunMs = Date.now()
  await publish(t, 2, 1_000_000, amsterdam, singapore)
  for (const host of servers) await history.write(host, record())
  await holdsAll(t)
  t.comment(`10 Mbit/s, 300 ms, 0.5 % lost: 1 MB and three writes after ${Date.now() - begunMs} ms`)
})

t.test('partitions of every shape, with writes on all sides', async (t) => {
  const [a, b, c] = NAMES
  const both = (x: string, y: string): [string, string][] => [
    [x, y],
    [y, x],
  ]
  /** What is cut, and who hears whom nevertheless: sides that are connected, directly or by a third. */
  const shapes: { cuts: [string, string][]; sides: string[][]; deaf?: string }[] = [
    { cuts: [...both(a, b), ...both(a, c)], sides: [[a], [b, c]] },
    { cuts: [...both(b, a), ...both(b, c)], sides: [[b], [a, c]] },
    { cuts: [...both(c, a), ...both(c, b)], sides: [[c], [a, b]] },
    { cuts: [...both(a, b), ...both(a, c), ...both(b, c)], sides: [[a], [b], [c]] },
    { cuts: both(a, c), sides: [[a, b, c]] },
    {
      cuts: [
        [a, b],
        [a, c],
      ],
      sides: [[a], [b, c]],
      // It hears the others, who never hear that it did: what was on its way arrives.
      deaf: a,
    },
  ]
  for (const seed of seeds(1)) {
    for (const { cuts, sides, deaf } of createRandom(seed).shuffle(shapes)) {
      const title = `SEED=${seed}: ${sides.map((side) => side.join('+')).join(' | ')}, ${cuts.length} ways cut`
      await underlay.cut(cuts)
      const ids = new Map<string, Awaited<ReturnType<MeshHistory['write']>>>()
      for (const server of servers) ids.set(server.name, await history.write(server, record()))
      for (const side of sides) {
        await history.agreement(side.map((name) => hosts.host(name)))
        for (const name of side) {
          if (name === deaf) continue
          const known = await history.ids(hosts.host(name))
          const authors = [...ids].filter(([, id]) => known.has(id)).map(([author]) => author)
          t.strictSame(authors.sort(), [...side].sort(), `${title}: what ${name} has`)
        }
      }
      await underlay.cut([])
      await holdsAll(t)
    }
  }
})

/** A key pair as `wg genkey` and `wg pubkey` print it. */
function makePair(): { publicKey: string; privateKey: string } {
  const { privateKey } = generateKeyPairSync('x25519')
  const raw = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  const point = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32)
  return { publicKey: formatWireGuardKey(point), privateKey: raw.toString('base64') }
}

t.test('external peers reach nothing, and answer', async (t) => {
  const peers: { host: PeerHost; address: string }[] = []
  for (const [i, name] of ['office', 'metrics'].entries()) {
    const host = await underlay.addPeer(name, 201 + i)
    const { publicKey, privateKey } = makePair()
    const where = ['--wg-pubkey', publicKey, '--endpoint', `${host.ipv4}:51820`]
    const { address } = await json<{ address: string }>(t, ['peer', 'add', name, ...where])
    const { stdout } = await operator.maki(['peer', 'wg-config', name])
    const file = scene.path(`${name}.conf`)
    writeFileSync(file, stdout.replace('# PrivateKey = <private-key>', `PrivateKey = ${privateKey}`), { mode: 0o600 })
    await host.run('wg', 'setconf', host.interface, file)
    const [, way] = /^# ip route add (\S+) dev INTERFACE$/m.exec(stdout) ?? []
    await host.run('ip', 'address', 'add', `${address}/128`, 'dev', host.interface, 'nodad')
    await host.run('ip', 'link', 'set', host.interface, 'up')
    await host.run('ip', 'route', 'add', String(way), 'dev', host.interface)
    // To whom the way of the other one may lead, in spite of what it was told.
    await host.run('ip', 'route', 'replace', `${String(way).replace(/::\/64$/, '')}:1::/64`, 'dev', host.interface)
    peers.push({ host, address })
  }
  await history.agreement(servers)
  const [office, metrics] = peers as [(typeof peers)[number], (typeof peers)[number]]
  await eventually('each node to reach each peer', async () => {
    for (const server of servers) {
      const met = await knock(
        inNetworkOf(server),
        peers.map(({ address }) => ({ host: address, port: 9 })),
      )
      if (met.some((one) => one !== 'refused')) throw new Error(`${server.name}: ${met.join()}`)
    }
    return true
  })
  const meshes = await Promise.all(servers.map(async (host) => (await history.status(host)).mesh))
  const addresses = meshes.map((mesh) => mesh?.address as string)
  const doors = [...addresses, metrics.address].flatMap((host) =>
    [22, 53, 80, 443, 8282, 8787].map((port) => ({ host, port })),
  )
  // A node that would forward, and a peer that sends what is for the other peer by way of it.
  await amsterdam
    .run('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1')
    .catch(() => amsterdam.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'))
  const key = meshes[0]?.publicKey as string
  const allowed = `${addresses[0]}/128,${metrics.address}/128`
  await office.host.run('wg', 'set', office.host.interface, 'peer', key, 'allowed-ips', allowed)
  t.strictSame(new Set(await knock(office.host.wrapper, doors)), new Set(['nothing']))
  // Were there no filter, the same look would find SSH.
  execFileSync('nsenter', [
    ...inNetworkOf(amsterdam).slice(1),
    'nft',
    'delete',
    'table',
    'inet',
    `makiatto_${INTERFACE}`,
  ])
  const [ssh] = await knock(office.host.wrapper, [{ host: addresses[0] as string, port: 22 }])
  t.equal(ssh, 'open')
})

t.test('a server of an older version keeps what it does not know, and counts it when it is upgraded', async (t) => {
  await holdsAll(t)
  const shown = { http: [], dns: ['a'.repeat(43)], untilMs: Date.now() + 3_600_000 }
  const newer: Change = { kind: 'challenge.set', host: DOMAIN, ...shown }
  const id = await history.write(amsterdam, newer)
  const unknown = async (server: BootedHost) => (await history.status(server)).unknown
  await eventually('it to be passed on', async () => ((await unknown(singapore)).includes(id) ? true : undefined))
  t.strictSame(await history.lost(newyork), [])
  t.strictSame(await history.lost(singapore), [id])
  // What it passes on alone is whole: the third hears it of nobody else.
  await newyork.powerOff()
  const later = await history.write(amsterdam, { ...newer, dns: ['b'.repeat(43)] })
  await eventually('it to be there', async () => ((await unknown(singapore)).includes(later) ? true : undefined))
  await amsterdam.powerOff()
  await newyork.powerOn()
  await eventually('it to be heard', async () => ((await history.ids(newyork)).has(later) ? true : undefined))
  t.strictSame(await unknown(newyork), [])
  await amsterdam.powerOn()
  await allMet()
  await json(t, ['machine', 'upgrade', 'singapore'])
  await holdsAll(t)
})

t.test('a restart leaves the tunnels, and the end of the service takes them', async (t) => {
  const program = async () => (await newyork.run('pidof', 'wireguard-go').catch(() => '')).trim()
  const [was, before] = [await program(), await wg(newyork, 'latest-handshakes')]
  await json(t, ['machine', 'restart', 'newyork'])
  t.equal(await program(), was, 'the same program')
  const keys = (list: string[][]) => list.map(([key]) => key).sort()
  t.strictSame(keys(await wg(newyork, 'latest-handshakes')), keys(before))
  await newyork.run('systemctl', 'stop', 'makiatto')
  t.notMatch(await newyork.run('ip', '-o', 'link'), INTERFACE)
  t.notMatch(await newyork.run('ip', '-6', 'route'), /^fd/m)
  t.equal(await program(), '')
  for (const server of [amsterdam, singapore]) await history.write(server, record())
  await newyork.run('systemctl', 'start', 'makiatto')
  await holdsAll(t)
})

t.test('the plug is pulled in the middle of writes', async (t) => {
  let isOn = true
  const writing = (async () => {
    for (let i = 0; i < 200 && isOn; i++) await history.write(newyork, record()).catch(() => {})
  })()
  const known = history.acknowledged.length
  await eventually('some to be acknowledged', () => (history.acknowledged.length > known + 5 ? true : undefined))
  await newyork.powerOff()
  isOn = false
  await writing
  for (const server of [amsterdam, singapore]) await history.write(server, record())
  await newyork.powerOn()
  await holdsAll(t)
  await allMet()
})

t.test('a key of WireGuard is lost: a laptop carries the new one', async (t) => {
  const was = (await history.status(newyork)).mesh?.publicKey
  await newyork.run('systemctl', 'stop', 'makiatto')
  await newyork.run('rm', '/var/makiatto/keys/wireguard.key')
  await newyork.run('systemctl', 'start', 'makiatto')
  await eventually('the node to say which key it has now', async () => {
    const log = await newyork.run('journalctl', '-u', 'makiatto', '-o', 'cat', '--no-pager', '-n', '200')
    return log.includes('"node.mesh-announced"') ? true : undefined
  })
  t.ok((await wg(amsterdam, 'peers')).flat().includes(String(was)), 'the others cannot know it')
  await json(t, ['push'])
  const { publicKey } = (await history.status(newyork)).mesh as { publicKey: string }
  t.not(publicKey, was)
  await allMet()
  for (const server of [amsterdam, singapore]) t.ok((await wg(server, 'peers')).flat().includes(publicKey))
  await holdsAll(t)
})

t.test('a disk that lost its data is set up anew, as another node', async (t) => {
  const { mesh } = await history.status(newyork)
  await newyork.run('systemctl', 'stop', 'makiatto')
  await newyork.run('sh', '-c', 'rm -rf /var/makiatto/*')
  const { code, stdout, stderr } = await initServer(operator, newyork, '--recreate')
  t.equal(code, 0, `${stdout}${stderr}`)
  t.not((await history.status(newyork)).mesh?.publicKey, mesh?.publicKey)
  await allMet()
  t.notOk((await wg(amsterdam, 'peers')).flat().includes(String(mesh?.publicKey)), 'who it was is nobody')
  await holdsAll(t)
})

t.test('a node at another address', async (t) => {
  const moved = '198.51.100.77'
  // The other way round the second address of a network goes with the first.
  await singapore.run('ip', 'addr', 'flush', 'dev', 'eth0', 'scope', 'global')
  await singapore.run('ip', 'addr', 'add', `${moved}/24`, 'dev', 'eth0')
  const where = ['--ipv4', moved, '--ipv6', 'none', '--ssh-target', `root@${moved}`]
  const { written } = await json<{ written: { missed: unknown[] } }>(t, ['machine', 'set', 'singapore', ...where])
  t.strictSame(written.missed, [], 'it is told itself, at its new address')
  const key = (await wg(singapore, 'public-key'))[0]?.[0]
  for (const server of [amsterdam, newyork])
    await eventually(`${server.name} to send there`, async () => {
      const endpoints = new Map((await wg(server, 'endpoints')).map(([peer, at]) => [peer, at]))
      if (endpoints.get(key) !== `${moved}:51880`) throw new Error(String(endpoints.get(key)))
      return true
    })
  await history.write(singapore, record())
  await holdsAll(t)
  // Both sides try what they know of each other in turn.
  await eventually('a tunnel there that answers, as a person sees it', async () => {
    const { stdout, stderr } = await operator.maki(['machine', 'show', 'amsterdam'])
    const [, at, rest] = /tunnel to singapore +(\S+), ([\s\S]*?) out\n/.exec(stdout) ?? []
    if (at === `${moved}:51880` && /^handshake [^,]*,\s+[\d.]+\s+\S+\s+in/.test(String(rest))) return true
    throw new Error(`${stdout}${stderr}`)
  })
  // The one who moved has lost a family, and a host without an address of it sends from that in the mesh.
  await eventually('no way into the mesh itself', async () => {
    const ways = (await Promise.all(servers.map((server) => wg(server, 'endpoints')))).flat()
    return ways.some(([, at]) => at?.startsWith('[fd')) ? undefined : true
  })
  const answered = await askDns(hosts, amsterdam.ipv4, `singapore.ns.${DOMAIN}`, 'A')
  t.strictSame(answered, [moved], 'names follow')
})

const laptop = hosts.addOperator('second')

t.test('a laptop is lost: another one, and the recovery key', async (t) => {
  copyFileSync(operator.path('makiatto-recovery.key'), laptop.path('recovery.key'))
  for (const address of [amsterdam.ipv4, newyork.ipv4, '198.51.100.77']) {
    const added = await laptop.maki(['machine', 'add', `root@${address}`, '--yes'])
    t.equal(added.code, 0, added.stderr)
  }
  const people = await json<{ name: string; role: string }[]>(t, ['operator', 'list'])
  const lost = people.find(({ role }) => role === 'operator')
  const words = ['cluster', 'recover', '--recovery-key', laptop.path('recovery.key'), '--name', 'second']
  const recovered = await laptop.maki([...words, '--revoke', String(lost?.name), '--yes', '--json'])
  t.equal(recovered.code, 0, recovered.stderr)
  t.strictSame(JSON.parse(recovered.stdout).missed, [], 'every server hears it from here')
  const thief = await operator.maki(['record', 'set', DOMAIN, 'thief', 'TXT', 'x'])
  t.not(thief.code, 0, 'whoever has the lost one writes nothing')
  history = await MeshHistory.of(laptop)
  await history.write(singapore, record('after'))
  await holdsAll(t)
  const pulled = await laptop.maki(['pull'])
  t.equal(pulled.code, 0, pulled.stderr)
})

t.test('without WireGuard the same listener hears it all', async (t) => {
  await underlay.openTcp(8787, 8282)
  for (const server of [amsterdam, newyork]) {
    const config = await server.read('/etc/makiatto/makiatto.toml')
    t.notMatch(config, /^\[(replication|wireguard)\]/m, 'which init does not write')
    const replication = `[replication]\naddr = "${server.ipv4}:8787"\nblobs_addr = "${server.ipv4}:8282"\ndial_members = true\n`
    await server.write('/etc/makiatto/makiatto.toml', `${config}\n[wireguard]\nenabled = false\n${replication}`)
    await server.run('systemctl', 'restart', 'makiatto')
    t.notMatch(await server.run('ip', '-o', 'link'), INTERFACE)
  }
  await using cable = await underlay.cable('newyork', scene.folder)
  await history.write(amsterdam, record(`${HEARD}-in-another-record`))
  await history.agreement([amsterdam, newyork])
  t.ok(cable.heard().includes(`${HEARD}-in-another-record`))
})

t.test('all servers are lost, and a laptop is there', async (t) => {
  const maki = async (...words: string[]) => {
    const outcome = await laptop.maki(words, { cwd: scene.path('site') })
    t.equal(outcome.code, 0, `${words.join(' ')}\n${outcome.stdout}${outcome.stderr}`)
    return outcome
  }
  for (const server of servers) {
    await server.run('systemctl', 'disable', '--now', 'makiatto')
    const ours = ['/opt/makiatto', '/etc/makiatto', '/var/makiatto', '/var/cache/makiatto', '/usr/local/bin/makiatto']
    const more = ['/etc/systemd/system/makiatto.service', '/etc/sysctl.d/60-makiatto.conf']
    await server.run('rm', '-rf', ...ours, ...more)
    await server.run('userdel', 'makiatto')
  }
  await maki('cluster', 'rebuild', '--yes')
  for (const server of [amsterdam, newyork]) {
    const { code, stdout, stderr } = await initServer(laptop, server)
    t.equal(code, 0, `${stdout}${stderr}`)
  }
  await maki('sync')
  for (const { name, ipv4 } of [amsterdam, newyork]) {
    await eventually(`the site at ${name}`, async () =>
      (await askHttp(hosts, ipv4, DOMAIN, '/blob-2.bin')).endsWith(' 200') ? true : undefined,
    )
    t.strictSame(await askDns(hosts, ipv4, `after.${DOMAIN}`, 'TXT'), ['"after"'], name)
  }
})
