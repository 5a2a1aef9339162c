import { quoteName, Unfit } from './unfit.ts'

/*
 * jco writes names into JavaScript between single quotes, and sometimes between double quotes and backticks, without escaping
 * them. So a name has only characters that mean nothing in any of these, nor in a comment: no quotes, backslash, brace, line
 * separator, and nothing outside of ASCII.
 */
const CORE_NAME = /^[A-Za-z0-9_.:/@#$[\]|<>=,+~ -]*$/

const LABEL = /^(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)(?:-(?:[a-z0-9]+|[A-Z0-9]+))*$/
const PLAIN = /^(?:\[constructor\]|\[(?:method|static)\](?=[^.]*\.))?[A-Za-z0-9.-]+$/
const INTERFACE =
  /^(?<package>[a-z][a-z0-9-]*(?::[a-z][a-z0-9-]*)+)\/(?<name>[a-z][a-z0-9-]*)(?:@(?<version>\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?))?$/

/** Names of JavaScript itself that mean something as keys of an object. */
const KEYS_OF_JAVASCRIPT = new Set(['__proto__', '__defineGetter__', '__defineSetter__'])

/** A name in a core module, or of one. `where` goes on with "The component has …": "a core export". */
export function checkCoreName(name: string, where: string): string {
  const isSafe = CORE_NAME.test(name) && !name.includes('//') && !KEYS_OF_JAVASCRIPT.has(name)
  if (!isSafe) throw unsafe(name, where)
  return name
}

/** A field, case, flag or parameter: words of letters and digits, joined by `-`. */
export function checkLabel(name: string, where: string): string {
  if (!LABEL.test(name)) throw unsafe(name, where)
  return name
}

/** What a component, an instance or a type of one imports or exports: `handle-request`, `[method]a.b`, `wasi:io/poll@0.2.3`. */
export function checkExternName(name: string, where: string): string {
  if (INTERFACE.test(name)) return name
  const labels = name.replace(/^\[(?:constructor|method|static)\]/, '').split('.')
  const isPlain = PLAIN.test(name) && labels.length <= 2 && labels.every((label) => LABEL.test(label))
  if (!isPlain) throw unsafe(name, where)
  return name
}

/** The parts of the name of an interface; undefined where a name is none. */
export function findInterface(
  name: string,
): { readonly path: string; readonly version: string | undefined } | undefined {
  const groups = INTERFACE.exec(name)?.groups
  if (groups === undefined) return undefined
  return { path: `${groups.package}/${groups.name}`, version: groups.version }
}

function unsafe(name: string, where: string): Unfit {
  return new Unfit(
    'unsafe-name',
    `The component has ${where} named ${quoteName(name)}, which is not a name that is let in: it would become part of a program.`,
  )
}
