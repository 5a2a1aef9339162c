import { resolve } from 'node:path'
import { Args } from '@oclif/core'
import { MakiError } from '../../../core/index.ts'
import type { ComponentFault, ComponentReport } from '../../../edge/index.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { count, formatBytes, plainLine } from '../../output/text.ts'
import { MakiCommand } from '../../program/base.ts'
import { describeImports, inspectFile } from '../../wasm/index.ts'

/** What was found out about one file, without running any of it. */
type CheckedFile =
  | { readonly file: string; readonly fit: true; readonly report: ComponentReport }
  | { readonly file: string; readonly fit: false; readonly fault: ComponentFault }

const WORLD_NAMES = {
  http: 'a function (world makiatto:http@0.1.0)',
  transform: 'a transform (world makiatto:transform@0.1.0)',
}

export default class WasmCheck extends MakiCommand<readonly CheckedFile[]> {
  static override summary = 'Say whether a component can be run, and why not.'
  static override description =
    'Looks at what it exports and imports, at its memory and its size; nothing of it is run. Ends with 1 where one of the files is not fit. sync and dev check the same before anything is sent.'
  static override examples = [
    'maki wasm check site/api/hello.wasm',
    'maki wasm check site/api/*.wasm',
    'maki wasm check site/api/hello.wasm --json',
  ]
  static override args = {
    file: Args.string({ required: true, ignoreStdin: true, description: 'A file; several may be given.' }),
  }
  static override strict = false

  override async run(): Promise<readonly CheckedFile[]> {
    const { argv } = await this.parse(WasmCheck)
    const files = argv.map(String)
    const flag = files.find((file) => file.startsWith('-'))
    if (flag !== undefined)
      throw new MakiError('MAKI_USAGE', `there is no flag ${flag}`, { hint: 'maki wasm check --help' })
    const checked: CheckedFile[] = []
    for (const file of files) {
      this.host.signal.throwIfAborted()
      const { inspection } = await inspectFile(resolve(this.host.cwd, file))
      if (inspection.kind === 'fit') checked.push({ file, fit: true, report: inspection.report })
      else {
        checked.push({ file, fit: false, fault: inspection.fault })
        this.exitCode = 1
      }
    }
    return checked
  }

  protected format(checked: readonly CheckedFile[], style: Style): string {
    return checked.map((each) => formatChecked(each, style)).join('\n\n')
  }
}

function formatChecked(checked: CheckedFile, style: Style): string {
  const name = style.name(plainLine(checked.file))
  if (!checked.fit) {
    const { message, hint } = checked.fault
    return `${name}: ${style.bad('not fit')}. ${plainLine(message)}\n${style.bold('Try:')} ${plainLine(hint)}`
  }
  const { world, sizeBytes, initialMemoryBytes, coreModules, imports, otherExports } = checked.report
  const rows = [
    [style.dim('size'), `${formatBytes(sizeBytes)}, ${count(coreModules, 'core module')}`],
    [style.dim('memory'), `${formatBytes(initialMemoryBytes)} from the start`],
    ...(otherExports.length === 0 ? [] : [[style.dim('unused'), otherExports.map(plainLine).join(', ')]]),
    ...describeImports(imports).map(({ name, gives }, i) => [
      i === 0 ? style.dim('imports') : '',
      plainLine(name),
      gives,
    ]),
  ]
  if (imports.length === 0) rows.push([style.dim('imports'), 'nothing'])
  return `${name}: ${style.good('fit')}, ${WORLD_NAMES[world]}\n${formatTable(rows, undefined, style.columns)}`
}
