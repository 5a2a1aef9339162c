/** Never answers. */
export const handler = {
  handleRequest() {
    for (;;);
  },
}
