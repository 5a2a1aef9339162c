import { trimBlanks } from './trim-blanks.ts'

/** A Vary field (RFC 9110 section 12.5.5) that names one more request field; `*` and names that it has already stay. */
export function addVary(present: string | readonly string[] | undefined, name: string): string {
  const text = present === undefined ? '' : typeof present === 'string' ? present : present.join(', ')
  if (text === '') return name
  const names = text.toLowerCase().split(',').map(trimBlanks)
  return names.includes('*') || names.includes(name.toLowerCase()) ? text : `${text}, ${name}`
}
