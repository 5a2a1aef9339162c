import t from 'tap'
import { GuestPrinter } from '../../../edge/guests/guest-printer.ts'

interface Line {
  readonly event: string
  readonly data: Record<string, unknown>
}

function openPrinter() {
  const lines: Line[] = []
  const clock = { ms: 0 }
  const write = (event: string, data: Record<string, unknown> = {}) => void lines.push({ event, data })
  const printer = new GuestPrinter({ log: { info: write, warn: write }, runtime: { monotonic: () => clock.ms } })
  return { printer, lines, clock, texts: () => lines.map(({ data }) => data.text) }
}

const WHO = { domain: 'a.test', name: 'api/f.wasm', trace: 't1' }

t.test('what is printed becomes lines, whatever pieces it comes in', async (t) => {
  const { printer, lines, texts } = openPrinter()
  const output = printer.open(WHO)
  for (const byte of Buffer.from('eins\nzwölf\n\nlast')) output.write('stdout', Uint8Array.of(byte))
  output.write('stderr', Buffer.from('aside\n'))
  t.strictSame(texts(), ['eins', 'zwölf', '', 'aside'])
  output.close()
  t.same(lines.at(-1), {
    event: 'function.printed',
    data: { domain: 'a.test', function: 'api/f.wasm', trace: 't1', stream: 'stdout', text: 'last' },
  })
  output.close()
  t.equal(lines.length, 5, 'once')
})

t.test('lines are cut, and of one run there are no more than so many', async (t) => {
  const { printer, texts, clock } = openPrinter()
  const output = printer.open(WHO)
  for (let i = 0; i < 20; i++) output.write('stdout', Buffer.alloc(1000, 'x'))
  output.write('stdout', Buffer.from('\n'))
  t.equal(String(texts()[0]).length, 4001, 'and a sign that it was cut')
  for (let i = 0; i < 1000; i++) {
    clock.ms += 1000
    output.write('stdout', Buffer.from(`${i}\n`))
  }
  t.equal(texts().length, 200)
  t.match(String(texts().at(-1)), /no more lines/)
})

t.test('a domain that prints much loses lines, says how many, and takes none from others', async (t) => {
  const { printer, lines, clock } = openPrinter()
  for (let i = 0; i < 1000; i++) {
    const output = printer.open(WHO)
    output.write('stdout', Buffer.alloc(500, 'y'))
    output.close()
  }
  const own = lines.length
  t.ok(own < 110, `${own} lines at once`)
  const other = printer.open({ ...WHO, domain: 'b.test' })
  other.write('stdout', Buffer.from('hello\n'))
  t.equal(lines.at(-1)?.data.text, 'hello')
  clock.ms += 10_000
  const later = printer.open(WHO)
  later.write('stdout', Buffer.from('again\nand again\n'))
  t.match(lines.at(-2)?.data, { text: 'again', linesLostBefore: 1000 - own })
  t.equal(lines.at(-1)?.data.linesLostBefore, undefined, 'said once')
})

t.test('failures are lines too', async (t) => {
  const { printer, lines } = openPrinter()
  printer.failed(WHO, { why: 'trap', detail: 'unreachable' })
  t.same(lines, [
    {
      event: 'function.failed',
      data: { domain: 'a.test', function: 'api/f.wasm', trace: 't1', why: 'trap', detail: 'unreachable' },
    },
  ])
  for (let i = 0; i < 10_000; i++) printer.failed(WHO, { why: 'trap', detail: 'unreachable' })
  t.ok(lines.length < 400, `${lines.length} of 10,000`)
})
