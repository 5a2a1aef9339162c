import { Config } from '@oclif/core'
import { MakiError } from '../../core/index.ts'
import { COMMANDS, isCommandId, TOPICS } from '../commands/index.ts'
import { findNearest } from '../config/index.ts'
import { reportError, unknownFlag } from '../output/report-error.ts'
import { parseArgv } from './argv.ts'
import { GLOBAL_OPTIONS, hasFlag, MakiCommand } from './base.ts'
import { showHelp } from './help.ts'
import type { Host } from './host.ts'
import { createOclifOptions } from './oclif-options.ts'

/** Finds the command that a line names and runs it, or shows help. Resolves with the exit code. */
export async function dispatch(argv: readonly string[], host: Host): Promise<number> {
  const ids = new Set(Object.keys(COMMANDS))
  const words = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv
  const parsed = parseArgv(words, ids, GLOBAL_OPTIONS.map(String))
  try {
    const topic = parsed.words[0]
    const names = topic === undefined || (topic in TOPICS && parsed.words.length === 1)
    if (parsed.id === undefined && !names) throw unknownCommand(parsed.words, ids)
    if (parsed.id === undefined || hasFlag(words, '--help') || hasFlag(words, '-h')) {
      if (parsed.id === undefined) checkFlags(parsed.rest)
      await showHelp(parsed.id ?? topic, host)
      return 0
    }
    if (!isCommandId(parsed.id)) throw unknownCommand(parsed.words, ids)
    const CommandClass = await COMMANDS[parsed.id]()
    CommandClass.id = parsed.id
    const config = await Config.load(createOclifOptions())
    return await new CommandClass([...parsed.rest], config).start(host)
  } catch (error) {
    return reportError(error, host, { json: hasFlag(argv, '--json'), debug: hasFlag(argv, '--debug') })
  }
}

/** Help is shown for a line without a command, but not for one with a flag that was meant for a command. */
function checkFlags(words: readonly string[]): void {
  const known = ['help', 'version', ...Object.keys(MakiCommand.baseFlags)]
  const typed = words.find((word) => word.startsWith('-') && !['-', '--', '-h'].includes(word))
  const name = typed?.replace(/^--/, '').split('=')[0]
  if (typed !== undefined && !known.includes(name as string)) throw unknownFlag(typed, known, 'maki --help')
}

function unknownCommand(words: readonly string[], ids: ReadonlySet<string>): MakiError {
  const spoken = [...ids].map((id) => id.replaceAll(':', ' '))
  // `record sett example.com` is near `record set`: as many words are compared as the candidate has.
  const nearest = [1, 2, 3]
    .map((length) => {
      const candidates = spoken.filter((id) => id.split(' ').length === length)
      return findNearest(words.slice(0, length).join(' '), candidates)
    })
    .findLast((found) => found !== undefined)
  const siblings = spoken.filter((id) => id.startsWith(`${words[0]} `))
  // `cert remove` is no slip of the finger for `peer remove`.
  const isMeant = nearest !== undefined && (siblings.length === 0 || siblings.includes(nearest))
  const typed = words.slice(0, siblings.length > 0 ? 2 : 1).join(' ')
  return new MakiError('MAKI_USAGE', `there is no command maki ${typed}`, {
    hint: isMeant
      ? `maki ${nearest}`
      : siblings.length > 0
        ? siblings.map((id) => `maki ${id}`).join('\n')
        : 'maki --help',
  })
}
