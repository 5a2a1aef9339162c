import { $init, generate } from '@bytecodealliance/jco-transpile/component'
import { tokenizer } from 'acorn'

await $init

/** The JavaScript that jco makes of a component, as the product has it made. */
export function generateGlue(component: Uint8Array): string {
  const { files } = generate(component, {
    name: 'glue',
    noTypescript: true,
    instantiation: { tag: 'sync' },
    tlaCompat: false,
    base64Cutoff: 0,
  })
  const glue = files.find(([name]) => name === 'glue.js')
  if (glue === undefined) throw new Error('there is no glue')
  return new TextDecoder().decode(glue[1])
}

/**
 * Tokens of a program that hold a marker, but for strings and names: what a stranger's name must never become. Text that is
 * no program at all throws.
 */
export function findLoose(glue: string, marker: string): string[] {
  const loose: string[] = []
  for (const token of tokenizer(glue, { ecmaVersion: 'latest', sourceType: 'module' })) {
    const text = glue.slice(token.start, token.end)
    if (!text.toLowerCase().includes(marker)) continue
    const isString = token.type.label === 'string' && text[0] === text.at(-1) && !/[\\\n]/.test(text.slice(1, -1))
    const isName = token.type.label === 'name' || token.type.label === 'privateId'
    if (!isString && !isName) loose.push(text)
  }
  return loose
}
