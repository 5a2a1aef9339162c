import { Flags } from '@oclif/core'

/** Flags of every command. `MAKIATTO_PROFILE` and `MAKIATTO_KEY` stand in for two of them; the flag wins. */
export const globalFlags = {
  config: Flags.string({
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
    summary: 'The project file.',
    default: './makiatto.toml',
  }),
  profile: Flags.string({
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
    summary: 'The profile of the cluster (MAKIATTO_PROFILE; else makiatto/default.toml in your configuration).',
  }),
  key: Flags.string({
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
    summary: 'A key file to sign with, without a copy of the cluster on disk: for CI (MAKIATTO_KEY).',
  }),
  'ssh-priv-key': Flags.string({
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
    summary: 'The private key for machines over SSH; else your keys of ssh are tried.',
  }),
  node: Flags.string({ helpGroup: 'GLOBAL', helpValue: 'NAME', summary: 'The node to ask first.' }),
  offline: Flags.boolean({
    helpGroup: 'GLOBAL',
    summary: 'Ask no node; what is written waits for the next exchange.',
  }),
  json: Flags.boolean({ helpGroup: 'GLOBAL', summary: 'Print one JSON value.' }),
  debug: Flags.boolean({ helpGroup: 'GLOBAL', summary: 'Say more about errors and what is done.' }),
}

/** The global flags as a command got them. */
export interface GlobalFlags {
  readonly config: string
  readonly profile: string | undefined
  readonly key: string | undefined
  readonly 'ssh-priv-key': string | undefined
  readonly node: string | undefined
  readonly offline: boolean
  readonly json: boolean
  readonly debug: boolean
}
