import type { Interfaces } from '@oclif/core'
import { MakiError } from '../../core/index.ts'
import { unknownFlag } from '../output/report-error.ts'

/** A command line that was taken apart, as far as it is looked at here. */
type TakenApart = Pick<Interfaces.ParserOutput, 'raw' | 'flags' | 'nonExistentFlags'>

/**
 * Refuses what a command line cannot mean, though each part of it can be read: a flag that stands twice, a value that is empty
 * (most often a variable of a script that is not set), flags that contradict each other. Pure; throws MAKI_USAGE.
 */
export function checkLine(
  { raw, flags, nonExistentFlags }: TakenApart,
  command: { readonly words: string; readonly flags: Readonly<Record<string, object>> },
): void {
  const help = `maki ${command.words} --help`
  const [unknown] = nonExistentFlags
  if (unknown !== undefined) throw unknownFlag(unknown, Object.keys(command.flags), help)
  const seen = new Set<string>()
  for (const token of raw) {
    if (token.type === 'arg') {
      if (token.input === '') throw empty(token.arg === undefined ? 'an argument' : token.arg.toUpperCase(), help)
      continue
    }
    const { flag, input } = token
    if (seen.has(flag) && !mayRepeat(command.flags[flag]))
      throw new MakiError('MAKI_USAGE', `the flag --${flag} stands there twice`, { hint: 'Leave one of them out.' })
    seen.add(flag)
    if (input === '') throw empty(`--${flag}`, help)
  }
  if (flags.offline === true && flags.node !== undefined)
    throw new MakiError('MAKI_USAGE', '--offline asks no node, and --node names one to ask', {
      hint: 'Leave one of them out.',
    })
}

const empty = (what: string, help: string): MakiError =>
  new MakiError('MAKI_USAGE', `${what} is empty`, {
    hint: `Is a variable not set? What belongs there: ${help}`,
  })

const mayRepeat = (flag: object | undefined): boolean =>
  flag !== undefined && 'multiple' in flag && flag.multiple === true

/**
 * Refuses `--yes=no`: the framework takes what stands behind the `=` for an argument. To be called before it reads the line. Pure;
 * throws MAKI_USAGE.
 */
export function checkSwitches(argv: readonly string[], flags: Readonly<Record<string, object>>): void {
  const end = argv.indexOf('--')
  for (const word of end === -1 ? argv : argv.slice(0, end)) {
    const [, name = ''] = /^--([^=]+)=/s.exec(word) ?? []
    if (isSwitch(flags[name]) || isSwitch(flags[name.replace(/^no-/, '')]))
      throw new MakiError('MAKI_USAGE', `the flag --${name} takes no value`, { hint: `--${name}` })
  }
}

/** False for each switch that was not typed, which the framework leaves out; one that has a `--no-` stays unsaid. Pure. */
export const offSwitches = (
  typed: Readonly<Record<string, unknown>>,
  flags: Readonly<Record<string, object>>,
): Readonly<Record<string, false>> =>
  Object.fromEntries(
    Object.entries(flags).flatMap(([name, flag]) =>
      isSwitch(flag) && typed[name] === undefined && !('allowNo' in flag && flag.allowNo === true)
        ? [[name, false as const]]
        : [],
    ),
  )

const isSwitch = (flag: object | undefined): boolean => flag !== undefined && 'type' in flag && flag.type === 'boolean'
