import * as v from 'valibot'
import { COMMANDS, type CommandId } from '../../../cli/commands/index.ts'
import { parseArgv } from '../../../cli/program/argv.ts'
import { GLOBAL_OPTIONS, hasFlag } from '../../../cli/program/base.ts'
import type { Schema } from './kit.ts'
import { SHAPES } from './shapes.ts'
import { errorShape, warningShape } from './shared.ts'

interface Streams {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Commands that print an object a line. */
const BY_LINE = new Set(['dev'])

/** Why what a command with `--json` left is not as the docs say; undefined where it is, or it ran without `--json`. */
export function findOutputFault(argv: readonly string[], { code, stdout, stderr }: Streams): string | undefined {
  if (!hasFlag(argv, '--json') || hasFlag(argv, '--help') || hasFlag(argv, '--debug')) return undefined
  const { id } = parseArgv(argv, new Set(Object.keys(COMMANDS)), GLOBAL_OPTIONS.map(String))
  const lines = stderr.split('\n').filter((line) => line !== '')
  const last = lines.at(-1)
  const failed = stdout === '' && last !== undefined && v.is(errorShape, parse(last))
  const strange = (failed ? lines.slice(0, -1) : lines).find((line) => !v.is(warningShape, parse(line)))
  if (strange !== undefined) return `on stderr: ${strange}`
  if (stdout === '') return failed || code >= 128 || id === 'logs' ? undefined : 'no value, and no error'
  if (failed) return 'a value and an error'
  const shape = SHAPES[id as CommandId]
  if (id === undefined || shape === undefined) return `no shape of ${id}`
  if (BY_LINE.has(id) || (id === 'logs' && !stdout.startsWith('['))) return undefined
  return findShapeFault(shape, parse(stdout))
}

/** The first member that is not as its shape says. */
export function findShapeFault(shape: Schema, value: unknown): string | undefined {
  const { issues } = v.safeParse(shape, value)
  return issues === undefined
    ? undefined
    : issues.map((issue) => `${v.getDotPath(issue) ?? 'all of it'}: ${issue.message}`).join('\n')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
