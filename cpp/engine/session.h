#pragma once

#include "busy.h"
#include "cancel.h"
#include "checkpoints.h"
#include "image.h"
#include "ledger.h"
#include "model.h"
#include "steering.h"
#include "threads.h"

#include "llama.h"

#include <memory>
#include <string>
#include <vector>

namespace lookhere {

// a KV cache and what is needed to fill it
class Session {
public:
    struct Options {
        int         context         = 4096;   // tokens, all sequences together
        int         threads         = 1;      // that compute
        int         batch           = 512;    // tokens computed at once
        int         sequences       = 1;      // that share the cache
        std::string flash_attention = "auto"; // auto | on | off
        std::string kv_type         = "f16";  // f32 | f16 | bf16 | q8_0 | q4_0
        bool        grouped         = true;   // on the CPU: decode attention that reads K and V once per group of heads
    };

    Session(const Model & model, const Options & options);
    ~Session();

    void close();

    int context_size() const;
    int graphs_reused() const;
    int64_t compute_bytes() const; // of the buffers that graphs work in, beside the cache
    bool grouped() const; // whether the grouped attention of Options is in use
    int position(int sequence) const;
    int used(int sequence) const;
    int room() const; // tokens that still fit

    void clear();
    // position: where a sequence can be cut, see resumable()
    void truncate(int position, int sequence);
    // makes a sequence hold what another holds before the position; what they have in common is held once
    void share(int from, int to, int position);
    // the last position up to this one where a sequence can be cut. In a model with recurrent layers that is where it
    // ends, where checkpoint() was called, or its beginning; in others any that lies inside no image
    int  resumable(int position, int sequence) const;
    // keeps the state of the recurrent layers where a sequence ends now; nothing where there are none
    void checkpoint(int sequence);
    int64_t checkpoint_bytes() const; // of all that are kept

    // appends text; outputs: ascending indices into tokens whose logits and attention are kept
    void decode(const std::vector<llama_token> & tokens, const std::vector<int> & outputs, int sequence, const CancelFlag * cancel);
    // appends an image with the text around it; leaves no outputs, and nothing of the image where it fails
    void decode_image(const EncodedImage & image, int sequence, const CancelFlag * cancel);

    // what one sequence is given in a batch of several
    struct TextPiece {
        int                      sequence = 0;
        std::vector<llama_token> tokens;
        bool                     output = false; // of the last token: its logits and attention are kept
    };
    // some tokens of an image part; the next piece of the sequence goes on where this one ends
    struct ImagePiece {
        int                                 sequence = 0;
        std::shared_ptr<const EncodedImage> image;
        int                                 part  = 0;
        int                                 start = 0; // token of the part
        int                                 count = 0;
    };
    // appends to several sequences at once: one batch, of which either all or nothing is kept
    void decode_texts(const std::vector<TextPiece> & pieces, const CancelFlag * cancel);
    void decode_images(const std::vector<ImagePiece> & pieces, const CancelFlag * cancel);

    std::vector<float> logits(int row) const; // (vocabulary_size,), a copy; row as in Python, -1 is the last
    // runs f with the logits of a row, while nothing else uses the session
    template <typename F> void read_logits(int row, F && f) const {
        const Busy busy(busy_, "session");
        f(this->row(row).logits);
    }

    void set_heads(const std::vector<Head> & heads, int sequence);
    void steer(const Steering & steering, int sequence);
    void unsteer(int sequence);
    void set_probe(const std::vector<int> & layers);
    void set_probe_spans(const std::vector<Span> & spans, int sequence);

    struct Attention {
        int                layers = 0;
        int                heads  = 0;
        int                tokens = 0; // cells of the probe's spans
        std::vector<float> mass;       // (layers, heads, tokens), post-softmax; of all tokens that show a cell
    };
    Attention attention(int row, bool steered) const; // a copy

    llama_context * context() const; // Error after close()

private:
    struct Row {
        std::vector<float> logits;     // (vocabulary_size,)
        int                index = -1; // into the last batch, whose attention llama.cpp still has; -1: see below
        int                sequence = 0;
        Attention          natural;    // as if the bias were off
        Attention          steered;    // as it acted
    };
    struct Batch;

    void           abandon();
    int            free_tokens() const;
    Ledger &       ledger(int sequence);
    const Ledger & ledger(int sequence) const;
    const Row &    row(int row) const;
    void           check_room(int tokens, const char * what) const;
    void           check_tokens(const std::vector<llama_token> & tokens) const;
    void           run(Batch & batch, Interrupt & interrupt, const char * what);
    void           run_text(const std::vector<llama_token> & tokens, const std::vector<int> & outputs, int sequence,
                            Interrupt & interrupt, const char * what);
    struct ImageRun { // tokens of an image part
        int          sequence = 0;
        const Part * part     = nullptr;
        int          start    = 0;
        int          count    = 0;
    };
    void           run_images(const std::vector<ImageRun> & images, Interrupt & interrupt);
    void           check_whole(int sequence) const; // in the middle of no image
    void           check_image(const EncodedImage & image) const;
    void           check_once(const std::vector<int> & sequences, int tokens) const;
    void           remove_from(int position, int sequence);
    bool           at_end(int position, int sequence) const;
    int            cuttable(int position, int sequence) const; // see resumable()
    void           keep_state(int sequence);                   // see checkpoint()
    Checkpoints::State state_at(int position, int sequence) const;
    void           set_back(const Checkpoints::State & state, int sequence);
    void           keep_row(int index, int sequence);
    void           keep_attention(); // of rows whose batch the next one replaces
    Attention      read_probe(const Row & row, bool steered) const;
    void           check_steer(int status, const char * what) const;

    std::shared_ptr<llama_model>   model_;   // outlives context_
    ThreadPool                     threads_; // outlives context_
    std::shared_ptr<llama_context> context_;
    std::shared_ptr<Holders>       holders_ = std::make_shared<Holders>();
    std::vector<Ledger>            ledgers_; // (sequences,)
    std::vector<Checkpoints>       checkpoints_; // (sequences,)
    std::vector<bool>              lost_;    // (sequences,) whose recurrent layers a batch that failed has left anywhere
    std::vector<Row>               rows_;    // of the last decode
    std::vector<int>               probed_;  // layers
    struct Probed { // the spans that the probe reads
        int              cells = 0; // of all spans, 0 for none
        std::vector<int> order;     // the cell of each token, as llama.cpp counts them; empty: token i shows cell i
    };
    std::vector<Probed>            probed_sequences_; // (sequences,)
    int                            n_vocab_ = 0;
    int                            n_embd_  = 0;
    bool                           mrope_   = false;
    bool                           grouped_ = false;
    bool                           recurrent_ = false;
    Interrupt *                    running_ = nullptr; // what the computation asks
    mutable Use                    busy_;
    bool                           broken_ = false;
};

} // namespace lookhere
