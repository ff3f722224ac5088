package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Activation;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Tensor;
import org.quern.cuda.Resources.Kind;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Parameter;
import org.quern.gpt.ParameterSource;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Tuning;
import org.quern.tck.Trajectory;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// Backends beside each other, threads in one, the end of one, and a training beside the CPU's.
@Timeout(120)
@ExtendWith(NothingLeft.class)
class CudaBackendTest {
  private static final int VOCABULARY = 11;
  private static final int CONTEXT = 8;
  private static final int THREADS = 4;
  private static final int STEPS = 20;

  private static Backend open() {
    return Present.backend();
  }

  /// Trains a model of its own, and runs it.
  ///
  /// @return its losses, its weights and the logits of some tokens
  private static List<float[]> job(Backend backend, int seed) {
    int[] tokens = new int[200];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = (i * i + seed * i) % VOCABULARY;
    }
    List<float[]> out = new ArrayList<>();
    GptConfig config = GptConfig.gpt2(VOCABULARY, CONTEXT, 16, 2, 2).withDropout(0.1f);
    TrainingConfig training = TrainingConfig.DEFAULT.withSizes(10, 2 + seed, 1, CONTEXT);
    try (Gpt model = new Gpt(backend, config, ParameterSource.random(seed))) {
      try (Trainer trainer = new Trainer(model, training, TokenSplit.of(tokens, 0.1, CONTEXT))) {
        while (!trainer.done()) {
          out.add(new float[] {(float) trainer.step().loss()});
        }
      }
      for (Parameter p : model.parameters().all()) {
        out.add(backend.floats(p.tensor()));
      }
      try (InferenceModel inference = InferenceModel.of(model);
          Session session = inference.open(1)) {
        out.add(session.prefill(new int[] {1, seed})[0].clone());
        out.add(session.step(3)[0].clone());
      }
    }
    return out;
  }

  private static List<float[]> alone(int seed) {
    try (Backend backend = open()) {
      return job(backend, seed);
    }
  }

  private static void assertSame(List<float[]> expected, List<float[]> found) {
    assertEquals(expected.size(), found.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), found.get(i));
    }
  }

  private static List<List<float[]>> inThreads(List<Callable<List<float[]>>> jobs)
      throws Exception {
    List<List<float[]>> out = new ArrayList<>();
    try (ExecutorService executor = Executors.newFixedThreadPool(jobs.size())) {
      List<Future<List<float[]>>> all = jobs.stream().map(executor::submit).toList();
      for (Future<List<float[]>> one : all) {
        out.add(one.get(60, TimeUnit.SECONDS));
      }
    }
    return out;
  }

  @Test
  void twoBackendsOnOneDeviceGiveWhatEachGivesAlone() throws Exception {
    List<List<float[]>> found;
    try (Backend a = open();
        Backend b = open()) {
      found = inThreads(List.of(() -> job(a, 1), () -> job(b, 2)));
    }
    assertSame(alone(1), found.get(0));
    assertSame(alone(2), found.get(1));
  }

  @Test
  void threadsOfOneBackendGetWhatEachGetsAlone() throws Exception {
    List<List<float[]>> found;
    try (Backend shared = open()) {
      List<Callable<List<float[]>>> jobs = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        int seed = i;
        jobs.add(() -> job(shared, seed));
      }
      found = inThreads(jobs);
      assertEquals(0, shared.pool().stats().inUse());
    }
    for (int i = 0; i < THREADS; i++) {
      assertSame(alone(i), found.get(i));
    }
  }

  @Test
  void closingGivesBackAllThatTheDriverHolds() {
    for (boolean profile : new boolean[] {false, true}) {
      CudaAccelerator accelerator = Present.accelerator(Present.options(), profile);
      Settings settings = Settings.load().withProfile(profile).withDebug(profile);
      Backend backend =
          new DeviceBackend(accelerator, settings, Tuning.defaults(accelerator.limits()));
      List<float[]> ignored = job(backend, 1);
      Scope left = backend.open("left open");
      Tensor x = left.floats(1000);
      backend.ops().fill(x, 1);
      backend.upload(x, new float[1000]);
      Map<Kind, Integer> held = accelerator.resources().live();
      for (Kind kind :
          new Kind[] {
            Kind.CONTEXT,
            Kind.STREAM,
            Kind.MEMORY,
            Kind.PINNED,
            Kind.MODULE,
            Kind.EVENT,
            Kind.CUBLAS
          }) {
        assertTrue(held.containsKey(kind), held.toString());
      }
      backend.close();
      assertEquals(Map.of(), accelerator.resources().live());
      backend.close();
      left.close();
    }
  }

  @Test
  void tensorsOfAnotherBackendOrFreedOnesAreRefused() {
    try (Backend a = open();
        Backend b = open();
        Scope here = a.open("here");
        Scope there = b.open("there")) {
      Tensor mine = here.floats(4);
      Tensor other = there.floats(4);
      Tensor freed;
      try (Scope inner = a.open("inner")) {
        freed = inner.floats(300);
      }
      a.pool().trim();
      var e = assertThrows(IllegalArgumentException.class, () -> a.ops().add(mine, mine, other));
      assertTrue(e.getMessage().startsWith("a buffer of another backend"), e.getMessage());
      assertTrue(e.getMessage().contains(a.device().name()), e.getMessage());
      assertThrows(IllegalArgumentException.class, () -> a.ops().copy(mine, other));
      assertThrows(IllegalArgumentException.class, () -> a.floats(other));
      assertThrows(IllegalArgumentException.class, () -> a.upload(other, new float[4]));
      var f = assertThrows(IllegalStateException.class, () -> a.ops().fill(freed, 1));
      assertTrue(f.getMessage().contains("after free"), f.getMessage());
      assertThrows(IllegalStateException.class, () -> a.floats(freed));
      Tensor weight = ((DeviceBackend) b).quantize(there.floats(4, 32), there);
      Tensor y = here.floats(1, 4);
      Tensor x = here.floats(1, 32);
      assertThrows(
          IllegalArgumentException.class,
          () -> a.ops().linear(y, y, x, weight, null, Activation.NONE));
      a.ops().fill(mine, 1);
      a.ops().add(mine, mine, mine);
      assertArrayEquals(new float[] {2, 2, 2, 2}, a.floats(mine));
    }
  }

  @Test
  void trainingTracksTheCpuBackend() {
    Trajectory trajectory = new Trajectory(STEPS);
    double[] expected;
    double[] found;
    try (Backend cpu = Backends.open(Settings.load().withBackend("cpu").withThreads(1))) {
      expected = trajectory.losses(cpu);
    }
    try (Backend opencl = open()) {
      found = trajectory.losses(opencl);
    }
    assertEquals(STEPS, found.length);
    assertTrue(found[STEPS - 1] < found[0], "it learns");
    assertTrue(trajectory.allowed() < 1e-3, "a bound that says something");
    assertArrayEquals(expected, found, trajectory.allowed());
  }
}
