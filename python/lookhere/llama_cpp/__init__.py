"""llama-cpp-python with lookhere's llama.cpp: import this before ``llama_cpp``, and steer any ``Llama`` with images.

``libraries`` makes llama-cpp-python load our library, ``native`` calls what our patches add to it, ``prompt`` says
where the images of a prompt lie, ``watched`` is told of each answer of a ``Llama``, ``steered`` steers it.

    import lookhere.llama_cpp
    from llama_cpp import Llama

    with lookhere.llama_cpp.steer(llm, region=lookhere.Box(64, 0, 128, 64)) as steered:
        llm.create_chat_completion(messages=[...])
        print(steered.where())
"""

from . import libraries

libraries.load()

from .steered import Steered, steer  # noqa: E402  # after the libraries

__all__ = ["Steered", "steer"]
