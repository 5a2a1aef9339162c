import { FUNCTION_BOUNDS_S } from '../../edge/index.ts'
import type { EdgeGuestCounts } from './edge-guests.ts'
import type { MetricsText, Sample } from './metrics-text.ts'

const byLabel = (label: string, counts: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(counts).map(([value, count]) => [{ [label]: value }, count])

/** Writes what functions did, what their processes cost, and what they asked of the network; nothing where none are run. */
export function writeGuestMetrics(text: MetricsText, counts: EdgeGuestCounts | undefined): void {
  if (counts === undefined) return
  const { functions, guests, outgoing } = counts
  const requests = Object.entries(functions.requests).flatMap(([domain, paths]) =>
    Object.entries(paths).flatMap(([name, statuses]) =>
      statuses.flatMap((count, digit): Sample[] =>
        count === 0 ? [] : [[{ domain, function: name, status: `${digit}xx` }, count]],
      ),
    ),
  )
  text.counter('makiatto_function_requests_total', 'Calls of functions that were answered.', requests)
  text.histogram('makiatto_function_duration_seconds', 'From a call to its answer.', FUNCTION_BOUNDS_S, [
    [{}, functions.durations],
  ])
  const failures = byLabel('why', functions.failures)
  text.counter('makiatto_function_failures_total', 'Calls that came to nothing, by why.', failures)
  const cpu = byLabel('domain', functions.cpuSeconds)
  text.counter('makiatto_function_cpu_seconds_total', 'Processor time of functions.', cpu)
  text.gauge('makiatto_guest_processes', 'Processes that run components, or lie ready to.', [[{}, guests.processes]])
  text.gauge('makiatto_guest_waiting', 'Runs of components that wait for a process.', [[{}, guests.waiting]])
  text.counter('makiatto_guest_processes_started_total', 'Processes started for components.', [[{}, guests.started]])
  text.counter('makiatto_guest_runs_total', 'Runs of components.', [[{}, guests.runs]])
  text.counter('makiatto_guest_busy_total', 'Runs refused because there was no room.', [[{}, guests.busy]])
  const lost = byLabel('why', guests.lost)
  text.counter('makiatto_guest_processes_lost_total', 'Processes that died or were killed, by why.', lost)
  const { refused, ...rest } = outgoing
  text.counter(
    'makiatto_guest_network_total',
    'What components did on the network, by event.',
    byLabel('event', { ...rest }),
  )
  text.counter('makiatto_guest_network_refused_total', 'What they were refused there, by why.', byLabel('why', refused))
}
