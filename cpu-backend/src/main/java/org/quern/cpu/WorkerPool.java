package org.quern.cpu;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// A fixed set of threads that share the tasks of one region after another. The caller works too.
///
/// Threads claim tasks from a counter, so that a busy processor does not hold the others up; what a
/// task computes must not depend on who claims it. Between regions a thread spins for a short
/// while, then parks. A second application thread that comes meanwhile runs its region by itself.
final class WorkerPool implements AutoCloseable {
  /// A part of the work of a region.
  interface Body {
    /// Runs one task.
    ///
    /// @param scratch of the thread
    /// @param task which, from 0
    void run(Scratch scratch, int task);
  }

  /// Below so many elementary operations (about 10 us) nobody is woken.
  static final long SMALL = 40_000;

  private static final long SPIN_NANOS = 50_000;

  private final int threads;
  private final List<Worker> workers = new ArrayList<>();
  private final Deque<Scratch> idleScratch = new ArrayDeque<>();
  private final List<Scratch> allScratch = new ArrayList<>();
  private final AtomicBoolean busy = new AtomicBoolean();
  private final AtomicInteger inside = new AtomicInteger();
  private volatile @Nullable Region region;
  private volatile boolean closed;

  /// Starts the threads.
  ///
  /// @param threads how many work, the caller included
  WorkerPool(int threads) {
    this.threads = threads;
    for (int i = 1; i < threads; i++) {
      Worker worker = new Worker(i, newScratch());
      workers.add(worker);
      worker.start();
    }
  }

  int threads() {
    return threads;
  }

  /// Runs all tasks and returns when they are done. What a task throws is thrown here.
  ///
  /// @param tasks how many
  /// @param work of all tasks, in elementary operations
  /// @param body what a task does
  /// @throws IllegalStateException if the backend is closed
  void run(int tasks, long work, Body body) {
    enter();
    try {
      boolean shared = tasks > 1 && threads > 1 && work >= SMALL;
      if (shared && busy.compareAndSet(false, true)) {
        try {
          runShared(tasks, body);
        } finally {
          busy.set(false);
        }
      } else {
        runAlone(tasks, body);
      }
    } finally {
      exit();
    }
  }

  /// Says that work begins that [#close] must wait for.
  ///
  /// @throws IllegalStateException if the backend is closed
  void enter() {
    inside.incrementAndGet();
    if (closed) {
      exit();
      throw new IllegalStateException("the backend 'cpu' is closed");
    }
  }

  /// The end of [#enter].
  void exit() {
    inside.decrementAndGet();
  }

  private void runAlone(int tasks, Body body) {
    Scratch scratch = borrow();
    try {
      for (int task = 0; task < tasks; task++) {
        body.run(scratch, task);
      }
    } finally {
      giveBack(scratch);
    }
  }

  private void runShared(int tasks, Body body) {
    Region mine = new Region(tasks, body, Thread.currentThread());
    region = mine;
    int helpers = Math.min(tasks - 1, workers.size());
    for (int i = 0; i < helpers; i++) {
      workers.get(i).wake();
    }
    Scratch scratch = borrow();
    try {
      if (!mine.work(scratch)) {
        mine.await();
      }
    } finally {
      giveBack(scratch);
      region = null;
    }
    mine.rethrow();
  }

  /// {@return scratch memory for the calling thread, which must be given back}
  Scratch borrow() {
    synchronized (idleScratch) {
      Scratch scratch = idleScratch.poll();
      if (scratch != null) {
        return scratch;
      }
    }
    return newScratch();
  }

  void giveBack(Scratch scratch) {
    synchronized (idleScratch) {
      idleScratch.push(scratch);
    }
  }

  private Scratch newScratch() {
    Scratch scratch = new Scratch();
    synchronized (idleScratch) {
      allScratch.add(scratch);
    }
    return scratch;
  }

  /// Waits for work in flight and stops the threads. Closing twice is harmless.
  @Override
  public void close() {
    closed = true;
    while (inside.get() > 0) {
      LockSupport.parkNanos(SPIN_NANOS);
    }
    workers.forEach(LockSupport::unpark);
    synchronized (idleScratch) {
      allScratch.forEach(Scratch::free);
      allScratch.clear();
      idleScratch.clear();
    }
  }

  /// The tasks of one call. A thread that comes late finds none left, and nobody waits for it.
  private static final class Region {
    private final int tasks;
    private final Body body;
    private final Thread caller;
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger done = new AtomicInteger();
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

    Region(int tasks, Body body, Thread caller) {
      this.tasks = tasks;
      this.body = body;
      this.caller = caller;
    }

    /// Does tasks until none is left.
    ///
    /// @return whether the region is now done
    boolean work(Scratch scratch) {
      int finished = 0;
      try {
        for (int task = next.getAndIncrement(); task < tasks; task = next.getAndIncrement()) {
          finished++; // counted even if it throws: nobody else will do it
          body.run(scratch, task);
        }
      } catch (Throwable e) {
        failure.compareAndSet(null, e);
        finished += tasks - Math.min(tasks, next.getAndSet(tasks)); // the others stop
      }
      return finished > 0 && done.addAndGet(finished) == tasks;
    }

    void wakeCaller() {
      LockSupport.unpark(caller);
    }

    void await() {
      long start = System.nanoTime();
      while (done.get() < tasks) {
        if (System.nanoTime() - start < SPIN_NANOS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
    }

    void rethrow() {
      switch (failure.get()) {
        case null -> {}
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        case Throwable e -> throw new IllegalStateException(e); // a body throws nothing checked
      }
    }
  }

  private final class Worker extends Thread {
    private final Scratch scratch;
    private volatile boolean parked;

    Worker(int index, Scratch scratch) {
      super("quern-cpu-" + index);
      this.scratch = scratch;
      setDaemon(true);
    }

    void wake() {
      if (parked) {
        LockSupport.unpark(this);
      }
    }

    @Override
    public void run() {
      Region seen = null;
      long idle = System.nanoTime();
      while (!closed) {
        Region now = region;
        if (now != null && now != seen) {
          seen = now;
          if (now.work(scratch)) {
            now.wakeCaller();
          }
          idle = System.nanoTime();
        } else if (System.nanoTime() - idle < SPIN_NANOS) {
          Thread.onSpinWait();
        } else {
          parkUntilNews(seen);
          idle = System.nanoTime();
        }
      }
    }

    private void parkUntilNews(@Nullable Region seen) {
      parked = true;
      // The flag is up before this last look, so that a region is either seen here or wakes us.
      Region now = region;
      if ((now == null || now == seen) && !closed) {
        LockSupport.park(WorkerPool.this);
      }
      parked = false;
    }
  }
}
