import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { formatWireGuardKey, type MemberKey, meshAddress, type WireGuardKey } from '../../core/index.ts'
import { announceSchema, startTestCluster, testKey } from '../cli/support/test-cluster.ts'
import type { Child } from '../support/child.ts'
import { eventually } from '../support/eventually.ts'
import { type Host, TestNetwork } from './support/network.ts'

/**
 * What `maki peer wg-config` prints is given to `wg setconf` and to `wg-quick`, on a machine that has wireguard-go, and opens the
 * way to nodes that `wg` was told of the peer: one with a public address, and one that always begins itself.
 */

interface Pair {
  readonly publicKey: WireGuardKey
  readonly privateKey: string
}

function makePair(): Pair {
  const { privateKey } = generateKeyPairSync('x25519')
  const raw = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  const point = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32)
  return { publicKey: formatWireGuardKey(point), privateKey: raw.toString('base64') }
}

/** Resolves with true when somebody at the address says that nobody listens there. */
const KNOCK = `
const socket = require('node:net').connect({ host: process.argv[1], port: 9, timeout: 2000 })
socket.on('error', (error) => process.exit(error.code === 'ECONNREFUSED' ? 0 : 1))
socket.on('timeout', () => process.exit(1))
`
const INTERFACE = 'wg0'
/** Sockets of wireguard-go lie in one folder for all network namespaces; each device gets a folder of its own. */
const OWN_FOLDER = 'mkdir -p /run/wireguard && mount -t tmpfs none /run/wireguard'

/** A host with wireguard-go, which ends with it. */
class Device implements AsyncDisposable {
  readonly #host: Host
  readonly #program: Child

  private constructor(host: Host, program: Child) {
    this.#host = host
    this.#program = program
  }

  static async start(host: Host): Promise<Device> {
    const script = `${OWN_FOLDER} && exec wireguard-go -f ${INTERFACE}`
    const device = new Device(host, host.start(['unshare', '--mount', 'sh', '-c', script]))
    try {
      await eventually('wireguard-go answers', () => device.run('wg', 'show', INTERFACE))
      return device
    } catch (error) {
      await device[Symbol.asyncDispose]()
      throw error
    }
  }

  run(...command: readonly string[]): Promise<string> {
    return this.#host.run('nsenter', `--mount=/proc/${this.#program.pid}/ns/mnt`, '--', ...command)
  }

  /** Gives the interface an address, and the way to others. */
  async address(own: string, ways: readonly string[]): Promise<void> {
    await this.run('ip', 'address', 'add', `${own}/128`, 'dev', INTERFACE, 'nodad')
    await this.run('ip', 'link', 'set', INTERFACE, 'up')
    for (const way of ways) await this.run('ip', 'route', 'add', way, 'dev', INTERFACE)
  }

  knock(address: string): Promise<string> {
    return this.run(process.execPath, '-e', KNOCK, address)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]()
  }
}

