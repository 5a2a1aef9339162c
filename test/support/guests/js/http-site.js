import { encode, readFile } from './makiatto.js'

/** Answers with the file of the site whose path stands behind the `?`. */
export const handler = {
  handleRequest(_ctx, req) {
    try {
      const content = readFile(decodeURIComponent(req.query ?? ''))
      return { status: content === undefined ? 404 : 200, headers: [], body: content ?? encode('no such file') }
    } catch (error) {
      return { status: 500, headers: [], body: encode(error.message) }
    }
  },
}
