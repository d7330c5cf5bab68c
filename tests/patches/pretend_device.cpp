// A GPU that is none: memory of its own kind, in which the CPU's kernels compute, and flash attention that it can be told
// to lack. What runs on it, and what the scheduler brings back to the CPU, is counted. What is copied to the host comes
// when the host waits for it; copies to the memory that the device offers for that ("pinned") and to other are counted.

#include "ggml-backend-impl.h"
#include "ggml-cpu.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <vector>

enum { LACKS_SINKS = 1, LACKS_FLASH_ATTENTION = 2 };

static int              lacks = 0;
static std::atomic<int> attentions{0}; // computed here
static int              pinned_copies = 0;
static int              other_copies  = 0;
static size_t           pinned_most   = SIZE_MAX; // larger buffers of the host are not to be had

static ggml_backend_dev_t cpu() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); }

// memory: the CPU's, under another name, so that tensors have to be copied in and out

static const char * memory_name(ggml_backend_buffer_type_t) { return "Pretend"; }

static size_t memory_alignment(ggml_backend_buffer_type_t) { return 64; }

static ggml_backend_buffer_t memory_alloc(ggml_backend_buffer_type_t type, size_t size) {
    ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
    if (buffer) {
        buffer->buft = type;
    }
    return buffer;
}

static ggml_backend_buffer_type memory = {{memory_name, memory_alloc, memory_alignment, nullptr, nullptr, nullptr}, nullptr, nullptr};

// the host's memory: the CPU's

static std::map<char *, size_t> pinned;

static const char * pinned_name(ggml_backend_buffer_type_t) { return "Pretend_Host"; }

static bool pinned_is_host(ggml_backend_buffer_type_t) { return true; }

static ggml_backend_buffer_t pinned_alloc(ggml_backend_buffer_type_t type, size_t size) {
    static decltype(ggml_backend_buffer::iface.free_buffer) free_buffer;
    ggml_backend_buffer_t buffer = size > pinned_most ? nullptr : memory_alloc(type, size);
    if (buffer) {
        free_buffer               = buffer->iface.free_buffer;
        buffer->iface.free_buffer = [](ggml_backend_buffer_t old) {
            pinned.erase((char *) ggml_backend_buffer_get_base(old));
            free_buffer(old);
        };
        pinned[(char *) ggml_backend_buffer_get_base(buffer)] = size;
    }
    return buffer;
}

static ggml_backend_buffer_type host = {{pinned_name, pinned_alloc, memory_alignment, nullptr, nullptr, pinned_is_host}, nullptr, nullptr};

// the backend: a CPU backend of its own

struct Copy {
    ggml_backend_t backend;
    void *         to;
    const void *   from;
    size_t         size;
};

static std::vector<Copy> copies; // under way

static void backend_get(ggml_backend_t backend, const ggml_tensor * tensor, void * to, size_t offset, size_t size) {
    const auto after     = pinned.upper_bound((char *) to);
    const bool is_pinned = after != pinned.begin() && (char *) to + size <= std::prev(after)->first + std::prev(after)->second;
    (is_pinned ? pinned_copies : other_copies)++;
    copies.push_back({backend, to, (const char *) tensor->data + offset, size});
}

static void backend_wait(ggml_backend_t backend) {
    std::vector<Copy> others;
    for (const Copy & copy : copies) {
        if (copy.backend == backend) {
            memcpy(copy.to, copy.from, copy.size);
        } else {
            others.push_back(copy);
        }
    }
    copies = others;
}

static const char * backend_name(ggml_backend_t) { return "Pretend"; }

static void backend_free(ggml_backend_t backend) {
    ggml_backend_free((ggml_backend_t) backend->context);
    delete backend;
}

static ggml_status backend_compute(ggml_backend_t backend, ggml_cgraph * graph) {
    backend_wait(backend); // in the order in which they were asked for
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        attentions += ggml_graph_node(graph, i)->op == GGML_OP_FLASH_ATTN_EXT;
    }
    return ggml_backend_graph_compute((ggml_backend_t) backend->context, graph);
}

static ggml_backend_t device_init(ggml_backend_dev_t device, const char *) {
    static ggml_guid guid = {'l', 'o', 'o', 'k', 'h', 'e', 'r', 'e', 'p', 'r', 'e', 't', 'e', 'n', 'd', '0'};
    auto *           made = new ggml_backend{};
    made->guid                   = &guid;
    made->iface.get_name         = backend_name;
    made->iface.free             = backend_free;
    made->iface.get_tensor_async = backend_get;
    made->iface.synchronize      = backend_wait;
    made->iface.graph_compute    = backend_compute;
    made->device                 = device;
    made->context                = ggml_backend_dev_init(cpu(), nullptr);
    return made;
}

// the device

static const char * device_name(ggml_backend_dev_t) { return "Pretend0"; }

static void device_memory(ggml_backend_dev_t, size_t * free, size_t * total) { *free = *total = size_t(1) << 30; }

static enum ggml_backend_dev_type device_type(ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; }

static void device_props(ggml_backend_dev_t device, ggml_backend_dev_props * props) {
    *props = {};
    props->name = props->description = device_name(device);
    props->type                      = device_type(device);
    device_memory(device, &props->memory_free, &props->memory_total);
}

static ggml_backend_buffer_type_t device_buffer_type(ggml_backend_dev_t) { return &memory; }

static ggml_backend_buffer_type_t device_host_buffer_type(ggml_backend_dev_t) { return &host; }

static bool device_supports_op(ggml_backend_dev_t, const ggml_tensor * op) {
    if (op->op == GGML_OP_FLASH_ATTN_EXT && ((lacks & LACKS_FLASH_ATTENTION) || ((lacks & LACKS_SINKS) && op->src[4]))) {
        return false;
    }
    return ggml_backend_dev_supports_op(cpu(), op);
}

static bool device_supports_buft(ggml_backend_dev_t, ggml_backend_buffer_type_t type) { return type == &memory; }

static ggml_backend_device device = {};

static const char * reg_name(ggml_backend_reg_t) { return "Pretend"; }

static size_t reg_count(ggml_backend_reg_t) { return 1; }

static ggml_backend_dev_t reg_device(ggml_backend_reg_t, size_t) { return &device; }

static ggml_backend_reg reg = {GGML_BACKEND_API_VERSION, {reg_name, reg_count, reg_device, nullptr}, nullptr};

extern "C" void pretend(int lacking) {
    lacks                             = lacking;
    memory.device                     = &device;
    host.device                       = &device;
    device.reg                        = &reg;
    device.iface.get_name             = device_name;
    device.iface.get_description      = device_name;
    device.iface.get_memory           = device_memory;
    device.iface.get_type             = device_type;
    device.iface.get_props            = device_props;
    device.iface.init_backend         = device_init;
    device.iface.get_buffer_type      = device_buffer_type;
    device.iface.get_host_buffer_type = device_host_buffer_type;
    device.iface.supports_op          = device_supports_op;
    device.iface.supports_buft        = device_supports_buft;
    ggml_backend_register(&reg);
}

extern "C" int pretend_attentions(void) { return attentions.exchange(0); }

extern "C" int pretend_pinned_copies(void) { return pinned_copies; }

extern "C" int pretend_other_copies(void) { return other_copies; }

extern "C" void pretend_pinned_most(size_t size) { pinned_most = size; }
