import t from 'tap'
import { inspectComponent } from '../../../edge/components/index.ts'
import { buildInjection, buildWatGuest, EVIL_NAMES, type Injection } from '../../support/guests/build-wat.ts'
import { buildNamedComponent, NAME_POSITIONS, type NamePosition } from '../../support/guests/named-component.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { findLoose, generateGlue } from './glue.ts'

const MARKER = 'zq9'
const NASTY = ["'", '"', '`', '\\', '\n', '\r', '\u2028', '\u2029', '$', '{', '}', '*/', '/*', '//', ';', '(', ')', ']']
const HARMLESS = ['-', '.', ':', '/', '@', '#', '[', ']', '|', '=', '>', ' ', 'a', 'B', '0', '_', '$', '+']

function faultOf(bytes: Uint8Array): string | undefined {
  const inspection = inspectComponent(bytes)
  return inspection.kind === 'unfit' ? inspection.fault.code : undefined
}

t.test('a component with a name in every place is fit, and so are names as toolchains make them', async (t) => {
  t.equal(faultOf(await buildNamedComponent()), undefined)
  const made: [NamePosition, string][] = [
    ['coreExport', 'cabi_post_makiatto:http/handler@0.1.0#handle-request'],
    ['coreExport', 'cm32p2|local:init/module-loader|resolve_post'],
    ['coreExport', '_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE'],
    ['coreExport', '_RNvCs1234_7mycrate$LT$impl$u20$T$GT$3foo'],
    ['coreModule', ''],
    ['coreModule', '[export]$root'],
    ['coreModule', 'componentize_qjs_runtime.wasm:memory_base'],
    ['coreImport', '[async-lower][method]output-stream.write'],
    ['coreImport', '[resource-drop]fields'],
    ['field', 'mime-type'],
    ['field', 'HTTP-status-1'],
    ['enumCase', 'default'],
    ['otherInterface', 'a-b:c-d/e-f@0.1.0-rc.1'],
  ]
  for (const [position, name] of made) {
    const component = await buildNamedComponent({ [position]: name })
    t.equal(faultOf(component), undefined, position)
    generateGlue(component)
  }
})

for (const where of Object.keys(EVIL_NAMES) as Injection[]) {
  t.test(`a program as the name of a ${where} runs where names are not looked at, and is refused`, async (t) => {
    const component = await buildInjection(where)
    t.match(generateGlue(component), 'globalThis.PWNED=1', 'jco writes it down')
    t.equal(faultOf(component), 'unsafe-name')
  })
}

t.test('in every place, a name that is not harmless is refused, with the name in the words', async (t) => {
  for (const position of NAME_POSITIONS)
    for (const bad of [
      `${MARKER}'`,
      `${MARKER}\\`,
      `${MARKER}\n`,
      `${MARKER}\${1}`,
      `${MARKER}*/`,
      `${MARKER}\u2028`,
    ]) {
      const inspection = inspectComponent(await buildNamedComponent({ [position]: bad }))
      const shown = `${position} ${JSON.stringify(bad).replace(/[^\x20-\x7e]/g, '?')}`
      if (inspection.kind === 'fit') throw new Error(`${shown} is let in`)
      t.equal(inspection.fault.code, 'unsafe-name', shown)
      t.match(inspection.fault.message, MARKER)
      t.notMatch(inspection.fault.message, /[^\x20-\x7e…]/, 'which are printable')
    }
})

for (const seed of seeds(120)) {
  t.test(`whatever a name is, it is refused or stays a name in what is generated (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const position = random.pick(NAME_POSITIONS)
    const piece = () => random.pick(random.chance(0.15) ? NASTY : HARMLESS)
    const pieces = (most: number) => Array.from({ length: random.integer(most) }, piece).join('')
    const name = random.chance(0.2) ? `${MARKER}-x` : `${pieces(4)}${MARKER}${pieces(8)}`
    const component = await buildNamedComponent({ [position]: name })
    if (inspectComponent(component).kind === 'unfit') {
      t.pass('refused')
      return
    }
    t.strictSame(findLoose(generateGlue(component), MARKER), [], `${position} ${encodeURI(name)}`)
  })
}

t.test('text over text, at every byte of a component: refused, or not in what is generated', async (t) => {
  const plain = await buildWatGuest('http-blank')
  const evil = Buffer.from("'];ZQ9//")
  let generated = 0
  const step = 5
  for (let at = 8 + ((seeds(1)[0] as number) % step); at + evil.length <= plain.length; at += 1) {
    const component = Buffer.from(plain)
    evil.copy(component, at)
    if (inspectComponent(component).kind === 'unfit' || at % step !== 0) continue
    let glue: string
    try {
      glue = generateGlue(component)
    } catch {
      continue
    }
    generated += 1
    t.notMatch(glue, 'ZQ9', `at ${at}`)
  }
  t.ok(generated > 10, `${generated} components were generated from`)
})

t.test('what custom sections say is not in what is generated', async (t) => {
  const plain = await buildWatGuest('http-blank')
  const name = (text: string) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)])
  const evil = `${MARKER}*/'];//`
  const contents: [string, Buffer][] = [
    [evil, Buffer.of(1, 2)],
    ['component-name', Buffer.concat([Buffer.of(0, evil.length + 1), name(evil)])],
    ['producers', Buffer.concat([Buffer.of(1), name('language'), Buffer.of(1), name(evil), name(evil)])],
    ['package-docs', Buffer.from(`\x01{"docs":"${evil}","worlds":{"root":{"docs":"${evil}"}}}`)],
    ['sourceMappingURL', name(evil)],
  ]
  for (const [section, content] of contents) {
    const body = Buffer.concat([name(section), content])
    const component = Buffer.concat([plain, Buffer.of(0, body.length), body])
    t.equal(faultOf(component), undefined, section)
    t.notMatch(generateGlue(component), MARKER, section)
  }
})
