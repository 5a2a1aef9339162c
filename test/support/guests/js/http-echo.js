/** Gives back the content that came, with its type. */
export const handler = {
  handleRequest(_ctx, req) {
    const type = req.headers.find(([name]) => name === 'content-type')?.[1] ?? 'application/octet-stream'
    return { status: 200, headers: [['content-type', type]], body: req.body }
  },
}
