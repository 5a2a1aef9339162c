import { rm } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { asMakiError } from '../../../core/index.ts'
import { buildEncodable } from './encodable-files.ts'
import { VariantMaker, type VariantMakerOptions } from './variant-maker.ts'

const MB = 1024 * 1024

/** Starts making encodings for a node; undefined where `budgetMb` is 0, and what was made before is deleted. */
export function startVariants(
  options: Omit<VariantMakerOptions, 'budgetBytes' | 'load'> & {
    readonly budgetMb: number
    /** Where results of transforms lie. */
    readonly results: string
  },
): VariantMaker | undefined {
  const { budgetMb, directory, log } = options
  if (budgetMb > 0) {
    const load = () => (loadavg()[0] ?? 0) / availableParallelism()
    return VariantMaker.start({ ...options, ...buildEncodable(options), budgetBytes: budgetMb * MB, load })
  }
  rm(directory, { recursive: true, force: true }).catch((error: unknown) =>
    log.warn('variants.not-deleted', { error: asMakiError(error) }),
  )
  return undefined
}
