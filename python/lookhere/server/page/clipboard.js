// Text for other programs.

/** Copies an element's text; where the browser lets no page copy, selects it and gives false. */
export async function copied(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy"); // a page without https of another machine has no clipboard, and may do this
  }
}
