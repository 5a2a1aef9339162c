import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { encodeAddress } from '../../../cli/node/notify-socket.ts'
import { openServiceManager, parseWatchdogMs } from '../../../cli/node/service-manager.ts'
import { parseUnit } from '../../../cli/node/service-unit.ts'
import { silentLog } from '../../../core/index.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'

/** Node has no datagrams of AF_UNIX. */
const LISTENER = `
import socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('\\0' + name[1:] if name[0] == '@' else name)
print('listens', flush=True)
while True: print(repr(s.recv(65536).decode()), flush=True)
`

const folder = mkdtempSync(join(tmpdir(), 'maki-notify-'))
t.teardown(() => rmSync(folder, { recursive: true }))

for (const name of [join(folder, 'notify'), `@makiatto-test-${process.pid}`]) {
  t.test(`a manager at ${name[0] === '@' ? 'an abstract name' : 'a path'} hears all, in order`, async (t) => {
    const child = spawn('python3', ['-c', LISTENER, name], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill())
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const next = async () => (await lines.next()).value
    t.equal(await next(), 'listens')
    const runtime = new FakeRuntime(1)
    const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: name, WATCHDOG_USEC: '4000000', WATCHDOG_PID: '7', PATH: '/bin' }
    using manager = await openServiceManager(env, { runtime, log: silentLog, pid: 7 })
    t.strictSame(env, { PATH: '/bin' }, 'no child inherits the way to the manager')
    runtime.advance(10_000)
    manager.ready('one\nMAINPID=1')
    t.equal(await next(), `'READY=1\\nSTATUS=one MAINPID=1'`)
    t.equal(await next(), `'WATCHDOG=1'`)
    manager.status('between')
    t.equal(await next(), `'STATUS=between'`, 'nothing was said of the watchdog before it was due')
    runtime.advance(1_999)
    manager.status('not yet')
    t.equal(await next(), `'STATUS=not yet'`)
    runtime.advance(1)
    t.equal(await next(), `'WATCHDOG=1'`)
    manager.stopping('bye')
    t.equal(await next(), `'STOPPING=1\\nSTATUS=bye'`)
    manager[Symbol.dispose]()
    runtime.advance(60_000)
    manager.status('last')
    t.equal(await next(), `'STATUS=last'`, 'nothing more is said of the watchdog')
    const ended = once(child, 'exit')
    child.kill()
    await ended
    t.doesNotThrow(() => manager.status('to nobody'))
  })
}

t.test('without a manager nothing is said, whatever the variable holds', async (t) => {
  for (const name of [undefined, '', 'relative', '/', '@', `/${'x'.repeat(107)}`, '/nobody/listens', 'vsock:2:1']) {
    const env: NodeJS.ProcessEnv = { WATCHDOG_USEC: '1000', ...(name === undefined ? {} : { NOTIFY_SOCKET: name }) }
    using manager = await openServiceManager(env, { runtime: new FakeRuntime(1), log: silentLog, pid: 1 })
    t.doesNotThrow(() => manager.ready('ready'))
  }
})

t.test('an address of a socket is the bytes of sockaddr_un', async (t) => {
  t.equal(encodeAddress('/run/x')?.toString('latin1'), '\x01\0/run/x\0')
  t.equal(encodeAddress('@x')?.toString('latin1'), '\x01\0\0x')
  t.equal(encodeAddress(`@${'x'.repeat(106)}`)?.length, 109)
  t.equal(encodeAddress(`@${'x'.repeat(107)}`), undefined)
})

t.test('how often a watchdog is told', async (t) => {
  t.equal(parseWatchdogMs('30000000', undefined, 5), 15_000)
  t.equal(parseWatchdogMs('30000000', '5', 5), 15_000)
  t.equal(parseWatchdogMs('30000000', '6', 5), undefined, 'another process is watched')
  for (const usec of [undefined, '', '0', '-1', '1e9', 'x']) t.equal(parseWatchdogMs(usec, undefined, 5), undefined)
})

t.test('the unit of a process, with either tree of groups', async (t) => {
  t.equal(parseUnit('0::/system.slice/makiatto.service\n'), 'makiatto.service')
  t.equal(parseUnit('2:cpu:/\n1:name=systemd:/system.slice/makiatto.service\n0::/\n'), 'makiatto.service')
  t.equal(parseUnit('0::/system.slice/system-x.slice/x@1.service\n'), 'x@1.service')
  for (const none of ['', '0::/\n', '0::/user.slice/session-1.scope\n', '0::/a.service/b\n', '3:cpu:/a.service\n'])
    t.equal(parseUnit(none), undefined, none)
})
