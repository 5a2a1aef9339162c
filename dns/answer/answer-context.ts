import type { AliasTable } from '../alias/index.ts'
import type { Asker } from '../message/index.ts'
import type { Locator, Steering } from '../steering/index.ts'
import type { ZoneTable } from '../zone/index.ts'

/** All that an answer depends on besides its query. */
export interface AnswerContext {
  readonly table: ZoneTable
  readonly steering: Steering
  readonly aliases: AliasTable
  readonly locator: Locator
  readonly asker: Asker
}
