import { folderOf, isProduct, lineAt, type SourceFile, type SyntaxNode, type Violation } from './source-file.ts'

/** The one place that reads a clock, draws a random number or sets a timer. */
const RUNTIME_FILE = 'cli/system.ts'
/** And the one of processes that run strangers' code, which load nothing of cli. */
const GUEST_RUNTIME_FILE = 'edge/guest-host/host-runtime.ts'
/** `Object.member` that reads a clock, draws a number or sets a timer. */
const CLOCK_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  Date: ['now'],
  performance: ['now', 'timeOrigin'],
  Math: ['random'],
  process: ['hrtime', 'uptime'],
  AbortSignal: ['timeout'],
  crypto: ['randomUUID', 'getRandomValues', 'randomBytes', 'randomInt', 'randomFillSync', 'randomFill'],
  globalThis: ['setTimeout', 'setInterval'],
}
const CLOCK_CALLS = ['setTimeout', 'setInterval', 'randomUUID']
const CLOCK_MODULES = ['node:timers', 'node:timers/promises', 'node:perf_hooks', 'timers', 'timers/promises']
const CHANCE_IMPORTS = ['randomBytes', 'randomInt', 'randomUUID', 'randomFill', 'randomFillSync', 'getRandomValues']
/** Spelled in two parts, so that this file keeps its own rule. */
const SUPPRESSION = new RegExp(`@ts-${'(ignore|expect-error|nocheck)'}`)

/** What a file's code does that the house rules forbid. Pure. */
export function* findCodeFaults(file: SourceFile): Generator<Violation> {
  const fault = (rule: string, message: string, position: number): Violation => ({
    path: file.path,
    line: lineAt(file.text, position),
    rule,
    message,
  })
  const anyType = /\bany\b/.exec(file.types)
  if (anyType !== null) yield fault('no-any', 'the type any is used', anyType.index)
  const suppression = SUPPRESSION.exec(file.text)
  if (suppression !== null) yield fault('no-suppression', `${suppression[0]} hides an error`, suppression.index)
  if (!isProduct(file.path)) return
  if (file.path !== RUNTIME_FILE && file.path !== GUEST_RUNTIME_FILE) {
    for (const use of findClockUses(file)) {
      yield fault('clock-and-chance', `${use.what} stands only in ${RUNTIME_FILE}; take it from Runtime`, use.position)
    }
  }
  if (folderOf(file.path) !== 'cli') {
    for (const node of file.nodes) {
      if (isGlobal(node, 'console')) yield fault('no-console', 'console is used outside cli; use Log', node.start)
    }
  }
  if (!isDocumented(file)) yield fault('doc-comment', 'no export of this file has a doc comment', 0)
}

function* findClockUses(file: SourceFile): Generator<{ what: string; position: number }> {
  for (const { specifier, names, position } of file.imports) {
    // Yielding to the event loop reads no clock.
    const onlyYields = names.length > 0 && names.every((name) => name === 'setImmediate')
    if (CLOCK_MODULES.includes(specifier) && !onlyYields) yield { what: specifier, position }
    if (specifier !== 'node:crypto' && specifier !== 'crypto') continue
    for (const name of names) if (CHANCE_IMPORTS.includes(name)) yield { what: name, position }
  }
  for (const node of file.nodes) {
    const { start: position } = node
    if (node.type === 'MemberExpression' && node.object.type === 'Identifier') {
      const name = node.property.type === 'Identifier' ? node.property.name : ''
      if (CLOCK_MEMBERS[node.object.name]?.includes(name)) yield { what: `${node.object.name}.${name}`, position }
    } else if (node.type === 'Identifier' && CLOCK_CALLS.some((name) => isGlobal(node, name))) {
      yield { what: node.name, position }
    } else if (node.type === 'NewExpression' || node.type === 'CallExpression') {
      const isDate = node.callee.type === 'Identifier' && node.callee.name === 'Date'
      const readsClock = node.type === 'CallExpression' || node.arguments.length === 0
      if (isDate && readsClock) yield { what: 'Date without an argument', position }
    }
  }
}

/** An identifier that is used by its name: no property, key, method or label of that name. */
function isGlobal(node: SyntaxNode, name: string): boolean {
  if (node.type !== 'Identifier' || node.name !== name) return false
  const { parent } = node
  if (parent === undefined) return true
  if (parent.type === 'MemberExpression') return parent.object === node || parent.computed
  if (parent.type === 'Property') return parent.value === node || parent.computed
  return parent.type !== 'MethodDefinition' && parent.type !== 'PropertyDefinition' && parent.type !== 'ImportSpecifier'
}

const EXPORT =
  /^export (?:default |declare |abstract |async )*(?:function\*?|class|const|let|interface|type)\s+(?!\{)/gm
const DOCUMENTED_EXPORT = /\*\/\s*\n(?:@[^\n]*\n)*export /

/** True unless the file declares exports and none of them has a doc comment; a command says it in `description`. */
function isDocumented(file: SourceFile): boolean {
  if (file.path.startsWith('cli/commands/')) return true
  const declares = [...file.text.matchAll(EXPORT)].length > 0
  return !declares || DOCUMENTED_EXPORT.test(file.text) || /^\/\*\*/.test(file.text)
}
