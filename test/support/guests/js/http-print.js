import { encode } from './makiatto.js'

/** Prints what stands behind the `?`, on both streams, as often as its `times=` says. */
export const handler = {
  handleRequest(_ctx, req) {
    const times = Number(/times=([0-9]+)/.exec(req.query ?? '')?.[1] ?? 1)
    for (let i = 0; i < times; i++) {
      console.log('out', i, req.query)
      console.error('error', i, { path: req.path })
    }
    return { status: 200, headers: [], body: encode(`printed ${times}`) }
  },
}
