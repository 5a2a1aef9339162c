/** Something that a check of a delegation found. */
export interface DelegationFinding {
  /** `wrong`: visitors or mail are, or would be, lost; `note`: as it should be, or it will be by itself. */
  readonly level: 'wrong' | 'note'
  readonly code: FindingCode
  readonly message: string
  /** What to do about it; a command where there is one. */
  readonly todo: string | null
}

/** What a finding is about, for programs. */
export type FindingCode =
  | 'parent-silent'
  | 'parents-differ'
  | 'not-delegated'
  | 'not-switched'
  | 'server-missing'
  | 'server-strange'
  | 'glue-missing'
  | 'glue-stale'
  | 'ds-left'
  | 'own-parent'
  | 'no-servers'
  | 'node-lame'
  | 'node-differs'
  | 'node-not-asked'
  | 'old-silent'
  | 'record-missing'
  | 'record-differs'
  | 'record-moves'
  | 'records-not-compared'

export const wrong = (code: FindingCode, message: string, todo: string | null = null): DelegationFinding => ({
  level: 'wrong',
  code,
  message,
  todo,
})

export const note = (code: FindingCode, message: string, todo: string | null = null): DelegationFinding => ({
  level: 'note',
  code,
  message,
  todo,
})
