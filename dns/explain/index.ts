export { explain } from './explain.ts'
export { type ExplainQuestion, parseExplainQuestion } from './explain-question.ts'
export type {
  ChoiceStep,
  ExplainedRecord,
  ExplainedStep,
  Explanation,
  LookUpStep,
  ResolvedStep,
  Written,
} from './explanation.ts'
