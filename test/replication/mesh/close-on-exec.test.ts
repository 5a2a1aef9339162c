import { spawnSync } from 'node:child_process'
import { dlopen } from 'node:ffi'
import t from 'tap'
import { closeOnExec } from '../../../replication/mesh/close-on-exec.ts'

/** As LevelDB opens its files: for whoever is started too. */
function openForAll(): number {
  const { functions } = dlopen('libc.so.6', {
    open: { arguments: ['string', 'int32'], return: 'int32' },
  })
  return functions.open('/etc/hostname', 0)
}

const seenByChild = (): string => spawnSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' }).stdout

t.test('programs that are started afterwards have nothing of ours open', async (t) => {
  const fd = openForAll()
  t.ok(fd > 2)
  t.match(seenByChild(), /-> \/etc\/hostname/, 'without it they do')
  await closeOnExec()
  t.notMatch(seenByChild(), /-> \/etc\/hostname/)
  t.match(seenByChild(), /-> /, 'what is theirs they have')
})
