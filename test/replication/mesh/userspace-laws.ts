import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Law } from './tunnel-conformance.ts'
import { bringUp, INSIDE, newKey, Other, OURS, openOurs, Stream, sh, textOf, type World } from './tunnel-world.ts'

const MAIN = fileURLToPath(new URL('./tunnel-main.ts', import.meta.url))
const SOCKET = `/run/wireguard/${OURS}.sock`

/** What a tunnel of `wireguard-go` keeps beside the laws of all tunnels. */
export const USERSPACE_LAWS: readonly Law[] = [
  {
    title: 'when the daemon is killed its peers notice nothing, and the next one takes the device over',
    async run(world) {
      const { privateKey, publicKey } = newKey()
      const child = spawn(process.execPath, [...process.execArgv, MAIN, 'hold'], { stdio: ['pipe', 'pipe', 'inherit'] })
      const ended = once(child, 'exit')
      child.stdin.end(textOf(privateKey))
      for await (const line of createInterface({ input: child.stdout })) if (line === 'open') break
      await using other = await Other.open(world, publicKey)
      const peer = { publicKey: other.publicKey, endpoint: other.endpoint, allowedIps: [`${INSIDE.there}/128`] }
      await sh(
        'wg',
        'set',
        OURS,
        'peer',
        peer.publicKey,
        'endpoint',
        `${peer.endpoint.host}:${peer.endpoint.port}`,
        'allowed-ips',
        `${INSIDE.there}/128`,
      )
      await bringUp()
      await using stream = await Stream.start()
      child.kill('SIGKILL')
      await ended
      await stream.more(50)
      await using tunnel = await openOurs(world, privateKey)
      await tunnel.apply({ peers: [peer] })
      await stream.more(50)
      assert.equal((await stream.stop()).lost, 0)
      return undefined
    },
  },
  {
    title: 'the program that is killed is gone, leaves a socket, and is followed by another one',
    async run(world) {
      const { privateKey } = newKey()
      await using tunnel = await openOurs(world, privateKey)
      process.kill(await pidOfProgram(), 'SIGKILL')
      assert.match(await tunnel.gone, /has ended/)
      assert.ok(statSync(SOCKET).isSocket())
      await assert.rejects(tunnel.status(), { code: 'MAKI_UNREACHABLE' })
      await using next = await openOurs(world, privateKey)
      assert.equal((await next.status()).peers.length, 0)
      return undefined
    },
  },
  {
    title: 'a program that does not end when it is told is killed, also by a daemon that did not start it',
    async run(world) {
      const { privateKey } = newKey()
      const first = await openOurs(world, privateKey)
      first.handOver()
      await first[Symbol.asyncDispose]()
      const second = await openOurs(world, privateKey)
      process.kill(await pidOfProgram(), 'SIGSTOP')
      await second[Symbol.asyncDispose]()
      await using next = await openOurs(world, privateKey)
      assert.equal((await next.status()).peers.length, 0)
      return undefined
    },
  },
  {
    title: 'its socket is private, and no secret is among its arguments, its environment and what it says',
    async run(world) {
      const { privateKey } = newKey()
      await using _tunnel = await openOurs(world, privateKey)
      assert.equal(statSync(SOCKET).mode & 0o077, 0)
      assert.equal(statSync(`/run/wireguard/${OURS}.log`).mode & 0o777, 0o600)
      const pid = await pidOfProgram()
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1')
      const names = environment.split('\0').filter((one) => one !== '')
      assert.deepEqual(names.map((one) => one.split('=')[0]).sort(), ['LOG_LEVEL', 'PATH', 'WG_PROCESS_FOREGROUND'])
      const shown = environment + readFileSync(`/proc/${pid}/cmdline`, 'latin1')
      const secrets = [textOf(privateKey), Buffer.from(privateKey).toString('hex')]
      for (const secret of secrets) assert.ok(!shown.includes(secret))
      return undefined
    },
  },
  {
    title: 'as a user of no rights but that to administer the network it works',
    async run(world) {
      await using wrapped = await wrap(world, '--inh-caps +net_admin --ambient-caps +net_admin', { publicTun: true })
      await using tunnel = await openOurs(wrapped, newKey().privateKey)
      assert.equal((await tunnel.status()).peers.length, 0)
      assert.equal(statSync(SOCKET).uid, 65_534)
      return undefined
    },
  },
  {
    title: 'what lacks is said, with the way out, and nothing is left: the right, the device, the program, the folder',
    async run(world) {
      const { privateKey } = newKey()
      {
        await using wrapped = await wrap(world, '', { publicTun: true })
        await assertLacks(wrapped, privateKey, /CAP_NET_ADMIN/, /AmbientCapabilities/)
      }
      {
        await using wrapped = await wrap(world, '--inh-caps +net_admin --ambient-caps +net_admin', { publicTun: false })
        await assertLacks(wrapped, privateKey, /may not open \/dev\/net\/tun/, /DeviceAllow/)
      }
      await sh('mount', '-t', 'tmpfs', 'none', '/dev/net')
      try {
        await assertLacks(world, privateKey, /has no \/dev\/net\/tun/, /modprobe tun/)
      } finally {
        await sh('umount', '/dev/net')
      }
      await assertLacks({ ...world, command: '/nowhere/wireguard-go' }, privateKey, /is not there/, /Install a kernel/)
      await sh('mount', '-o', 'remount,ro', '/run/wireguard')
      try {
        await assertLacks(world, privateKey, /keeps its socket in/, /mkdir/)
      } finally {
        await sh('mount', '-o', 'remount,rw', '/run/wireguard')
      }
      return undefined
    },
  },
]

async function assertLacks(world: World, privateKey: Uint8Array, message: RegExp, hint: RegExp): Promise<void> {
  await assert.rejects(openOurs(world, privateKey), { code: 'MAKI_UNSUPPORTED', message, hint })
  assert.equal(await world.network.findLink(OURS), undefined)
  await assert.rejects(pidOfProgram(), 'no process is left')
}

/** The world with a `wireguard-go` that runs as nobody, with these rights. */
async function wrap(
  world: World,
  rights: string,
  { publicTun }: { publicTun: boolean },
): Promise<World & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'nobody-'))
  const command = join(folder, 'wireguard-go')
  writeFileSync(
    command,
    `#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups ${rights} ${world.command} "$@"\n`,
  )
  chmodSync(command, 0o755)
  const tun = join(folder, 'tun')
  await sh('mknod', '-m', publicTun ? '666' : '600', tun, 'c', '10', '200')
  await sh('mount', '--bind', tun, '/dev/net/tun')
  chmodSync('/run/wireguard', 0o1777)
  return {
    ...world,
    command,
    async [Symbol.asyncDispose]() {
      await sh('umount', '/dev/net/tun')
      rmSync(folder, { recursive: true })
    },
  }
}

/** In a namespace of processes that holds no other. */
async function pidOfProgram(): Promise<number> {
  return Number((await sh('pgrep', '-f', `wireguard-go --foreground ${OURS}`)).trim().split('\n')[0])
}
