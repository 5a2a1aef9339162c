export { FastPath, type FastPathOptions } from './fast-path.ts'
