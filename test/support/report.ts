import type { FileResult } from './run-test-file.ts'

/** How many of the slowest files the summary names. */
const SLOWEST = 8

interface ReportOptions {
  /** A skipped test is a failure. */
  readonly strict: boolean
}

/** Prints one line for a file, and below it what failed or was skipped. */
export function printFileResult(result: FileResult, options: ReportOptions): void {
  const failed = failedOf(result, options)
  const counts = [`${result.passed} passed`]
  if (result.failures.length > 0) counts.push(`${result.failures.length} failed`)
  if (result.skipped.length > 0) counts.push(`${result.skipped.length} skipped`)
  const seconds = (result.durationMs / 1000).toFixed(1)
  console.log(`${failed === 0 ? 'ok    ' : 'FAILED'} ${result.file} (${counts.join(', ')}, ${seconds} s)`)
  for (const skipped of result.skipped) console.log(`       skipped: ${skipped}`)
  for (const failure of result.failures) {
    console.log(`\n       ${failure.name}`)
    if (failure.detail !== '') console.log(`${failure.detail.trimEnd().replace(/^/gm, '         ')}\n`)
  }
}

/** Prints the slowest files, what failed, and the counts as the last line; true when nothing failed. */
export function printSummary(results: readonly FileResult[], options: ReportOptions): boolean {
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const failed = results.reduce((sum, result) => sum + failedOf(result, options), 0)
  const slowest = [...results].sort((a, b) => b.durationMs - a.durationMs).slice(0, SLOWEST)
  console.log('\nSlowest:')
  for (const { file, durationMs } of slowest) console.log(`  ${(durationMs / 1000).toFixed(1).padStart(6)} s  ${file}`)
  const broken = results.filter((result) => failedOf(result, options) > 0)
  if (broken.length > 0) console.log('\nFailed:')
  for (const { file } of broken) console.log(`  ${file}`)
  const nothing = passed + failed === 0
  if (nothing) console.log('\nNothing was tested.')
  console.log(`\n${passed} passed, ${failed} failed`)
  return failed === 0 && !nothing
}

function failedOf(result: FileResult, options: ReportOptions): number {
  return result.failures.length + (options.strict ? result.skipped.length : 0)
}
