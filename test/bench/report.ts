import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import type { Summary } from './stats.ts'

/** Three digits that count. */
export function number(value: number): string {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(digits, 4))
}

/** `median [min–max]`, with a unit behind. */
export const spread = ({ median, min, max }: Summary, unit = ''): string =>
  `${number(median)}${unit} [${number(min)}–${number(max)}]`

/** `p50 · p95 · max` of latencies in milliseconds. */
export const latencies = ({ median, p95, max, count }: Summary): string =>
  `p50 ${number(median)} ms, p95 ${number(p95)} ms, max ${number(max)} ms (n = ${count})`

/** One line of a result: what was measured, and what came out. */
export function line(what: string, result: string): void {
  console.log(`  ${what.padEnd(46)} ${result}`)
}

/** The title of a benchmark, with what else the machine was doing when it began. */
export function title(text: string): void {
  console.log(`\n${text}   (load ${loadavg()[0]?.toFixed(2)})`)
}

/** What the numbers were made with. */
export function describeMachine(root: string): void {
  const commit = run('git', ['-C', root, 'rev-parse', '--short', 'HEAD'])
  const dirty = run('git', ['-C', root, 'status', '--porcelain', '--untracked-files=no']) === '' ? '' : ' and changes'
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  const memoryGb = Math.round(totalmem() / 2 ** 30)
  console.log(
    `${cpus().length} x ${model}, ${memoryGb} GB, Node ${process.version}, ${kernel()}, commit ${commit}${dirty}`,
  )
  console.log(
    `load average ${loadavg()
      .map((load) => load.toFixed(2))
      .join(' ')}; times in ms, median [min–max]`,
  )
}

function kernel(): string {
  try {
    return `Linux ${readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()}`
  } catch {
    return process.platform
  }
}

function run(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}
