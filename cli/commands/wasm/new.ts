import { basename, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { MakiError } from '../../../core/index.ts'
import type { World } from '../../../edge/index.ts'
import { quoteForShell } from '../../client/identity.ts'
import type { Style } from '../../output/style.ts'
import { count } from '../../output/text.ts'
import { MakiCommand } from '../../program/base.ts'
import { buildProject, describeBuild, LANGUAGES, type Language, writeProject } from '../../wasm/index.ts'

interface NewResult {
  /** As it was typed. */
  readonly folder: string
  readonly world: World
  readonly language: Language
  readonly files: readonly string[]
  /** What to type next, in this order. */
  readonly next: readonly string[]
}

const FOLDERS: Readonly<Record<World, string>> = { http: 'my-function', transform: 'my-transform' }

export default class WasmNew extends MakiCommand<NewResult> {
  static override summary = 'Begin a function or a transform: a project that builds, with a site to try it in.'
  static override description =
    'http is a function, which answers requests; transform changes files on their way to visitors. The folder must be empty, or not exist. Nothing is installed.'
  static override examples = [
    'maki wasm new http --lang js',
    'maki wasm new http ./greeter --lang ts',
    'maki wasm new transform ./banner --lang rust',
  ]
  static override args = {
    world: Args.string({
      required: true,
      ignoreStdin: true,
      options: ['http', 'transform'],
      description: 'What it is to be.',
    }),
    folder: Args.string({ ignoreStdin: true, description: 'Where to; ./my-function or ./my-transform when left out.' }),
  }
  static override flags = {
    lang: Flags.string({ options: LANGUAGES, default: 'js', summary: 'JavaScript, TypeScript or Rust.' }),
  }

  override async run(): Promise<NewResult> {
    const { args, flags } = await this.parse(WasmNew)
    const world: World = args.world === 'transform' ? 'transform' : 'http'
    const language = LANGUAGES.find((known) => known === flags.lang) ?? 'js'
    const folder = args.folder ?? FOLDERS[world]
    const path = resolve(this.host.cwd, folder)
    const name = basename(path).toLowerCase()
    if (!/^[a-z][a-z0-9-]{0,63}$/.test(name))
      throw new MakiError('MAKI_USAGE', `${JSON.stringify(basename(path))} is no name for a project`, {
        hint: 'Take a folder whose name begins with a letter, of letters, digits and hyphens.',
      })
    const files = buildProject({ world, language, name })
    await writeProject(path, files, {
      shownAs: folder,
      hint: `Take another folder: maki wasm new ${world} FOLDER --lang ${language}`,
    })
    const next = [`cd ${quoteForShell(folder)}`, ...describeBuild({ world, language, name }), 'maki dev']
    return { folder, world, language, files: [...files.keys()], next }
  }

  protected format({ folder, files, next }: NewResult, style: Style): string {
    const wrote = `${style.good('wrote')} ${count(files.length, 'file')} to ${folder}`
    return [wrote, '', 'Next:', ...next.map((line) => `  ${line}`)].join('\n')
  }
}
