"""A notebook's part of a widget: the comm on the side of Python, anywidget's model on the side of the browser."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable
from typing import Any

import comm
from comm.base_comm import BaseComm

HOST = """
class Model {
  constructor(state) { this.state = state; this.changed = {}; this.handlers = []; }
  get(key) { return this.state[key]; }
  set(key, value) {
    this.changed[key] = value;
    this.#put(key, value);
  }
  save_changes() { toPython({ method: "update", state: this.changed }); this.changed = {}; }
  send(content) { toPython({ method: "custom", content }); }
  on(name, handler) { this.handlers.push([name, handler]); }
  off(name, handler) { this.handlers = this.handlers.filter(([n, h]) => n !== name || h !== handler); }
  tell(name, value) { for (const [each, handler] of this.handlers) if (each === name) handler(value, []); }
  take({ method, state, content }) {
    if (method === "custom") this.tell("msg:custom", content);
    else if (method === "update") for (const key of Object.keys(state)) this.#put(key, state[key]);
  }
  #put(key, value) {
    const same = JSON.stringify(this.state[key]) === JSON.stringify(value);
    this.state[key] = value;
    if (!same) this.tell(`change:${key}`, value);
  }
}
globalThis.begin = async (esm, state) => {
  globalThis.model = new Model(state);
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  globalThis.widget = (await import(url)).default;
};
globalThis.render = async () => {
  const el = document.body.appendChild(document.createElement("div"));
  return widget.render({ model, el });
};
0; // what a script ends with is called where it is a function
"""


class Comm(BaseComm):
    """What ipywidgets says goes into a queue; several threads may say something."""

    said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def publish_msg(self, msg_type: str, data: Any = None, **_: Any) -> None:
        if msg_type == "comm_msg":
            self.said.put(json.loads(json.dumps(data)))


class Host:
    """A page in which a widget is shown. page: of Playwright. make: makes the widget."""

    def __init__(self, page: Any, make: Callable[[], Any], style: str = "") -> None:
        self.page = page
        before = comm.create_comm
        comm.create_comm = Comm
        try:
            self.widget = make()
        finally:
            comm.create_comm = before
        self._said = Comm.said = queue.SimpleQueue()
        page.set_content(f"<!doctype html><style>body{{font:16px sans-serif}}{style}</style><body></body>")
        page.expose_function("toPython", self._take)
        page.evaluate(HOST)
        state = json.loads(json.dumps({key: each for key, each in self.widget.get_state().items() if key != "layout"}))
        esm = state.pop("_esm")
        page.evaluate("([esm, state]) => begin(esm, state)", [esm, state])
        self.render()

    def render(self) -> None:
        """Another view of the same widget, as in a second cell."""
        self.page.evaluate("async () => { await render(); }")

    def until(self, what: str, argument: Any = None, seconds: float = 30) -> Any:
        """Waits for what a JavaScript expression finds, while both sides talk."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while not self._said.empty():
                self.page.evaluate("message => model.take(message)", self._said.get())
            if found := self.page.evaluate(what, argument):
                return found
            self.page.wait_for_timeout(20)
        raise AssertionError(f"{what} did not come true in {seconds} s")

    def _take(self, data: dict[str, Any]) -> None:
        self.widget.comm.handle_msg({"content": {"data": data}, "buffers": []})
