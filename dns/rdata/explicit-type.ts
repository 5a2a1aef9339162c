import { MakiError } from '../../core/index.ts'
import {
  EXPLICIT_TYPES,
  type ExplicitType,
  findTypeFault,
  formatType,
  isExplicitType,
  OTHER_TYPES,
} from '../wire/index.ts'
import { quote } from './fields.ts'

/**
 * Any case of a type that an owner can write, `TYPE28` for AAAA too. Throws MAKI_INVALID for every other, saying
 * whose it is, how else it is written, or which name is nearest.
 */
export function parseExplicitType(text: string): ExplicitType {
  const name = text.trim().toUpperCase()
  if (isExplicitType(name)) return name
  const code = OTHER_TYPES.get(name) ?? (/^TYPE[0-9]{1,5}$/.test(name) ? Number(name.slice('TYPE'.length)) : undefined)
  if (code === undefined || code > 0xffff) throw refuseName(text, name)
  const fault = findTypeFault(code)
  if (fault !== undefined) {
    const shown = OTHER_TYPES.has(name) ? name : nameOfCode(code)
    const [why, hint] = FAULTS[fault]
    throw new MakiError('MAKI_INVALID', `records of type ${shown} cannot be written: ${why}`, { hint })
  }
  const type = formatType(code)
  if (!OTHER_TYPES.has(name) && isExplicitType(type)) return type
  throw new MakiError('MAKI_INVALID', `records of type ${name} cannot be written by that name`, {
    hint:
      name === 'SPF'
        ? 'Use TXT: nobody asks for SPF any more.'
        : `Use ${type}, with the data as octets: \\# 4 C0000201`,
  })
}

/** `RRSIG` for 46. */
const nameOfCode = (code: number): string => [...OTHER_TYPES].find(([, other]) => other === code)?.[0] ?? `TYPE${code}`

const FAULTS: Readonly<Record<NonNullable<ReturnType<typeof findTypeFault>>, readonly [why: string, hint: string]>> = {
  reserved: ['it is reserved', `Use another one: ${EXPLICIT_TYPES.join(', ')}.`],
  meta: ['it stands in questions only', 'Write a record for each type.'],
  ours: ['every zone has one, which we make', 'There is nothing to do: its serial grows with every change.'],
  signing: ['signing a zone makes them', 'Leave it out; to delegate to a zone that is signed, write its DS.'],
  synthesis: [
    'answers would have to be made up from it',
    'Write a CNAME for each name below, or one for the wildcard "*".',
  ],
}

function refuseName(text: string, name: string): MakiError {
  const nearest = findNearestType(name)
  const all = `These can: ${EXPLICIT_TYPES.join(', ')}, and any other as TYPE and its number.`
  return new MakiError('MAKI_INVALID', `there is no record type ${quote(text)}`, {
    hint: nearest === undefined ? all : `Did you mean ${nearest}? ${all}`,
  })
}

/** A type one slip away: a character more, less, other, or two swapped; of several the one that begins with the name. */
function findNearestType(name: string): string | undefined {
  const near = name.length > 20 ? [] : EXPLICIT_TYPES.filter((type) => isOneSlip(name, type))
  return near.find((type) => type.startsWith(name)) ?? near[0]
}

function isOneSlip(a: string, b: string): boolean {
  if (a.length < b.length) return isOneSlip(b, a)
  let same = 0
  while (same < b.length && a[same] === b[same]) same += 1
  const [restA, restB] = [a.slice(same), b.slice(same)]
  if (a.length > b.length) return b.length > 1 && restA.slice(1) === restB
  const isSwap = restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2)
  return b.length > 1 && (restA.slice(1) === restB.slice(1) || isSwap)
}
