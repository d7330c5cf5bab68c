#pragma once

#include "busy.h"
#include "cancel.h"
#include "image.h"
#include "model.h"

#include "mtmd.h"

#include <cstdint>
#include <memory>
#include <string>

namespace lookhere {

// the vision encoder and projector of an mmproj GGUF file, made for one model
class Projector {
public:
    struct Options {
        int  threads         = 1;     // that compute
        int  min_tokens      = 0;     // image tokens at least, 0 for the file's own limit
        int  max_tokens      = 0;     // image tokens at most, 0 for the file's own limit
        bool flash_attention = true;  // where the device has it
        bool gpu             = false; // compute on the GPU, where there is one
    };

    Projector(const std::string & path, const Model & model, const Options & options);

    ~Projector();

    void close();

    // what an image of this size would take, without encoding it: of the image alone, and with the text around it
    struct Size {
        int image_tokens = 0;
        int tokens       = 0;
    };
    Size measure(int width, int height);

    const std::string & kind() const { return kind_; } // as the file names it

    // pixels: (height, width, 3), RGB
    std::shared_ptr<const EncodedImage> encode(const uint8_t * pixels, int width, int height, const CancelFlag * cancel);

    mtmd_context * context() const; // Error after close()

private:
    void               abandon();
    void               check_geometry(int width, int height);
    mtmd::input_chunks prepare(mtmd::bitmap & bitmap);
    Part               encode_chunk(const mtmd_input_chunk * chunk, Interrupt & interrupt);

    std::string                         path_;
    std::string                         kind_;
    std::shared_ptr<llama_model>        model_; // mtmd reads its vocabulary; outlives context_
    std::shared_ptr<mtmd_context>       context_;
    std::unique_ptr<Interrupt *>        running_; // what the encoding asks; its address is given to mtmd
    Use                                 busy_;
    bool                                gpu_    = false;
    bool                                broken_ = false;
};

} // namespace lookhere
