// Linked into every executable by `make test-tsan`, in front of Swift's runtime: the Thread Sanitizer does not see into the
// runtime, which is not instrumented, and would report what it orders as races.
//
// A task that waits for a continuation: whoever resumes it tells the sanitizer (the runtime calls `__tsan_release`), and the
// task learns it where it is scheduled again. A continuation that was resumed before the task came to wait for it
// schedules nothing, and the task goes on at once. A task frees the memory of each asynchronous call when it goes on behind
// it: there it acquires what was released for it.
//
// A `Mutex` that is taken: its first attempts are in the caller's own code, and seen; waiting and waking are not.
//
// Source: Swift `stdlib/public/Concurrency/Task.cpp`, `swift_continuation_await`, `resumeTaskAfterContinuation`;
// `stdlib/public/Synchronization/Mutex/LinuxImpl.swift`.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

extern void *swift_task_getCurrent(void) __attribute__((swiftcall, weak));
extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

typedef void __attribute__((swiftcall)) dealloc_function(void *);
typedef void __attribute__((swiftcall)) lock_function(uint32_t, __attribute__((swift_context)) void *);
typedef bool __attribute__((swiftcall)) try_function(__attribute__((swift_context)) void *);
typedef void __attribute__((swiftcall)) unlock_function(__attribute__((swift_context)) void *);

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

static dealloc_function *next_dealloc;
static lock_function *next_lock;
static try_function *next_try_lock;
static unlock_function *next_unlock;

__attribute__((constructor)) static void find_next(void) {
    next_dealloc = (dealloc_function *)dlsym(RTLD_NEXT, "swift_task_dealloc");
    next_lock = (lock_function *)dlsym(RTLD_NEXT, LOCK);
    next_try_lock = (try_function *)dlsym(RTLD_NEXT, TRY_LOCK);
    next_unlock = (unlock_function *)dlsym(RTLD_NEXT, UNLOCK);
}

__attribute__((swiftcall)) void swift_task_dealloc(void *memory) {
    void *task = swift_task_getCurrent();
    if (__tsan_acquire && task) __tsan_acquire(task);
    next_dealloc(memory);
}

__attribute__((swiftcall)) void lock_slow(uint32_t, __attribute__((swift_context)) void *) __asm__(LOCK);
__attribute__((swiftcall)) void lock_slow(uint32_t thread, __attribute__((swift_context)) void *handle) {
    next_lock(thread, handle);
    if (__tsan_acquire) __tsan_acquire(handle);
}

__attribute__((swiftcall)) bool try_lock_slow(__attribute__((swift_context)) void *) __asm__(TRY_LOCK);
__attribute__((swiftcall)) bool try_lock_slow(__attribute__((swift_context)) void *handle) {
    bool is_locked = next_try_lock(handle);
    if (is_locked && __tsan_acquire) __tsan_acquire(handle);
    return is_locked;
}

__attribute__((swiftcall)) void unlock_slow(__attribute__((swift_context)) void *) __asm__(UNLOCK);
__attribute__((swiftcall)) void unlock_slow(__attribute__((swift_context)) void *handle) {
    if (__tsan_release) __tsan_release(handle);
    next_unlock(handle);
}
