/** What `makiatto setup` does with a request to activate, restart or configure: `activation-main.ts PROGRAM < REQUEST`. */
import { text } from 'node:stream/consumers'
import { type ActivationRequest, startActivation } from '../../../cli/setup/index.ts'
import { asMakiError } from '../../../core/index.ts'

const [, , program = ''] = process.argv
process.argv[1] = program
try {
  const request = JSON.parse(await text(process.stdin)) as ActivationRequest
  console.log(JSON.stringify(await startActivation(request, (event) => console.log(JSON.stringify(event)))))
} catch (thrown) {
  console.log(JSON.stringify({ refused: asMakiError(thrown).toJSON() }))
}
