import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Bundle, findBundle } from '../../../cli/bundle/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { eventually } from '../../support/eventually.ts'
import type { BareHosts, Operator } from './bare-hosts.ts'
import type { BootedHost } from './booted-hosts.ts'
import { type Outcome, ROOT } from './scene.ts'

/**
 * The bundle that `maki` at the switch will find made: there is no registry to make one from. Kept from one test file to
 * the next, as on a laptop.
 */
export function makeBundle(operator: Pick<Operator, 'env'>): Promise<Bundle> {
  const signal = new AbortController().signal
  return findBundle({ arch: 'x64', env: operator.env, runtime: systemRuntime, signal })
}

/** Sets a server up; what was printed where it fails. */
export async function initServer(
  operator: Operator,
  host: BootedHost,
  ...flags: readonly string[]
): Promise<Outcome & { readonly ms: number }> {
  const begunMs = Date.now()
  const outcome = await operator.maki(['machine', 'init', host.name, `root@${host.ipv4}`, '--yes', ...flags])
  return { ...outcome, ms: Date.now() - begunMs }
}

/** Resolves when nothing of ours is at work on the server any more that would change it. */
export async function atRest(host: BootedHost): Promise<void> {
  await eventually(`setup on ${host.name} to end`, async () => {
    const processes = await host.run('sh', '-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "')
    return /makiatto(\.js|\.ts)? setup/.test(processes) ? undefined : true
  })
}

/** Asks a node over HTTP from the switch. */
export async function askHttp(hosts: BareHosts, address: string, domain: string, path = '/'): Promise<string> {
  const at = address.includes(':') ? `[${address}]` : address
  return await hosts.hosts.run(
    'curl',
    '-sS',
    '--max-time',
    '20',
    '-w',
    ' %{http_code}',
    '-H',
    `Host: ${domain}`,
    `http://${at}${path}`,
  )
}

/** What a node answers to a question, a line a record. */
export async function askDns(
  hosts: BareHosts,
  address: string,
  name: string,
  type: string,
  ...more: string[]
): Promise<string[]> {
  const said = await hosts.hosts.run('dig', `@${address}`, name, type, '+short', '+time=5', '+tries=2', ...more)
  return said
    .split('\n')
    .filter((line) => line !== '')
    .sort()
}

/** The commands of the README's section on servers, in their order, without what is said beside them. */
export function readQuickStart(): string[] {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const section = /^## Set up servers\n([\s\S]*?)^## /m.exec(text)?.[1] ?? ''
  return [...section.matchAll(/^ {4}(\S.*)$/gm)].map(([, line]) => String(line).replace(/ {2,}#.*$/, ''))
}
