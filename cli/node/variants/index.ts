export { startVariants } from './start-variants.ts'
export { type VariantCounts, VariantMaker, type VariantMakerOptions } from './variant-maker.ts'
