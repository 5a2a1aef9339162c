import t from 'tap'
import { addVary, findGuestFields, trimBlanks } from '../../../edge/message/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

for (const seed of seeds(200))
  t.test(`seed ${seed}`, async (t) => {
    const { integer } = createRandom(seed)
    const text = Array.from({ length: integer(13) }, () => ' \ta\u00a0\n'[integer(5)]).join('')
    t.equal(trimBlanks(text), text.replace(/^[\t ]+/, '').replace(/[\t ]+$/, ''), JSON.stringify(text))
  })

t.test('a value that is blanks for the most part takes no time to speak of', async (t) => {
  const blanks = `a${' '.repeat(60_000)}a`
  const before = process.cpuUsage()
  t.equal(findGuestFields([['x', blanks]], 'whole'), undefined)
  t.equal(trimBlanks(blanks), blanks)
  t.equal(addVary(blanks, 'accept-encoding'), `${blanks}, accept-encoding`)
  const { user, system } = process.cpuUsage(before)
  // Some five seconds each with an expression that goes back at every blank.
  t.ok(user + system < 500_000, `${user + system} microseconds`)
})
