import { Args, Flags } from '@oclif/core'
import { EXPLICIT_TYPES } from '../../dns/records/index.ts'
import { domainArg, messageFlag } from '../program/arguments.ts'

/** Arguments of the record commands, spelled once. */
export const recordArgs = {
  domain: domainArg,
  name: Args.string({
    required: true,
    ignoreStdin: true,
    description: 'The name in it: @ for the domain itself, www, or a full name that ends in it.',
  }),
  type: Args.string({
    required: true,
    ignoreStdin: true,
    description: `The type: ${EXPLICIT_TYPES.join(', ')}; or TYPE and a number.`,
  }),
}

export const valueArg = (required: boolean, description: string) =>
  Args.string({ multiple: true, required, ignoreStdin: true, description })

export const recordFlags = {
  ttl: Flags.integer({
    min: 0,
    summary: 'How long resolvers may remember it, in seconds. Default: as it is, else 300.',
    helpValue: 'SECONDS',
  }),
  priority: Flags.integer({
    min: 0,
    max: 65_535,
    summary: 'Of an MX or SRV record; may also stand before the value.',
    helpValue: 'NUMBER',
  }),
  message: messageFlag,
}

/** What oclif makes of an argument with several values: nothing, one, or a list. */
export const listValues = (values: string | undefined | readonly (string | undefined)[]): string[] =>
  [values].flat().filter((value) => value !== undefined)
