import { Command, type Interfaces } from '@oclif/core'
import { type Log, type Operation, type OperationId, shortId, silentLog } from '../../core/index.ts'
import { ClusterClient, type ExchangeReport } from '../client/cluster-client.ts'
import { type Connect, createConnect } from '../client/connect.ts'
import { dataFolderAt } from '../client/data-folder.ts'
import { quoteForShell } from '../client/identity.ts'
import { type MissedMachine, spread } from '../client/spread.ts'
import { findProfilePath, loadProfile, type Machine, type Profile } from '../config/index.ts'
import { reportError } from '../output/report-error.ts'
import { createStyle, isInteractive, type Style } from '../output/style.ts'
import { tellMissed } from '../output/tell-missed.ts'
import { count, formatJson, plainText, printable } from '../output/text.ts'
import { withWaitLine } from '../output/wait-line.ts'
import { formatAgo } from '../output/when.ts'
import { KeyRing } from '../ssh/index.ts'
import { createJsonLog } from '../system.ts'
import { checkLine, checkSwitches, offSwitches } from './check-line.ts'
import { confirm } from './confirm.ts'
import { type GlobalFlags, globalFlags } from './global-flags.ts'
import type { Host } from './host.ts'

export type { GlobalFlags } from './global-flags.ts'

/** Global flags that are followed by a value; they may also stand before the command's name. */
export const GLOBAL_OPTIONS = ['config', 'profile', 'key', 'ssh-priv-key', 'node'] as const

/**
 * A command of `maki`. It returns what it found or did as plain data; this class prints that, as text or with `--json`
 * as it is, and turns errors into messages and exit codes.
 */
export abstract class MakiCommand<Result = unknown> extends Command {
  static override baseFlags = globalFlags
  /** 0 unless the command says otherwise: 1 where the answer is no. */
  protected exitCode = 0
  #host: Host | undefined
  #keyRing: KeyRing | undefined

  abstract override run(): Promise<Result>

  /** The result as people read it, without the last newline; empty prints nothing. */
  protected abstract format(result: Result, style: Style): string

  /** The result as `--json` prints it. */
  protected toJson(result: Result): unknown {
    return result
  }

