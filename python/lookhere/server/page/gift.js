// An image that comes from outside: dropped, pasted, chosen or photographed.

const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");

/** Text that is dragged may be dropped where one writes. */
const writes = (event) => !holdsFiles(event) && event.target.closest?.("textarea, input");

/** onFile is called with it. */
export class Gift {
  #depth = 0; // dragging over a child leaves its parent

  constructor(onFile) {
    const give = (files) => {
      const file = [...(files ?? [])].find((each) => each.type.startsWith("image/")) ?? files?.[0];
      if (file) onFile(file);
    };
    for (const id of ["file", "camera"]) {
      const input = document.getElementById(id);
      input.addEventListener("change", () => {
        give(input.files);
        input.value = ""; // the same file may be chosen again
      });
    }
    addEventListener("paste", (event) => give(event.clipboardData?.files));
    addEventListener("dragenter", (event) => holdsFiles(event) && this.#over(1));
    addEventListener("dragleave", (event) => holdsFiles(event) && this.#over(-1));
    addEventListener("dragover", (event) => writes(event) || event.preventDefault());
    addEventListener("drop", (event) => {
      if (writes(event)) return;
      event.preventDefault(); // else the browser opens what is dropped, in place of this page
      this.#over(-this.#depth);
      give(event.dataTransfer?.files);
    });
  }

  #over(change) {
    this.#depth = Math.max(0, this.#depth + change);
    document.body.classList.toggle("dropping", this.#depth > 0);
  }
}
