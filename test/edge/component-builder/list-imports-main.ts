/** Says of each text of a list what it imports, or how it is no module. */
import { listImports } from '../../../edge/component-builder/list-imports.ts'

const texts: readonly string[] = JSON.parse(process.argv[2] ?? '[]')
process.stdout.write(JSON.stringify(texts.map(look)))

function look(text: string): unknown {
  try {
    return listImports(text)
  } catch (error) {
    return (error as Error).name
  }
}
