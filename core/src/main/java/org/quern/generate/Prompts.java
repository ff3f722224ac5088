package org.quern.generate;

/// Checks ids before they reach a device, where nothing is checked any more.
final class Prompts {
  private Prompts() {}

  /// Checks a prompt.
  ///
  /// @param ids the prompt
  /// @param row names it in messages
  /// @param limit the most ids
  /// @param context of the model
  /// @param vocabulary V
  /// @throws IllegalArgumentException if it is empty, too long, or has an id out of the vocabulary
  static void check(int[] ids, int row, int limit, int context, int vocabulary) {
    if (ids.length == 0) {
      throw new IllegalArgumentException(
          "prompt %d is empty: give it at least one token, such as the end-of-text token, which"
                  .formatted(row)
              + " starts a fresh text");
    }
    if (ids.length > limit) {
      throw new IllegalArgumentException(tooLong(row, ids.length, limit, context));
    }
    for (int i = 0; i < ids.length; i++) {
      checkId(ids[i], row, i, vocabulary);
    }
  }

  /// {@return what is said of a prompt that does not fit}
  static String tooLong(int row, int length, int limit, int context) {
    String what =
        limit < context
            ? "the session has room for %d (context %d)".formatted(limit, context)
            : "the model sees at most %d".formatted(context);
    return "prompt %d has %d tokens, %s: shorten it, or let it slide (--slide, Overflow.SLIDE)"
        .formatted(row, length, what);
  }

  /// Checks an id.
  ///
  /// @throws IllegalArgumentException if it is out of the vocabulary
  static void checkId(int id, int row, int position, int vocabulary) {
    if (id < 0 || id >= vocabulary) {
      throw new IllegalArgumentException(
          "id %d at position %d of prompt %d is out of the vocabulary: the model knows ids 0 to %d"
                  .formatted(id, position, row, vocabulary - 1)
              + " (vocabulary %d); check that the tokenizer belongs to the model"
                  .formatted(vocabulary));
    }
  }
}
