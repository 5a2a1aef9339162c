export { exactly, wrongLength } from './exact-length.ts'
export { listen } from './listen.ts'
