"""Some virtual machines promise AMX and do not say how large its tiles are; torch dies of that.

There oneDNN, which multiplies bfloat16 for torch, sets no tile up and uses them all the same: `Illegal
instruction`, and the process is gone. It can be told to leave AMX alone, in time: it asks once, before its
first product. So this is done when the package is first imported, and children inherit it.

Source: Intel's Architecture Instruction Set Extensions, CPUID leaf 1DH (EAX: the largest palette, 1 where
there are tiles); https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html.
"""

import os

VARIABLE = "ONEDNN_MAX_CPU_ISA"
WITHOUT_AMX = "AVX512_CORE_FP16"
"""The most that oneDNN may use: all that came before AMX."""
TILE_LEAF = 0x1D
_ASK = bytes.fromhex("53 89f8 89f1 0fa2 5b c3")
"""x86-64: rbx kept; eax, ecx = the two arguments; cpuid; eax is what comes back."""


def leave_broken_tiles() -> bool:
    """Tell oneDNN to do without AMX where the processor's word on it is half missing; whether that was done.

    What `ONEDNN_MAX_CPU_ISA` says already stays. Where the processor cannot be asked, nothing is done.
    """
    if VARIABLE in os.environ or not _promised():
        return False
    if largest_palette() != 0:
        return False
    os.environ[VARIABLE] = WITHOUT_AMX
    return True


def largest_palette() -> int | None:
    """How tiles may be laid out, by the processor: 1 where AMX works, 0 without; None: not to be asked."""
    import ctypes  # late: the package is imported in milliseconds where there is no AMX
    import mmap
    import platform
    import sys

    if platform.machine().lower() not in ("x86_64", "amd64") or not sys.platform.startswith("linux"):
        return None

    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:  # a kernel that runs nothing that was written first
        return None
    page.write(_ASK)
    start = ctypes.c_char.from_buffer(page)
    asked = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32)(ctypes.addressof(start))
    found = int(asked(TILE_LEAF, 0))
    del asked, start
    page.close()
    return found


def _promised() -> bool:
    """The kernel lists AMX among what the processor can do."""
    try:
        with open("/proc/cpuinfo", "rb") as listed:
            return b" amx_tile" in listed.read(8192)  # one processor's lines; they are all alike
    except OSError:
        return False
