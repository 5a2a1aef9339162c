import { join } from 'node:path'
import t from 'tap'
import { lawsOf } from '../replication/mesh/tunnel-conformance.ts'
import type { Verdict } from '../replication/mesh/tunnel-main.ts'
import { runInMachine } from '../support/emulated-machine.ts'

/** What WireGuard of the kernel needs, and cables. */
const MODULES = [
  'libcurve25519-generic',
  'curve25519-x86_64',
  'libchacha',
  'chacha-x86_64',
  'poly1305-x86_64',
  'libchacha20poly1305',
  'udp_tunnel',
  'ip6_udp_tunnel',
  'wireguard',
  'veth',
  'nfnetlink',
]

t.setTimeout(0)

t.test('the tunnel of a kernel with WireGuard keeps the laws of tunnels', async (t) => {
  const lines = await runInMachine({
    modules: MODULES,
    programs: ['ip', 'wg'],
    main: join(import.meta.dirname, '..', 'replication', 'mesh', 'tunnel-main.ts'),
    args: ['kernel'],
  })
  const verdicts = lines.flatMap((line): Verdict[] => (line.startsWith('{') ? [JSON.parse(line)] : []))
  const others = lines.filter((line) => !line.startsWith('{')).join('\n')
  if (
    !t.strictSame(
      verdicts.map(({ title }) => title),
      lawsOf('kernel').map(({ title }) => title),
      'all were tried',
    )
  )
    t.comment(others)
  for (const { title, failure, figures, ms } of verdicts) {
    t.notOk(failure, `${title} (${ms} ms${figures === undefined ? '' : `, ${JSON.stringify(figures)}`})`)
  }
})
