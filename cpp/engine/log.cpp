#include "log.h"

#include "ggml.h"
#include "llama.h"
#include "mtmd-helper.h"

#include <atomic>
#include <memory>
#include <mutex>

namespace lookhere {

namespace {

constexpr size_t ERRORS_MAX = 600; // characters kept for a message

std::mutex                     sink_mutex;
std::shared_ptr<const LogSink> sink_ptr;
std::atomic<int>               sink_level{100};

thread_local bool gone = false; // this thread is ending and its strings are

struct Lines {
    std::string line;            // an unfinished one
    int         line_level = 20;
    std::string errors;
    ~Lines() { gone = true; }
};
thread_local Lines here;

int level_number(ggml_log_level level) {
    switch (level) {
        case GGML_LOG_LEVEL_DEBUG: return 10;
        case GGML_LOG_LEVEL_WARN:  return 30;
        case GGML_LOG_LEVEL_ERROR: return 40;
        default:                   return 20;
    }
}

void emit(int level, const std::string & text) {
    if (text.empty()) {
        return;
    }
    if (level >= 40 && here.errors.size() < ERRORS_MAX) {
        here.errors += (here.errors.empty() ? "" : "; ") + text;
    }
    if (level < sink_level.load(std::memory_order_relaxed)) {
        return;
    }
    std::shared_ptr<const LogSink> sink;
    {
        std::lock_guard<std::mutex> lock(sink_mutex);
        sink = sink_ptr;
    }
    if (sink) {
        (*sink)(level, text); // not under the lock: the sink may log, or set another sink
    }
}

void on_log(ggml_log_level level, const char * text, void *) {
    if (gone) {
        return;
    }
    if (level != GGML_LOG_LEVEL_CONT && here.line.empty()) {
        here.line_level = level_number(level);
    }
    for (const char * c = text; *c != '\0'; c++) {
        if (*c != '\n') {
            here.line += *c;
            continue;
        }
        std::string done;
        done.swap(here.line); // before emit, which may come back here
        emit(here.line_level, done);
    }
}

} // namespace

void log_lock() {
    sink_mutex.lock();
}

void log_unlock() {
    sink_mutex.unlock();
}

void log_install() {
    // not once for all: whoever reaches the same library through ctypes may have set another one meanwhile
    llama_log_set(on_log, nullptr);
    mtmd_helper_log_set(on_log, nullptr);
}

void log_set(LogSink sink, int level) {
    std::shared_ptr<const LogSink> next = sink ? std::make_shared<const LogSink>(std::move(sink)) : nullptr;
    sink_level = next ? level : 100;
    std::lock_guard<std::mutex> lock(sink_mutex);
    sink_ptr.swap(next);
}

void log_forget() {
    here.errors.clear();
}

std::string log_errors() {
    return here.errors.empty() ? "llama.cpp gave no reason" : here.errors;
}

} // namespace lookhere
