import type { TransformServiceOptions } from '../../edge/index.ts'
import type { DaemonConfig } from '../config/index.ts'

const MIB = 1024 * 1024

/** What a worker transforms files with; undefined where the configuration says that no components are run. */
export function buildTransformOptions(
  { wasm }: Pick<DaemonConfig, 'wasm'>,
  directory: string,
  workers: number,
): TransformServiceOptions | undefined {
  if (!wasm.enabled) return undefined
  return { directory, cacheBytes: wasm.transforms_cache_mb * MIB, workers: Math.max(1, workers) }
}