t.test('wg setconf and wg-quick take it, and the way to the nodes is open', async (t) => {
  await using stack = new AsyncDisposableStack()
  const network = stack.use(await TestNetwork.open(['one', 'two', 'office']))
  const cluster = stack.use(await startTestCluster({ nodes: ['one', 'two'] }))
  await announceSchema(cluster)
  const [one, two, office] = [network.host('one'), network.host('two'), network.host('office')]
  const pairs = { one: makePair(), two: makePair(), office: makePair() }
  const keyOf = (number: number) => testKey(100 + number).key as MemberKey
  await cluster.write(cluster.nodes[0]!, [
    {
      kind: 'node.update',
      key: keyOf(0),
      set: { addresses: { ipv4: one.ipv4, ipv6: one.ipv6 }, mesh: { publicKey: pairs.one.publicKey, port: 51_880 } },
    },
    {
      kind: 'node.update',
      key: keyOf(1),
      set: { mesh: { publicKey: pairs.two.publicKey, port: 51_880, endpoint: null } },
    },
  ])
  const { address } = await cluster.json<{ address: string }>(
    ...['peer', 'add', 'office', '--wg-pubkey', pairs.office.publicKey, '--endpoint', `${office.ipv4}:4500`],
  )
  const addresses = [pairs.one, pairs.two].map(({ publicKey }) => meshAddress(cluster.cluster, publicKey))
  const folder = t.testdir()
  const write = (name: string, text: string): string => {
    const file = join(folder, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }

  // The nodes, as wg has them told.
  for (const [i, host] of [one, two].entries()) {
    const { privateKey } = i === 0 ? pairs.one : pairs.two
    const device = stack.use(await Device.start(host))
    const peer = [`PublicKey = ${pairs.office.publicKey}`, `AllowedIPs = ${address}/128`]
    const begins = i === 0 ? [] : [`Endpoint = ${office.ipv4}:4500`, 'PersistentKeepalive = 1']
    const text = ['[Interface]', `PrivateKey = ${privateKey}`, 'ListenPort = 51880', '[Peer]', ...peer, ...begins]
    await device.run('wg', 'setconf', INTERFACE, write(`node${i}.conf`, `${text.join('\n')}\n`))
    await device.address(addresses[i] as string, [`${address}/128`])
  }

  const isComplete = (t: Test, dump: string): void => {
    const [own, ...peers] = dump.trim().split('\n')
    t.same(own?.split('\t').slice(1, 3), [pairs.office.publicKey, '4500'], 'its key and port')
    const told = peers
      .map((line) => line.split('\t'))
      .map(([key, , endpoint, allowed, , , , keepalive]) => {
        return { key, endpoint: key === pairs.two.publicKey ? 'any' : endpoint, allowed, keepalive }
      })
    t.same(
      new Set(told.map((peer) => JSON.stringify(peer))),
      new Set(
        [
          { key: pairs.one.publicKey, endpoint: `${one.ipv4}:51880`, allowed: `${addresses[0]}/128`, keepalive: '25' },
          { key: pairs.two.publicKey, endpoint: 'any', allowed: `${addresses[1]}/128`, keepalive: '25' },
        ].map((peer) => JSON.stringify(peer)),
      ),
    )
  }

  await t.test('wg setconf', async (t) => {
    await using device = await Device.start(office)
    const printed = await cluster.maki('peer', 'wg-config', 'office')
    t.match(printed, { code: 0, stderr: '' })
    const file = write('office.conf', printed.stdout)
    await device.run('wg', 'setconf', INTERFACE, file)
    await device.run('wg', 'set', INTERFACE, 'private-key', write('office.key', `${pairs.office.privateKey}\n`))
    // As the comments of the file say.
    const [, own] = /^# ip address add (\S+)\/128 dev INTERFACE$/m.exec(printed.stdout) ?? []
    const [, way] = /^# ip route add (\S+) dev INTERFACE$/m.exec(printed.stdout) ?? []
    t.equal(own, address)
    await device.address(String(own), [String(way)])
    isComplete(t, await device.run('wg', 'show', INTERFACE, 'dump'))
    for (const node of addresses) await eventually(`${node} answers`, () => device.knock(node))
    t.pass('both nodes answer')
    // With the key at its place, the file is all that wg has to be told.
    const filled = printed.stdout.replace('# PrivateKey = <private-key>', `PrivateKey = ${pairs.office.privateKey}`)
    await device.run('wg', 'setconf', INTERFACE, write('filled.conf', filled))
    isComplete(t, await device.run('wg', 'show', INTERFACE, 'dump'))
    await device.run('wg', 'syncconf', INTERFACE, join(folder, 'filled.conf'))
    isComplete(t, await device.run('wg', 'show', INTERFACE, 'dump'))
    await device.knock(addresses[0] as string)
    await t.rejects(
      device.run('wg', 'setconf', INTERFACE, write('wrong.conf', printed.stdout.replace('# PrivateKey', 'PrivateKey'))),
      'the placeholder is no key: were it no comment, wg would refuse the file',
    )
    await device.run('wg', 'setconf', INTERFACE, file)
    t.match(await device.run('wg', 'show', INTERFACE, 'private-key'), /none/, 'as the file says, the key is gone then')
  })

  await t.test('wg-quick', async (t) => {
    const { stdout } = await cluster.maki('peer', 'wg-config', 'office', '--format', 'wg-quick')
    const file = write('quick0.conf', stdout.replace('<private-key>', pairs.office.privateKey))
    const knock = write(
      'knock.sh',
      `#!/bin/sh
for i in 1 2 3 4 5 6 7 8 9 10; do ${process.execPath} -e "$(cat ${write('knock.cjs', KNOCK)})" "$1" && exit 0; done
exit 1
`,
    )
    chmodSync(knock, 0o700)
    const script = [
      'set -e',
      OWN_FOLDER,
      `wg-quick up ${file}`,
      'wg show quick0 dump | sed "s/^/dump:/"',
      // The other one would only notice after a quarter of a minute that its session is nobody's any more.
      `${knock} ${addresses[0]}`,
      `wg-quick down ${file}`,
      'echo done',
    ]
    // wireguard-go goes to the background there: the namespace of processes takes it along.
    const shell = [
      'unshare',
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      'sh',
      '-c',
      script.join('\n'),
    ]
    await using program = office.start(shell)
    t.equal((await program.ended).code, 0, program.output)
    t.equal(program.lines.at(-1), 'done')
    isComplete(t, program.lines.flatMap((line) => (line.startsWith('dump:') ? line.slice(5) : [])).join('\n'))
    t.notMatch(await office.run('ip', '-br', 'link'), /quick0/)
  })
})
