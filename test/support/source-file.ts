import { stripTypeScriptTypes } from 'node:module'
import { type AnyNode, type Node, parse } from 'acorn'

/** A TypeScript source with what the architecture rules look at. Every position is an offset into `text`. */
export interface SourceFile {
  /** Relative to the project's root, with `/`. */
  readonly path: string
  readonly text: string
  readonly imports: readonly ImportUse[]
  /** Every node of the syntax tree without its types, with its parent. */
  readonly nodes: readonly SyntaxNode[]
  /** The text with everything blank that is no type. */
  readonly types: string
}

export interface ImportUse {
  readonly specifier: string
  /** Names that are imported, as the other module calls them; `*` for all of it. */
  readonly names: readonly string[]
  readonly position: number
}

export type SyntaxNode = AnyNode & { readonly parent: AnyNode | undefined }

/** A rule that a file breaks. */
export interface Violation {
  readonly path: string
  readonly line: number
  readonly rule: string
  readonly message: string
}

/** The layer that a path belongs to. */
export const folderOf = (path: string): string => path.split('/')[0] ?? ''
/** Everything but tests. */
export const isProduct = (path: string): boolean => folderOf(path) !== 'test'

/** The number, from 1, of the line that an offset lies in. */
export function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length
}

/** `import type … from '…'` and `export type … from '…'`: they vanish when types are stripped. */
const TYPE_IMPORT = /^[ \t]*(?:import|export)\s+type\b[^'"]*?\bfrom\s*['"]([^'"]+)['"]/gm
/** `typeof import('…')` and the like inside types. */
const IMPORT_TYPE = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g

/** Parses one file. Throws a SyntaxError where Node's own type stripping does. */
export function parseSource(path: string, text: string): SourceFile {
  // Mode `strip` writes blanks over the types, so that offsets stay the same.
  const code = stripTypeScriptTypes(text, { mode: 'strip' })
  const program = parse(code, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true })
  const nodes: SyntaxNode[] = []
  visit(program, undefined, nodes)
  return {
    path,
    text,
    nodes,
    types: typesOf(text, code),
    imports: [...typeImports(text, code), ...valueImports(nodes)],
  }
}

function visit(node: AnyNode, parent: AnyNode | undefined, found: SyntaxNode[]): void {
  found.push(Object.assign(node, { parent }))
  for (const [name, value] of Object.entries(node)) {
    if (name === 'parent') continue
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) visit(child, node, found)
    }
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

function* valueImports(nodes: readonly SyntaxNode[]): Generator<ImportUse> {
  for (const node of nodes) {
    if (node.type === 'ImportDeclaration') {
      const names = node.specifiers.map((specifier) => {
        if (specifier.type !== 'ImportSpecifier') return specifier.type === 'ImportDefaultSpecifier' ? 'default' : '*'
        return nameOf(specifier.imported)
      })
      yield { specifier: String(node.source.value), names, position: node.start }
    } else if (node.type === 'ExportAllDeclaration') {
      yield { specifier: String(node.source.value), names: ['*'], position: node.start }
    } else if (node.type === 'ExportNamedDeclaration' && node.source) {
      const names = node.specifiers.map((specifier) => nameOf(specifier.local))
      yield { specifier: String(node.source.value), names, position: node.start }
    } else if (node.type === 'ImportExpression' && node.source.type === 'Literal') {
      yield { specifier: String(node.source.value), names: ['*'], position: node.start }
    }
  }
}

function nameOf(node: AnyNode): string {
  if (node.type === 'Identifier') return node.name
  return node.type === 'Literal' ? String(node.value) : ''
}

function* typeImports(text: string, code: string): Generator<ImportUse> {
  for (const pattern of [TYPE_IMPORT, IMPORT_TYPE]) {
    for (const match of text.matchAll(pattern)) {
      // Only what stripping took away was a type; the same words in a string are still there.
      if (code.slice(match.index, match.index + match[0].length).trim() !== '') continue
      yield { specifier: match[1] ?? '', names: [], position: match.index }
    }
  }
}

/** Comments and strings inside of types, which say nothing about them. */
const NO_TYPE = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g

function typesOf(text: string, code: string): string {
  let types = ''
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string
    types += character === '\n' || code[i] === ' ' || code[i] === undefined ? character : ' '
  }
  return types.replace(NO_TYPE, (found) => found.replace(/[^\n]/g, ' '))
}
