/** A strict reader of the Prometheus text format 0.0.4: what promtool would complain about is an error here. */

export interface Family {
  readonly type: string
  readonly help: string
  readonly samples: readonly PrometheusSample[]
}

export interface PrometheusSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/g

/** Families by name. Throws for whatever a scraper, or a person with rules of naming, would not take. */
export function parsePrometheus(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const families = new Map<string, Family & { samples: PrometheusSample[] }>()
  const seen = new Set<string>()
  let present: [name: string, family: Family & { samples: PrometheusSample[] }] | undefined
  let help: [name: string, text: string] | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (word === 'HELP') {
      if (!NAME.test(name) || rest === '') throw new Error(`no help: ${line}`)
      help = [name, rest]
    } else if (word === 'TYPE') {
      if (help?.[0] !== name) throw new Error(`no help before: ${line}`)
      if (families.has(name)) throw new Error(`twice: ${name}`)
      if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(`no type: ${line}`)
      if ((rest === 'counter') !== name.endsWith('_total')) throw new Error(`${name} is a ${rest}`)
      present = [name, { type: rest, help: help[1], samples: [] }]
      families.set(...present)
    } else {
      const sample = readSample(line)
      const owner = present?.[1].type === 'histogram' ? sample.name.replace(/_(bucket|sum|count)$/, '') : sample.name
      if (present === undefined || owner !== present[0]) throw new Error(`of no family: ${line}`)
      const id = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
      if (seen.has(id)) throw new Error(`twice: ${line}`)
      seen.add(id)
      present[1].samples.push(sample)
    }
  }
  for (const [name, family] of families) check(name, family)
  return families
}

function readSample(line: string): PrometheusSample {
  const [, name, labelText = '', valueText] = LINE.exec(line) ?? []
  if (name === undefined) throw new Error(`no sample: ${line}`)
  const value = Number(valueText)
  if (valueText === '' || Number.isNaN(value)) throw new Error(`no number: ${line}`)
  const labels: Record<string, string> = {}
  for (const [, label = '', raw = ''] of labelText.matchAll(LABEL)) {
    if (label in labels) throw new Error(`a label twice: ${line}`)
    labels[label] = raw.replace(/\\(.)/g, (_all, c: string) => (c === 'n' ? '\n' : c))
  }
  return { name, labels, value }
}

function check(name: string, { type, samples }: Family): void {
  if (samples.length === 0) throw new Error(`${name} has no sample`)
  for (const { value } of samples) if (type !== 'gauge' && !(value >= 0)) throw new Error(`${name} is ${value}`)
  if (type === 'histogram') for (const rows of groupRows(samples)) checkHistogram(name, rows)
}

function groupRows(samples: readonly PrometheusSample[]): PrometheusSample[][] {
  return [
    ...Map.groupBy(samples, ({ labels: { le: _le, ...rest } }) => JSON.stringify(Object.entries(rest).sort())).values(),
  ]
}

function checkHistogram(name: string, rows: readonly PrometheusSample[]): void {
  const buckets = rows.filter((row) => row.name === `${name}_bucket`)
  const bounds = buckets.map(({ labels }) => (labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)))
  const counts = buckets.map(({ value }) => value)
  const grows = (values: readonly number[], strictly: boolean) =>
    values.every((value, i) => i === 0 || (strictly ? value > (values[i - 1] ?? 0) : value >= (values[i - 1] ?? 0)))
  if (!grows(bounds, true) || bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`bounds of ${name}`)
  if (!grows(counts, false)) throw new Error(`${name} is not cumulative`)
  const total = rows.find((row) => row.name === `${name}_count`)?.value
  if (total !== counts.at(-1)) throw new Error(`${name} counts ${total}, not ${counts.at(-1)}`)
  if (!rows.some((row) => row.name === `${name}_sum`)) throw new Error(`${name} has no sum`)
}