  /** Runs and prints; resolves with the exit code, never rejects. */
  async start(given: Host): Promise<number> {
    const shown = !this.isJson && this.showsWaiting && isInteractive(given)
    using waiting = shown ? withWaitLine(given, `maki ${this.ctor.id.replaceAll(':', ' ')}`) : undefined
    const host = waiting ?? given
    this.#host = host
    try {
      const result = await this.run()
      if (this.isJson) host.stdout.write(`${formatJson(this.toJson(result), 2)}\n`)
      else {
        const text = this.format(result, this.style)
        if (text !== '') host.stdout.write(`${printable(text, this.style)}\n`)
      }
      return host.signal.aborted ? reportError(host.signal.reason, host, this.#reportOptions) : this.exitCode
    } catch (error) {
      return reportError(error, host, this.#reportOptions)
    }
  }

  /** Whether a terminal shows that it is under way while nothing is printed; not what runs until it is ended. */
  protected get showsWaiting(): boolean {
    return true
  }

  protected get host(): Host {
    if (this.#host === undefined) throw new Error('a command is run by start()')
    return this.#host
  }

  /** Known before the flags are parsed, since their errors are printed as JSON too. */
  protected get isJson(): boolean {
    return hasFlag(this.argv, '--json')
  }

  /** Colours for stdout. */
  protected get style(): Style {
    return createStyle(this.host.stdout, this.host.env)
  }

  /** Colours for stderr. */
  protected get noteStyle(): Style {
    return createStyle(this.host.stderr, this.host.env)
  }

  /** Says something on the way, on stderr; silent with `--json`. */
  protected note(text: string): void {
    if (!this.isJson) this.host.stderr.write(`${printable(text, this.noteStyle)}\n`)
  }

  /** Says on stderr what should be looked at, though the command goes on; with `--json` as a line `{"warning": "…"}`. */
  protected caution(text: string): void {
    if (this.isJson) this.host.stderr.write(`${formatJson({ warning: text })}\n`)
    else this.host.stderr.write(`${this.noteStyle.warn('Warning:')} ${plainText(text)}\n`)
  }

  /** Asks on the terminal unless `yes`; throws where the answer is no, or nobody can be asked. See `confirm`. */
  protected async confirm(question: string, yes: boolean): Promise<void> {
    const line = ['maki', ...this.ctor.id.split(':'), ...this.argv].map(quoteForShell).join(' ')
    await confirm(this.host, question, { yes, line, json: this.isJson })
  }

  /** True where progress may be redrawn in place. */
  protected get isInteractive(): boolean {
    return !this.isJson && isInteractive(this.host)
  }

  /** Exchanges before something is read. Without a machine the local copy serves, and its age is said. */
  protected async refresh(client: ClusterClient): Promise<void> {
    const report = await client.exchange()
    if (!client.local.isKnown) throw client.unreachableError()
    if (report.machine === undefined) this.note(describeCopy(client, this.host.runtime.now()))
    else if (report.waiting.length > 0) this.caution(`${countWaiting(report.waiting.length)} still`)
  }

  /**
   * Brings an operation to every machine by itself, since those that it is about may not hear each other any more. Says which
   * were missed, which it resolves with.
   */
  protected async tellAll(
    client: ClusterClient,
    operation: Operation,
    except: readonly (string | null | undefined)[],
    moved?: Machine,
  ): Promise<readonly MissedMachine[]> {
    const known = except.filter((name) => typeof name === 'string')
    const { missed } = await spread([operation], client, { except: known, moved })
    for (const text of tellMissed(missed)) this.caution(text)
    return missed
  }

  /** Exchanges after something was written, and says where it waits when it has reached no node. */
  protected async send(client: ClusterClient, made: OperationId): Promise<ExchangeReport> {
    const report = await client.exchange(made).catch((error: unknown) => {
      // Silence would say that nothing was done, and the next command hands it over.
      if (this.host.signal.aborted) this.caution(describeInterrupted(made))
      throw error
    })
    if (report.machine === undefined) {
      this.note(`${whyNotAsked(client)}${countWaiting(report.waiting.length)} here for the next exchange (maki push).`)
    }
    return report
  }

  /** As the framework takes a line apart; what it lets pass and no line can mean is refused (`checkLine`). */
  protected override async parse<
    F extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    B extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    A extends Interfaces.OutputArgs<Interfaces.ArgInput>,
  >(options?: Interfaces.Input<F, B, A>, argv?: string[]): Promise<Interfaces.ParserOutput<F, B, A>> {
    const flags = { ...this.ctor.baseFlags, ...this.ctor.flags }
    checkSwitches(argv ?? this.argv, flags)
    const parsed = await super.parse(options, argv)
    checkLine(parsed, { words: this.ctor.id.replaceAll(':', ' '), flags })
    Object.assign(parsed.flags, offSwitches(parsed.flags, flags))
    return parsed
  }

  protected get eventLog(): Log {
    if (!hasFlag(this.argv, '--debug')) return silentLog
    return createJsonLog((line) => this.host.stderr.write(line), this.host.runtime)
  }

  protected async loadProfile(flags: Pick<GlobalFlags, 'profile'>): Promise<Profile> {
    const { env } = this.host
    const profile = await loadProfile(findProfilePath(flags.profile, env), env)
    for (const warning of profile.warnings) this.caution(warning)
    return profile
  }

  /** The ways to the machines of a profile, with the keys that the flags name. */
  protected createConnect(
    profile: Profile,
    flags: Pick<GlobalFlags, 'key'> & Partial<Pick<GlobalFlags, 'ssh-priv-key'>>,
    keyRing: KeyRing = this.keyRing(profile, flags),
  ): Connect {
    const { host } = this
    return createConnect(host.runtime, { host, profile, keyRing, onNote: (text) => this.note(text) })
  }

  /**
   * The keys to servers, the same for all connections of this command: a passphrase is asked for once, and never by two at the
   * same time. Nobody is asked with `--json`.
   */
  protected keyRing(
    profile: Pick<Profile, 'dataFolder'>,
    flags: Pick<GlobalFlags, 'key'> & Partial<Pick<GlobalFlags, 'ssh-priv-key'>>,
  ): KeyRing {
    const { env, ask, askSecret } = this.host
    this.#keyRing ??= new KeyRing({
      env,
      keyFile: flags['ssh-priv-key'],
      makiKeyFile: flags.key ?? (env.MAKIATTO_KEY || undefined),
      operatorKeyFile: dataFolderAt(profile.dataFolder).keyFile,
      ...(this.isJson ? {} : { ask, askSecret }),
    })
    return this.#keyRing
  }

  /** Opens the profile's replica; to be closed (`await using`) before the command ends. */
  protected async openClient(
    flags: Pick<GlobalFlags, 'profile' | 'key' | 'node' | 'offline'> & Partial<Pick<GlobalFlags, 'ssh-priv-key'>>,
  ): Promise<ClusterClient> {
    const profile = await this.loadProfile(flags)
    const keyFile = flags.key ?? (this.host.env.MAKIATTO_KEY || undefined)
    return ClusterClient.open({
      profile,
      connect: this.createConnect(profile, flags),
      host: this.host,
      log: this.eventLog,
      offline: flags.offline,
      ...(keyFile === undefined ? {} : { keyFile }),
      ...(flags.node === undefined ? {} : { node: flags.node }),
      onWait: () => {
        if (this.isInteractive) this.note('Waiting for another maki that uses the copy of this profile…')
      },
      onCaution: (text) => this.caution(text),
    })
  }

  get #reportOptions() {
    const flags = Object.keys({ ...this.ctor.baseFlags, ...this.ctor.flags })
    return {
      json: this.isJson,
      debug: hasFlag(this.argv, '--debug'),
      flags,
      command: this.ctor.id.replaceAll(':', ' '),
    }
  }
}

function describeCopy(client: ClusterClient, nowMs: number): string {
  const age = formatExchange(client.local.exchange.exchangedAtMs, nowMs)
  return `${whyNotAsked(client)}This is the copy on this computer, ${age}.`
}

/** How old a copy is. */
export const formatExchange = (atMs: number | undefined, nowMs: number): string =>
  atMs === undefined ? 'never exchanged yet' : `last exchanged ${formatAgo(atMs, nowMs)}`

/** Why no node was asked, to stand before what follows from it; empty with `--offline`, which is reason enough. */
function whyNotAsked(client: ClusterClient): string {
  if (client.isOffline) return ''
  const { message } = client.unreachableError()
  // A list of reasons ends with a path, and what follows would look like a part of it.
  return `${message}${message.includes('\n') ? '\n' : '. '}`
}

/** What is said where a command was interrupted that has written something. */
export const describeInterrupted = (made: OperationId): string =>
  `interrupted, and written already: the next command hands it over (maki undo ${shortId(made)})`

/** `1 operation of yours waits`, `2 operations of yours wait`. */
export const countWaiting = (operations: number): string =>
  `${count(operations, 'operation')} of yours ${operations === 1 ? 'waits' : 'wait'}`

/** True when a flag stands on the command line, before a `--` that ends the flags. */
export function hasFlag(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).includes(flag)
}
