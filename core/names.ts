import { MakiError } from './errors.ts'
import type { Brand } from './ids.ts'

/** A fully qualified host name: lower case, A-labels, no final dot (`www.example.com`). */
export type Hostname = Brand<string, 'Hostname'>
/** A name relative to a zone's apex: lower case, `@` for the apex itself (`www`, `*.dev`, `_sip._tcp`). */
export type OwnerName = Brand<string, 'OwnerName'>
/** What a person calls a node; one label, because `<node>.ns.<apex>` is its name-server name. */
export type NodeName = Brand<string, 'NodeName'>

/** RFC 1035 section 2.3.4, less the length byte of the root. */
const MAX_NAME_LENGTH = 253
const HOST_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const OWNER_LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/
/** As in the Rust Makiatto, lower-cased: `[A-Za-z0-9_-]{1,63}`. */
const NODE_NAME = /^[a-z0-9_-]{1,63}$/

/** Accepts upper case and a final dot; refuses anything that is not a host name in A-labels (RFC 1123, RFC 5890). */
export function parseHostname(text: string): Hostname {
  const name = stripDot(text).toLowerCase()
  const refuse = (why: string) =>
    new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is not a host name: ${why}`, {
      hint: 'Write it like example.com; names in other scripts in their xn-- form.',
    })
  if (name === '') throw refuse('it is empty')
  if (name.length > MAX_NAME_LENGTH) throw refuse(`it has ${name.length} characters, ${MAX_NAME_LENGTH} are allowed`)
  const labels = name.split('.')
  for (const label of labels) {
    if (!HOST_LABEL.test(label)) throw refuse(labelFault(label))
  }
  if (labels.length < 2) throw refuse('it has one label only')
  if (/^[0-9]+$/.test(labels.at(-1) ?? '')) throw refuse('it ends in a number, like an address')
  return name as Hostname
}

/** Accepts `@`, a relative name, or an absolute one inside `apex` (with or without the final dot). */
export function parseOwnerName(text: string, apex: Hostname): OwnerName {
  const refuse = (why: string) =>
    new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is not a name in ${apex}: ${why}`, {
      hint: `Use @ for ${apex} itself, a name like www, or a full name that ends in .${apex}.`,
    })
  const lower = text.toLowerCase()
  let name = stripDot(lower)
  if (name === '@' || name === apex) return '@' as OwnerName
  if (name.endsWith(`.${apex}`)) name = name.slice(0, -apex.length - 1)
  else if (lower.endsWith('.')) throw refuse('it ends in a dot, so it is absolute, and lies elsewhere')
  if (name === '') throw refuse('it is empty')
  for (const [index, label] of name.split('.').entries()) {
    if (label === '*' && index === 0) continue
    if (!OWNER_LABEL.test(label)) throw refuse(labelFault(label))
  }
  if (name.length + 1 + apex.length > MAX_NAME_LENGTH) throw refuse('it is too long')
  return name as OwnerName
}

export function absoluteName(owner: OwnerName, apex: Hostname): string {
  return owner === '@' ? apex : `${owner}.${apex}`
}

/** True when `name` is `apex` or lies below it. */
export function isWithin(name: string, apex: string): boolean {
  return name === apex || name.endsWith(`.${apex}`)
}

export function parseNodeName(text: string): NodeName {
  const name = text.toLowerCase()
  if (!NODE_NAME.test(name)) {
    throw new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is not a node name`, {
      hint: 'Use 1 to 63 letters, digits, hyphens or underscores.',
    })
  }
  return name as NodeName
}

function stripDot(text: string): string {
  return text.endsWith('.') ? text.slice(0, -1) : text
}

function labelFault(label: string): string {
  if (label === '') return 'it has an empty label (two dots in a row)'
  if (label.length > 63) return `the label ${JSON.stringify(label)} has ${label.length} characters, 63 are allowed`
  return `the label ${JSON.stringify(label)} has characters that are not allowed there`
}
