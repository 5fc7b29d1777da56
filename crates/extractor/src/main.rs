//! The program `docmill-extractor`: reads documents for another docmill program. It is not meant to be started by hand.

#![expect(unsafe_code, reason = "a global allocator cannot be written without; each use says why it is sound")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    process::ExitCode,
};

use docmill_extract::frame::EXIT_OUT_OF_MEMORY;

/// The system's allocator, but for one thing: where it has nothing left, the process ends with an exit code that says so. Rust would
/// abort, as it does for other reasons, and the parent could not tell a document that needs more memory from a broken parser.
struct OrExit;

#[global_allocator]
static ALLOCATOR: OrExit = OrExit;

// SAFETY: every method passes its arguments to the system's allocator unchanged and returns what that returns, or does not return.
unsafe impl GlobalAlloc for OrExit {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as of this method.
        or_exit(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as of this method.
        or_exit(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as of this method.
        or_exit(unsafe { System.realloc(ptr, layout, new_size) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as of this method.
        unsafe { System.dealloc(ptr, layout) }
    }
}

fn or_exit(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        // SAFETY: ends the process at once. Exit handlers, which this leaves out, might allocate.
        unsafe { libc::_exit(EXIT_OUT_OF_MEMORY) };
    }
    memory
}

fn main() -> ExitCode {
    docmill_extractor::serve()
}
