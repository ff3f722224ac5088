package org.quern.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/// Memory with machine code that was assembled beforehand. It is written first and made executable
/// then, never both, and stays for the life of the process unless [#close] is called.
///
/// Linux on x86-64 only. Everything here needs native access.
@SuppressWarnings("restricted") // that is what it is for, and TileChoice asks before
final class MachineCode implements AutoCloseable {
  /// What the system does not allow.
  static final class Refused extends Exception {
    private static final long serialVersionUID = 1;

    Refused(String reason) {
      super(reason);
    }
  }

  private static final int PROT_READ = 1;
  private static final int PROT_WRITE = 2;
  private static final int PROT_EXEC = 4;
  private static final int MAP_PRIVATE = 2;
  private static final int MAP_ANONYMOUS = 0x20;
  private static final long SYS_ARCH_PRCTL = 158;
  private static final long ARCH_REQ_XCOMP_PERM = 0x1023;
  private static final long XFEATURE_XTILEDATA = 18;

  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO =
      STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

  private final MemorySegment memory;

  private MachineCode(MemorySegment memory) {
    this.memory = memory;
  }

  /// {@return the code, ready to be called}
  ///
  /// @param code the bytes
  /// @throws Refused if the system allows no such memory
  static MachineCode map(byte[] code) throws Refused {
    long address =
        call(
            "mmap",
            FunctionDescriptor.of(LONG, LONG, LONG, INT, INT, INT, LONG),
            0L,
            (long) code.length,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS,
            -1,
            0L);
    MachineCode out = new MachineCode(MemorySegment.ofAddress(address).reinterpret(code.length));
    out.memory.copyFrom(MemorySegment.ofArray(code));
    try {
      call(
          "mprotect",
          FunctionDescriptor.of(INT, LONG, LONG, INT),
          address,
          (long) code.length,
          PROT_READ | PROT_EXEC);
    } catch (Refused e) {
      out.close();
      throw new Refused("the system forbids executable memory: " + e.getMessage());
    }
    return out;
  }

  /// {@return where the code lies}
  long address() {
    return memory.address();
  }

  /// {@return a routine. It may be given arrays; it holds up the garbage collector while it runs,
  /// and so must take well under a millisecond}
  ///
  /// @param offset of its first byte
  /// @param arguments of it; it returns nothing
  MethodHandle routine(long offset, MemoryLayout... arguments) {
    return LINKER.downcallHandle(
        memory.asSlice(offset), FunctionDescriptor.ofVoid(arguments), Linker.Option.critical(true));
  }

  /// Asks the system to let all threads of the process use AMX's tiles.
  ///
  /// @throws Refused if it does not
  static void requestTiles() throws Refused {
    call(
        "syscall",
        FunctionDescriptor.of(LONG, LONG, LONG, LONG),
        SYS_ARCH_PRCTL,
        ARCH_REQ_XCOMP_PERM,
        XFEATURE_XTILEDATA);
  }

  /// {@return what a function of the C library returns}
  ///
  /// @throws Refused if that is -1
  private static long call(String name, FunctionDescriptor type, Object... arguments)
      throws Refused {
    MemorySegment function =
        LINKER
            .defaultLookup()
            .find(name)
            .orElseThrow(() -> new Refused("the C library has no " + name));
    Linker.Option state = Linker.Option.captureCallState("errno");
    MethodHandle handle =
        name.equals("syscall")
            ? LINKER.downcallHandle(function, type, state, Linker.Option.firstVariadicArg(1))
            : LINKER.downcallHandle(function, type, state);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment captured = arena.allocate(STATE);
      Object[] all = new Object[arguments.length + 1];
      all[0] = captured;
      System.arraycopy(arguments, 0, all, 1, arguments.length);
      long result = ((Number) handle.invokeWithArguments(all)).longValue();
      if (result == -1) {
        throw new Refused("%s failed with error %d".formatted(name, (int) ERRNO.get(captured, 0L)));
      }
      return result;
    } catch (Refused | RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e); // functions of C throw nothing
    }
  }

  @Override
  public void close() {
    try {
      call("munmap", FunctionDescriptor.of(INT, LONG, LONG), memory.address(), memory.byteSize());
    } catch (Refused e) {
      throw new AssertionError(e); // it is our own mapping
    }
  }
}
