import type { ClusterId, NodeName } from '../../../core/index.ts'
import type { TakenSurvey } from './take-survey.ts'

/** What stands in the way, and what to do about it. */
export interface Refusal {
  readonly why: string
  readonly hint: string
}

export interface JudgeInput extends TakenSurvey {
  /** As it is typed: `root@203.0.113.7`. */
  readonly target: string
  readonly name: NodeName
  /** Of the profile; undefined where there is none yet. */
  readonly cluster: ClusterId | undefined
  readonly recreate: boolean
}
