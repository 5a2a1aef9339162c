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
  const boot = () =>
    runInMachine({
      modules: MODULES,
      programs: ['ip', 'wg'],
      main: join(import.meta.dirname, '..', 'replication', 'mesh', 'tunnel-main.ts'),
      args: ['kernel'],
    })
  let lines = await boot()
  // One that ended before the first law tried nothing of ours: emulated, on a machine with much else to do.
  if (readVerdicts(lines).length === 0) {
    t.comment(`booted again, after:\n${lines.slice(-20).join('\n')}`)
    lines = await boot()
  }
  const verdicts = readVerdicts(lines)
  t.strictSame(
    verdicts.map(({ title }) => title),
    lawsOf('kernel').map(({ title }) => title),
    `all were tried; else it said: ${lines.filter((line) => !line.startsWith('{')).join('\n')}`,
  )
  for (const { title, failure, figures, ms } of verdicts) {
    t.notOk(failure, `${title} (${ms} ms${figures === undefined ? '' : `, ${JSON.stringify(figures)}`})`)
  }
})

function readVerdicts(lines: readonly string[]): readonly Verdict[] {
  return lines.flatMap((line): Verdict[] => (line.startsWith('{') ? [JSON.parse(line)] : []))
}
