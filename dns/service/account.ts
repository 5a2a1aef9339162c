import type { Response } from '../message/index.ts'
import { CLASS_CH } from '../wire/index.ts'
import type { ZoneTable } from '../zone/index.ts'

/**
 * What a response counts as where equal responses are limited. Answers of names that a zone has are told apart by name
 * and by the types in them, not by the type that was asked for: a CNAME answers all 65,535. All the rest, of which anybody
 * can make up as many questions as there are words, counts together: what a wildcard answers, hosts of previews, what is
 * not there, and what is there in another type, by zone; refusals and faults by their code.
 */
export function accountOf({ question, rcode, answers }: Response, table: ZoneTable): string {
  if (question === undefined || (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN')) return rcode
  if (question.class === CLASS_CH) return 'CH'
  const zone = table.find(question.name)
  if (zone === undefined) return rcode
  const isOwn = rcode === 'NOERROR' && answers.length > 0 && zone.lists(question.name)
  return isOwn
    ? `${question.name} ${answers.map(({ type }) => type).join(' ')}`
    : `${rcode}${answers.length > 0 ? '+' : ''} ${zone.apex}`
}
