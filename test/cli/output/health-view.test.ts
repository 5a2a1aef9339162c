import t from 'tap'
import { tellVerdict } from '../../../cli/output/health-view.ts'
import type { HealthVerdict } from '../../../edge/index.ts'

const verdict = (parts: Partial<HealthVerdict>): HealthVerdict => ({
  family: 'ipv4',
  service: 'web',
  address: '192.0.2.1',
  standing: 'down',
  since: '2026-01-01T00:00:00.000Z',
  reason: 'HTTP: nothing listens there',
  votes: { up: 1, down: 2 },
  basis: 'majority',
  ...parts,
})

t.test('a verdict of down says who saw it, where anybody did', async (t) => {
  const down = 'web at 192.0.2.1 is down: '
  t.equal(tellVerdict(verdict({})), `${down}HTTP: nothing listens there (2 of 3 nodes that look at it say so)`)
  t.equal(tellVerdict(verdict({ basis: 'own eyes' })), `${down}HTTP: nothing listens there (seen by that node alone)`)
  const remembered = verdict({ basis: 'nobody', reason: 'it was down before', votes: { up: 0, down: 0 } })
  t.equal(tellVerdict(remembered), `${down}it was down before`)
  t.match(tellVerdict(verdict({ standing: 'held' })), /answers again, and waits/)
  t.equal(tellVerdict(verdict({ standing: 'up' })), undefined)
})
