"""``lookhere serve``: answers over HTTP, as OpenAI's clients ask for them, with a place to look at.

From the door inwards: ``guard`` and the rest of ``gate`` (who may come in, with what), ``places`` (how many),
``request`` (what is asked), ``work`` and ``answering`` (a thread that computes it), ``describing`` (one image, many
places), ``reply`` and ``events`` (how it is told), ``desk`` (all of this for one model), ``socket`` (a WebSocket),
``page`` (what a browser is shown), ``app`` (the routes), ``program`` (the process).
"""
