#pragma once

#include <functional>
#include <string>

namespace lookhere {

// levels are those of Python's logging module: 10 debug, 20 info, 30 warning, 40 error
using LogSink = std::function<void(int level, const std::string & text)>;

// routes the logs of ggml, llama and mtmd here; they are dropped until a sink is set. Called once
void log_install();

// around a fork: no other thread holds the lock then, and leaves it locked in the child
void log_lock();
void log_unlock();

// lines of at least this level go to the sink, which may be called from any thread; an empty sink is quiet
void log_set(LogSink sink, int level);

// the errors that llama.cpp logged on this thread since log_forget(), as one line for an exception's message
void        log_forget();
std::string log_errors();

} // namespace lookhere
