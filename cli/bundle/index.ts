export type { Bundle, BundleArch } from './bundle.ts'
export { type FindBundleOptions, findBundle } from './find-bundle.ts'
export { makeBundle } from './make-bundle.ts'
