package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Files of other programs: `convert`, `--model FILE`, `verify --llmc`.
class InterchangeTest {
  private static final Path GOLDEN = Path.of("../core/src/test/resources/golden-files");
  private static final String LLMC = GOLDEN.resolve("llmc/model-f32.bin").toString();
  private static final String HF = GOLDEN.resolve("bf16-prefix-tied").toString();

  @TempDir Path temporary;

  private String in(String name) {
    return temporary.resolve(name).toString();
  }

  @ParameterizedTest
  @ValueSource(strings = {"llmc/model-f32.bin", "llmc/model-bf16.bin", "gguf/q8_0.gguf", "nanogpt"})
  void modelsAreTakenInEveryFormat(String name) {
    String model = GOLDEN.resolve(name).toString();
    Cli.run("next", "--model", model, "--ids", "1 2", "--backend", "cpu").ok();
    Cli.run("generate", "--model", model, "--ids", "1 2", "--max-tokens", "2", "--backend", "cpu")
        .ok();
  }

  @Test
  void aTokenizerThatOnlyDecodesSaysSo() {
    Cli next = Cli.run("next", "--model", LLMC, "--ids", "6", "--backend", "cpu").ok();
    assertTrue(next.out().contains("the") || next.out().contains("of"), next.out());
    Cli.run("next", "--model", LLMC, "the", "--backend", "cpu")
        .fails(1, "how to make them of text", "vocab.json and merges.txt", "--ids");
  }

  @Test
  void convertsByNameAndBack() throws IOException {
    String gguf = in("a.gguf");
    Cli first = Cli.run("convert", HF, gguf).ok();
    assertTrue(first.out().contains("as bf16"), first.out());
    Cli.run("convert", gguf, in("back")).ok();
    assertEquals(
        -1,
        Files.mismatch(
            Path.of(in("back")).resolve("model.safetensors"),
            back(Path.of(HF), "again").resolve("model.safetensors")));
    Cli.run("convert", LLMC, in("nano"), "--to", "nanogpt", "--storage", "f16").ok();
    Cli.run("convert", in("nano"), in("n.bin"), "--storage", "BF16").ok();
    Cli.run("next", "--model", in("n.bin"), "--ids", "1", "--backend", "cpu").ok();
  }

  /// The folder as Quern writes it.
  private Path back(Path from, String to) {
    Cli.run("convert", from.toString(), in(to)).ok();
    return Path.of(in(to));
  }

  @Test
  void keepsWhatIsThere() throws IOException {
    Path there = Files.writeString(temporary.resolve("a.gguf"), "old");
    Cli.run("convert", HF, there.toString()).fails(1, "there already", "--force");
    assertEquals("old", Files.readString(there));
    Cli.run("convert", HF, there.toString(), "--force").ok();
    assertTrue(Files.size(there) > 500);
    Cli.run("convert", there.toString(), there.toString(), "--force")
        .fails(1, "is the model itself");
    Cli.run("convert", there.toString(), temporary.toString(), "--to", "gguf")
        .fails(1, "is a folder");
    Cli.run("convert", HF, there.toString(), "--to", "hf").fails(1, "is a file");
    Cli.run("convert", HF, HF, "--force").fails(1, "is the model itself");
    Files.writeString(temporary.resolve("gpt2_tokenizer.bin"), "old");
    Cli.run("convert", LLMC, in("new.bin")).fails(1, "gpt2_tokenizer.bin is there already");
    assertFalse(Files.exists(temporary.resolve("new.bin")));
  }

  @Test
  void whatCannotBeIsRefused() {
    Cli.run("convert", HF, in("a.bin"), "--storage", "f16").fails(1, "f32, bf16, not f16");
    Cli.run("convert", HF, in("a.gguf"), "--storage", "q8_0").fails(1, "multiples of 32");
    Cli.run("convert", in("none"), in("a.gguf")).fails(1, "no such file or folder");
    Cli.run("convert", HF, in("none/a.gguf")).fails(1, "the folder does not exist");
    Cli.run("convert", HF).fails(2, "TARGET");
    Cli.run("convert", HF, in("a"), "--to", "onnx").fails(2, "--to");
    assertFalse(Files.exists(temporary.resolve("a.gguf")));
  }

  @Test
  void verifiesAgainstLlmcsState() {
    Cli found = Cli.run("verify", "--llmc", LLMC, "--backend", "cpu").ok();
    assertTrue(found.out().contains("logits"), found.out());
    assertTrue(found.out().contains("d h.*.attn.c_attn.weight"), found.out());
    assertTrue(found.out().contains("passed"), found.out());
    assertEquals(18, found.out().lines().filter(l -> l.endsWith("  ok")).count());
    String state = LLMC.replace(".bin", "_debug_state.bin");
    Cli.run("verify", "--llmc", state, "--backend", "cpu").ok();
    Cli json = Cli.run("verify", "--llmc", state, LLMC, "--json", "--backend", "cpu").ok();
    assertTrue(json.out().contains("\"passed\" : true"), json.out());
    String bf16 = GOLDEN.resolve("llmc/model-bf16.bin").toString();
    Cli.run("verify", "--llmc", bf16, state, "--backend", "cpu").ok();
  }

  /// One gradient off by more than a hundredth of its norm, though by less than llm.c's bound.
  @Test
  void findsAWrongGradient() throws IOException {
    Path state = temporary.resolve("x_debug_state.bin");
    byte[] bytes = Files.readAllBytes(Path.of(LLMC.replace(".bin", "_debug_state.bin")));
    ByteBuffer numbers = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int last = bytes.length - 4; // of ln_f.bias
    numbers.putFloat(last, numbers.getFloat(last) + 0.015f);
    Files.write(state, bytes);
    Cli found = Cli.run("verify", "--llmc", LLMC, state.toString(), "--backend", "cpu");
    assertEquals(1, found.code());
    assertTrue(found.out().contains("FAILED: d ln_f.bias ("), found.out());
    Cli.run("verify", "--llmc", in("none.bin")).fails(1, "there is no file");
    Cli.run("verify", "--llmc", in("none.bin"), "--quick").fails(1, "without --op and --quick");
    Path alone = Files.copy(Path.of(LLMC), temporary.resolve("alone.bin"));
    Cli.run("verify", "--llmc", alone.toString()).fails(1, "alone_debug_state.bin");
  }
}
