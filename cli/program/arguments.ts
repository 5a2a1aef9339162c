import { Args, Flags } from '@oclif/core'

/** What several commands take, spelled once. */
export const domainArg = Args.string({
  required: true,
  ignoreStdin: true,
  description: 'The domain, like example.com.',
})

export const messageFlag = Flags.string({ char: 'm', summary: 'Why, for the history.', helpValue: 'TEXT' })

export const yesFlag = Flags.boolean({ char: 'y', summary: 'Do not ask.' })
