import { readFileSync } from 'node:fs'
import t from 'tap'
import { eventually } from '../support/eventually.ts'
import { BootedCluster } from './support/booted-cluster.ts'
import { Scene } from './support/scene.ts'

/** Nodes as services of real servers: booted with systemd, as a user without rights, hardened. */

t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const booted = await BootedCluster.start(scene, { nodes: 2 })
t.teardown(() => booted[Symbol.asyncDispose]())
const { hosts, cluster } = booted
const [first, second] = cluster.daemons

t.test('the daemon has one capability, and a filter of system calls', async (t) => {
  const main = (await booted.host(first!).run('systemctl', 'show', '--property=MainPID', '--value', 'makiatto')).trim()
  const status = await booted.host(first!).run('cat', `/proc/${main}/status`)
  t.match(status, /^CapEff:\s*0000000000000400$/m)
  t.match(status, /^NoNewPrivs:\s*1$/m)
  t.match(status, /^Seccomp:\s*2$/m)
})

t.test('it answers on the ports of a server, by both protocols', async (t) => {
  for (const daemon of cluster.daemons) {
    const { ipv4, ipv6 } = booted.host(daemon)
    for (const address of [ipv4, `[${ipv6}]`]) {
      const answer = await hosts.run('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `http://${address}/`)
      t.equal(answer, '404', `${daemon.name} at ${address}`)
    }
  }
})

t.test('the plug is pulled, the disk boots again, and the node is there', async (t) => {
  await booted.host(second!).powerOff()
  await second!.kill().catch(() => {})
  await booted.host(second!).powerOn()
  t.equal(await booted.host(second!).run('cat', '/etc/hostname'), `${second!.name}\n`)
})

t.test('nothing is left behind', async (t) => {
  await booted[Symbol.asyncDispose]()
  await eventually('the namespaces to be gone', async () =>
    readFileSync('/proc/mounts', 'utf8').includes(scene.folder) ? undefined : true,
  )
  t.strictSame(await scene.leftovers(), [])
})
