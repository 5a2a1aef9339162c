/** Prometheus text format 0.0.4. */

/** Label names and values come from fixed or bounded sets, so the number of series is bounded. */
export type Labels = Readonly<Record<string, string>>
export type Sample = readonly [labels: Labels, value: number]

/** Counts in buckets, as the servers keep them: not added up, the last above all bounds. */
export interface Buckets {
  readonly buckets: readonly number[]
  readonly sum: number
}

/** Lines of a page of metrics, one family after the other; a family without samples is left out. */
export class MetricsText {
  readonly #lines: string[] = []

  counter(name: string, help: string, samples: readonly Sample[]): void {
    this.#simple(name, 'counter', help, samples)
  }

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    this.#simple(name, 'gauge', help, samples)
  }

  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    rows: readonly (readonly [labels: Labels, row: Buckets])[],
  ): void {
    if (rows.length === 0) return
    this.#head(name, 'histogram', help)
    for (const [labels, { buckets, sum }] of rows) {
      let total = 0
      for (const [i, count] of buckets.entries()) {
        total += count
        const le = i < bounds.length ? String(bounds[i]) : '+Inf'
        this.#lines.push(`${name}_bucket${formatLabels({ ...labels, le })} ${total}`)
      }
      this.#lines.push(`${name}_sum${formatLabels(labels)} ${sum}`, `${name}_count${formatLabels(labels)} ${total}`)
    }
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`
  }

  #simple(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return
    this.#head(name, type, help)
    for (const [labels, value] of samples) this.#lines.push(`${name}${formatLabels(labels)} ${value}`)
  }

  #head(name: string, type: string, help: string): void {
    this.#lines.push(
      `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
      `# TYPE ${name} ${type}`,
    )
  }
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escapeValue = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
