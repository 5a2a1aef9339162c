export { type BindHead, MOST_GIVEN, type RunHead, type Said, type Told } from './host-messages.ts'
export { type ServeOptions, serveGuest } from './serve.ts'
