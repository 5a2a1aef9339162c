import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { CommandHelp, Config, Help } from '@oclif/core'
import { createStyle } from '../output/style.ts'
import type { Host } from './host.ts'
import { createOclifOptions } from './oclif-options.ts'

/** Wide enough for the examples; a terminal that is wider gets no longer lines, which nobody reads. */
const MAX_WIDTH = 100
/** Also of a terminal that does not know its width, which is 0 then. */
const WIDTH_WITHOUT_TERMINAL = 90

/** oclif trims a list as a whole, which moves its first line out of its column where that begins with spaces. */
class AlignedHelp extends CommandHelp {
  /** All that has to be typed, flags too, and where more may follow. */
  protected override defaultUsage(): string {
    const { id, args, flags, strict } = this.command
    const own = Object.values(flags ?? {}).filter((flag) => flag.hidden !== true && flag.helpGroup !== 'GLOBAL')
    const needed = own.filter((flag) => flag.required === true)
    const shown = Object.values(args ?? {}).filter((arg) => arg.hidden !== true)
    const words = shown.map((arg, i) => {
      const name = `${arg.name.toUpperCase()}${arg.multiple === true || (strict === false && i === shown.length - 1) ? '...' : ''}`
      return arg.required === true ? name : `[${name}]`
    })
    const typed = needed.map((flag) => `--${flag.name}=${'helpValue' in flag ? String(flag.helpValue) : flag.name}`)
    return [id, ...words, ...typed, ...(own.length > needed.length ? ['[FLAGS]'] : [])].join(' ')
  }

  override renderList(...args: Parameters<CommandHelp['renderList']>): string {
    const text = super.renderList(...args)
    const left = stripVTControlCharacters(args[0][0]?.[0] ?? '')
    const [first = ''] = stripVTControlCharacters(text).split('\n')
    // Where both sides do not fit beside each other, the left one stands on a line of its own, without columns.
    const hasColumns = first.length > left.trim().length
    return hasColumns ? ' '.repeat(left.length - left.trimStart().length) + text : text
  }
}

/** Prints help: of a command (`record:set`), of a topic (`record`), or of the whole program. */
export async function showHelp(subject: string | undefined, host: Host): Promise<void> {
  const target = new URL(`../commands/all${extname(import.meta.filename)}`, import.meta.url)
  const config = await Config.load(
    createOclifOptions({ strategy: 'explicit', target: fileURLToPath(target), identifier: 'ALL_COMMANDS' }),
  )
  const { isColoured: colours } = createStyle(host.stdout, host.env)
  const help = new (class extends Help {
    protected override CommandHelpClass = AlignedHelp

    protected override log(...lines: string[]): void {
      const text = lines.join('\n')
      host.stdout.write(`${colours ? text : stripVTControlCharacters(text)}\n`)
    }
  })(config, {
    maxWidth: Math.min(host.stdout.columns || WIDTH_WITHOUT_TERMINAL, MAX_WIDTH),
    flagSortOrder: 'none',
    hideCommandSummaryInDescription: true,
    docopts: false,
  })
  await help.showHelp(subject === undefined ? [] : [subject])
}
