import { join } from 'node:path'
import t from 'tap'
import { UNIT_FILE } from '../../cli/setup/index.ts'
import { newKey, OURS, textOf } from '../replication/mesh/tunnel-world.ts'
import { eventually } from '../support/eventually.ts'
import { BootedHosts, CHECKOUT } from './support/booted-hosts.ts'

/** A tunnel with no more rights than our service has, on a kernel without WireGuard: what becomes of it when the service ends. */

t.setTimeout(0)
const hosts = await BootedHosts.open(['a'])
t.teardown(() => hosts[Symbol.asyncDispose]())
const host = hosts.host('a')
await host.ready()
const key = newKey()
const main = join(CHECKOUT, 'test/replication/mesh/tunnel-main.ts')
const command = `exec ${process.execPath} --disable-warning=ExperimentalWarning ${main} hold < /etc/makiatto/key`
await host.run('useradd', '--system', '--no-create-home', 'makiatto')
await host.run('install', '-d', '-o', 'makiatto', '/var/makiatto')
await host.write('/etc/makiatto/key', textOf(key.privateKey), '644')
const unit = UNIT_FILE.replace(/^ExecStart=.*$/m, `ExecStart=/bin/sh -c '${command}'`).replace(
  'Type=notify',
  'Type=exec',
)
// The checkout may lie where a service has a folder of its own.
const binds = unit.replace('[Service]', `[Service]\nBindReadOnlyPaths=${CHECKOUT}`)
await host.write('/etc/systemd/system/makiatto.service', binds.replace(/^(WatchdogSec|NotifyAccess)=.*$/gm, ''))
await host.run('systemctl', 'daemon-reload')

const program = async () => (await host.run('pgrep', '-f', `wireguard-go --foreground ${OURS}`).catch(() => '')).trim()
const daemon = async () => (await host.run('systemctl', 'show', '--property=MainPID', '--value', 'makiatto')).trim()
const dump = async () => (await host.run('wg', 'show', OURS, 'dump').catch(() => '')).split('\t').slice(1, 3)
const links = () => host.run('ip', '-o', 'link')
const journal = () => host.run('journalctl', '-u', 'makiatto', '--no-pager', '-o', 'cat')
/** The daemon with this number says that it has the tunnel. */
const opened = async (number: number) => {
  const seen = await eventually(`daemon ${number} with the tunnel`, async () => {
    const said = (await journal()).split('\n').filter((line) => line === 'open').length
    const restarts = (await host.run('systemctl', 'show', '--property=NRestarts', '--value', 'makiatto')).trim()
    if (Number(restarts) > 5) return 'it starts in vain'
    return said === number ? 'open' : undefined
  })
  if (seen !== 'open') throw new Error(seen)
}

t.test('the service may make one, and root sees it by wg', async (t) => {
  await host.run('systemctl', 'start', 'makiatto')
  await opened(1).catch(async (error: unknown) => {
    t.comment(await journal())
    throw error
  })
  t.strictSame(await dump(), [key.publicKey, '51880'])
  const status = await host.read(`/proc/${await program()}/status`)
  t.match(status, /^CapEff:\s*0000000000001400$/m, 'the two capabilities of the service')
  t.match(status, /^NoNewPrivs:\s*1$/m)
  t.match(status, /^Seccomp:\s*2$/m)
  t.notMatch(status, /^Uid:\s*0\b/m)
  t.equal((await host.run('stat', '-c', '%a %U:%G', '/run/wireguard')).trim(), '1770 root:makiatto')
})

for (const [i, signal] of ['KILL', 'USR2'].entries()) {
  t.test(`SIG${signal} leaves it, and the next daemon has it`, async (t) => {
    const [before, wireguard] = [await daemon(), await program()]
    await host.run('kill', `-${signal}`, before)
    await opened(2 + i)
    t.not(await daemon(), before)
    t.equal(await program(), wireguard, 'the same program')
    t.notMatch(await journal(), textOf(key.privateKey))
  })
}

t.test('the end of the service is that of the tunnel', async (t) => {
  await host.run('systemctl', 'stop', 'makiatto')
  t.equal(await program(), '')
  t.notMatch(await links(), OURS)
  t.equal((await host.run('ls', '/run/wireguard')).trim(), '')
})
