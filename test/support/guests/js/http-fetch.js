import { fetchNow } from './fetch.js'
import { encode } from './makiatto.js'

/** Asks the URL that stands behind the `?`, with the method and content that it was asked with, and gives the answer. */
export const handler = {
  handleRequest(_ctx, req) {
    try {
      const body = req.body ?? undefined
      const answer = fetchNow(decodeURIComponent(req.query ?? ''), { method: req.method.toUpperCase(), body })
      const type = answer.headers.filter(([name]) => name.toLowerCase() === 'content-type')
      return { status: 200, headers: [...type, ['x-status', String(answer.status)]], body: answer.body }
    } catch (error) {
      return { status: 502, headers: [], body: encode(error.message) }
    }
  },
}
