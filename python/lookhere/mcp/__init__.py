"""``lookhere mcp``: tools with which an agent points at parts of images, over the Model Context Protocol.

From the door inwards: ``program`` (the process and its streams), ``server`` (the SDK's server, a thread for each
call), ``tools`` (what there is, with schemas), ``looking`` (what each of them does), ``pictures`` and ``folders``
(which images may be read), ``coming`` (the model, which is loaded meanwhile).
"""
