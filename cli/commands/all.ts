import { COMMANDS, type CommandClass } from './index.ts'

/** All commands, loaded: for help, which shows them side by side. */
export const ALL_COMMANDS: Record<string, CommandClass> = Object.fromEntries(
  await Promise.all(Object.entries(COMMANDS).map(async ([id, load]) => [id, await load()] as const)),
)
