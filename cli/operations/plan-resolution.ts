import {
  type Change,
  changeFor,
  findKeyParts,
  type Key,
  MakiError,
  type ReleaseValue,
  type Side,
  type State,
  shortId,
} from '../../core/index.ts'
import { planRestore } from '../release/rollback.ts'

/** One side of a conflict, with the project that wrote it; `purged` is a release that its owner took back for good. */
export type ChosenSide = Side & { readonly via: string | undefined; readonly purged: boolean }

/**
 * The changes that settle a conflict with the value of one side: they have seen all sides, so nothing competes with them.
 * Of a release that is a new one with the files and aliases of that side, as after a rollback. A host name comes with the
 * alias that claims it. Pure. Throws MAKI_OPERATION_REFUSED, with what to do instead, where no choice of a value helps.
 */
export function planResolution(state: State, key: Key, side: ChosenSide): readonly Change[] {
  const parts = findKeyParts(key)
  const refuse = (why: string, hint: string) =>
    new MakiError('MAKI_OPERATION_REFUSED', `${key} is not settled by taking a side: ${why}`, { hint })
  if (parts?.kind === 'node-name') {
    throw refuse(
      `two nodes are called ${parts.name}, and the other one goes by its name and key`,
      'Remove one of them and let it join under another name: maki machine remove, then maki machine init NAME USER@HOST',
    )
  }
  if (parts?.kind === 'purge')
    throw refuse('both sides say what may be served again', `maki release purge ${parts.domain}`)
  if (parts?.kind === 'release' && side.value !== undefined) {
    if (side.purged)
      throw refuse(
        `release ${shortId(side.operation)} was purged and is never served again`,
        `maki release list ${parts.domain} shows the others.`,
      )
    const release = side.value as ReleaseValue
    return planRestore(state, parts.domain, release, release.rollbackOf ?? side.operation)
  }
  const change = changeFor(key, side.value, { via: side.via, state })
  if (change === undefined)
    throw refuse('that value cannot be written by itself', 'maki undo OPERATION takes the other one back.')
  return [change]
}

/** What `--take` is typed with for each side, or what to do instead. */
export function describeWayOut(state: State, key: Key, sides: readonly ChosenSide[]): readonly string[] {
  const ways: string[] = []
  for (const side of sides) {
    try {
      planResolution(state, key, side)
      ways.push(`maki conflicts resolve ${key} --take ${shortId(side.operation)}`)
    } catch (error) {
      if (!(error instanceof MakiError)) throw error
      if (error.hint !== undefined) ways.push(error.hint)
    }
  }
  return [...new Set(ways)]
}
