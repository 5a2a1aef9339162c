// Says which node served this page, and which release it is, from the headers of a request for the page itself.
const said = document.querySelector('[data-served]')
const light = document.querySelector('[data-light]')
const again = document.querySelector('[data-ask]')

/** A text with its important parts in bold; text nodes only, so that no header can become markup. */
function tell(state, ...parts) {
  light.dataset.light = state
  said.replaceChildren(
    ...parts.map((part) => {
      if (typeof part === 'string') return part
      const strong = document.createElement('strong')
      strong.textContent = part.strong
      return strong
    }),
  )
}

async function ask() {
  again.disabled = true
  light.dataset.light = ''
  try {
    const response = await fetch(location.href, { method: 'HEAD', cache: 'no-store' })
    const node = response.headers.get('makiatto-node')
    const release = response.headers.get('makiatto-release')
    if (node === null) tell('off', 'A server answered, but it is no Makiatto node.')
    else if (release === null) tell('on', 'Served by ', { strong: node }, '.')
    else tell('on', 'Served by ', { strong: node }, ', release ', { strong: release.slice(0, 10) }, '.')
  } catch {
    tell('off', 'No answer just now. Is this node down? The others still serve the site.')
  } finally {
    again.disabled = false
  }
}

again.hidden = false
again.addEventListener('click', ask)
ask()
