export { answer } from './answer.ts'
export type { AnswerContext } from './answer-context.ts'
