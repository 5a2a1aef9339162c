import { readFile } from 'node:fs/promises'
import { type AST, ParseError, parseTOML } from 'toml-eslint-parser'
import { MakiError } from '../../core/index.ts'
import type { Position } from './position.ts'
import { explainSyntax } from './toml-syntax.ts'

/** Keys and array indices from the top of a document: `['domain', 0, 'name']`. */
export type ConfigPath = readonly (string | number)[]

/** A TOML 1.0 file as plain values that know where they stand. */
export interface TomlDocument {
  /** The file's name as messages show it. */
  readonly file: string
  /** Tables have no prototype, so that no key in a file means more than itself. */
  readonly values: Record<string, unknown>
  /** Where the key or the value at a path stands; where it is absent, the nearest table around it. */
  locate(path: ConfigPath, part?: 'key' | 'value'): Position
}

/** No configuration comes near it; what is larger is another kind of file. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

/** Reads a file for `parseToml`. Throws what reading throws (with its `code`); MAKI_CONFIG for what is no UTF-8 text. */
export async function readToml(path: string, shownAs: string = path): Promise<TomlDocument> {
  const bytes = await readFile(path)
  if (bytes.length > MAX_FILE_BYTES)
    throw new MakiError('MAKI_CONFIG', `${shownAs} has ${bytes.length} bytes, ${MAX_FILE_BYTES} are allowed`, {
      hint: 'Is this the file that you meant?',
    })
  return parseToml(decodeText(bytes, shownAs), shownAs)
}

/** Parses TOML 1.0. Throws MAKI_CONFIG with file, line, column, the line itself, a caret and what was expected. */
export function parseToml(text: string, file: string): TomlDocument {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text
  const reader = new Reader()
  try {
    for (const part of parseTOML(source, { tomlVersion: '1.0' }).body[0].body) reader.readTop(part)
  } catch (thrown) {
    if (thrown instanceof ParseError)
      throw explainSyntax(thrown, { line: thrown.lineNumber, column: thrown.column + 1 }, source, file)
    if (thrown instanceof RangeError)
      throw new MakiError('MAKI_CONFIG', `${file} cannot be read: its values are nested too deeply`, {
        cause: thrown,
        hint: 'Is this the file that you meant?',
      })
    throw thrown
  }
  return { file, values: reader.values, locate: (path, part = 'value') => reader.locate(path, part) }
}

interface Place {
  readonly key: Position
  readonly value: Position
}

class Reader {
  readonly values: Record<string, unknown> = createTable()
  readonly #places = new Map<string, Place>()

  readTop(part: AST.TOMLKeyValue | AST.TOMLTable): void {
    if (part.type === 'TOMLKeyValue') {
      this.#readPair(part, this.values, [])
      return
    }
    const place = { key: positionOf(part.key), value: positionOf(part) }
    const table = this.#enter(this.values, [], part.resolvedKey, place)
    for (const pair of part.body) this.#readPair(pair, table, part.resolvedKey)
  }

  locate(path: ConfigPath, part: 'key' | 'value'): Position {
    for (let length = path.length; length > 0; length--) {
      const place = this.#places.get(JSON.stringify(path.slice(0, length)))
      if (place !== undefined) return length === path.length ? place[part] : place.value
    }
    return { line: 1, column: 1 }
  }

  #readPair(pair: AST.TOMLKeyValue, table: Record<string, unknown>, base: ConfigPath): void {
    const names = pair.key.keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value))
    const place = { key: positionOf(pair.key), value: positionOf(pair.value) }
    const parent = this.#enter(table, base, names.slice(0, -1), place)
    const path = [...base, ...names]
    parent[names.at(-1) as string] = this.#readValue(pair.value, path)
    this.#places.set(JSON.stringify(path), place)
  }

  /** Walks down from `table`, making what is not there; the parser has refused everything that would clash. */
  #enter(
    table: Record<string, unknown>,
    base: ConfigPath,
    steps: ConfigPath,
    place: Place,
  ): Record<string | number, unknown> {
    let at: Record<string | number, unknown> = table
    for (const [i, step] of steps.entries()) {
      at[step] ??= typeof steps[i + 1] === 'number' ? [] : createTable()
      const path = JSON.stringify([...base, ...steps.slice(0, i + 1)])
      if (!this.#places.has(path)) this.#places.set(path, place)
      at = at[step] as Record<string | number, unknown>
    }
    return at
  }

  #readValue(node: AST.TOMLContentNode, path: ConfigPath): unknown {
    switch (node.type) {
      case 'TOMLValue':
        return node.value
      case 'TOMLArray':
        return node.elements.map((element, i) => {
          const position = positionOf(element)
          this.#places.set(JSON.stringify([...path, i]), { key: position, value: position })
          return this.#readValue(element, [...path, i])
        })
      case 'TOMLInlineTable': {
        const table = createTable()
        for (const pair of node.body) this.#readPair(pair, table, path)
        return table
      }
      default:
        return node satisfies never
    }
  }
}

const createTable = (): Record<string, unknown> => Object.create(null) as Record<string, unknown>

const positionOf = (node: AST.HasLocs): Position => ({
  line: node.loc.start.line,
  column: node.loc.start.column + 1,
})

function decodeText(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    const readable = new TextDecoder('utf-8').decode(bytes)
    const line = readable.slice(0, readable.indexOf('\ufffd')).split('\n').length
    throw new MakiError('MAKI_CONFIG', `${file}:${line}: the file is not UTF-8 text`, {
      cause,
      hint: `Save ${file} as UTF-8.`,
    })
  }
}
