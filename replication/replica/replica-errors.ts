import {
  type ClusterId,
  formatStamp,
  MAX_STAMP_AHEAD_MS,
  MakiError,
  type Operation,
  type OperationId,
} from '../../core/index.ts'
import type { StoreDamage } from '../ports.ts'

/** What a replica refuses, and the way out. */

export function notPulled(cluster: ClusterId): MakiError {
  return new MakiError('MAKI_NOT_FOUND', `cluster ${cluster} is not here yet: nothing can be written to it`, {
    hint: 'Run maki pull first.',
  })
}

export function incomplete({ lost, gone }: StoreDamage): MakiError {
  const what = gone === true ? 'all that it held' : `${lost} operations`
  return new MakiError('MAKI_STORE_DAMAGED', `the store lost ${what}: nothing is signed before that is back`, {
    hint: 'Let this replica exchange with another one (maki pull), then try again.',
  })
}

export function malformed(index: number, fault: string): MakiError {
  return new MakiError('MAKI_INVALID', `change ${index} is malformed: ${fault}`)
}

export function unknownHead(operation: Operation, head: OperationId): MakiError {
  return new MakiError('MAKI_CONFLICT', `operation ${operation.id} follows ${head}, which is not here`, {
    hint: 'Push its ancestors first, or together with it.',
  })
}

/** Where an operation is made or first handed in, its stamp has to be near the clock; elsewhere it would only be held. */
export function requireDue({ id, stamp }: Operation, nowMs: number): void {
  const aheadMs = stamp.wallMs - nowMs
  if (aheadMs <= MAX_STAMP_AHEAD_MS) return
  const [theirs, ours] = [formatStamp(stamp), new Date(nowMs).toISOString()]
  const allowed = `${MAX_STAMP_AHEAD_MS / 60_000} minutes are allowed`
  throw new MakiError(
    'MAKI_OPERATION_REFUSED',
    `operation ${id} was made at ${theirs} by its author’s clock, and it is ${ours} by the clock here: ${Math.ceil(aheadMs / 1000)} s ahead, ${allowed}`,
    {
      hint: 'Let both computers keep their time by NTP (timedatectl set-ntp true). Then try again; what was made ahead of its time is taken when that has come.',
    },
  )
}
