import t from 'tap'
import type { DevEvent } from '../../../cli/dev/events.ts'
import { formatEvent } from '../../../cli/dev/format-event.ts'
import { createStyle } from '../../../cli/output/style.ts'
import { type Hostname, parseHostname } from '../../../core/index.ts'

const style = createStyle({ write() {}, isTerminal: false, columns: undefined }, {})
const format = (event: DevEvent) => formatEvent(event, { cwd: '/project', program: 'npx maki', style })

function ready(profile: string, domains: readonly Hostname[]): string {
  const node = (i: number) => ({
    name: `node${i}`,
    http: `http://127.0.0.1:808${i}`,
    dns: `127.0.0.1:530${i}`,
    control: '',
  })
  return format({ event: 'ready', profile, nodes: [node(1), node(2)], domains })
}

t.test('what can be typed next', async (t) => {
  const text = ready('/project/.makiatto/profile.toml', [parseHostname('example.com')])
  t.match(text, /2 nodes run/)
  t.match(text, 'http://example.com.localhost:8081/')
  t.match(text, "curl -I -H 'Host: example.com' http://127.0.0.1:8082/")
  t.match(text, 'dig @127.0.0.1 -p 5302 example.com')
  t.match(text, 'export MAKIATTO_PROFILE=.makiatto/profile.toml')
  t.match(text, 'npx maki record set example.com hello TXT')
})

t.test('names below localhost stay as they are; paths that a shell would split are quoted', async (t) => {
  t.match(ready('/my data/profile.toml', [parseHostname('maki.localhost')]), 'http://maki.localhost:8081/')
  t.match(ready('/my data/profile.toml', []), "export MAKIATTO_PROFILE='/my data/profile.toml'")
})

t.test('control characters in a node’s last words do not reach the terminal', async (t) => {
  const text = format({ event: 'node-died', node: 'node1', how: 'SIGKILL', lastLines: ['\u001b[2Jgone'], retryMs: 500 })
  t.notMatch(text, '\u001b')
  t.match(text, /node1 ended \(SIGKILL\); it is started again in 0\.5 s/)
})

t.test('a node’s last words are what it complained of, not its daily work', async (t) => {
  const lines = ['{"level":"info","event":"site.switched"}', '{"level":"error","event":"no.disk"}']
  const died = { event: 'node-died', node: 'node1', how: 'exit 1', retryMs: 500 } as const
  t.match(format({ ...died, lastLines: lines }), /Its last words:\n {2}\{"level":"error","event":"no\.disk"\}$/)
  t.match(format({ ...died, lastLines: lines.slice(0, 1) }), /catches up with the others\.$/)
})

t.test('a failed publication says what to do; an empty one says nothing', async (t) => {
  const error = { code: 'MAKI_CONFIG', message: 'it is broken', hint: 'mend it' } as const
  t.equal(format({ event: 'sync-failed', error }), 'not published: it is broken\nTry: mend it')
  t.equal(format({ event: 'synced', published: [] }), '')
})
