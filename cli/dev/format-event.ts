import { relative } from 'node:path'
import { type Hostname, isWithin, shortId } from '../../core/index.ts'
import { quoteForShell } from '../client/identity.ts'
import { formatLogLine } from '../output/log-line.ts'
import type { Style } from '../output/style.ts'
import { formatTable } from '../output/table.ts'
import { plainLine } from '../output/text.ts'
import type { DevEvent } from './events.ts'

export interface FormatOptions {
  readonly cwd: string
  /** What people type here: `maki`, or `npx maki` in a checkout. */
  readonly program: string
  readonly style: Style
}

/** An event for people, without the last newline; empty where there is nothing to say. Pure. */
export function formatEvent(event: DevEvent, options: FormatOptions): string {
  const { style } = options
  switch (event.event) {
    case 'note':
      return event.message
    case 'ready':
      return formatReady(event, options)
    case 'synced':
      return event.published
        .map(({ domain, operation }) => `${style.good('published')} ${domain} (${shortId(operation)})`)
        .join('\n')
    case 'sync-failed': {
      const hint = event.error.hint === undefined ? '' : `\n${style.bold('Try:')} ${event.error.hint}`
      return `${style.bad('not published:')} ${event.error.message}${hint}`
    }
    case 'warned':
      return `${style.warn('warning:')} ${event.message}`
    case 'node-died': {
      // What it logged of its daily work explains nothing; the log has it.
      const telling = event.lastLines.filter((line) => !/"level":"(?:debug|info)"/.test(line))
      const said = telling.map((line) => `\n  ${style.dim(plainLine(line))}`).join('')
      const again = `it is started again in ${event.retryMs / 1000} s, and catches up with the others`
      return `${style.warn(`${event.node} ended`)} (${event.how}); ${again}.${said === '' ? '' : ` Its last words:${said}`}`
    }
    case 'logged': {
      const lost = event.lost === 0 ? '' : `${style.dim(`[${event.lost} lines are in the log of the nodes only]`)}\n`
      return `${lost}${plainLine(event.node)} ${formatLogLine(event.line, style)}`
    }
    case 'node-recovered':
      return `${style.good(`${event.node} is back`)} (process ${event.pid})`
    case 'stopped':
      return 'All nodes have stopped. Their data is kept for the next start.'
    default:
      return event satisfies never
  }
}

function formatReady(event: Extract<DevEvent, { event: 'ready' }>, { cwd, program, style }: FormatOptions): string {
  const rows = event.nodes.map(({ name, http, https, dns }) => [
    `  ${style.name(name)}`,
    http,
    ...(https === undefined ? [] : [https]),
    `DNS ${dns}`,
  ])
  const count = event.nodes.length === 1 ? 'One node runs' : `${event.nodes.length} nodes run`
  const lines = [
    '',
    `${style.bold(`${count} on this computer.`)} Ctrl-C ends ${event.nodes.length === 1 ? 'it' : 'them'}.`,
    '',
  ]
  lines.push(formatTable(rows, undefined, style.columns), '')
  const links = event.domains.map((domain) => style.name(linkTo(event, domain)))
  if (links.length > 0) lines.push(`In a browser: ${links.join('  ')}`)
  if (event.ca !== undefined) lines.push(...describeTrust(event.ca, event, style))
  const [link] = event.domains.map((domain) => linkTo(event, domain))
  if (link !== undefined) lines.push(`Any release: ${style.dim(link.replace('//', '//<release>--preview.'))}`, '')
  lines.push('Try, in another terminal:', ...listCommands(event, cwd, program).map((command) => `  ${command}`), '')
  return lines.join('\n')
}

/** How a browser comes to take the certificates, and what that means. */
function describeTrust(ca: string, event: Extract<DevEvent, { event: 'ready' }>, style: Style): string[] {
  const [domain] = event.domains
  const [first] = event.nodes
  if (domain === undefined || first?.https === undefined) return []
  const link = linkTo(event, domain, 'https')
  return [
    `HTTPS: ${style.name(link)}`,
    `A browser takes it once it trusts ${ca} (settings, certificates, authorities: import it; remove it there when you are done). It vouches for the names of this project alone.`,
  ]
}

/** Names below localhost mean this computer wherever they are typed (RFC 6761 section 6.3), and the nodes know them. */
function linkTo(
  event: Extract<DevEvent, { event: 'ready' }>,
  domain: Hostname,
  scheme: 'http' | 'https' = 'http',
): string {
  const name = isWithin(domain, 'localhost') ? domain : `${domain}.localhost`
  return `${scheme}://${name}:${new URL(event.nodes[0]?.[scheme] ?? 'http://localhost').port}/`
}

function listCommands(event: Extract<DevEvent, { event: 'ready' }>, cwd: string, program: string): string[] {
  const [first] = event.nodes
  const last = event.nodes.at(-1)
  const [domain] = event.domains
  if (first === undefined || last === undefined) return []
  const [, port = ''] = last.dns.split(':')
  const profile = shorten(event.profile, cwd)
  const about =
    domain === undefined ? [] : [`curl -I -H 'Host: ${domain}' ${last.http}/`, `dig @127.0.0.1 -p ${port} ${domain}`]
  if (domain !== undefined && event.ca !== undefined)
    about.push(`curl --cacert ${quoteForShell(shorten(event.ca, cwd))} ${linkTo(event, domain, 'https')}`)
  const records =
    domain === undefined ? [] : [`${program} record set ${domain} hello TXT "hi there" --node ${first.name}`]
  return [...about, `export MAKIATTO_PROFILE=${quoteForShell(profile)}`, `${program} status`, ...records]
}

/** A path as it is typed here. */
function shorten(path: string, cwd: string): string {
  const inside = relative(cwd, path)
  return inside.startsWith('..') ? path : inside
}
