import { Errors } from '@oclif/core'
import { MakiError } from '../../core/index.ts'
import { findNearest } from '../config/index.ts'
import { type Host, Interrupted } from '../program/host.ts'
import { explainSystem } from './explain-system.ts'
import { createStyle } from './style.ts'
import { formatJson, plainText } from './text.ts'

export interface ReportOptions {
  readonly json: boolean
  /** Shows the stack and the causes. */
  readonly debug: boolean
  /** What can be typed after `--`, for a flag that is nearly one of them. */
  readonly flags?: readonly string[]
  /** The command's words, for the hint that leads to its help. */
  readonly command?: string
}

/**
 * Tells on stderr what was refused, why, and what to type next; returns the exit code. With `json` that is an ErrorShape on one
 * line, with `debug` its `stack` too. Words of strangers may stand in any of it: what is printed moves no cursor.
 */
export function reportError(thrown: unknown, host: Host, options: ReportOptions): number {
  const interruption = host.signal.aborted && host.signal.reason instanceof Interrupted ? host.signal.reason : undefined
  if (interruption !== undefined) return interruption.exitCode
  const error = toMakiError(thrown, options)
  if (options.json) {
    const shape = { ...error.toJSON(), ...(options.debug ? { stack: formatStack(error) } : {}) }
    host.stderr.write(`${formatJson(shape)}\n`)
  } else {
    const style = createStyle(host.stderr, host.env)
    host.stderr.write(`${style.bad('Error:')} ${plainText(error.message)}\n`)
    if (error.hint !== undefined)
      host.stderr.write(`${style.bold('Try:')} ${indentRest(plainText(error.hint), '     ')}\n`)
    if (error.code === 'MAKI_INTERNAL' && !options.debug) {
      host.stderr.write('This is a fault of maki itself. With --debug it says where it happened.\n')
    }
  }
  if (options.debug && !options.json) host.stderr.write(`${plainText(formatStack(error))}\n`)
  return error.exitCode
}

const indentRest = (text: string, indent: string): string => text.split('\n').join(`\n${indent}`)

function toMakiError(thrown: unknown, { flags = [], command }: ReportOptions): MakiError {
  const help = command === undefined ? 'maki --help' : `maki ${command} --help`
  // oclif's own errors come from reading the command line: a missing argument, a flag that does not exist.
  if (thrown instanceof Error && (thrown instanceof Errors.CLIError || 'oclif' in thrown)) {
    const unknown = (thrown as { flags?: unknown }).flags
    if (Array.isArray(unknown) && typeof unknown[0] === 'string') return unknownFlag(unknown[0], flags, help, thrown)
    return new MakiError('MAKI_USAGE', cleanUsage(thrown.message), {
      cause: thrown,
      hint: help,
    })
  }
  const error = explainSystem(thrown)
  // What was typed wrong can be read up, where nobody knows better.
  if (error.hint !== undefined || error.exitCode !== 2) return error
  return new MakiError(error.code, error.message, { cause: error, hint: help })
}

/** A flag that nobody knows, with the one that was most likely meant, or where the flags are listed. */
export function unknownFlag(typed: string, flags: readonly string[], help: string, cause?: unknown): MakiError {
  const name = typed.split('=')[0] as string
  const nearest = name.startsWith('--') ? findNearest(name.slice(2), flags) : undefined
  return new MakiError('MAKI_USAGE', `there is no flag ${name} here`, {
    cause,
    hint: nearest === undefined ? help : `--${nearest}`,
  })
}

function cleanUsage(message: string): string {
  const text = message
    .replace(/\n*See more help with --help\s*$/, '')
    .replace(/^Parsing (--\S+)\s+Expected (.*) but received: (.*)$/s, '$1: $2 is expected, not $3')
    .replace(
      /^Missing (\d+) required args?:\n([\s\S]*)$/,
      (_, _number, list: string) =>
        // Its note on flags with several values is about another mistake.
        `arguments are missing:\n${list.replace(/\s*Note: --[\s\S]*$/, '').replace(/^/gm, '  ')}`,
    )
    .replace(/^The following errors? occurred:\s+Missing required flag (\S+)$/s, 'the flag --$1 is missing')
    .trim()
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function formatStack(error: MakiError): string {
  const lines: string[] = []
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    lines.push(`${depth === 0 ? '' : 'caused by '}${cause.stack ?? cause.message}`)
  }
  return lines.join('\n')
}
