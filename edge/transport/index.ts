export { exactly, wrongLength } from './exact-length.ts'
export { listen, listenError } from './listen.ts'
