import t from 'tap'
import { editDistance, findNearest } from '../../../cli/config/nearest.ts'

t.test('the word that was meant is found; another word is not', async (t) => {
  const keys = ['name', 'path', 'aliases', 'spa', 'records', 'redirect']
  t.equal(findNearest('redux', keys), undefined, 'two of five letters are another word')
  t.equal(findNearest('aliasess', keys), 'aliases')
  t.equal(findNearest('alaises', keys), 'aliases')
  t.equal(findNearest('alias', keys), 'aliases', 'the only one that begins with it')
  t.equal(findNearest('rec', ['records', 'receipts']), undefined, 'two begin with it')
  t.equal(findNearest('Path', keys), 'path')
  t.equal(findNearest('redirct', keys), 'redirect')
  t.equal(findNearest('colour', keys), undefined)
  t.equal(findNearest('x', []), undefined)
})

t.test('distances', async (t) => {
  t.equal(editDistance('', ''), 0)
  t.equal(editDistance('', 'abc'), 3)
  t.equal(editDistance('abc', ''), 3)
  t.equal(editDistance('kitten', 'sitting'), 3)
  t.equal(editDistance('ab', 'ba'), 1)
})
