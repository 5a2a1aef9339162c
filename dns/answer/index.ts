export { answer } from './answer.ts'
export type { AnswerContext } from './answer-context.ts'
export type { Step } from './resolve.ts'
