export { startVariants } from './start-variants.ts'
export type { VariantCounts } from './variant-counts.ts'
export { VariantMaker, type VariantMakerOptions } from './variant-maker.ts'
