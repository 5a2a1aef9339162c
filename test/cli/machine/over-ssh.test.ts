import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findNode } from '../../../core/index.ts'
import { makeKey, Sshd } from '../../support/sshd.ts'
import { startTestCluster, testKey } from '../support/test-cluster.ts'

/** Machines behind a real sshd, as servers that a daemon does not answer on. */

const folder = t.testdir()
const programs = join(folder, 'programs')
const version = 'c'.repeat(64)

/** What is on a server, in the place of the program of that name. */
function place(name: string, script: string): void {
  mkdirSync(programs, { recursive: true })
  writeFileSync(join(programs, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(programs, name), 0o755)
}

t.test('a server whose daemon is down is shown, tells its journal, and leaves', async (t) => {
  await using sshd = await Sshd.start({ config: ['PermitUserEnvironment yes'] })
  await using cluster = await startTestCluster({ nodes: ['one', 'two', 'three'] })
  const line = makeKey(join(folder, 'key'))
  sshd.allow(`environment="PATH=${programs}:/usr/bin:/bin" ${line}`)
  const entry = /name = "two"\ncontrol = "[^"]*"\n/
  const way = `ssh_target = "root@127.0.0.1"\nport = ${sshd.port}\nhost_key = "${sshd.hostKey()}"\n`
  writeFileSync(cluster.profile, readFileSync(cluster.profile, 'utf8').replace(entry, `name = "two"\n${way}`))
  const maki = (...words: string[]) => cluster.maki(...words, '--ssh-priv-key', join(folder, 'key'))
  place('readlink', `echo /opt/makiatto/versions/${version}`)
  place('systemctl', 'echo ActiveState=failed; echo SubState=failed; echo NRestarts=5')
  place(
    'journalctl',
    `echo "$@" > ${folder}/asked; echo '{"event":"node.failed","level":"error"}'; echo 'systemd: Failed'`,
  )

  const shown = await maki('machine', 'show', 'two', '--json')
  t.equal(shown.code, 3, shown.stderr)
  t.match(JSON.parse(shown.stdout), {
    profile: { sshTarget: 'root@127.0.0.1', hostKey: /^SHA256:/ },
    self: null,
    seen: [{ by: 'one' }, { by: 'three' }],
    server: { running: version, unit: { active: 'failed', restarts: 5 } },
    faults: [/two/],
  })
  t.match((await maki('machine', 'show', 'two')).stdout, /service +failed \(failed\), restarted 5 times/)

  const logs = await maki('logs', '--json')
  t.equal(logs.code, 3)
  t.strictSame(
    JSON.parse(logs.stdout).filter(({ node }: { node: string }) => node === 'two'),
    [
      { event: 'node.failed', level: 'error', node: 'two', from: 'journal' },
      { level: 'info', event: 'journal.line', text: 'systemd: Failed', node: 'two', from: 'journal' },
    ],
  )
  t.match(logs.stderr, /two: its daemon does not answer; this is what its service wrote \(2 lines/)
  t.equal(readFileSync(join(folder, 'asked'), 'utf8'), '--unit=makiatto.service --output=cat --lines=200 --no-pager\n')
  place('journalctl', 'exit 1')
  t.match((await maki('logs', 'two')).stderr, /its journal may be read by root/)

  const removed = await maki('machine', 'remove', 'two', '--yes', '--force')
  t.equal(removed.code, 0, removed.stderr)
  t.match(removed.stderr, 'nothing of makiatto lies there')
  t.match(removed.stdout, /Its server is as it was before/)
  t.equal(cluster.nodes[0] && findNode(cluster.nodes[0].replica.state, testKey(101).key), undefined)
  t.notMatch(readFileSync(cluster.profile, 'utf8'), 'two')
})

t.test('a server with another key than the pinned one is nobody’s to clean', async (t) => {
  await using sshd = await Sshd.start()
  await using other = await Sshd.start()
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const line = makeKey(join(folder, 'second'))
  sshd.allow(line)
  const way = `ssh_target = "root@127.0.0.1"\nport = ${sshd.port}\nhost_key = "${other.hostKey()}"\n`
  const text = readFileSync(cluster.profile, 'utf8').replace(
    /name = "two"\ncontrol = "[^"]*"\n/,
    `name = "two"\n${way}`,
  )
  writeFileSync(cluster.profile, text)
  const words = ['machine', 'remove', 'two', '--yes', '--ssh-priv-key', join(folder, 'second')]
  const refused = await cluster.maki(...words)
  t.equal(refused.code, 4)
  t.match(refused.stderr, /SHA256:[\s\S]*SHA256:/)
  t.ok(cluster.nodes[0] && findNode(cluster.nodes[0].replica.state, testKey(101).key), 'nothing was done')
})
