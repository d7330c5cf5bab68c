#pragma once

namespace lookhere {

// A forked child has this memory, but none of the threads that computed in it. What is made of threads, or was in the
// middle of something, notes how many forks lie behind it, and is not touched where that number has changed.
int forks(); // that lie between this process and the one that loaded the library

// before: runs in the parent before each fork, to take locks; after: in parent and child, to give them back; child: in
// the child alone, after that
void on_fork(void (*before)(), void (*after)(), void (*child)());

} // namespace lookhere
