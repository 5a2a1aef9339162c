import { Args, Flags } from '@oclif/core'
import { MakiError } from '../../core/index.ts'
import { followLogs, type LogsOptions, type NodeLine, readLogs } from '../client/node-logs.ts'
import { findNearest, type Machine, type Profile } from '../config/index.ts'
import type { AccessFlags } from '../machine/machine-command.ts'
import { readSilentLogs } from '../machine/silent-logs.ts'
import { formatLogLine } from '../output/log-line.ts'
import type { Style } from '../output/style.ts'
import { formatJson, plainLine } from '../output/text.ts'
import { hasFlag, MakiCommand } from '../program/base.ts'

/** A line as `--json` prints it: as the node wrote it, with the node's name. */
type LoggedLine = Readonly<Record<string, unknown>>

export default class Logs extends MakiCommand<readonly LoggedLine[]> {
  static override summary = 'Show the last lines of the log of every node, or follow them.'
  static override description =
    'What functions and transforms print and how they fail stands there too. A node keeps half a mebibyte of lines, since its start; of a server whose daemon does not answer, the end of the journal of its service is shown. With --follow it runs until Ctrl-C, and --json prints one line each. Ends with 3 when a node cannot be reached.'
  static override examples = [
    'maki logs',
    'maki logs berlin -f',
    'maki logs --function /api/hello -f',
    'maki logs --domain example.com --lines 1000 --json',
  ]
  static override args = {
    name: Args.string({ ignoreStdin: true, description: 'A node; several may be given. All when left out.' }),
  }
  static override strict = false
  static override flags = {
    follow: Flags.boolean({ char: 'f', summary: 'Show what comes, too.' }),
    function: Flags.string({
      helpValue: 'ROUTE',
      summary: 'Only of this function or transform: its path (/api/hello), or that of its component.',
    }),
    domain: Flags.string({ helpValue: 'DOMAIN', summary: 'Only what is about this domain.' }),
    lines: Flags.integer({
      char: 'n',
      default: 100,
      min: 0,
      helpValue: 'NUMBER',
      summary: 'How many of the last lines.',
    }),
  }

  protected override get showsWaiting(): boolean {
    return !hasFlag(this.argv, '--follow') && !hasFlag(this.argv, '-f')
  }

  override async run(): Promise<readonly LoggedLine[]> {
    const { argv, flags } = await this.parse(Logs)
    if (flags.offline)
      throw new MakiError('MAKI_USAGE', 'logs are kept by nodes, and --offline asks none', {
        hint: 'Leave --offline out.',
      })
    const profile = await this.loadProfile(flags)
    const { runtime, signal } = this.host
    const names = [...argv.map(String), ...(flags.node === undefined ? [] : [flags.node])]
    const options: LogsOptions = {
      profile,
      machines: chooseMachines(profile, names),
      connect: this.createConnect(profile, flags),
      filter: { function: flags.function, domain: flags.domain?.toLowerCase() },
      signal,
    }
    const { lines, faults, silent } = await readLogs(options)
    for (const { message } of faults) this.caution(message)
    if (faults.length > 0) this.exitCode = 3
    const isFiltered = (flags.function ?? flags.domain) !== undefined
    const journals = isFiltered
      ? []
      : await this.#readJournals(profile, flags, silent, new Set(faults.map(({ message }) => message)))
    if (faults.length === options.machines.length && journals.length === 0 && !flags.follow)
      throw new MakiError('MAKI_UNREACHABLE', 'no node told its log', { hint: 'maki status' })
    const last = flags.lines === 0 ? [] : lines.slice(-flags.lines)
    const early = journals.slice(-flags.lines || journals.length)
    if (!flags.follow) return [...early, ...last.map(withNode)]
    for (const line of early) this.#tell(line)
    for (const line of last) this.#print(line)
    await followLogs({
      ...options,
      runtime,
      after: new Map(lines.map(({ node, cursor }) => [node, cursor])),
      onLine: (line) => this.#print(line),
      onFault: ({ message }) => this.caution(message),
    })
    // It ran until it was interrupted, which the shell is told by the exit code.
    throw signal.reason
  }

  protected format(lines: readonly LoggedLine[], style: Style): string {
    return lines.map((line) => formatLine(line, style)).join('\n')
  }

  /** Of servers whose daemon does not answer while SSH does. */
  async #readJournals(
    profile: Profile,
    flags: AccessFlags,
    silent: readonly Machine[],
    said: ReadonlySet<string>,
  ): Promise<readonly LoggedLine[]> {
    const logs = await readSilentLogs(
      {
        host: this.host,
        keyRing: this.keyRing(profile, flags),
        onNote: (text) => this.note(text),
        profileFile: profile.file,
      },
      silent,
    )
    for (const { machine, lines, fault } of logs) {
      if (fault !== undefined && !said.has(fault)) this.caution(`${machine}: ${fault}`)
      else if (fault === undefined)
        this.caution(
          `${machine}: its daemon does not answer; this is what its service wrote (${lines.length} lines of the journal)`,
        )
    }
    return logs.flatMap(({ machine, lines }) => lines.map((line) => ({ ...line, node: machine, from: 'journal' })))
  }

  #print(line: NodeLine): void {
    this.#tell(withNode(line))
  }

  #tell(logged: LoggedLine): void {
    this.host.stdout.write(`${this.isJson ? formatJson(logged) : formatLine(logged, this.style)}\n`)
  }
}

const withNode = ({ node, line }: NodeLine): LoggedLine => ({ ...line, node })

function formatLine(line: LoggedLine, style: Style): string {
  const time = typeof line.time === 'string' ? plainLine(line.time) : '-'
  return `${style.dim(time)} ${plainLine(String(line.node))} ${formatLogLine(line, style)}`
}

/** Those that are named, or all. Throws MAKI_USAGE for a name that the profile does not have. */
function chooseMachines({ machines, file }: Profile, names: readonly string[]): readonly Machine[] {
  if (machines.length === 0)
    throw new MakiError('MAKI_UNREACHABLE', `the profile ${file} lists no node`, {
      hint: 'Start a cluster on this computer with: maki dev\nor set up a server with: maki machine init NAME USER@HOST',
    })
  if (names.length === 0) return machines
  const unique = new Set(names)
  for (const name of unique) {
    if (machines.some((machine) => machine.name === name)) continue
    const known = machines.map((machine) => String(machine.name))
    const nearest = findNearest(name, known)
    throw new MakiError('MAKI_USAGE', `the profile ${file} has no node ${JSON.stringify(name)}`, {
      hint: nearest === undefined ? `It has ${known.join(', ')}.` : `maki logs ${nearest}`,
    })
  }
  return machines.filter((machine) => unique.has(machine.name))
}
