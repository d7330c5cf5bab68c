"""llama.cpp's samplers, in the order that the engine's sampler promises; its tokens and speed are held to them."""

import ctypes as C

import numpy as np


class TokenArray(C.Structure):
    _fields_ = [("data", C.c_void_p), ("size", C.c_size_t), ("selected", C.c_int64), ("sorted", C.c_bool)]


TOKEN = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Chain:
    """native: llama.cpp's library. n: tokens of the vocabulary. Options as of the engine's Sampler."""

    def __init__(
        self, native, n, *, temperature=0.0, top_k=0, top_p=1.0, min_p=0.0, seed=0, repeat_penalty=1.0, repeat_last=64
    ):
        self.native = native
        self.every = np.zeros(n, TOKEN)
        self.every["id"] = np.arange(n)
        self.chain = self._make("chain_init", C.c_bool(True))
        parts = []
        if repeat_penalty != 1 and repeat_last:
            penalty = C.c_float(repeat_penalty), C.c_float(0), C.c_float(0)
            parts += [self._make("init_penalties", n, repeat_last, *penalty)]
        if temperature == 0:
            parts += [self._make("init_greedy")]
        else:
            parts += [self._make("init_top_k", top_k)] if top_k else []
            parts += [self._make("init_top_p", C.c_float(top_p), C.c_size_t(1))] if top_p < 1 else []
            parts += [self._make("init_min_p", C.c_float(min_p), C.c_size_t(1))] if min_p else []
            parts += [self._make("init_temp", C.c_float(temperature)), self._make("init_dist", C.c_uint32(seed))]
        for part in parts:
            native.llama_sampler_chain_add(self.chain, part)

    def _make(self, name, *values):
        function = self.native[f"llama_sampler_{name}"]
        function.restype = C.c_void_p
        return C.c_void_p(function(*values))

    def sample(self, logits):
        data = self.every.copy()
        data["logit"] = logits
        array = TokenArray(data.ctypes.data, len(data), -1, False)
        self.native.llama_sampler_apply(self.chain, C.byref(array))
        token = int(data["id"][array.selected])
        self.native.llama_sampler_accept(self.chain, C.c_int32(token))
        return token

    def __del__(self):
        self.native.llama_sampler_free(self.chain)
