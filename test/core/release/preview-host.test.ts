import t from 'tap'
import { findPreviewHost, type Hostname, operationIdFrom, previewHost } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

for (const seed of seeds(50)) {
  t.test(`a host names the release that it was made for (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const id = operationIdFrom(random.bytes(32))
    const apex = random.pick(['example.com', 'a--preview.example', 'x--preview.y--preview.z']) as Hostname
    const host = previewHost(id, apex)
    t.strictSame(findPreviewHost(host), { idPrefix: id.slice(0, 26), apex })
    t.ok((host.split('.')[0] as string).length <= 63, 'one label')
    const whole = `${id}--preview.${apex}`
    t.strictSame(findPreviewHost(whole), { idPrefix: id, apex }, 'the whole id does too')
    t.ok((whole.split('.')[0] as string).length <= 63)
    const length = random.integer(80)
    const found = findPreviewHost(`${`${id}${id}`.slice(0, length)}--preview.${apex}`)
    t.equal(found !== undefined, length >= 26 && length <= 52, `${length} characters`)
  })
}

t.test('what is no host of a preview', async (t) => {
  const label = 'a'.repeat(26)
  const none = [
    '',
    label,
    `${label}--preview`,
    `${label}--preview.`,
    `${label}--previewx.com`,
    `${label.slice(1)}1--preview.x`,
  ]
  for (const host of [...none, `x.${label}--preview.com`, `${label.slice(1)}.--preview.x`, `${label}-preview.x`])
    t.equal(findPreviewHost(host), undefined, host)
})
