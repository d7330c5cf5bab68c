#include "register.h"

#include "engine/build.h"

PYBIND11_MODULE(_engine, m) {
    m.doc() = "The compiled engine: numbers in, numbers out. It knows tokens, positions and biases, not regions.\n\n"
              "Every object belongs to one thread at a time; calls that compute release the GIL. Positions count as\n"
              "llama.cpp counts them: a text token takes one, an image of a M-RoPE model takes max(rows, cols).";

    lookhere::start();
    lookhere::register_errors(m);
    lookhere::register_cancel(m);
    lookhere::register_model(m);
    lookhere::register_image(m);
    lookhere::register_projector(m);
    lookhere::register_span(m);
    lookhere::register_session(m);
    lookhere::register_sampler(m);
    lookhere::register_log(m);
    lookhere::register_build(m);
}
