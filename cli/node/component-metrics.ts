import type { ComponentCounts } from './components/index.ts'
import type { MetricsText } from './metrics-text.ts'

/** Writes what became of components that were to be made ready; nothing where none are. */
export function writeComponentMetrics(text: MetricsText, components: ComponentCounts | undefined): void {
  if (components === undefined) return
  const { ready, bytes, unfit, started, seconds, ...events } = components
  text.gauge('makiatto_components', 'Components of releases here, by whether they can be run.', [
    [{ state: 'ready' }, ready],
    [{ state: 'unfit' }, unfit],
  ])
  text.gauge('makiatto_components_bytes', 'What those that are ready take on the disk.', [[{}, bytes]])
  text.counter(
    'makiatto_components_total',
    'What became of components that were to be made ready, by event.',
    Object.entries(events).map(([event, count]) => [{ event }, count]),
  )
  text.counter('makiatto_component_builders_total', 'Processes started to make components ready.', [[{}, started]])
  text.counter('makiatto_component_build_seconds_total', 'How long they ran, together.', [[{}, seconds]])
}
