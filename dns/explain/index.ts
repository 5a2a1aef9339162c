export { explain } from './explain.ts'
export { type ExplainQuestion, parseExplainQuestion, type TypedQuestion } from './explain-question.ts'
export type {
  ChoiceStep,
  ExplainedCandidate,
  ExplainedRecord,
  ExplainedStep,
  Explanation,
  LookUpStep,
  ResolvedStep,
  Written,
} from './explanation.ts'
