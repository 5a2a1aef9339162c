import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { formatRdata } from '../../../dns/rdata/rdata.ts'
import { formatType } from '../../../dns/wire/codes.ts'
import type { Zone } from '../../../dns/zone/zone.ts'
import type { NodeSet } from '../../../dns/zone/zone-set.ts'

const run = promisify(execFile)

export type Tool = 'dig' | 'kdig'
/** The Debian packages that bring them. */
export const TOOL_PACKAGES: Readonly<Record<Tool, string>> = { dig: 'bind9-dnsutils', kdig: 'knot-dnsutils' }

export interface Target {
  readonly host: string
  readonly port: number
}

export interface ToolAnswer {
  readonly status: string
  /** `qr aa rd`, without the colons and semicolons around. */
  readonly flags: readonly string[]
  readonly answer: readonly string[]
  readonly authority: readonly string[]
  readonly additional: readonly string[]
  readonly edns: boolean
  /** Everything that was printed. */
  readonly text: string
}

/** Asks a server as an operator does; rejects when the tool is missing or gets no answer. */
export async function askWith(tool: Tool, target: Target, ...question: string[]): Promise<ToolAnswer> {
  return parseToolAnswer(await runTool(tool, target, ['+nocookie', ...question]))
}

async function runTool(tool: Tool, target: Target, args: readonly string[]): Promise<string> {
  const common = [`@${target.host}`, '-p', String(target.port), '+time=5', tool === 'dig' ? '+tries=2' : '+retry=1']
  try {
    const { stdout } = await run(tool, [...common, ...args.filter((arg) => tool === 'dig' || arg !== '+nocookie')])
    return stdout
  } catch (cause) {
    throw new Error(`${tool} (Debian package ${TOOL_PACKAGES[tool]}) ${args.join(' ')} failed`, { cause })
  }
}

function parseToolAnswer(text: string): ToolAnswer {
  const section = (name: string): string[] => {
    const lines = text.split('\n')
    const start = lines.findIndex((line) => line.startsWith(`;; ${name} SECTION:`))
    if (start === -1) return []
    const end = lines.findIndex((line, i) => i > start && line.trim() === '')
    return lines.slice(start + 1, end === -1 ? undefined : end).map(normalizeRecord)
  }
  return {
    status: /status: ([A-Z0-9]+)/.exec(text)?.[1] ?? '',
    flags: (/[Ff]lags: ([a-z ]+);/.exec(text)?.[1] ?? '').trim().split(/ +/),
    answer: section('ANSWER'),
    authority: section('AUTHORITY'),
    additional: section('ADDITIONAL'),
    edns: /EDNS.*version: 0/.test(text),
    text,
  }
}

const normalizeRecord = (line: string): string => {
  const [name, ttl, klass, type, ...data] = line.trimEnd().split(/[ \t]+/)
  return `${name} ${ttl} ${klass} ${type} ${data.join(' ')}`
}

/** Every record of the zone as the tool prints it when it asks for each name and type over TCP. */
export async function dumpWith(tool: Tool, target: Target, zone: Zone): Promise<string[]> {
  const questions = [...zone.sets()].map(({ name, type }) => [
    '+tcp',
    '+noall',
    '+answer',
    `${name}.`,
    formatType(type),
  ])
  const outputs = await Promise.all(questions.map((question) => runTool(tool, target, question)))
  return outputs
    .flatMap((output) => output.split('\n'))
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map(normalizeRecord)
    .sort()
}

/** The records that a zone has for everybody, and those of `chosen`, which the nodes fill. */
export function listRecords(zone: Zone, chosen: (set: NodeSet) => readonly string[]): string[] {
  const lines: string[] = []
  for (const set of zone.sets()) {
    const data = set.kind === 'fixed' ? set.rrset.rdata.map(formatRdata) : set.kind === 'nodes' ? chosen(set) : []
    for (const one of data) lines.push(`${set.name}. ${set.ttl} IN ${formatType(set.type)} ${one}`)
  }
  return lines.sort()
}
