export type { Bundle, BundleArch } from './bundle.ts'
