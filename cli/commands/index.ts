import type { Config } from '@oclif/core'
import type { MakiCommand } from '../program/base.ts'

/** A command's class, as `maki` uses it. */
export type CommandClass = (new (argv: string[], config: Config) => MakiCommand) & { id: string }

/** Every command by id; each is loaded when it is asked for, since loading all of them takes longer than most of them run. */
export const COMMANDS = {
  blame: async () => (await import('./blame.ts')).default,
  'cluster:rebuild': async () => (await import('./cluster/rebuild.ts')).default,
  'cluster:recover': async () => (await import('./cluster/recover.ts')).default,
  'cluster:show': async () => (await import('./cluster/show.ts')).default,
  conflicts: async () => (await import('./conflicts/list.ts')).default,
  'conflicts:resolve': async () => (await import('./conflicts/resolve.ts')).default,
  'cert:export': async () => (await import('./cert/export.ts')).default,
  'cert:import': async () => (await import('./cert/import.ts')).default,
  'cert:list': async () => (await import('./cert/list.ts')).default,
  'cert:show': async () => (await import('./cert/show.ts')).default,
  dev: async () => (await import('./dev.ts')).default,
  'dns:explain': async () => (await import('./dns/explain.ts')).default,
  'dns:export': async () => (await import('./dns/export.ts')).default,
  'dns:import': async () => (await import('./dns/import.ts')).default,
  'dns:nameserver-setup': async () => (await import('./dns/nameserver-setup.ts')).default,
  'domain:list': async () => (await import('./domain/list.ts')).default,
  health: async () => (await import('./health.ts')).default,
  history: async () => (await import('./history.ts')).default,
  logs: async () => (await import('./logs.ts')).default,
  'machine:add': async () => (await import('./machine/add.ts')).default,
  'machine:drain': async () => (await import('./machine/drain.ts')).default,
  'machine:init': async () => (await import('./machine/init.ts')).default,
  'machine:list': async () => (await import('./machine/list.ts')).default,
  'machine:remove': async () => (await import('./machine/remove.ts')).default,
  'machine:restart': async () => (await import('./machine/restart.ts')).default,
  'machine:set': async () => (await import('./machine/set.ts')).default,
  'machine:show': async () => (await import('./machine/show.ts')).default,
  'machine:undrain': async () => (await import('./machine/undrain.ts')).default,
  'machine:upgrade': async () => (await import('./machine/upgrade.ts')).default,
  'operator:add': async () => (await import('./operator/add.ts')).default,
  'operator:key': async () => (await import('./operator/key.ts')).default,
  'operator:list': async () => (await import('./operator/list.ts')).default,
  'operator:remove': async () => (await import('./operator/remove.ts')).default,
  password: async () => (await import('./password.ts')).default,
  'peer:add': async () => (await import('./peer/add.ts')).default,
  'peer:list': async () => (await import('./peer/list.ts')).default,
  'peer:remove': async () => (await import('./peer/remove.ts')).default,
  'peer:wg-config': async () => (await import('./peer/wg-config.ts')).default,
  pull: async () => (await import('./pull.ts')).default,
  push: async () => (await import('./push.ts')).default,
  'record:add': async () => (await import('./record/add.ts')).default,
  'record:list': async () => (await import('./record/list.ts')).default,
  'record:remove': async () => (await import('./record/remove.ts')).default,
  'record:set': async () => (await import('./record/set.ts')).default,
  'release:diff': async () => (await import('./release/diff.ts')).default,
  'release:list': async () => (await import('./release/list.ts')).default,
  'release:merge': async () => (await import('./release/merge.ts')).default,
  'release:purge': async () => (await import('./release/purge.ts')).default,
  'release:resume': async () => (await import('./release/resume.ts')).default,
  'release:show': async () => (await import('./release/show.ts')).default,
  rollback: async () => (await import('./rollback.ts')).default,
  show: async () => (await import('./show.ts')).default,
  state: async () => (await import('./state.ts')).default,
  status: async () => (await import('./status.ts')).default,
  sync: async () => (await import('./sync.ts')).default,
  undo: async () => (await import('./undo.ts')).default,
  'wasm:check': async () => (await import('./wasm/check.ts')).default,
  'wasm:fetch': async () => (await import('./wasm/fetch.ts')).default,
  'wasm:new': async () => (await import('./wasm/new.ts')).default,
} as const satisfies Record<string, () => Promise<CommandClass>>

export type CommandId = keyof typeof COMMANDS

export const isCommandId = (id: string): id is CommandId => Object.hasOwn(COMMANDS, id)

/** What the commands with a common first word are about. */
export const TOPICS = {
  cert: 'Certificates for HTTPS',
  cluster: 'What the cluster is, and the way back when its keys are lost',
  conflicts: 'Edits that were made side by side',
  dns: 'What DNS answers and why, and the records of a domain as master files',
  domain: 'The zones that the cluster answers for',
  machine: 'Servers: how they become nodes, change, and leave',
  operator: 'Keys that may change the cluster',
  peer: 'Machines outside of the cluster that the nodes reach through WireGuard',
  record: 'DNS records, without a project file',
  release: 'Published versions of a site',
  wasm: 'Functions and transforms: begun, built and checked',
} as const satisfies Record<string, string>
