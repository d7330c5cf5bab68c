#include "families.h"

namespace lookhere {

const std::vector<Family> & families() {
    static const std::vector<Family> table = {
        // kind, name, needs_window_pattern, tensors
        {"qwen2vl_merger", "Qwen2-VL", false, {}},
        {"qwen2.5vl_merger", "Qwen2.5-VL", true, {}},
        {"qwen2.5o", "Qwen2.5-Omni", true, {}},
        {"qwen3vl_merger", "Qwen3-VL", false, {"v.patch_embd.bias", "v.position_embd.weight"}},
    };
    return table;
}

const Family * find_family(const std::string & kind) {
    for (const Family & family : families()) {
        if (family.kind == kind) {
            return &family;
        }
    }
    return nullptr;
}

std::string family_names() {
    const auto & all = families();
    std::string  names;
    for (size_t i = 0; i < all.size(); i++) {
        names += (i == 0 ? "" : i + 1 < all.size() ? ", " : " and ") + all[i].name;
    }
    return names;
}

} // namespace lookhere
