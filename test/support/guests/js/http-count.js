import { encode } from './makiatto.js'

let count = 0

/** Counts its requests: always 1, since each gets an instance of its own. Says what time it is, and a random number. */
export const handler = {
  handleRequest() {
    const answer = { count: ++count, now: Date.now(), random: Math.random() }
    return { status: 200, headers: [], body: encode(JSON.stringify(answer)) }
  },
}
