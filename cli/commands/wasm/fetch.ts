import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { readWit } from '../../../edge/index.ts'
import type { Style } from '../../output/style.ts'
import { MakiCommand } from '../../program/base.ts'
import { writeProject } from '../../wasm/index.ts'

interface FetchResult {
  /** As it was typed. */
  readonly folder: string
  /** Names in it. */
  readonly files: readonly string[]
}

export default class WasmFetch extends MakiCommand<FetchResult> {
  static override summary = 'Write the WIT files of both worlds: what a function is, and what a transform is.'
  static override description =
    'Each file stands for itself: give your bindings generator one of them. The folder must be empty, or not exist. Nothing is asked over the network.'
  static override examples = ['maki wasm fetch', 'maki wasm fetch -o ./bindings/wit']
  static override flags = {
    output: Flags.string({ char: 'o', default: './wit', helpValue: 'FOLDER', summary: 'Where to.' }),
  }

  override async run(): Promise<FetchResult> {
    const { output } = (await this.parse(WasmFetch)).flags
    const files = new Map([
      ['http.wit', readWit('http')],
      ['transform.wit', readWit('transform')],
    ])
    await writeProject(resolve(this.host.cwd, output), files, {
      shownAs: output,
      hint: 'Remove the folder, or write elsewhere: maki wasm fetch -o FOLDER',
    })
    return { folder: output, files: [...files.keys()] }
  }

  protected format({ folder, files }: FetchResult, style: Style): string {
    return files.map((file) => `${style.good('wrote')} ${folder.replace(/\/+$/, '')}/${file}`).join('\n')
  }
}
