import t from 'tap'
import { HealthMonitor, type HealthMonitorOptions } from '../../../core/index.ts'
import { SETTLE_MS } from './laws.ts'
import { Oracle } from './oracle.ts'
import { World, type WorldNode } from './world.ts'

/** Every way in which a small cluster can fall apart, and every set of cuts in one direction between three nodes. */

const make = (options: HealthMonitorOptions) => new HealthMonitor(options)

/** All partitions of so many things: of each the number of its group. */
function* partitions(size: number, groups: readonly number[] = []): Generator<readonly number[]> {
  if (groups.length === size) yield groups
  else for (let group = 0; group <= Math.max(-1, ...groups) + 1; group++) yield* partitions(size, [...groups, group])
}

function settle(world: World): void {
  const untilMs = world.nowMs + SETTLE_MS
  while (world.nowMs < untilMs) world.step()
}

const label = (nodes: readonly WorldNode[]): string => nodes.map(({ index }) => index).join()

for (const size of [2, 3, 4, 5]) {
  t.test(`${size} nodes, cut off from each other in every way`, async (t) => {
    for (const groups of partitions(size)) {
      const world = new World({ seed: size, size, make })
      world.partition(split(world, groups), ['public', 'mesh'])
      settle(world)
      for (const node of world.nodes) {
        const beside = world.nodes.filter((one) => groups[one.index] === groups[node.index])
        t.equal(label(world.answer(node, 'ipv4')), label(beside), `${groups.join()}: what ${node.index} answers`)
      }
    }
  })

  t.test(`${size} nodes that hear each other, and visitors of which some reach some`, async (t) => {
    for (const groups of partitions(size)) {
      const world = new World({ seed: size, size, make })
      world.partition(split(world, groups), ['public'])
      settle(world)
      const besides = (node: WorldNode) => world.nodes.filter((one) => groups[one.index] === groups[node.index])
      // Two go by their own eyes; of more a node is up that at least half of the others see.
      const voted = world.nodes.filter((node) => size > 2 && 2 * (besides(node).length - 1) >= size - 1)
      for (const node of world.nodes) {
        const expected = voted.length > 0 ? voted : besides(node)
        t.equal(label(world.answer(node, 'ipv4')), label(expected), `${groups.join()}: what ${node.index} answers`)
      }
    }
  })
}

t.test('three nodes with cuts in one direction, all there are', async (t) => {
  const pairs = [0, 1, 2].flatMap((from) => [0, 1, 2].flatMap((to) => (from === to ? [] : [[from, to] as const])))
  for (let cuts = 0; cuts < 2 ** pairs.length; cuts++) {
    for (const paths of [['public'], ['mesh'], ['public', 'mesh']] as const) {
      const world = new World({ seed: cuts, size: 3, make })
      const cut = pairs.filter((_, i) => ((cuts >> i) & 1) === 1)
      for (const [from, to] of cut)
        for (const path of paths) world.cut(path, world.nodes[from] as WorldNode, world.nodes[to] as WorldNode)
      settle(world)
      const name = `${paths.join(' and ')}: ${cut.map((pair) => pair.join('>')).join(' ')}`
      const oracle = new Oracle(world)
      for (const node of world.nodes) {
        const expected = world.nodes.filter((one) => oracle.expect(node, one, 'ipv4') === 'up')
        t.equal(label(world.answer(node, 'ipv4')), label(expected), `${name}: what ${node.index} answers`)
        const seen = world.nodes.filter((one) => world.nodes.every((by) => world.reaches(by, one)))
        t.ok(
          seen.every((one) => world.answer(node, 'ipv4').includes(one)),
          `${name}: ${node.index} answers with whom all see`,
        )
      }
    }
  }
})

function split(world: World, groups: readonly number[]): readonly (readonly WorldNode[])[] {
  return [...Map.groupBy(world.nodes, ({ index }) => groups[index]).values()]
}
