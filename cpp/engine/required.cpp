#include "required.h"

namespace lookhere {

const Required * required_of(const std::string & kind) {
    static const std::vector<Required> table = {
        {"qwen2vl_merger", false, {}},
        {"qwen2.5vl_merger", true, {}},
        {"qwen2.5o", true, {}},
        {"qwen3vl_merger", false, {"v.patch_embd.bias", "v.position_embd.weight"}},
    };
    for (const Required & required : table) {
        if (required.kind == kind) {
            return &required;
        }
    }
    return nullptr;
}

bool may_be_zero(const std::string & kind, const std::string & key) {
    return (kind == "dots_ocr" && key == "image_size") || (kind == "yasa2" && key == "block_count");
}

} // namespace lookhere
