#pragma once

#include <cstdint>
#include <vector>

namespace lookhere {

// The tokens of one row of logits: cut to the most likely ones, then one is drawn. Nothing is sorted but the few tokens
// around a cut: the others are counted in groups of like logits, the most likely group first. Of equal logits the lower
// token comes first.
class Distribution {
public:
    static constexpr int BLOCK = 1024; // tokens that are computed at once

    // the largest logit and its first token; nan where a logit is no number
    struct Most {
        float logit;
        int   token;
    };
    static Most most(const float * logits, int n);

    // logits (n,) stay the caller's, and most must be finite. Tokens whose logit is below floor are never drawn.
    Distribution(const float * logits, int n, float most, float temperature, float floor);

    // the token before which lies this share, 0 to 1, of all likelihood; tokens in their order
    int draw_by_token(double share);

    void group(bool plain);       // before what follows; plain: keep_mass() will be asked
    void keep_tokens(int count);  // the most likely ones
    void keep_mass(double share); // the fewest that have this share of what the cuts before left, without temperature
    int  draw(double share);      // as draw_by_token, the most likely token first

private:
    // of some tokens together
    struct Weights {
        double tokens = 0; // how many
        double plain  = 0; // likelihood without temperature; that of the most likely token is 1
        double warm   = 0; // with it; 0 below the floor
    };
    using Weight = double Weights::*;

    struct Candidate {
        float logit;
        int   token;
        float plain = 0, warm = 0; // its Weights

        bool operator<(const Candidate & other) const { // comes before it
            return logit > other.logit || (logit == other.logit && token < other.token);
        }
    };
    // a token, the most likely ones up to it being the first that reach some weight
    struct Reached {
        int       group  = 0;
        Weights   within = {}; // of the tokens of its group up to it
        Candidate last   = {0, -1};
    };

    void                   plain(const float * logits, int n, float * out) const; // the Weights of logits
    void                   warm(const float * logits, int n, float * out) const;
    static Weights         sum(const Candidate * first, const Candidate * end);
    std::vector<Candidate> members(int group) const; // that no cut took away
    Reached                reach(Weight weight, double target) const;
    void                   cut(const Reached & end);

    const float *         logits_;
    int                   n_;
    float                 most_;
    float                 inverse_; // of the temperature
    float                 floor_;
    std::vector<Weights>  groups_;   // those after a cut are gone
    std::vector<uint16_t> group_of_; // (n,)
    Candidate             end_;      // the last one that the cuts left
};

} // namespace lookhere
