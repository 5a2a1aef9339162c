import { join } from 'node:path'
import t from 'tap'
import { Child } from '../../support/child.ts'
import { lawsOf } from './tunnel-conformance.ts'
import type { Verdict } from './tunnel-main.ts'
import { USERSPACE_LAWS } from './userspace-laws.ts'

/**
 * Namespaces of network, files and processes, all of which end with the test, and folders of sockets and of
 * names of namespaces that nobody else has: a name that another run takes away takes our namespace along.
 */
const WORLD = [
  'setpriv',
  '--pdeathsig',
  'KILL',
  'unshare',
  '--net',
  '--mount',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
]
const SCRIPT =
  'for one in wireguard netns; do mkdir -p /run/$one && mount -t tmpfs none /run/$one || exit; done; ip link set lo up && exec "$@"'

t.setTimeout(0)

t.test('the tunnel of wireguard-go keeps the laws of tunnels', async (t) => {
  const main = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    join(import.meta.dirname, 'tunnel-main.ts'),
    'userspace',
  ]
  const [program, ...args] = [...WORLD, 'sh', '-c', SCRIPT, 'sh', ...main]
  await using world = new Child(program as string, args)
  await world.ended
  const verdicts = world.lines.flatMap((line): Verdict[] => (line.startsWith('{') ? [JSON.parse(line)] : []))
  const titles = [...lawsOf('userspace'), ...USERSPACE_LAWS].map(({ title }) => title)
  if (
    !t.strictSame(
      verdicts.map(({ title }) => title),
      titles,
      'all were tried',
    )
  )
    t.comment(world.output)
  for (const { title, failure, figures, ms } of verdicts) {
    t.notOk(failure, `${title} (${ms} ms${figures === undefined ? '' : `, ${JSON.stringify(figures)}`})`)
    if (failure !== undefined) t.comment(failure)
  }
})
